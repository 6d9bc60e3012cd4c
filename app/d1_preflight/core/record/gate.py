"""The gate: what is still open before GO, apply and the close.

Unknown is never a pass: only proved, attested and waived open it.
"""

from collections.abc import Container, Mapping
from datetime import datetime, timedelta

from d1_preflight.core.checklist.checklist import Checklist, Step, built_on
from d1_preflight.core.checklist.shipped import walked_checklist
from d1_preflight.core.errors import RecordInvalid
from d1_preflight.core.findings import Kind
from d1_preflight.core.format import age_words
from d1_preflight.core.record.apply_facts import ApplyFacts, GoFacts
from d1_preflight.core.record.record import RESTORE, Attempt, Record, Status
from d1_preflight.core.record.signed_plan import SignedPlan
from d1_preflight.lazy_dataclass import dataclass, replace

_EXPIRED = "The signed GO has expired; sign it again."
_AHEAD = "GO was signed at a time that this machine's clock has not reached; sign it again."
_CLOCKS_DIFFER = timedelta(minutes=1)
_BROKEN_BETWEEN = ("endpoints", "errors")  # until the Worker that the order asks for runs


@dataclass(frozen=True, slots=True)
class OpenItem:
    """A step that blocks the gate, and its state."""

    step: Step
    status: Status
    words: str


def open_items(
    record: Record, checklist: Checklist, kind: Kind, among: tuple[Step, ...] | None = None
) -> tuple[OpenItem, ...]:
    """The applicable steps among these (all before GO) that are not answered, in order."""
    steps = {step.id for step in (checklist.before("go") if among is None else among)}
    return tuple(
        OpenItem(step, record.status_of(step), _words(record, step))
        for step in checklist.steps_for(kind)
        if step.id in steps and not record.status_of(step).is_answered
    )


def blocking_items(
    record: Record, checklist: Checklist, kind: Kind, step: Step
) -> tuple[OpenItem, ...]:
    """What must be answered before `step` may be performed.

    Once the apply was started, earlier steps are final: they cannot be tried again. An apply whose
    end was not observed may always be checked, as long as it is about the same files.
    """
    if step in checklist.before("applied"):
        begun = _begun(record, checklist)
        if begun is not None:
            return (begun,)
    if step.id == "applied" and record.status_of(step).is_unobserved:
        return ()
    needed = tuple(
        OpenItem(need, record.status_of(need), _words(record, need))
        for need in checklist.steps_for(kind)
        if need.id in step.needs and not record.status_of(need).is_answered
    )
    before = open_items(record, checklist, kind, _due(checklist, step))
    return needed + tuple(item for item in before if item.step not in {n.step for n in needed})


def go_expires(
    record: Record, checklist: Checklist, minutes: int, plan: SignedPlan | None = None
) -> datetime | None:
    """When the current GO expires; None without one. Raises RecordInvalid.

    The signed plan decides; the record, which nobody has signed yet, only where it names none.
    """
    attempt = record.standing(checklist.step("go"))
    if attempt is None or not attempt.status.is_answered or attempt.finished_at is None:
        return None
    if plan is not None:
        return plan.expires_at
    signed = GoFacts.from_attempt(attempt)
    for key, value in signed.misread.items():
        raise RecordInvalid(f"The record's GO has no valid time in {key}: {value!r}.", hint=RESTORE)
    if signed.expires_at is not None:
        return signed.expires_at  # settings of today move no limit that was signed
    return (signed.signed_at or attempt.finished_at) + timedelta(minutes=minutes)


def out_of_time(signed_at: datetime | None, expires_at: datetime, now: datetime) -> str:
    """Why a GO of these times does not count now; one of the future tells of a moved clock."""
    if now > expires_at:
        return _EXPIRED
    good_for = expires_at - (signed_at or expires_at)
    is_ahead = signed_at is not None and now < signed_at - good_for
    return _AHEAD if is_ahead else ""


def go_lapse(
    record: Record,
    checklist: Checklist,
    minutes: int,
    now: datetime,
    plan: SignedPlan | None = None,
) -> str:
    """Why a signed GO is no longer valid; "" if it is, or the apply was started."""
    go = record.standing(checklist.step("go")) if checklist.has("go") else None
    expires = go_expires(record, checklist, minutes, plan)
    if go is None or expires is None or apply_was_started(record, checklist):
        return ""
    signed = GoFacts.from_attempt(go)
    lapse = out_of_time(plan.decided_at if plan else signed.signed_at, expires, now)
    if lapse:
        return lapse
    if not signed.is_by(record.checklist):
        return "The checklist is not the one that GO was signed with; sign it again."
    return ""


def checklist_of(record: Record, present: Checklist) -> Checklist:
    """The checklist that a record continues with: after the apply started, that of its GO."""
    if not apply_was_started(record, present):
        return present
    return walked_checklist(record.checklist, present)


def apply_was_started(record: Record, checklist: Checklist) -> bool:
    """Whether an apply was tried and did not provably fail: too late for a NO-GO."""
    applied = record.last("applied") if checklist.has("applied") else None
    return applied is not None and applied.status is not Status.FAILED


def clock_behind(record: Record, checklist: Checklist, now: datetime) -> str:
    """How far the clock stands behind the record, in words; "" where it does not, or may not hold.

    Once the apply was started nothing holds its end up: what follows is recorded at the last time.
    """
    newest = record.newest
    if newest is None or now >= newest - _CLOCKS_DIFFER or apply_was_started(record, checklist):
        return ""
    return f"This machine's clock is {age_words(newest - now)} behind the record's last answer."


def staleness(record: Record, step: Step, now: datetime) -> str:
    """How old the step's answer is, where it is older than it is good for; "" where it counts."""
    if step.good_for is None:
        return ""
    attempt = record.standing(step)
    if attempt is None or not attempt.status.is_answered:
        return ""
    return stale_words(attempt, step.good_for, now)


def stale_words(attempt: Attempt, good_for: timedelta, now: datetime) -> str:
    """In words, such as "stale: proved 16 h ago, good for 15 min"; "" while it counts."""
    age = now - (attempt.finished_at or attempt.started_at)
    if abs(age) <= good_for:  # an answer of the future tells of a clock that was moved
        return ""
    when = f"{age_words(abs(age))} {'ago' if age > timedelta() else 'ahead of the clock'}"
    return f"stale: {attempt.status} {when}, good for {age_words(good_for)}"


def expired_answer(record: Record, step: Step) -> str:
    """That what a person answered grew too old, so that the step was tried again; else ""."""
    mine = [attempt for attempt in record.attempts if attempt.step == step.id]
    answers = [number for number, attempt in enumerate(mine) if attempt.status.is_answered]
    if step.good_for is None or not answers or answers[-1] == len(mine) - 1:
        return ""
    answer, again = mine[answers[-1]], mine[answers[-1] + 1]
    is_said = answer.status in (Status.WAIVED, Status.ATTESTED)
    if not is_said or not stale_words(answer, step.good_for, again.started_at):
        return ""
    what = "waiver" if answer.status is Status.WAIVED else "answer"
    span = age_words(step.good_for)
    age = age_words(abs(again.started_at - (answer.finished_at or answer.started_at)))
    why = f"it is good for {span}, and this was re-checked {age} later"
    return f"The {what} “{answer.words}” has expired: {why}."


def earlier_reason(record: Record, checklist: Checklist, step: Step) -> str:
    """The reason last given to waive the step, or another one for the same cause.

    That is one that failed in the same words, or since the apply: there, one thing breaks many.
    What a Worker's queries broke in between was foreseen by whoever kept their order.
    """
    before = {each.id for each in checklist.before("applied")}
    failed = record.standing(step)
    cause, reason = failed.words if failed else "", ""
    last: dict[str, str] = {}
    for attempt in record.attempts:
        if attempt.status is not Status.WAIVED:
            last[attempt.step] = attempt.words
        elif (
            attempt.step == step.id
            or (cause and last.get(attempt.step) == cause)
            or (cause and last.get(attempt.step) and not before & {attempt.step, step.id})
        ):
            reason = attempt.words
    return reason or ("" if step.id in before else _foreseen(record, checklist, failed))


def _foreseen(record: Record, checklist: Checklist, failed: Attempt | None) -> str:
    """Why the deploy order was kept against what the queries say, where a step failed after it."""
    if failed is None or failed.status is not Status.FAILED:
        return ""
    if failed.step not in _BROKEN_BETWEEN or not checklist.has("deploy_order"):
        return ""
    order = record.standing(checklist.step("deploy_order"))
    said = order.answers.get("reason", "") if order and order.status.is_answered else ""
    return said if isinstance(said, str) else ""


def as_of(
    record: Record, checklist: Checklist, now: datetime, rechecked: Container[str] = ()
) -> Record:
    """The record as it counts at a moment: answers that are too old by then are pending.

    Once the apply was begun no answer grows older: it is history. `rechecked` are the steps that
    the apply asks again by itself; under a standing GO it is the apply that decides about them.
    """
    if _begun(record, checklist) is not None:
        return replace(record, stale={})
    go = record.standing(checklist.step("go")) if checklist.has("go") else None
    signed = GoFacts.from_attempt(go)
    lapse = out_of_time(signed.signed_at, signed.expires_at, now) if signed.expires_at else ""
    is_signed = go is not None and go.status.is_answered and not lapse
    ages = {
        step.id: staleness(record, step, now)
        for step in checklist.before("applied")
        if not (is_signed and step.id in rechecked)
    }
    ages |= {"go": lapse}
    return replace(record, stale={step: words for step, words in ages.items() if words})


def tally(record: Record, checklist: Checklist, kind: Kind) -> Mapping[Status, int]:
    """How many applicable steps are in each state."""
    states = [record.status_of(step) for step in checklist.steps_for(kind)]
    return {status: states.count(status) for status in Status}


def _due(checklist: Checklist, step: Step) -> tuple[Step, ...]:
    """The open items before a step; a proof invalidated since GO blocks the apply."""
    return checklist.before(step.id) if step.id == "applied" else built_on(checklist, step)


def _begun(record: Record, checklist: Checklist) -> OpenItem | None:
    """Why the steps before an apply are final: their backup may be the only rollback path."""
    last = record.last("applied") if checklist.has("applied") else None
    found = ApplyFacts.from_attempt(last)
    half_way = found.half_way or found.unread
    if last is None or (last.status is Status.FAILED and not half_way):
        return None
    step = checklist.step("applied")
    if record.standing(step) is None and last.status is not Status.RUNNING:
        words = "The apply was started with another text: restore that file, then continue."
    elif last.status is Status.FAILED:
        words = "The apply failed half-way: the earlier steps are kept. See the emergency card."
    elif last.status.is_answered:
        words = "It is applied: the earlier steps are final."
    else:
        words = "The apply was started. Check what it did first."
    return OpenItem(step, last.status, words)


def _words(record: Record, step: Step) -> str:
    attempt = record.standing(step)
    if attempt is not None:
        found = (attempt.words, expired_answer(record, step))
        return record.stale.get(step.id) or " ".join(filter(None, found))
    if record.last(step.id) is not None:
        return "Answered before, but what it is based on has changed since."
    return ""
