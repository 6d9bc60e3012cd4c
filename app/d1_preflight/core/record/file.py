"""Writes and reads a record as TOML, in one order; the reader refuses unknown keys.

The same facts give the same bytes, and `dump(load(bytes)) == bytes`, so a signature over the
bytes covers the value too. UTC, LF, no comments, absent keys instead of nulls. A record of schema 2
is short: an attempt that says nothing of its operator or its files has those of the one before.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple, cast

from d1_preflight.core.checklist.checklist import Answer
from d1_preflight.core.errors import RecordInvalid
from d1_preflight.core.ports import Evidence
from d1_preflight.core.record.apply_facts import GoFacts
from d1_preflight.core.record.change_facts import ClassFacts
from d1_preflight.core.record.facts import Fact, Facts, instant, moment
from d1_preflight.core.record.packing import Rows, packed, rows_of, unpacked
from d1_preflight.core.record.record import SCHEMA, Attempt, DatabaseRef, Record, Status
from d1_preflight.core.toml.compact import Value, dumps, section
from d1_preflight.core.toml.strict import SourceText, TomlTable
from d1_preflight.lazy_dataclass import replace

_SCHEMAS = (1, SCHEMA)
_DEEPEST = 40  # a record needs seven; each level costs several calls, and Python has a thousand
_TOP = {"schema", "migration", "checklist", "database", "subjects", "tools", "attempt"}
_DATABASE = ("name", "id", "environment", "target")
_ATTEMPT = {
    "step", "status", "started_at", "finished_at", "by", "words",
    "subjects", "answers", "facts", "evidence",
}  # fmt: skip
_MOMENTS = ("started_at", "finished_at")
_EVIDENCE = {"argv", "exit_code", "milliseconds", "files"}
_DAMAGED = "It is damaged: restore it from git; its history is not lost."
_STRANGE = "It may come from a newer version, or was edited manually."
_INSTANT = "a moment like 2026-11-23T14:00:00Z"


_NO_ROWS = Rows()


class _Section(NamedTuple):
    """An attempt as it is written behind another one: each save writes all that came before."""

    before: Attempt | None
    rows: Rows
    text: bytes
    after: Rows  # the counts for the next one


def dump_record(record: Record, sections: tuple[bytes, ...] = ()) -> bytes:
    """The bytes of `record.toml`; `sections` are those of its attempts, where they are known."""
    document: dict[str, object] = {
        "schema": record.schema,
        "migration": record.migration,
        "checklist": record.checklist,
        "database": {key: getattr(record.database, key) for key in _DATABASE},
        "subjects": dict(sorted(record.subjects.items())),
        "tools": dict(sorted(record.tools.items())),
    }
    if record.schema == 1:
        tables = [_attempt_table(attempt) for attempt in record.attempts]
        return dump_facts({**document, "attempt": tables})
    head = document if record.attempts else {**document, "attempt": []}
    text = dumps(cast("Mapping[str, Value]", _plain(head)))
    return text.encode() + b"".join(sections or _sections(record.attempts))


def attempt_sections(attempts: Iterable[Attempt]) -> tuple[bytes, ...]:
    """The bytes of each attempt in a record of schema 2."""
    return tuple(_sections(attempts))


def history_sha256(attempts: Iterable[Attempt]) -> str:
    """The sha256 of these attempts as a record of schema 2 holds them, from the first on."""
    return sha256(b"".join(_sections(attempts))).hexdigest()


def dump_facts(document: Mapping[str, object]) -> bytes:
    """Write any tree of facts in the profile's form; `go.toml` uses it too."""
    import tomli_w

    return tomli_w.dumps(cast("dict[str, object]", _plain(document)), indent=2).encode()


@lru_cache(maxsize=4)  # one look at a record reads it several times
def load_record(data: bytes, source: str = "record.toml") -> Record:
    """Read a record; raises RecordInvalid naming file, line and key."""
    top = load_table(data, source)
    top.only(_TOP)
    schema = top.whole("schema")
    if schema not in _SCHEMAS:
        raise top.error("schema", f"schema must be {' or '.join(map(str, _SCHEMAS))}")
    database = top.table("database")
    database.only(_DATABASE)
    return Record(
        migration=top.text("migration"),
        database=DatabaseRef(**{key: database.text(key) for key in _DATABASE}),
        checklist=top.text("checklist"),
        subjects=top.table("subjects").strings(),
        tools=top.table("tools").strings(),
        attempts=tuple(_attempts(top, is_short=schema != 1)),
        schema=schema,
    )


def load_facts(data: bytes, source: str) -> Facts:
    """Read any tree of facts, as `dump_facts` writes it; raises RecordInvalid."""
    return read_facts(load_table(data, source))


def load_table(data: bytes, source: str, hint: str = _STRANGE) -> TomlTable:
    """The top level of a document of this program; raises RecordInvalid where it is damaged."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise RecordInvalid(f"{source}:{line}: not UTF-8 text.", hint=_DAMAGED) from error
    if text.startswith("\ufeff"):  # we write none, and reading would drop signed bytes
        raise RecordInvalid(f"{source}:1: unexpected byte order mark.", hint=_DAMAGED)
    top = TomlTable.of(SourceText(source, text, RecordInvalid, _DAMAGED), hint)
    if _is_too_deep(top.raw):
        what = f"{source}: tables are nested more than {_DEEPEST} deep."
        raise RecordInvalid(what, hint=_DAMAGED)
    return top


def read_facts(table: TomlTable) -> Facts:
    """The facts in a table; raises RecordInvalid for a value that no fact holds."""
    return {key: _fact(table, key, value) for key, value in table.raw.items()}


def _is_too_deep(document: object) -> bool:
    """Whether reading and writing it by recursion would fail."""
    level = [document]
    for _ in range(_DEEPEST):
        inner = (item for item in level if isinstance(item, (dict, list)))
        level = [
            part for item in inner for part in (item.values() if isinstance(item, dict) else item)
        ]
    return bool(level)


def _sections(attempts: Iterable[Attempt]) -> Iterator[bytes]:
    """The attempts as a record of schema 2 holds them, each said shorter by those before it."""
    before, rows = None, _NO_ROWS
    for attempt in attempts:
        held = attempt.typed.get(_Section)
        if not isinstance(held, _Section) or held.before is not before or held.rows is not rows:
            after = rows_of(attempt.step, attempt.facts, rows)
            held = _Section(before, rows, _section(attempt, before, rows), after)
            attempt.typed[_Section] = held
        yield held.text
        before, rows = attempt, held.after


def _section(attempt: Attempt, before: Attempt | None, rows: Rows) -> bytes:
    table = _with_interval(_attempt_table(attempt))
    if before is not None:
        same = {"by": before.by, "subjects": dict(sorted(before.subjects.items()))}
        table = {k: v for k, v in table.items() if k not in same or v != same[k]}
    if attempt.facts:
        table["facts"] = packed(attempt.step, attempt.facts, rows)
    return section("attempt", cast("Mapping[str, Value]", _plain(table))).encode()


def _with_interval(table: Mapping[str, object]) -> dict[str, object]:
    """The same table with both moments in one line, as ISO 8601 writes an interval."""
    when = "/".join(str(table[key]) for key in _MOMENTS if key in table)
    named = {"step": table["step"], "status": table["status"], "when": when}
    return named | {key: value for key, value in table.items() if key not in _MOMENTS}


def _interval(text: str) -> tuple[datetime, datetime | None]:
    """The inverse of `_with_interval`; raises ValueError."""
    start, is_over, end = text.partition("/")
    return moment(start), moment(end) if is_over else None


def _attempt_table(attempt: Attempt) -> dict[str, object]:
    table: dict[str, object] = {
        "step": attempt.step,
        "status": attempt.status.value,
        "started_at": instant(attempt.started_at),
    }
    if attempt.finished_at:
        table["finished_at"] = instant(attempt.finished_at)
    table |= {"by": attempt.by, "words": attempt.words}
    table["subjects"] = dict(sorted(attempt.subjects.items()))
    for key, value in (("answers", attempt.answers), ("facts", attempt.facts)):
        if value:
            table[key] = value
    if attempt.evidence:
        table["evidence"] = [_evidence_table(evidence) for evidence in attempt.evidence]
    return table


def _evidence_table(evidence: Evidence) -> dict[str, object]:
    table: dict[str, object] = {"argv": evidence.argv, "milliseconds": evidence.milliseconds}
    if evidence.exit_code is not None:
        table["exit_code"] = evidence.exit_code
    if evidence.files:
        table["files"] = dict(evidence.files)
    return table


def _plain(value: object) -> object:
    """Tuples become arrays; within a table plain values come before tables, as TOML needs."""
    if isinstance(value, str):
        # A terminal can hand over half a character; what cannot be UTF-8 must not stop a save.
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        items = [(str(_plain(key)), _plain(item)) for key, item in value.items()]
        return dict(sorted(items, key=lambda pair: _is_table(pair[1])))
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _is_table(value: object) -> bool:
    if isinstance(value, list):
        return bool(value) and all(isinstance(item, dict) for item in value)
    return isinstance(value, dict)


def _attempts(top: TomlTable, *, is_short: bool) -> Iterator[Attempt]:
    before, rows = None, Rows()
    for number, found in enumerate(top.tables("attempt", "an attempt"), 1):
        table = found.called(f"attempt {number}")
        attempt = _attempt(table, before, is_short=is_short)
        if is_short:
            attempt = _unpacked(table, attempt, rows)
            before, rows = attempt, rows_of(attempt.step, attempt.facts, rows)
        yield attempt


def _unpacked(table: TomlTable, attempt: Attempt, rows: Rows) -> Attempt:
    try:
        return replace(attempt, facts=unpacked(attempt.step, attempt.facts, rows))
    except ValueError as error:
        raise table.error("facts", f"facts of {table.name}: {error}") from error


def _moments(table: TomlTable, *, is_short: bool) -> tuple[datetime, datetime | None]:
    if is_short:
        return table.parsed("when", _interval, f"{_INSTANT}, or two of them with / between")
    is_over = "finished_at" in table.raw
    return (
        table.parsed("started_at", moment, _INSTANT),
        table.parsed("finished_at", moment, _INSTANT) if is_over else None,
    )


def _attempt(table: TomlTable, before: Attempt | None, *, is_short: bool) -> Attempt:
    """An attempt; what it does not say is as in the one `before` it."""
    table.only(_ATTEMPT - set(_MOMENTS) | {"when"} if is_short else _ATTEMPT)
    step, facts = table.text("step"), table.table("facts", optional=True)
    _refuse_unreadable(step, facts)
    by = before.by if before and "by" not in table.raw else table.text("by")
    same = before.subjects if before and "subjects" not in table.raw else None
    answers = table.table("answers", optional=True)
    ran = table.tables("evidence", f"evidence of {table.name}")
    started_at, finished_at = _moments(table, is_short=is_short)
    return Attempt(
        step=step,
        status=table.choice("status", Status),
        started_at=started_at,
        finished_at=finished_at,
        by=by,
        words=table.text("words"),
        subjects=table.table("subjects").strings() if same is None else same,
        answers={key: _answer(answers, key) for key in answers.raw},
        facts=read_facts(facts),
        evidence=tuple(_evidence(item) for item in ran),
    )


def _refuse_unreadable(step: str, table: TomlTable) -> None:
    """Refuse a record in which the facts that decide the path or the gate cannot be read."""
    for kind in (ClassFacts, GoFacts):
        wrong = kind.read(read_facts(table)).misread if step == kind.step else {}
        for key, value in wrong.items():
            raise table.error(key, f"{value!r} is no {key} ({table.name})")


def _evidence(table: TomlTable) -> Evidence:
    table.only(_EVIDENCE)
    return Evidence(
        argv=table.texts("argv", None),
        exit_code=table.whole("exit_code") if "exit_code" in table.raw else None,
        milliseconds=table.whole("milliseconds"),
        files=table.table("files", optional=True).strings(),
    )


def _answer(table: TomlTable, key: str) -> Answer:
    value = table.raw[key]
    if isinstance(value, list):
        return table.texts(key)
    return value if isinstance(value, bool) else table.text(key)


def _fact(table: TomlTable, key: str, value: object) -> Fact:
    if isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, list):
        return tuple(_fact(table, key, item) for item in value)
    if isinstance(value, dict):
        return {name: _fact(table, key, item) for name, item in value.items()}
    kinds = "strings, whole numbers, true, false, lists and tables"
    raise table.error(key, f"{key} of {table.name} must hold only {kinds}")
