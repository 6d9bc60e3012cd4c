"""What was written after a step was proved: its proof says nothing of now."""

import re
import shlex
from collections.abc import Iterator
from datetime import datetime
from itertools import zip_longest
from typing import TYPE_CHECKING

from d1_preflight.core.checklist.answers import FIXED_MANUALLY, ROLLED_BACK, answer_label
from d1_preflight.core.record.apply_facts import (
    ApplyFacts,
    CloseFacts,
    EndpointFacts,
    ErrorRateFacts,
    LedgerFacts,
    RowCheckFacts,
    SchemaCheckFacts,
)
from d1_preflight.core.record.record import Attempt, Record
from d1_preflight.core.verify.timeline import read_timeline
from d1_preflight.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from d1_preflight.core.target.snapshot import Observation

_OF_DATABASE = (LedgerFacts.step, SchemaCheckFacts.step, RowCheckFacts.step)
_OF_WORKER = (EndpointFacts.step, ErrorRateFacts.step)
_BEGINS = re.compile(r"begins `(.*)`")
_WRITES = (("d1", "execute"), ("d1", "time-travel", "restore"), ("d1", "migrations", "apply"))
_DEPLOYS = (("rollback",), ("deploy",), ("versions", "deploy"))


@dataclass(frozen=True, slots=True)
class LaterWrite:
    """What was written, when; `to_worker` where it changed the Worker and no database."""

    at: datetime
    words: str
    to_worker: bool = False


def later_write(
    record: Record, step_id: str, timeline: bytes | None = None, seen: "Observation | None" = None
) -> str:
    """What was written since the step was proved, in words; "" where nothing is known of.

    `timeline` is the emergency's, `seen` the newest look at the database.
    """
    attempt = record.last(step_id)
    checked = step_id in (*_OF_DATABASE, *_OF_WORKER)
    if not checked or attempt is None or not attempt.status.is_answered:
        return ""
    proved = attempt.finished_at or attempt.started_at
    for write in _writes(record, timeline):
        if write.at >= proved and (not write.to_worker or step_id in _OF_WORKER):
            return write.words
    return _moved(record, attempt, seen) if step_id in _OF_DATABASE else ""


def _writes(record: Record, timeline: bytes | None) -> Iterator[LaterWrite]:
    entries = read_timeline(timeline or b"").entries
    for entry, after in zip_longest(entries, entries[1:]):
        command = _BEGINS.search(entry.words)
        if after is not None and command and f"could not start `{command[1]}`" in after.words:
            continue
        if command and (write := _write(entry.at, command[1])):
            yield write
    close = record.last(CloseFacts.step)
    end = CloseFacts.from_attempt(close).end
    if close and close.status.is_answered and end in (ROLLED_BACK, FIXED_MANUALLY):
        yield LaterWrite(close.started_at, f"it was {answer_label('end', end)}")


def _write(at: datetime, command: str) -> LaterWrite | None:
    """The write that a command of the card makes; None for one that only reads."""
    try:
        name, *words = shlex.split(command)
    except ValueError:
        return None
    if name != "wrangler":
        return None
    if any(tuple(words[: len(start)]) == start for start in _DEPLOYS):
        return LaterWrite(at, f"wrangler {words[0]} ran", to_worker=True)
    if not any(tuple(words[: len(start)]) == start for start in _WRITES):
        return None
    file = next((w.partition("=")[2] for w in words if w.startswith("--file=")), "")
    if words[:2] == ["d1", "execute"] and not file:
        return None
    return LaterWrite(at, f"{file} ran" if file else f"wrangler {' '.join(words[:3])} ran")


def _moved(record: Record, attempt: Attempt, seen: "Observation | None") -> str:
    """Whether a later look saw another schema, or no row in the ledger any more."""
    proved = attempt.finished_at or attempt.started_at
    was = record.last_facts(SchemaCheckFacts).fingerprint
    close = record.last(CloseFacts.step)
    looked = CloseFacts.from_attempt(close).schema
    is_schema = attempt.step == SchemaCheckFacts.step
    if close and close.started_at >= proved and is_schema and looked not in ("", was):
        return "the schema is different now"
    if seen is None or seen.taken_at <= proved:
        return ""
    if is_schema and was and seen.schema.fingerprint != was:
        return "the schema is different now"
    row = record.last_facts(ApplyFacts).ledger_id
    if row is not None and seen.ledger_row(record.migration) is None:
        return "the ledger has no row for it now"
    return ""
