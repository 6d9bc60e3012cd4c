"""The record as TOML: one function writes it, in one order; the reader refuses what it ignores.

The same facts give the same bytes, and `dump(load(bytes)) == bytes`, so a signature over the
bytes holds for the value too. UTC, LF, no comments, absent keys instead of nulls.
"""

import tomllib
from collections.abc import Mapping
from datetime import MAXYEAR, UTC, datetime
from typing import cast

import tomli_w

from d1_preflight.core.checklist.checklist import Answer
from d1_preflight.core.errors import RecordInvalid
from d1_preflight.core.findings import Kind
from d1_preflight.core.ports import Evidence
from d1_preflight.core.record.record import Attempt, DatabaseRef, Fact, Facts, Record, Status
from d1_preflight.core.strict_toml import refuse_endless, refuse_numbers

_SCHEMA = 1
_DEEPEST = 40  # a record needs seven; each level costs several calls, and Python has a thousand
_FIRST_YEAR = 1970
_TOP = {"schema", "migration", "checklist", "database", "subjects", "tools", "attempt"}
_DATABASE = {"name", "id", "environment", "target"}
_ATTEMPT = {
    "step", "status", "started_at", "finished_at", "by", "words",
    "subjects", "answers", "facts", "evidence",
}  # fmt: skip


def dump_record(record: Record) -> bytes:
    """The bytes of `record.toml`."""
    document: dict[str, object] = {
        "schema": _SCHEMA,
        "migration": record.migration,
        "checklist": record.checklist,
        "database": {
            "name": record.database.name,
            "id": record.database.id,
            "environment": record.database.environment,
            "target": record.database.target,
        },
        "subjects": dict(sorted(record.subjects.items())),
        "tools": dict(sorted(record.tools.items())),
        "attempt": [_attempt_table(attempt) for attempt in record.attempts],
    }
    return dump_facts(document)


def dump_facts(document: Mapping[str, object]) -> bytes:
    """Write any tree of facts in the profile's form; `go.toml` uses it too."""
    return tomli_w.dumps(cast("dict[str, object]", _plain(document)), indent=2).encode()


def load_record(data: bytes, source: str = "record.toml") -> Record:
    """Read a record; raises RecordInvalid naming what is wrong and where."""
    raw = _toml(data, source)
    try:
        return _record(raw)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise RecordInvalid(
            f"{source} is not a record of this program: {type(error).__name__}: {error}.",
            hint="It may come from a newer version, or was edited manually.",
        ) from error


def load_facts(data: bytes, source: str) -> Facts:
    """Read any tree of facts, as `dump_facts` writes it; raises RecordInvalid."""
    raw = _toml(data, source)
    try:
        return _facts(raw)
    except (TypeError, RecursionError) as error:
        raise RecordInvalid(
            f"{source} is not of this program: {error}.",
            hint="It may come from a newer version, or was edited manually.",
        ) from error


def instant(moment: datetime) -> str:
    """A moment as the record writes it: UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> datetime:
    """The inverse of `instant`; raises ValueError."""
    found = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    if not _FIRST_YEAR <= found.year < MAXYEAR:  # no other zone could show it
        raise ValueError(f"the year {found.year} is no year of a record")
    return found


def _toml(data: bytes, source: str) -> Mapping[str, object]:
    try:
        text = data.decode("utf-8")
        refuse_endless(text)
        document = tomllib.loads(text)
        _refuse_depth(document)
        refuse_numbers(document)
    except (ValueError, RecursionError) as error:  # also a number of 5,000 digits
        raise RecordInvalid(
            f"{source} is damaged: {error}", hint="Restore it from git; its history is not lost."
        ) from error
    return document


def _refuse_depth(document: object) -> None:
    """Stop at once where reading and writing would not come back; raises RecursionError."""
    level = [document]
    for _ in range(_DEEPEST):
        inner = (item for item in level if isinstance(item, (dict, list)))
        level = [
            part for item in inner for part in (item.values() if isinstance(item, dict) else item)
        ]
    if level:
        raise RecursionError(f"it is nested more than {_DEEPEST} deep")


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
    if isinstance(value, Mapping):
        items = [(str(_plain(key)), _plain(item)) for key, item in value.items()]
        return dict(sorted(items, key=lambda pair: _is_table(pair[1])))
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        # A terminal can hand over half a character; what cannot be UTF-8 must not stop a save.
        return value.encode("utf-8", "replace").decode()
    return value


def _is_table(value: object) -> bool:
    if isinstance(value, list):
        return bool(value) and all(isinstance(item, dict) for item in value)
    return isinstance(value, dict)


def _record(raw: Mapping[str, object]) -> Record:
    _only(raw, _TOP)
    if raw["schema"] != _SCHEMA:
        raise ValueError(f"schema {raw['schema']!r} is not known")
    database = _table(raw["database"])
    _only(database, _DATABASE)
    if set(database) != _DATABASE:
        raise ValueError(f"database lacks {min(_DATABASE - set(database))!r}")
    attempts = raw.get("attempt", [])
    if not isinstance(attempts, list):
        raise TypeError("attempt is not a list")
    return Record(
        migration=_string(raw["migration"]),
        database=DatabaseRef(**_strings(database)),
        checklist=_string(raw["checklist"]),
        subjects=_strings(raw["subjects"]),
        tools=_strings(raw["tools"]),
        attempts=tuple(_attempt(_table(attempt)) for attempt in attempts),
    )


def _attempt(raw: Mapping[str, object]) -> Attempt:
    _only(raw, _ATTEMPT)
    evidence = raw.get("evidence", [])
    if not isinstance(evidence, list):
        raise TypeError("evidence is not a list")
    step, facts = _string(raw["step"]), _facts(_table(raw.get("facts", {})))
    _refuse_unreadable(step, facts)
    return Attempt(
        step=step,
        status=Status(_string(raw["status"])),
        started_at=moment(_string(raw["started_at"])),
        finished_at=moment(_string(raw["finished_at"])) if "finished_at" in raw else None,
        by=_string(raw["by"]),
        words=_string(raw["words"]),
        subjects=_strings(raw["subjects"]),
        answers={key: _answer(value) for key, value in _table(raw.get("answers", {})).items()},
        facts=facts,
        evidence=tuple(_evidence(_table(item)) for item in evidence),
    )


def _refuse_unreadable(step: str, facts: Facts) -> None:
    """What decides the path and the gate is understood, or the record is none; ValueError."""
    if step == "class":
        for key in ("class", "found"):
            Kind(_string(facts.get(key, Kind.UNKNOWN)))
    if step == "go":
        for key in ("signed_at", "expires_at"):
            moment(_string(facts.get(key, "1970-01-01T00:00:00Z")))


def _evidence(raw: Mapping[str, object]) -> Evidence:
    _only(raw, {"argv", "exit_code", "milliseconds", "files"})
    argv, exit_code, spent = raw["argv"], raw.get("exit_code"), raw["milliseconds"]
    if not isinstance(argv, list) or not isinstance(spent, int):
        raise TypeError("argv or milliseconds of an evidence")
    if exit_code is not None and not isinstance(exit_code, int):
        raise TypeError("exit_code of an evidence")
    files = _strings(raw.get("files", {}))
    return Evidence(tuple(_string(arg) for arg in argv), exit_code, spent, files)


def _only(raw: Mapping[str, object], known: set[str]) -> None:
    unknown = set(raw) - known
    if unknown:
        raise ValueError(f"unknown key {min(unknown)!r}")


def _table(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise TypeError(f"{value!r} is not a table")
    return value


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a string")
    return value


def _strings(value: object) -> dict[str, str]:
    return {key: _string(item) for key, item in _table(value).items()}


def _answer(value: object) -> Answer:
    if isinstance(value, list):
        return tuple(_string(item) for item in value)
    if isinstance(value, (str, bool)):
        return value
    raise TypeError(f"{value!r} is not an answer")


def _facts(raw: Mapping[str, object]) -> Facts:
    return {key: _fact(value) for key, value in raw.items()}


def _fact(value: object) -> Fact:
    if isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, list):
        return tuple(_fact(item) for item in value)
    return _facts(_table(value))
