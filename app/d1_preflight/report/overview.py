"""What a stranger asks first of a record: what is lost, who agreed, where the backup is, the undo.

The signed summary keeps its own form; this stands before it in `show` alone.
"""

import posixpath
from collections.abc import Iterable, Iterator

from d1_preflight.core.checklist.answers import FIXED_MANUALLY, KEPT, LEAVE_IT, ROLLED_BACK
from d1_preflight.core.format import duration, first, plural, timestamp
from d1_preflight.core.record.apply_facts import NO_GO, CloseFacts, GoFacts
from d1_preflight.core.record.change_facts import LossesFacts, RehearsalFacts, SchemaChange
from d1_preflight.core.record.facts import moment
from d1_preflight.core.record.record import Record
from d1_preflight.core.record.review import Verdict
from d1_preflight.core.record.safety_facts import (
    BackupFacts,
    BookmarkFacts,
    RestoreFacts,
    RollbackPlanFacts,
)
from d1_preflight.core.summary.changed_rows import ChangedTable, changed_tables
from d1_preflight.core.summary.form import LABELLED_FORM
from d1_preflight.core.summary.summary import Summary
from d1_preflight.core.summary.text import joined, sentence
from d1_preflight.core.summary.verdict import closed_attempt, verdict_of
from d1_preflight.core.target.api_place import PRACTICE
from d1_preflight.lazy_dataclass import dataclass, replace

_NAMED = 4
_UNDO = "can be undone by"
_ENDS = {
    KEPT: "applied and kept",
    ROLLED_BACK: "applied and rolled back",
    FIXED_MANUALLY: "applied and fixed manually",
}
_REMOVED, _MANY = "removed", {"index": "indexes"}


@dataclass(frozen=True, slots=True)
class Undo:
    """One way to undo a migration that is kept."""

    way: str
    loses: str
    takes: str
    until: str
    command: str


def overview(summary: Summary, record: Record, missing: str = "") -> Summary:
    """The summary with another headline, and what is asked first before its own facts."""
    in_table = bool(undoing(record)) and not _says_none_needed(summary, record)
    facts = (pair for pair in summary.facts if pair[0] != _UNDO or not in_table)
    return replace(summary, verdict=headline(record, missing), facts=(*asked_first(record), *facts))


def _says_none_needed(summary: Summary, record: Record) -> bool:
    """Whether the summary's own line says that no rollback is needed, which no table does."""
    plan = record.last_facts(RollbackPlanFacts)
    return plan.chosen == LEAVE_IT and summary.form >= LABELLED_FORM


def headline(record: Record, missing: str = "") -> str:
    """How it ended, as “applied and kept (practice database)”; what an open record still needs."""
    closed = closed_attempt(record)
    end = CloseFacts.from_attempt(closed).end if closed else ""
    if end not in _ENDS or record.is_adoption:
        return verdict_of(record, missing).replace(" (practice)", " (practice database)")
    place = " (practice database)" if record.database.target == PRACTICE else ""
    return f"{_ENDS[end]}{place}"


def asked_first(record: Record) -> tuple[tuple[str, str], ...]:
    """The loss, who agreed to it, and the backup; only what the record knows."""
    found = (("lost", _lost(record)), ("agreed", _agreed(record)), ("backup", _backup(record)))
    return tuple((name, text) for name, text in found if text)


def undoing(record: Record) -> tuple[Undo, ...]:
    """The ways to undo it, the chosen one first; () where it was not kept."""
    closed = closed_attempt(record)
    if closed is not None and CloseFacts.from_attempt(closed).end != KEPT:
        return ()
    plan = record.last_facts(RollbackPlanFacts)
    acts = (way for way in plan.ways if way.way != LEAVE_IT)  # that one undoes nothing
    ways = sorted(acts, key=lambda way: way.way != plan.chosen)
    until = _until(record)
    return tuple(
        Undo(
            way=way.way,
            loses=way.loses,
            takes=duration(way.takes_ms) if way.takes_ms else "",
            until=until if way.way == "time travel" else "",
            command=way.command,
        )
        for way in ways
    )


def _lost(record: Record) -> str:
    """Rows, values and schema objects that the rehearsal or the target shows as gone."""
    rehearsed = record.last_facts(RehearsalFacts)
    tables, _ = changed_tables(record)
    parts = [*_lost_rows(tables), *_removed(rehearsed.schema)]
    if record.is_adoption or not (parts or rehearsed.schema_after):
        return ""  # without a rehearsal, nobody knows that nothing is lost
    if not parts:
        return "nothing: no row, no value, no table, column or index"
    declared = record.last_facts(LossesFacts)
    why = f". Declared, because: {sentence(declared.loss_reason)}" if declared.loss_reason else ""
    return f"{' · '.join(parts)}{why}"


def _lost_rows(tables: tuple[ChangedTable, ...]) -> Iterator[str]:
    gone = [f"{plural(t.gone, 'row')} of {t.table}{_back(t)}" for t in tables if t.gone]
    if gone:
        yield joined(gone, _NAMED)
    changed = [f"{plural(t.changed, 'row')} of {t.table}" for t in tables if t.changed]
    if changed:
        yield f"values changed or dropped in {joined(changed, _NAMED)}"


def _removed(schema: Iterable[SchemaChange]) -> Iterator[str]:
    """What the schema loses, by kind: “columns teams.a, teams.b”."""
    names: dict[str, list[str]] = {}
    for change in schema:
        if change.change == _REMOVED:
            names.setdefault(change.object, []).append(change.name)
    for kind, found in names.items():
        many = _MANY.get(kind, f"{kind}s") if len(found) > 1 else kind
        yield sentence(f"{many} {first(found, _NAMED)}")


def _back(table: ChangedTable) -> str:
    return f" ({plural(table.back, 'row')} restored since)" if table.back else ""


def _agreed(record: Record) -> str:
    """Whether one person alone said GO, or another one approved it."""
    signed = record.last_facts(GoFacts)
    if not signed.signer or signed.decision == NO_GO:
        return ""
    closed = closed_attempt(record)
    if closed is None:
        return sentence(f"{signed.signer} signed GO; the close names who reviewed it")
    reviews = CloseFacts.from_attempt(closed).reviews
    approved = [r.by for r in reviews if r.verdict == Verdict.APPROVED]
    if approved:
        return f"{sentence(signed.signer)}, and approved by {joined(approved, _NAMED)}"
    return f"{sentence(signed.signer)} alone: nobody else approved GO before the close"


def _backup(record: Record) -> str:
    """Where the copies of the rows are, and whether a restore proved them."""
    attempt = record.last(BackupFacts.step)
    kept = BackupFacts.from_attempt(attempt)
    if attempt is None or kept.rows is None:
        return ""
    restored = record.last(RestoreFacts.step)
    proved = restored is not None and restored.status.is_answered
    how = "restored and compared" if proved else "not restored for a test"
    files = [kept.export.file if kept.export else "", *(table.file for table in kept.tables)]
    folder = next((posixpath.dirname(file) for file in files if file), "").removesuffix("/rows")
    where = f"; in {folder} on the machine of {attempt.by}, until somebody deletes it"
    tables = plural(len(kept.tables), "table")
    return f"{plural(kept.rows, 'row')} of {tables}, {how}{where if folder else ''}"


def _until(record: Record) -> str:
    mark = record.last_facts(BookmarkFacts)
    try:
        return timestamp(moment(mark.good_until))
    except ValueError:
        return ""
