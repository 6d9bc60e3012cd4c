"""The gate: nothing is signed, applied or closed before its turn, none is undone."""

from datetime import timedelta

import pytest

from core.record_values import (
    BEFORE_GO,
    SUBJECTS,
    AnyAction,
    Walk,
    shipped_checklist,
    shipped_text,
    with_section,
)
from d1_preflight.core.checklist.checklist import Checklist
from d1_preflight.core.checklist.file import load_checklist
from d1_preflight.core.errors import RecordInvalid
from d1_preflight.core.findings import Kind
from d1_preflight.core.record.facts import Facts, instant
from d1_preflight.core.record.gate import blocking_items, go_expires, open_items, tally
from d1_preflight.core.record.record import Status

CHECKLIST = shipped_checklist()
KIND = Kind.DESTRUCTIVE


def ready() -> Walk:
    return Walk(CHECKLIST).through(*BEFORE_GO)


def blockers(walk: Walk, step: str) -> list[str]:
    items = blocking_items(walk.record, CHECKLIST, KIND, CHECKLIST.step(step))
    return [item.step.id for item in items]


@pytest.mark.parametrize("step", [s.id for s in CHECKLIST.steps if s.section in BEFORE_GO])
def test_go_is_shut_while_any_step_before_it_is_not_answered(step: str) -> None:
    walk = ready()
    assert blockers(walk, "go") == []

    walk.answer(step, Status.UNKNOWN)

    assert step in blockers(walk, "go")


@pytest.mark.parametrize("step", [s.id for s in CHECKLIST.steps if s.section in BEFORE_GO])
@pytest.mark.parametrize("status", [Status.PROVED, Status.FAILED])
def test_go_falls_when_anything_before_it_is_tried_again(step: str, status: Status) -> None:
    walk = ready().answer("go", Status.ATTESTED)
    assert blockers(walk, "applied") == []

    walk.answer(step, status)

    assert "go" in blockers(walk, "applied")


def test_a_down_file_edited_after_go_keeps_the_apply_shut() -> None:
    walk = Walk(CHECKLIST)
    walk.record = walk.record.about(SUBJECTS | {"down": "d" * 64})
    walk.through(*BEFORE_GO).answer("go", Status.ATTESTED)

    walk.record = walk.record.about(SUBJECTS | {"down": "e" * 64})

    assert "down_tested" in blockers(walk, "applied")


@pytest.mark.parametrize("status", [Status.INTERRUPTED, Status.UNKNOWN])
def test_an_apply_whose_end_nobody_saw_may_always_be_looked_at(status: Status) -> None:
    walk = ready().answer("go", Status.ATTESTED).answer("applied", status)
    walk.answer("window", Status.FAILED)

    assert blockers(walk, "applied") == []


def test_a_failed_apply_is_not_tried_again_without_a_standing_go() -> None:
    walk = ready().answer("go", Status.ATTESTED).answer("applied", Status.FAILED)
    walk.answer("copied")

    assert "go" in blockers(walk, "applied")


def test_what_came_before_the_apply_is_history_afterwards() -> None:
    walk = ready().answer("go", Status.ATTESTED).answer("applied")

    assert blockers(walk, "copied") == ["applied"]
    assert blockers(walk, "go") == ["applied"]
    assert blockers(walk, "ledger") == []


def test_the_close_waits_for_the_verification() -> None:
    walk = ready().answer("go", Status.ATTESTED).answer("applied").answer("ledger")

    assert blockers(walk, "close") == ["schema", "rows", "worker_deployed", "endpoints", "errors"]


def test_an_additive_migration_walks_the_short_path() -> None:
    additive = {i.step.id for i in open_items(Walk(CHECKLIST).record, CHECKLIST, Kind.ADDITIVE)}

    assert not additive & {"backed_up", "restored", "down_written", "down_tested"}
    assert {"rehearsed", "counted", "bookmark"} <= additive


def test_an_unknown_class_walks_every_step() -> None:
    assert CHECKLIST.steps_for(Kind.UNKNOWN) == CHECKLIST.steps


def test_go_expires_from_its_signature_on() -> None:
    walk = ready()
    signed = walk.now
    walk.answer("go", Status.ATTESTED, {"signed_at": instant(signed)})

    assert go_expires(walk.record, CHECKLIST, 30) == signed + timedelta(minutes=30)


def test_without_a_go_nothing_expires() -> None:
    assert go_expires(ready().record, CHECKLIST, 30) is None


@pytest.mark.parametrize("key", ["signed_at", "expires_at"])
def test_a_go_that_tells_no_moment_is_refused_in_words(key: str) -> None:
    walk = ready().answer("go", Status.ATTESTED, {key: "tomorrow"})

    with pytest.raises(RecordInvalid, match=f"{key}: 'tomorrow'"):
        go_expires(walk.record, CHECKLIST, 30)


@pytest.mark.parametrize("key", ["signed_at", "expires_at"])
def test_a_go_whose_moment_is_no_text_is_refused_in_words(key: str) -> None:
    walk = ready().answer("go", Status.ATTESTED, {key: 7})

    with pytest.raises(RecordInvalid, match=f"{key}: 7"):
        go_expires(walk.record, CHECKLIST, 30)


@pytest.mark.parametrize("status", [Status.FAILED, Status.UNKNOWN, Status.INTERRUPTED])
def test_a_go_that_was_refused_never_expires(status: Status) -> None:
    assert go_expires(ready().answer("go", status).record, CHECKLIST, 30) is None


def test_only_an_apply_may_be_looked_at_whatever_it_needs() -> None:
    walk = Walk(CHECKLIST).answer("syntax", Status.UNKNOWN)

    assert "copied" in blockers(walk, "syntax")


@pytest.mark.parametrize(
    ("status", "facts", "words"),
    [
        (Status.PROVED, {}, "It is applied: the earlier steps are final."),
        (Status.UNKNOWN, {}, "The apply was started. Check what it did first."),
        (Status.INTERRUPTED, {}, "The apply was started. Check what it did first."),
        (
            Status.FAILED,
            {"half_way": True},
            "The apply failed half-way: the earlier steps are kept. See the emergency card.",
        ),
        (
            Status.FAILED,
            {"half_way": "yes"},
            "The apply failed half-way: the earlier steps are kept. See the emergency card.",
        ),
    ],
)
def test_what_came_before_a_begun_apply_says_why_it_stays(
    status: Status, facts: Facts, words: str
) -> None:
    walk = ready().answer("go", Status.ATTESTED).answer("applied", status, facts)

    (item,) = blocking_items(walk.record, CHECKLIST, KIND, CHECKLIST.step("copied"))

    assert (item.step.id, item.status, item.words) == ("applied", status, words)


def test_a_running_apply_is_no_history_yet() -> None:
    walk = ready().answer("go", Status.ATTESTED)
    walk.record = walk.record.begin(CHECKLIST.step("applied"), {}, by="ana", at=walk.now)

    (item,) = blocking_items(walk.record, CHECKLIST, KIND, CHECKLIST.step("copied"))

    assert (item.status, item.words) == (
        Status.RUNNING,
        "The apply was started. Check what it did first.",
    )


def test_an_open_item_says_what_was_found_or_what_fell() -> None:
    walk = Walk(CHECKLIST).answer("copied", Status.FAILED, words="no rows came")
    walk.answer("rehearsed").answer("syntax", Status.PROVED)
    words = {i.step.id: i.words for i in open_items(walk.record, CHECKLIST, KIND)}

    assert words["copied"] == "no rows came"
    assert words["rehearsed"] == "Answered before, but what it is based on has changed since."
    assert words["counted"] == ""


def test_the_tally_counts_every_applicable_step_once() -> None:
    counts = tally(ready().record, CHECKLIST, KIND)

    assert sum(counts.values()) == len(CHECKLIST.steps_for(KIND))
    assert counts[Status.FAILED] == 0


@pytest.mark.parametrize("before", ["classification", "timing", "go"])
def test_a_section_that_a_team_puts_before_go_keeps_it_shut(before: str) -> None:
    own = with_section(before)
    walk = Walk(own).through(*BEFORE_GO)

    assert [i.step.id for i in open_items(walk.record, own, KIND)] == ["dpo"]
    assert "dpo" in held(walk, own, "go")

    walk.answer("dpo").answer("go", Status.ATTESTED)
    assert held(walk, own, "applied") == []
    walk.answer("dpo", Status.FAILED)
    assert held(walk, own, "applied") == ["go", "dpo"]


def test_a_section_between_go_and_the_apply_keeps_the_apply_shut() -> None:
    own = with_section("apply")
    walk = Walk(own).through(*BEFORE_GO)

    assert held(walk, own, "go") == []
    assert held(walk, own, "dpo") == ["go"]
    walk.answer("go", Status.ATTESTED)
    assert held(walk, own, "applied") == ["dpo"]
    walk.answer("dpo")
    assert held(walk, own, "applied") == []
    walk.answer("go", Status.ATTESTED)
    assert held(walk, own, "applied") == ["dpo"]


@pytest.mark.parametrize("before", ["verification", "close"])
def test_a_section_after_the_apply_keeps_the_close_shut(before: str) -> None:
    own = with_section(before)
    walk = Walk(own).through(*BEFORE_GO, "go")

    assert held(walk, own, "dpo") == ["applied"]
    walk.through("apply", "verification")
    assert held(walk, own, "close") == ["dpo"]
    walk.answer("dpo")
    assert held(walk, own, "close") == []


def test_a_renamed_section_is_covered_by_its_place() -> None:
    text = shipped_text().replace('id = "data"\n', 'id = "safety"\n')
    own = load_checklist(text, "d1.toml", AnyAction())
    walk = Walk(own).through(*(name for name in BEFORE_GO if name != "data"))

    assert {"counted", "backed_up", "restored", "bookmark"} <= set(held(walk, own, "go"))


def held(walk: Walk, checklist: Checklist, step: str) -> list[str]:
    items = blocking_items(walk.record, checklist, KIND, checklist.step(step))
    return [item.step.id for item in items]


@pytest.mark.parametrize(
    ("status", "facts", "kept"),
    [
        (Status.PROVED, {}, True),
        (Status.INTERRUPTED, {}, True),
        (Status.UNKNOWN, {}, True),
        (Status.FAILED, {"half_way": True}, True),
        (Status.FAILED, {}, False),
    ],
)
def test_once_the_apply_was_started_the_backup_is_not_taken_again(
    status: Status, facts: Facts, *, kept: bool
) -> None:
    walk = Walk(CHECKLIST, Kind.DESTRUCTIVE).through(*BEFORE_GO, "go")
    walk.answer("applied", status, facts=facts)
    backup = CHECKLIST.step("backed_up")

    waits = blocking_items(walk.record, CHECKLIST, Kind.DESTRUCTIVE, backup)

    assert bool(waits) is kept
    assert all(item.step.id == "applied" for item in waits)


def test_a_file_edited_after_the_apply_reopens_nothing() -> None:
    walk = Walk(CHECKLIST, Kind.DESTRUCTIVE).through(*BEFORE_GO, "go")
    walk.answer("applied")
    edited = walk.record.about({**walk.record.subjects, "migration": "f" * 64})

    for step in CHECKLIST.before("applied"):
        (waits, *_) = blocking_items(edited, CHECKLIST, Kind.DESTRUCTIVE, step)
        assert "another text" in waits.words
