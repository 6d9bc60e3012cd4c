"""Checks a record's history: the order of its times, who answered what, and what is still open."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from d1_preflight.core.checklist.checklist import ACTS, Step
from d1_preflight.core.findings import Kind
from d1_preflight.core.record.apply_facts import ApplyFacts, CloseFacts, GoFacts
from d1_preflight.core.record.change_facts import ClassFacts
from d1_preflight.core.record.facts import instant
from d1_preflight.core.record.gate import open_items, stale_words
from d1_preflight.core.record.record import Attempt, Record, Status
from d1_preflight.core.verify.problem import Bundle, Id, Problem, Weight, last_go

_BY_HAND = "A record is changed through preflight only; restore it from git."
_STARTING = timedelta(minutes=1)  # between the look at the ages and the attempt that is saved
_RANK = (Kind.NONE, Kind.ADDITIVE, Kind.TRANSFORMATIVE, Kind.DESTRUCTIVE)


def history_problems(bundle: Bundle) -> Iterator[Problem]:
    """What this program never writes."""
    yield from _time_problems(bundle)
    yield from _signing_times(bundle.record)
    yield from _class_problems(bundle)
    if not bundle.knows_checklist:
        return
    for attempt in bundle.record.attempts:
        if not bundle.checklist.has(attempt.step):
            words = f"answers a step that the checklist does not have: “{attempt.step}”"
            yield _problem(Id.STEP_UNKNOWN, words)
        elif attempt.status is Status.WAIVED:
            yield from _waiver_problems(bundle.checklist.step(attempt.step), attempt)
    yield from _age_problems(bundle)


def path_problems(bundle: Bundle) -> Iterator[Problem]:
    """The steps on this migration's path that nobody has answered yet, section by section."""
    if not bundle.knows_checklist:
        words = (
            f"was made with another checklist (sha256 {bundle.record.checklist[:12]}…) than "
            f"{bundle.checklist.source}; whether it is complete is unknown"
        )
        hint = "Name the one it was made with: --checklist FILE"
        yield _problem(Id.CHECKLIST_UNKNOWN, words, hint, Weight.OPEN)
        return
    for section in bundle.checklist.sections:
        items = open_items(bundle.record, bundle.checklist, bundle.kind, section.steps)
        if items:
            names = "; ".join(f"“{item.step.title}” is {item.status}" for item in items)
            title = f"{section.number} {section.title}".strip()
            hint = f"{bundle.record.command} continues it."
            yield _problem(Id.STEPS_OPEN, f"{title}: {names}", hint, Weight.OPEN)


def _age_problems(bundle: Bundle) -> Iterator[Problem]:
    """GO and the apply rest on proofs that were not older than the checklist lets them be."""
    for number, act in enumerate(bundle.record.attempts):
        is_go = act.step == GoFacts.step and act is last_go(bundle.record)
        applied = ApplyFacts.from_attempt(act)
        was_sent = act.step == ApplyFacts.step and applied.observed is not True
        if not act.status.is_answered or not (is_go or was_sent):
            continue
        at = act.started_at if is_go else act.started_at - _STARTING
        what = "GO was signed" if is_go else "The migration was applied"
        last = {attempt.step: attempt for attempt in bundle.record.attempts[:number]}
        for step in bundle.checklist.steps_for(bundle.kind):
            proof = last.get(step.id)
            if step.good_for is None or proof is None or not proof.status.is_answered:
                continue
            stale = stale_words(proof, step.good_for, at)
            # The apply asked it again by itself, or GO was signed over its waiver.
            decided = proof.step in applied.rechecked or proof.status is Status.WAIVED
            if stale and (is_go or not decided):
                age = stale.removeprefix("stale: ").replace(" ago,", " before,")
                words = f"{what} over a stale proof: “{step.title}”, {age}"
                yield _problem(Id.PROOF_STALE, words, "The proof was too old; repeat the step.")


def _time_problems(bundle: Bundle) -> Iterator[Problem]:
    """Attempts stand in the order in which they began, and only some may run side by side."""
    attempts = bundle.record.attempts
    beside: list[tuple[int, Attempt]] = []
    before = attempts[0].started_at if attempts else None
    for number, attempt in enumerate(attempts, 1):
        beside = [(n, other) for n, other in beside if _goes_on(other, attempt)]
        amiss = [(n, other) for n, other in beside if not _may_overlap(bundle, other, attempt)]
        endless = [(n, other) for n, other in amiss if other.status is Status.RUNNING]
        if attempt.started_at < (before or attempt.started_at) or len(amiss) > len(endless):
            began = f"began at {instant(attempt.started_at)}, before the one above it"
            yield _problem(Id.TIME_ORDER, f"{_place(number, attempt)} {began}")
        for n, other in endless:
            words = f"{_place(n, other)} never ended, yet others followed"
            yield _problem(Id.ATTEMPT_WITHOUT_END, words)
        yield from _end_problems(attempt, _place(number, attempt))
        beside = [*(pair for pair in beside if pair not in amiss), (number, attempt)]
        before = attempt.started_at


def _place(number: int, attempt: Attempt) -> str:
    return f"attempt {number} (“{attempt.step}”)"


def _goes_on(other: Attempt, attempt: Attempt) -> bool:
    """Whether the other had not ended when the attempt began."""
    is_open = other.status is Status.RUNNING and other.finished_at is None
    return is_open or attempt.started_at < (other.finished_at or other.started_at)


def _end_problems(attempt: Attempt, where: str) -> Iterator[Problem]:
    """What is wrong with how an attempt ended."""
    if attempt.finished_at is not None and attempt.finished_at < attempt.started_at:
        yield _problem(Id.TIME_ORDER, f"{where} ended before it began")
    if attempt.finished_at is None and attempt.status.is_answered:
        yield _problem(Id.ATTEMPT_WITHOUT_END, f"{where} is {attempt.status} without an end")
    if attempt.status is Status.PENDING:
        yield _problem(Id.ATTEMPT_WITHOUT_END, f"{where} is pending, which no attempt can be")


def _may_overlap(bundle: Bundle, one: Attempt, other: Attempt) -> bool:
    """Whether attempts at both may run side by side; of an unknown checklist, all but the acts."""
    if bundle.record.schema == 1 or one.step == other.step:
        return False
    if not bundle.knows_checklist or not bundle.checklist.has(one.step):
        return not {one.step, other.step} & set(ACTS)
    return bundle.checklist.may_overlap(bundle.checklist.step(one.step), other.step)


def _signing_times(record: Record) -> Iterator[Problem]:
    """GO and close were signed while their attempts ran: the summary tells these times."""
    for number, attempt in enumerate(record.attempts, 1):
        told = _signed_at(attempt)
        if record.schema == 1 or told is None or attempt.finished_at is None:
            continue
        if not attempt.started_at <= told <= attempt.finished_at:
            words = f"says that it was signed at {instant(told)}, and ran at another time"
            yield _problem(Id.TIME_ORDER, f"{_place(number, attempt)} {words}")


def _signed_at(attempt: Attempt) -> datetime | None:
    if attempt.step == GoFacts.step:
        return GoFacts.from_attempt(attempt).signed_at
    if attempt.step != CloseFacts.step or not attempt.status.is_answered:
        return None
    return CloseFacts.from_attempt(attempt).at


def _class_problems(bundle: Bundle) -> Iterator[Problem]:
    """The class can be raised, never lowered; an unknown class counts as destructive."""
    for attempt in bundle.record.attempts:
        if attempt.step != ClassFacts.step or not attempt.status.is_answered:
            continue
        told = ClassFacts.from_attempt(attempt)
        if _rank(told.kind) < _rank(told.found):
            words = f"lowers the class from {told.found or 'unknown'} to {told.kind or 'unknown'}"
            yield _problem(Id.CLASS_LOWERED, words)


def _rank(kind: Kind | None) -> int:
    return _RANK.index(kind) if kind in _RANK else len(_RANK) - 1


def _waiver_problems(step: Step, attempt: Attempt) -> Iterator[Problem]:
    if not step.waivable:
        yield _problem(Id.WAIVER_FORBIDDEN, f"waives “{step.title}”, which cannot be waived")
    if not attempt.words.strip():
        yield _problem(Id.WAIVER_WITHOUT_REASON, f"waives “{step.title}” without a reason")


def _problem(
    identity: Id, words: str, hint: str = _BY_HAND, weight: Weight = Weight.INVALID
) -> Problem:
    return Problem(identity, "record.toml", words, hint, weight)
