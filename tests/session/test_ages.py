"""An answer has an age: what is older than it is good for is pending again, in every face."""

from datetime import timedelta

import pytest

from core.record_values import START, Walk
from d1_preflight.core.checklist.checklist import Step
from d1_preflight.core.errors import NotAllowed
from d1_preflight.core.record.facts import StepFacts, instant
from d1_preflight.core.record.gate import as_of, earlier_reason, expired_answer
from d1_preflight.core.record.record import Outcome, Status
from d1_preflight.plain import text
from d1_preflight.report.document import document
from d1_preflight.report.text import as_text
from d1_preflight.session import Session
from d1_preflight.tui.running_step import RunningStep
from d1_preflight.tui.words import verdict
from plain.fakes import MemoryStore
from sampling import sampled
from session.walked import CHECKLIST, Found, opened, ready

GO, APPLIED, WINDOW = (CHECKLIST.step(name) for name in ("go", "applied", "window"))
AGING = [step for step in CHECKLIST.steps if step.good_for is not None]


def later(hours: float, found: Found | None = None, going: Walk | None = None) -> Session:
    """The session of a record that had only GO before it, so many hours after that."""
    going = going or ready(MemoryStore())
    return opened(MemoryStore(), going, found, at=going.now + timedelta(hours=hours))


def test_window_bookmark_backup_counts_and_notice_have_an_age() -> None:
    assert {s.id for s in AGING} >= {"window", "bookmark", "backed_up", "counted", "notified"}
    assert WINDOW.good_for == timedelta(minutes=15)


def test_sixteen_hours_later_the_window_no_longer_stands() -> None:
    session = later(16)

    assert session.status_of(WINDOW) is Status.PENDING
    assert session.staleness(WINDOW) == "stale: proved 16 h 2 min ago, good for 15 min"
    assert session.current is not None
    assert {"window", "bookmark", "counted", "notified", "backed_up"} <= {
        item.step.id for item in session.open_before_go()
    }
    assert all(item.words.startswith("stale: ") for item in session.open_before_go())


@pytest.mark.parametrize("step", AGING, ids=[step.id for step in AGING])
def test_an_answer_counts_until_its_age_is_over_and_not_a_second_longer(step: object) -> None:
    walk = Walk(CHECKLIST).answer(step.id)  # type: ignore[attr-defined]  # a step
    done = walk.record.attempts[-1].finished_at
    good_for = step.good_for  # type: ignore[attr-defined]
    assert done is not None

    for beside, status in ((timedelta(), Status.PROVED), (timedelta(seconds=1), Status.PENDING)):
        for moment in (done + good_for + beside, done - good_for - beside):
            assert as_of(walk.record, CHECKLIST, moment).status_of(step) is status  # type: ignore[arg-type]


async def test_nothing_is_signed_over_a_stale_answer() -> None:
    session = later(16, found := Found())

    with pytest.raises(NotAllowed, match="has to wait") as refused:
        await session.perform(GO, {"go": True})

    assert "stale: " in refused.value.hint
    assert "go" not in found.ran
    assert session.record.last("go") is None


async def test_go_proves_the_window_again_by_itself() -> None:
    session = later(0.3, found := Found())
    assert session.staleness(WINDOW)

    await session.perform(GO, {"go": True})

    assert found.ran == ["window", "go"]
    assert session.status_of(GO).is_answered
    assert session.status_of(WINDOW) is Status.PROVED


async def test_a_window_that_is_over_by_now_shuts_the_gate() -> None:
    busy = Found({"window": Outcome(Status.FAILED, "Now is Thursday 10:43.")})
    session = later(0.3, busy)

    with pytest.raises(NotAllowed, match="is failed") as refused:
        await session.perform(GO, {"go": True})

    assert "10:43" in refused.value.hint
    assert busy.ran == ["window"]


@pytest.mark.parametrize("status", [Status.WAIVED, Status.ATTESTED])
async def test_what_a_person_answered_a_person_answers_again(status: Status) -> None:
    going = ready(MemoryStore()).answer("window", status)
    session = later(0.3, found := Found(), going)

    with pytest.raises(NotAllowed, match="is pending"):
        await session.perform(GO, {"go": True})

    assert found.ran == []
    assert session.staleness(WINDOW).startswith(f"stale: {status} ")


def signed(going: Walk) -> Walk:
    until = going.now + timedelta(hours=4)
    return going.answer("go", Status.ATTESTED, {"expires_at": instant(until)})


def test_under_a_standing_go_the_apply_asks_the_window_itself() -> None:
    session = later(0.4, going=signed(ready(MemoryStore())))

    assert session.status_of(WINDOW) is Status.PROVED
    assert session.blockers(APPLIED) == ()


def test_a_proof_that_went_stale_since_go_holds_the_apply() -> None:
    session = later(2, going=signed(ready(MemoryStore())))

    assert session.status_of(GO).is_answered
    assert {"bookmark", "counted"} <= {item.step.id for item in session.blockers(APPLIED)}


def test_once_the_apply_was_begun_nothing_grows_older() -> None:
    going = signed(ready(MemoryStore())).answer("applied")
    session = later(2000, going=going)

    assert [step.id for step in AGING if session.staleness(step)] == []


def test_both_faces_and_show_say_how_old_it_is() -> None:
    session = later(16)

    asked = "\n".join(text.question(session, WINDOW))
    assert "stale: proved 16 h 2 min ago, good for 15 min" in asked
    assert "✓" not in asked
    assert "pending" in text.status_line(session, WINDOW)
    assert "16 h 2 min" in text.status_line(session, WINDOW)
    shown = as_text(document(as_of(session.record, CHECKLIST, session.now()), CHECKLIST))
    line = next(line for line in shown.splitlines() if WINDOW.title in line)
    assert line.startswith("·")
    assert "stale: proved 16 h 2 min ago" in shown


def test_facts_of_a_stale_answer_are_still_known() -> None:
    walk = Walk(CHECKLIST).answer("copied", facts={"schema": "s"})
    old = as_of(walk.record, CHECKLIST, START + timedelta(days=30))

    assert old.status_of(CHECKLIST.step("copied")) is Status.PENDING
    standing = old.standing(CHECKLIST.step("copied"))
    assert standing is not None
    assert StepFacts.from_attempt(standing).written() == {"schema": "s"}


@pytest.mark.parametrize(
    ("status", "noun"), [(Status.WAIVED, "waiver"), (Status.ATTESTED, "answer")]
)
@pytest.mark.parametrize("step", sampled(AGING, 2, [step.id for step in AGING]))
def test_what_fails_again_says_that_the_answer_has_expired(
    step: Step, status: Status, noun: str
) -> None:
    going = ready(MemoryStore()).answer(step.id, status, words="quiet enough")
    going.now += (step.good_for or timedelta()) + timedelta(minutes=1)
    going.answer(step.id, Status.FAILED, words="it is busy").answer(step.id, Status.UNKNOWN)
    session = opened(MemoryStore(), going)

    words = expired_answer(session.record, step)

    assert f"The {noun} “quiet enough” has expired: it is good for" in words
    assert words in "\n".join(text.question(session, step))
    assert words in " ".join(as_text(document(session.record, session.checklist)).split())
    assert words in verdict(session, step, None, RunningStep()).plain
    assert any(words in item.words for item in session.open_before_go())


def test_a_waiver_that_was_tried_again_in_time_has_not_expired() -> None:
    going = ready(MemoryStore()).answer("window", Status.WAIVED, words="quiet enough")
    going.answer("window", Status.FAILED)

    assert expired_answer(going.record, WINDOW) == ""
    assert expired_answer(going.answer("window").record, WINDOW) == ""


def test_a_reason_is_offered_again_for_the_same_step_and_the_same_cause() -> None:
    going = ready(MemoryStore()).answer("window", Status.FAILED, words="no token")
    going.answer("window", Status.WAIVED, words="the token comes tomorrow")
    assert earlier_reason(going.record, CHECKLIST, WINDOW) == "the token comes tomorrow"
    going.answer("notified", Status.FAILED, words="no token")
    going.answer("dashboard", Status.FAILED, words="something else")

    assert (
        earlier_reason(going.record, CHECKLIST, CHECKLIST.step("notified"))
        == "the token comes tomorrow"
    )
    assert earlier_reason(going.record, CHECKLIST, CHECKLIST.step("dashboard")) == ""
    assert earlier_reason(going.record, CHECKLIST, CHECKLIST.step("go")) == ""


def test_what_one_apply_broke_has_one_reason() -> None:
    going = ready(MemoryStore()).answer("window", Status.FAILED, words="it is busy")
    going.answer("window", Status.WAIVED, words="quiet enough")
    going.answer("endpoints", Status.FAILED, words="two answer 500")
    assert earlier_reason(going.record, CHECKLIST, CHECKLIST.step("endpoints")) == ""
    going.answer("endpoints", Status.WAIVED, words="the Worker is deployed next")
    going.answer("errors", Status.FAILED, words="3 % of the requests fail")

    assert earlier_reason(going.record, CHECKLIST, CHECKLIST.step("errors")) == (
        "the Worker is deployed next"
    )
    assert earlier_reason(going.record, CHECKLIST, CHECKLIST.step("notified")) == ""


def test_why_the_order_was_kept_is_offered_for_what_broke_in_between() -> None:
    going, order = ready(MemoryStore()), CHECKLIST.step("deploy_order")
    kept = {"order": "db-first", "reason": "the Worker is stopped"}
    going.record = going.record.begin(order, kept, by=going.by, at=going.now)
    going.record = going.record.finish(Outcome(Status.ATTESTED, "kept"), at=going.now)
    for step in ("endpoints", "errors", "rows", "window"):
        assert earlier_reason(going.record, CHECKLIST, CHECKLIST.step(step)) == ""
        going.answer(step, Status.FAILED, words=f"{step} failed")

    offered = {
        step: earlier_reason(going.record, CHECKLIST, CHECKLIST.step(step))
        for step in ("endpoints", "errors", "rows", "window")
    }
    said = "the Worker is stopped"
    assert offered == {"endpoints": said, "errors": said, "rows": "", "window": ""}
