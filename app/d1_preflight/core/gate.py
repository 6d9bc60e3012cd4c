"""The gate: what still stands between a record and GO, apply and the close.

Unknown is never a pass: only proved, attested and waived open it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from d1_preflight.core.checklist import Checklist, Step
from d1_preflight.core.findings import Kind
from d1_preflight.core.record import Record, Status
from d1_preflight.core.record_file import moment

BEFORE_GO = ("classification", "local", "data", "rollback", "timing")
AFTER_APPLY = ("verification",)
# What each act is built on: an act falls when any of these is tried again after it.
ACT_NEEDS = {"go": BEFORE_GO, "apply": ("go",), "verification": ("apply",), "close": AFTER_APPLY}
# What must be answered when an act begins; a proof that fell since GO keeps the apply shut.
ACTS = ACT_NEEDS | {"apply": (*BEFORE_GO, "go")}


_UNSEEN = (Status.INTERRUPTED, Status.UNKNOWN)


@dataclass(frozen=True, slots=True)
class OpenItem:
    """A step that keeps the gate shut, and the state it is in."""

    step: Step
    status: Status
    words: str


def open_items(
    record: Record, checklist: Checklist, kind: Kind, sections: tuple[str, ...] = BEFORE_GO
) -> tuple[OpenItem, ...]:
    """The applicable steps of these sections that are not answered, in order."""
    return tuple(
        OpenItem(step, record.status_of(step), _words(record, step))
        for step in checklist.steps_for(kind)
        if step.section in sections and not record.status_of(step).is_answered
    )


def blocking_items(
    record: Record, checklist: Checklist, kind: Kind, step: Step
) -> tuple[OpenItem, ...]:
    """What must be answered before `step` may be performed.

    Once the migration is applied, what came before is history: it cannot be tried again. An apply
    whose end nobody saw may always be looked at, as long as it is about the same files.
    """
    if step.section in (*BEFORE_GO, "go"):
        done = _applied(record, checklist)
        if done is not None:
            words = "It is applied; what came before it is history."
            return (OpenItem(done, record.status_of(done), words),)
    if step.section == "apply" and record.status_of(step) in _UNSEEN:
        return ()
    needed = tuple(
        OpenItem(need, record.status_of(need), _words(record, need))
        for need in checklist.steps_for(kind)
        if need.id in step.needs and not record.status_of(need).is_answered
    )
    before = open_items(record, checklist, kind, ACTS.get(step.section, ()))
    return needed + tuple(item for item in before if item.step not in {n.step for n in needed})


def go_expires(record: Record, checklist: Checklist, minutes: int) -> datetime | None:
    """When the standing GO expires; None where there is none."""
    attempt = record.standing(checklist.step("go"))
    if attempt is None or not attempt.status.is_answered or attempt.finished_at is None:
        return None
    signed_until = attempt.facts.get("expires_at")
    if isinstance(signed_until, str):
        return moment(signed_until)  # settings of today move no limit that was signed
    signed_at = attempt.facts.get("signed_at")
    start = moment(signed_at) if isinstance(signed_at, str) else attempt.finished_at
    return start + timedelta(minutes=minutes)


def apply_was_begun(record: Record, checklist: Checklist) -> bool:
    """Whether an apply was tried and not seen to have failed: too late for a NO-GO."""
    steps = (step for step in checklist.steps if step.section == "apply")
    attempts = (record.last(step.id) for step in steps)
    return any(attempt is not None and attempt.status is not Status.FAILED for attempt in attempts)


def tally(record: Record, checklist: Checklist, kind: Kind) -> Mapping[Status, int]:
    """How many applicable steps stand in each state."""
    states = [record.status_of(step) for step in checklist.steps_for(kind)]
    return {status: states.count(status) for status in Status}


def _applied(record: Record, checklist: Checklist) -> Step | None:
    steps = (s for s in checklist.steps if s.section == "apply")
    return next((s for s in steps if record.status_of(s).is_answered), None)


def _words(record: Record, step: Step) -> str:
    attempt = record.standing(step)
    if attempt is not None:
        return attempt.words
    if record.last(step.id) is not None:
        return "Answered before, but what it was about has changed since."
    return ""
