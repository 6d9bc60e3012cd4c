"""What can no longer be done, or moved, once GO was signed and the apply begun."""

from dataclasses import replace
from datetime import timedelta

import pytest

from core.record_values import START, Walk, shipped_checklist
from d1_preflight.actions.context import Environment
from d1_preflight.core.checklist.file import load_checklist
from d1_preflight.core.record.facts import instant
from d1_preflight.core.record.gate import apply_was_started, go_expires, go_lapse
from d1_preflight.core.record.record import Outcome, Status
from d1_preflight.session import Session
from plain.fakes import CHECKLIST as SMALL
from plain.fakes import MemoryStore, open_session

CHECKLIST = shipped_checklist()


@pytest.mark.parametrize("status", [s for s in Status if s is not Status.FAILED])
def test_after_an_apply_was_started_no_go_comes_too_late(status: Status) -> None:
    walk = Walk(CHECKLIST)
    assert not apply_was_started(walk.record, CHECKLIST)

    walk.answer("applied", status)

    assert apply_was_started(walk.record, CHECKLIST)


def test_after_an_apply_seen_to_have_failed_no_go_can_be_said() -> None:
    walk = Walk(CHECKLIST)
    walk.answer("applied", Status.FAILED)

    assert not apply_was_started(walk.record, CHECKLIST)


def test_settings_changed_after_go_do_not_lengthen_it() -> None:
    walk = Walk(CHECKLIST)
    until = START + timedelta(minutes=30)
    walk.answer("go", facts={"signed_at": instant(START), "expires_at": instant(until)})

    assert go_expires(walk.record, CHECKLIST, 6000) == until


def signed(checklist: str) -> Walk:
    walk, until = Walk(CHECKLIST), START + timedelta(minutes=30)
    return walk.answer("go", facts={"expires_at": instant(until), "checklist": checklist})


def test_a_go_of_another_checklist_counts_no_more_until_the_apply_was_started() -> None:
    same, other = signed(CHECKLIST.sha256), signed("f" * 64)

    assert go_lapse(same.record, CHECKLIST, 30, START) == ""
    assert "expired" in go_lapse(same.record, CHECKLIST, 30, START + timedelta(hours=1))
    assert "the one that GO was signed with" in go_lapse(other.record, CHECKLIST, 30, START)
    other.answer("applied")
    assert go_lapse(other.record, CHECKLIST, 30, START) == ""


async def test_a_checklist_that_changes_after_go_goes_back_to_the_gate() -> None:
    store = MemoryStore()
    session = open_session(store)
    for step in session.path:
        raw = {prompt.key: prompt.typed or "yes" for prompt in step.prompts} | {"go": True}
        if step.waivable:
            session.waive(step, "not today")
        else:
            await session.perform(step, raw)
    assert session.current is None

    changed = load_checklist(SMALL.replace("Order and meaning.", "Order."), "small.toml")
    again = Session(changed, replace(session.environment))

    assert again.current == changed.step("go")
    await again.perform(changed.step("go"), {"go": True})
    assert again.current is None


EARLIER = "240711943bd23552de45814746cfb41035e89ea3e5b47221874b99d7701b0410"


def walked_to_the_apply(store: MemoryStore) -> Environment:
    """The tools of a record whose apply was begun by a checklist that shipped earlier."""
    environment = open_session(store).environment
    record = environment.new_record(EARLIER)
    for step_id in ("go", "applied"):
        begun = record.begin(CHECKLIST.step(step_id), {}, by=environment.operator, at=START)
        store.save(record := begun.finish(Outcome(Status.PROVED, "done"), at=START))
    return environment


def test_after_an_apply_a_record_goes_on_by_the_shipped_checklist_of_its_go() -> None:
    environment = walked_to_the_apply(MemoryStore())

    session = Session(CHECKLIST, environment)

    assert session.checklist.sha256 == session.record.checklist == EARLIER


def test_before_an_apply_a_record_goes_on_by_the_present_checklist() -> None:
    store = MemoryStore()
    environment = open_session(store).environment
    store.save(environment.new_record(EARLIER))

    session = Session(CHECKLIST, environment)

    assert session.checklist == CHECKLIST
    assert session.record.checklist == CHECKLIST.sha256
