"""Attempts side by side: which may be, each ends in its own place, and what verify says of it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from core.record_values import START, new_record
from d1_preflight.core.checklist.file import shipped_checklist
from d1_preflight.core.errors import NotAllowed
from d1_preflight.core.record.file import dump_record, load_record
from d1_preflight.core.record.record import Outcome, Record, Status
from d1_preflight.core.verify.problem import Id
from d1_preflight.core.verify.verify import verify_record

CHECKLIST = shipped_checklist()
ORDER = (Id.TIME_ORDER, Id.ATTEMPT_WITHOUT_END)


def of(step_id: str) -> Record:
    """A record of the present schema in which a step runs."""
    return begun(replace(new_record(CHECKLIST), schema=2), step_id, 0)


def begun(record: Record, step_id: str, seconds: int) -> Record:
    at = START + timedelta(seconds=seconds)
    step = CHECKLIST.step(step_id)
    return record.begin(step, {}, by="ana@example.com", at=at, checklist=CHECKLIST)


def ended(record: Record, step_id: str, seconds: int) -> Record:
    at = START + timedelta(seconds=seconds)
    return record.finish(Outcome(Status.PROVED, f"{step_id} seen"), at=at, step_id=step_id)


def out_of_order(record: Record) -> list[Id]:
    found = verify_record({"record.toml": dump_record(record)}, CHECKLIST, None)
    return [problem.id for problem in found.problems if problem.id in ORDER]


@pytest.mark.parametrize(
    ("one", "other"),
    [("copied", "bookmark"), ("copied", "named"), ("syntax", "bookmark"), ("rows", "errors")],
)
def test_what_only_reads_the_target_may_overlap(one: str, other: str) -> None:
    assert CHECKLIST.may_overlap(CHECKLIST.step(one), other)
    assert CHECKLIST.may_overlap(CHECKLIST.step(other), one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("copied", "copied"),
        ("copied", "rehearsed"),
        ("copied", "deploy_order"),
        ("copied", "counted"),  # it rests on it by way of the rehearsal
        ("named", "header"),
        ("down_written", "way_back"),
        ("bookmark", "go"),
        ("applied", "running_code"),
        ("errors", "close"),
        ("notified", "ready"),
    ],
)
def test_what_may_change_what_the_other_finds_never_does(one: str, other: str) -> None:
    assert not CHECKLIST.may_overlap(CHECKLIST.step(one), other)
    assert not CHECKLIST.may_overlap(CHECKLIST.step(other), one)
    with pytest.raises(NotAllowed, match="still running"):
        begun(of(one), other, 1)


def test_each_ends_in_its_place_with_what_it_found() -> None:
    record = ended(begun(of("copied"), "bookmark", 2), "bookmark", 4)

    assert [(a.step, a.status) for a in record.attempts] == [
        ("copied", Status.RUNNING),
        ("bookmark", Status.PROVED),
    ]
    record = ended(record, "copied", 9)
    assert [a.words for a in record.attempts] == ["copied seen", "bookmark seen"]
    assert record.running is None
    assert load_record(dump_record(record)).attempts == record.attempts
    assert out_of_order(record) == []


def test_what_is_found_running_becomes_interrupted_each() -> None:
    record = begun(begun(of("copied"), "bookmark", 1), "running_code", 2)

    found = load_record(dump_record(record)).recovered()

    assert [a.status for a in found.attempts] == [Status.INTERRUPTED] * 3
    assert out_of_order(record) == []
    one = record.recovered("bookmark")
    assert [a.step for a in one.all_running] == ["copied", "running_code"]


def test_a_begun_apply_of_schema_1_goes_on_one_after_the_other() -> None:
    record = replace(of("rows"), schema=1)

    with pytest.raises(NotAllowed, match="still running"):
        begun(record, "errors", 1)


@pytest.mark.parametrize(("one", "other"), [("named", "header"), ("copied", "rehearsed")])
def test_an_overlap_that_this_program_never_writes_is_a_problem(one: str, other: str) -> None:
    record = ended(begun(ended(of(one), one, 9), other, 9), other, 12)
    first, second = record.attempts
    forged = replace(record, attempts=(first, replace(second, started_at=first.started_at)))

    assert out_of_order(record) == []
    assert out_of_order(forged) == [Id.TIME_ORDER]


def test_attempts_stand_in_the_order_in_which_they_began() -> None:
    record = ended(ended(begun(of("copied"), "bookmark", 2), "bookmark", 4), "copied", 9)
    forged = replace(record, attempts=record.attempts[::-1])

    assert out_of_order(forged) == [Id.TIME_ORDER]


def test_an_act_below_an_attempt_without_end_is_a_problem() -> None:
    record = of("copied")
    act = replace(record.attempts[0], step="go", started_at=START + timedelta(seconds=9))

    forged = replace(record, attempts=(*record.attempts, act))

    assert Id.ATTEMPT_WITHOUT_END in out_of_order(forged)
