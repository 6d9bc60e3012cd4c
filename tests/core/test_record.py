"""The laws of the record: acts alternate, history only grows, proofs fall."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from core.record_values import ANA, START, SUBJECTS, Walk, new_record, shipped_checklist
from d1_preflight.core.checklist.checklist import Step
from d1_preflight.core.errors import NotAllowed, RecordInvalid
from d1_preflight.core.findings import Kind
from d1_preflight.core.record.file import dump_record, load_record
from d1_preflight.core.record.gate import blocking_items, open_items
from d1_preflight.core.record.record import Outcome, Record, Status, kind_of
from law_size import examples

CHECKLIST = shipped_checklist()
ENDINGS = [s for s in Status if s not in (Status.PENDING, Status.RUNNING)]


class RecordLaws(RuleBasedStateMachine):
    """Any order of acts that the gate lets through, with files that change in between."""

    def __init__(self) -> None:
        super().__init__()
        self.record: Record = new_record(CHECKLIST)
        self.now = START
        self.history = self.record.attempts

    def _may(self, step: Step) -> bool:
        return not blocking_items(self.record, CHECKLIST, Kind.DESTRUCTIVE, step)

    @precondition(lambda self: self.record.running is None)
    @rule(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        free = [step for step in CHECKLIST.steps if self._may(step)]
        if not free:
            return  # the apply was begun with another text: nothing moves until that file is back
        step = data.draw(st.sampled_from(free))
        self.now += timedelta(seconds=1)
        self.record = self.record.begin(step, {}, by=ANA, at=self.now)

    @precondition(lambda self: self.record.running is not None)
    @rule(status=st.sampled_from([Status.PROVED, Status.PROVED, *ENDINGS]))
    def finish(self, status: Status) -> None:
        self.record = self.record.finish(Outcome(status, "seen"), at=self.now)

    @precondition(lambda self: self.record.running is None)
    @rule(until=st.sampled_from(["timing", "go", "apply", "close"]))
    def walk_on(self, until: str) -> None:
        """Answer every step in turn, as a calm operator does."""
        for section in CHECKLIST.sections:
            for step in section.steps:
                if self._may(step) and not self.record.status_of(step).is_answered:
                    self.record = self.record.begin(step, {}, by=ANA, at=self.now)
                    self.the_apply_began_only_behind_an_open_gate()
                    self.finish(Status.PROVED)
            if section.id == until:
                return

    @precondition(lambda self: self.record.running is not None)
    @rule(data=st.data())
    def nothing_begins_while_one_runs(self, data: st.DataObject) -> None:
        with pytest.raises(NotAllowed):
            self.record.begin(data.draw(st.sampled_from(CHECKLIST.steps)), {}, by=ANA, at=self.now)

    @precondition(lambda self: self.record.running is None)
    @rule()
    def nothing_ends_that_did_not_begin(self) -> None:
        with pytest.raises(NotAllowed):
            self.record.finish(Outcome(Status.PROVED, ""), at=self.now)

    @rule()
    def crash_and_load(self) -> None:
        was_running = self.record.running
        self.record = load_record(dump_record(self.record)).recovered()
        assert self.record.running is None
        if was_running:
            assert self.record.attempts[-1].status is Status.INTERRUPTED

    @precondition(lambda self: self.record.running is None)
    @rule(name=st.sampled_from(["migration", "down"]), text=st.sampled_from("abc"))
    def edit(self, name: str, text: str) -> None:
        before = dict(self.record.subjects)
        self.record = self.record.about(before | {name: text * 64})
        if self.record.subjects != before:
            for step in CHECKLIST.steps:
                attempt = self.record.standing(step)
                if attempt is not None and name in step.about:
                    assert attempt.subjects.get(name, "") == self.record.subjects[name]

    @invariant()
    def history_only_grows(self) -> None:
        kept = self.record.attempts[: len(self.history)]
        ended = zip(self.history, kept, strict=True)
        assert all(old == new for old, new in ended if old.status is not Status.RUNNING)
        self.history = self.record.attempts

    @invariant()
    def the_apply_began_only_behind_an_open_gate(self) -> None:
        last = self.record.attempts[-1] if self.record.attempts else None
        if last is None or last.step != "applied" or last.status is not Status.RUNNING:
            return
        earlier = [a for a in self.record.attempts[:-1] if a.step == "applied"]
        if earlier and earlier[-1].status in (Status.INTERRUPTED, Status.UNKNOWN):
            return  # it only looks
        assert not open_items(self.record, CHECKLIST, Kind.DESTRUCTIVE, CHECKLIST.before("applied"))


# the suite has its laws by example: below, session/
TestRecordLaws = pytest.mark.matrix(RecordLaws.TestCase)
TestRecordLaws.settings = settings(
    max_examples=examples(100), stateful_step_count=60, deadline=None
)


def test_editing_the_migration_unproves_everything_about_the_old_text() -> None:
    record = Walk(CHECKLIST).through("classification", "local", "data").record

    edited = record.about(SUBJECTS | {"migration": "f" * 64})

    assert {edited.status_of(step) for step in CHECKLIST.steps} == {Status.PENDING}
    assert edited.attempts == record.attempts


def test_bringing_the_old_text_back_brings_its_proofs_back() -> None:
    record = Walk(CHECKLIST).through("classification").record

    back = record.about({"migration": "f" * 64}).about(SUBJECTS)

    assert back.status_of(CHECKLIST.step("class")) is Status.PROVED
    assert back == record


def test_trying_a_needed_step_again_fells_what_was_built_on_it() -> None:
    walk = Walk(CHECKLIST).through("classification", "local", "data")

    walk.answer("copied")

    fallen = {s.id for s in CHECKLIST.steps if walk.record.status_of(s) is Status.PENDING}
    assert {"syntax", "rehearsed"} <= fallen
    assert walk.record.status_of(CHECKLIST.step("bookmark")) is Status.PROVED


def test_an_edited_down_file_fells_only_what_is_about_it() -> None:
    walk = Walk(CHECKLIST)
    walk.record = walk.record.about(SUBJECTS | {"down": "d" * 64})
    walk.through("classification", "local", "data", "rollback")

    edited = walk.record.about(SUBJECTS | {"down": "e" * 64})

    assert edited.status_of(CHECKLIST.step("down_tested")) is Status.PENDING
    assert edited.status_of(CHECKLIST.step("rehearsed")) is Status.PROVED


@given(st.sampled_from(ENDINGS))
def test_only_proved_attested_and_waived_answer_a_step(status: Status) -> None:
    walk = Walk(CHECKLIST).answer("named", status)

    shut = {i.step.id for i in open_items(walk.record, CHECKLIST, Kind.DESTRUCTIVE)}

    assert ("named" in shut) is (status not in (Status.PROVED, Status.ATTESTED, Status.WAIVED))


def test_a_class_that_there_is_not_is_no_class() -> None:
    walk = Walk(CHECKLIST).answer("class", facts={"class": "weird"})

    with pytest.raises(RecordInvalid, match="'weird'"):
        kind_of(walk.record, CHECKLIST, Kind.UNKNOWN)


def test_the_rows_that_were_read_and_written_are_added_up_over_all_tries() -> None:
    walk = Walk(CHECKLIST)
    assert (walk.record.rows_read, walk.record.rows_written) == (0, 0)
    walk.answer("named").answer("copied", facts={"rows_read": 7, "rows_written": 1})
    assert (walk.record.rows_read, walk.record.rows_written) == (7, 1)

    walk.answer("named").answer("copied", facts={"rows_read": 5, "rows_written": 2})

    assert (walk.record.rows_read, walk.record.rows_written) == (12, 3)
