"""A record as a document: headings, tables and words, free of any format."""

from collections.abc import Mapping, Sequence

from d1_preflight.core.checklist.answers import answer_label
from d1_preflight.core.checklist.checklist import Answer, Checklist, Step
from d1_preflight.core.findings import Kind
from d1_preflight.core.format import duration, first, plural, short_hash, timestamp
from d1_preflight.core.record.apply_facts import CloseFacts, GoFacts
from d1_preflight.core.record.facts import Fact
from d1_preflight.core.record.gate import expired_answer, tally
from d1_preflight.core.record.record import MARKS, Attempt, Record, Status, kind_of
from d1_preflight.core.recovery.later_write import later_write
from d1_preflight.core.summary.markdown import table_columns
from d1_preflight.core.summary.summary import Summary
from d1_preflight.core.verify.links import Verification
from d1_preflight.lazy_dataclass import dataclass
from d1_preflight.report.fact_text import fact_text, is_for_people, label
from d1_preflight.report.overview import Undo
from d1_preflight.report.pictures import Picture

_EARLIER = "answered before, but what it is based on has changed since"

_COMMAND = 160
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Heading:
    """A title; level 1 is the document's."""

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Words:
    """A paragraph; `strong` for what must not be overlooked, `code` for a command to copy."""

    text: str
    strong: bool = False
    code: bool = False


@dataclass(frozen=True, slots=True)
class Pairs:
    """Names and their values."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Columns and rows; `right` are the columns of figures."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Item:
    """A step with its state: mark and word, then what was found."""

    status: Status
    title: str
    words: str

    @property
    def mark(self) -> str:
        """“✓ proved”."""
        return f"{MARKS[self.status]} {self.status}"


@dataclass(frozen=True, slots=True)
class Command:
    """A command that ran, how it ended, and the files that hold its output."""

    line: str
    ended: str
    files: tuple[str, ...]


Block = Heading | Words | Pairs | Table | Item | Command | Picture
Document = tuple[Block, ...]


def document(
    record: Record,
    checklist: Checklist,
    verification: Verification | None = None,
    timeline: bytes | None = None,
) -> Document:
    """The whole record for people: the head, every section with its proofs, every attempt.

    `timeline` is that of an emergency, where there was one.
    """
    return (
        *_head(record, checklist, verification),
        *(
            block
            for section in checklist.sections
            for block in _section(record, checklist, section.id, timeline)
        ),
        *_timeline(record, checklist),
    )


def missing(record: Record, checklist: Checklist) -> str:
    """The first steps that an open record still needs; "" for a complete one."""
    path = checklist.steps_for(kind_of(record, checklist, Kind.UNKNOWN))
    still_open = [step for step in path if not record.status_of(step).is_answered]
    return first([f"“{step.title}”" for step in still_open], _NAMED)


def summary_blocks(summary: Summary, undo: Sequence[Undo]) -> Document:
    """The summary with which every form of `show` begins, and how to undo what it covers."""
    columns, rows = table_columns(summary)
    blocks: list[Block] = [
        Heading(1, summary.title),
        Words(summary.verdict, strong=True),
        Pairs(summary.facts),
        *undo_blocks(undo),
    ]
    if rows:
        figures = frozenset(range(1, len(columns)))
        blocks += [Words("Changed tables", strong=True), Table(columns, rows, figures)]
    if summary.unlisted:
        blocks.append(Words(f"… and {summary.unlisted} more tables"))
    if summary.events:
        blocks += [Words("Emergency (UTC)", strong=True), *map(Words, summary.events)]
    if summary.commands:
        words = "To verify it: the first in the project, the others in this folder."
        blocks.append(Words(words, strong=True))
    return (*blocks, *(Words(command, code=True) for command in summary.commands))


def undo_blocks(ways: Sequence[Undo]) -> Document:
    """The ways to undo a migration, the chosen one first; nothing where there is none."""
    if not ways:
        return ()
    rows = tuple(
        (answer_label("way", way.way), way.loses, way.takes, way.until, way.command) for way in ways
    )
    columns = ("rollback path", "loses", "takes", "until", "command")
    used = [n for n in range(len(columns)) if any(row[n] for row in rows)]
    cells = tuple(tuple(row[n] for n in used) for row in rows)
    table = Table(tuple(columns[n] for n in used), cells)
    return (Words("To undo it, best first", strong=True), table)


def table_of(rows: Fact) -> Table | None:
    """A table of facts (“tables”, “schema”, “endpoints” …), its columns in their own order."""
    found = [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, tuple) else []
    if not found:
        return None
    keys = tuple(filter(is_for_people, dict.fromkeys(key for row in found for key in row)))
    figures = frozenset(
        n
        for n, key in enumerate(keys)
        if all(isinstance(r.get(key, 0), int) and not isinstance(r.get(key), bool) for r in found)
    )
    cells = tuple(tuple(_cell(key, row.get(key, "")) for key in keys) for row in found)
    return Table(tuple(map(label, keys)), cells, figures)


def _cell(key: str, value: Fact) -> str:
    if key == "ok":
        return "✓ yes" if value is True else "✗ no"
    return fact_text(key, value)


def _head(
    record: Record, checklist: Checklist, verification: Verification | None
) -> Sequence[Block]:
    kind = kind_of(record, checklist, Kind.UNKNOWN)
    counts = tally(record, checklist, kind)
    database = record.database
    where = f"{database.name} · {database.target.upper()}"
    where += f" · {database.environment}" if database.environment else ""
    pairs = [
        ("class", kind.value),
        ("database", f"{where} ({database.id})"),
        ("steps", ", ".join(f"{MARKS[s]} {n} {s}" for s, n in counts.items() if n)),
        ("migration sha256", record.subjects.get("migration", "unknown")),
        ("tools", ", ".join(f"{name} {version}" for name, version in record.tools.items())),
        *_signatures(record, checklist),
    ]
    return (
        *_verified(verification),
        Heading(2, "Record"),
        Pairs(tuple(pair for pair in pairs if pair[1])),
        *_waived(record, checklist, kind),
    )


def _signatures(record: Record, checklist: Checklist) -> list[tuple[str, str]]:
    found = []
    for kind, name in ((GoFacts, "GO"), (CloseFacts, "closed")):
        step = checklist.step(kind.step) if checklist.has(kind.step) else None
        attempt = record.standing(step) if step else None
        if attempt is not None and attempt.status.is_answered and kind.step not in record.stale:
            signed = kind.from_attempt(attempt)
            key = signed.fingerprint if isinstance(signed, GoFacts) else ""
            when = signed.signed_at if isinstance(signed, GoFacts) else None
            who = f"{signed.signer or attempt.by} {key} {timestamp(when or attempt.finished_at)}"
            found.append((name, who.replace("  ", " ")))
    return found


def not_verified(verification: Verification | None) -> Document:
    """What stands before everything else where the record is not to be believed."""
    if verification is None or not verification.problems:
        return ()
    rows = tuple((p.weight.value, p.file, p.words) for p in verification.problems)
    by = f" ({verification.trust})" if verification.trust else ""
    table = Table(("weight", "file", "what"), rows)
    return (Words(f"✗ not verified{by}:", strong=True), table)


def _verified(verification: Verification | None) -> Sequence[Block]:
    if verification is None:
        return ()
    by = f" ({verification.trust})" if verification.trust else ""
    reviews = [(n, w) for n, w in verification.facts.items() if n.startswith("review of ")]
    reviewed = (Pairs(tuple(reviews)),) if reviews else ()
    if verification.problems:
        return reviewed
    good = f"✓ verified: signatures, hashes and completeness{by}."
    return (Words(good, strong=True), *reviewed)


def _waived(record: Record, checklist: Checklist, kind: Kind) -> Sequence[Block]:
    """Waived items come at the top as well as in their place, so that they are seen."""
    waived = [
        Item(Status.WAIVED, step.title, attempt.words)
        for step in checklist.steps_for(kind)
        if (attempt := record.standing(step)) and attempt.status is Status.WAIVED
    ]
    return (Words("Waived:", strong=True), *waived) if waived else ()


def _section(
    record: Record, checklist: Checklist, section_id: str, timeline: bytes | None
) -> Sequence[Block]:
    kind = kind_of(record, checklist, Kind.UNKNOWN)
    steps = [s for s in checklist.steps_for(kind) if s.section == section_id]
    section = next(s for s in checklist.sections if s.id == section_id)
    if not steps:
        return ()
    title = Heading(2, f"{section.number} {section.title}".strip())
    return (title, *(block for step in steps for block in _step(record, step, timeline)))


def _step(record: Record, step: Step, timeline: bytes | None) -> Sequence[Block]:
    attempt = record.standing(step)
    if attempt is None:
        invalidated = record.last(step.id) is not None
        return (Item(Status.PENDING, step.title, _EARLIER if invalidated else ""),)
    since = later_write(record, step.id, timeline)
    words = f"{attempt.words} (stale: since then {since})" if since else attempt.words
    words = " ".join(filter(None, (words, expired_answer(record, step))))
    return (
        Item(record.status_of(step), step.title, record.stale.get(step.id) or words),
        *_values(attempt),
        *_tables(attempt),
        *(
            Command(
                _one_line(" ".join(evidence.argv)),
                _ended(evidence.exit_code, evidence.milliseconds),
                tuple(f"{name}  sha256 {digest}" for name, digest in evidence.files.items()),
            )
            for evidence in attempt.evidence
        ),
    )


def _values(attempt: Attempt) -> Sequence[Block]:
    """Answers and single facts, without repetitions."""
    rows = [(label(key), _answer(key, value)) for key, value in attempt.answers.items()]
    rows += [
        (label(key), fact_text(key, value))
        for key, value in attempt.facts.items()
        if is_for_people(key) and not _is_table(value) and value not in ("", (), {})
    ]
    rows = [pair for pair in dict.fromkeys(rows) if pair[1] and pair[1] != attempt.words]
    return (Pairs(tuple(rows)),) if rows else ()


def _tables(attempt: Attempt) -> Sequence[Block]:
    """The facts that are tables; rows that only say what was expected are counted."""
    blocks: list[Block] = []
    for key, value in attempt.facts.items():
        if not (is_for_people(key) and _is_table(value) and isinstance(value, tuple)):
            continue
        told = tuple(row for row in value if not _is_as_expected(row))
        table = table_of(told)
        blocks += [Words(f"{label(key)}:"), table] if table is not None else []
        if rest := len(value) - len(told):
            blocks.append(Words(f"{'and ' if table else ''}{plural(rest, 'table')} as expected"))
    return tuple(blocks)


def _is_as_expected(row: Fact) -> bool:
    """Whether a table's row says nothing but that it is as it was, or as it was rehearsed."""
    if not isinstance(row, Mapping):
        return False
    is_same = row.get("verdict") == "unchanged" or row.get("expected", ()) == row.get("found")
    return row.get("ok") is True and is_same and not row.get("same_values")


def _is_table(value: Fact) -> bool:
    return isinstance(value, tuple) and bool(value) and all(isinstance(v, Mapping) for v in value)


def _answer(key: str, value: Answer) -> str:
    if isinstance(value, bool):
        return "confirmed" if value else "not confirmed"
    return answer_label(key, value) if isinstance(value, str) else ", ".join(value)


def _ended(exit_code: int | None, milliseconds: int) -> str:
    how = "was lost" if exit_code is None else f"exit {exit_code}"
    return f"{how}, {duration(milliseconds)}"


def _timeline(record: Record, checklist: Checklist) -> Sequence[Block]:
    """Every attempt, also failed and invalidated ones."""
    rows = tuple(
        (
            timestamp(a.started_at),
            _took(a),
            checklist.step(a.step).short if checklist.has(a.step) else a.step,
            f"{MARKS[a.status]} {a.status}",
            a.by,
            short_hash(a.subjects.get("migration", "")),
        )
        for a in record.attempts
    )
    if not rows:
        return (Words("No step has run yet."),)
    columns = ("began", "took", "step", "state", "by", "about text")
    return (Heading(2, "Timeline"), Table(columns, rows))


def _took(attempt: Attempt) -> str:
    if attempt.finished_at is None:
        return ""
    spent = attempt.finished_at - attempt.started_at
    return duration(round(spent.total_seconds() * 1000))


def _one_line(command: str) -> str:
    """A command as one line of a page; `record.toml` has it whole."""
    return command if len(command) <= _COMMAND else f"{command[: _COMMAND - 2]} …"
