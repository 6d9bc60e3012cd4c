"""The record's verdict in one line: how it ended, or what is missing."""

from d1_preflight.core.checklist.answers import answer_label
from d1_preflight.core.record.apply_facts import NO_GO, ApplyFacts, CloseFacts, GoFacts
from d1_preflight.core.record.record import Attempt, Record, Status
from d1_preflight.core.summary.text import sentence
from d1_preflight.core.target.api_place import PRACTICE


def closed_attempt(record: Record) -> Attempt | None:
    """The attempt that closed the record; None for an open one."""
    last = record.attempts[-1] if record.attempts else None
    is_closed = last is not None and last.step == CloseFacts.step and last.status.is_answered
    return last if is_closed else None


def verdict_of(record: Record, missing: str = "") -> str:
    """Such as “closed: rolled back” or “open: GO is signed, not applied yet”."""
    closed = closed_attempt(record)
    place = " (practice)" if record.database.target == PRACTICE else ""
    if closed is not None:
        end = CloseFacts.from_attempt(closed).end
        how = sentence(answer_label("end", end)) if end else "how it ended is not recorded"
        return f"closed: {how}{place}"
    return f"open: {_open_words(record)}{f'; missing: {missing}' if missing else ''}{place}"


def _open_words(record: Record) -> str:
    applied = record.last(ApplyFacts.step)
    if applied is not None and not _is_over(record, applied):
        return _apply_words(applied)
    signed = record.last(GoFacts.step)
    if signed is None:
        return "GO is not signed"
    if GoFacts.from_attempt(signed).decision == NO_GO:
        return "NO-GO"
    return "GO is signed, not applied yet" if signed.status.is_answered else "GO is not signed"


def _is_over(record: Record, applied: Attempt) -> bool:
    """Whether a failed apply is followed by another GO."""
    index = record.attempts.index(applied)
    later = any(a.step == GoFacts.step for a in record.attempts[index:])
    return later and applied.status is Status.FAILED


def _apply_words(applied: Attempt) -> str:
    if applied.status.is_answered:
        return "applied, not closed"
    if applied.status is not Status.FAILED:
        return "whether it was applied is unknown"
    if ApplyFacts.from_attempt(applied).half_way:
        return "the apply failed half-way"
    return "the apply failed; nothing of it is recorded as applied"
