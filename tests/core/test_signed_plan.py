"""The signed plan: whole and typed out of its bytes, and the same bytes again."""

import pytest
from hypothesis import given

from core.record_values import closed_files
from core.test_typed_facts import group_of, unknown_keys
from d1_preflight.core.errors import RecordInvalid
from d1_preflight.core.record.facts import Fact, fields_by_key
from d1_preflight.core.record.file import dump_facts, load_facts
from d1_preflight.core.record.signed_plan import GO_FILE, SignedPlan
from example_record import EXAMPLE

RECORD = EXAMPLE / GO_FILE
WALKED = closed_files()[0][GO_FILE]


@pytest.mark.parametrize("document", [RECORD.read_bytes(), WALKED], ids=["example", "walked"])
def test_a_plan_comes_back_byte_for_byte(document: bytes) -> None:
    assert SignedPlan.from_bytes(document).document == document


def test_every_key_of_the_examples_plan_is_known() -> None:
    known = set(unknown_keys(SignedPlan.from_bytes(RECORD.read_bytes())))

    assert known == {"d1-preflight", "git", "git_tree", "node"}  # the versions of other tools


def test_the_examples_plan_tells_what_was_decided() -> None:
    plan = SignedPlan.from_bytes(RECORD.read_bytes())

    assert (plan.decision, plan.kind, plan.rows_at_risk) == ("go", "destructive", 0)
    assert [table.table for table in plan.proofs.backup] == ["team_members", "teams", "users"]
    assert plan.criteria is not None
    assert plan.criteria.watch_minutes == 1


@given(group_of(SignedPlan))
def test_any_plan_is_the_same_out_of_its_bytes(plan: SignedPlan) -> None:
    again = SignedPlan.read(load_facts(plan.document, GO_FILE))

    assert again == plan
    assert again.document == plan.document


def whole_plan() -> dict[str, Fact]:
    """The example's plan, as schema 2 has it."""
    history: Fact = {"attempts": 20, "sha256": "a" * 64}
    return {**load_facts(RECORD.read_bytes(), GO_FILE), "schema": 2, "history": history}


def test_a_plan_of_schema_1_has_no_history() -> None:
    whole = dict(load_facts(RECORD.read_bytes(), GO_FILE))
    whole.pop("history", None)

    assert SignedPlan.from_bytes(dump_facts({**whole, "schema": 1})).history is None


@pytest.mark.parametrize("key", fields_by_key(SignedPlan))
def test_a_plan_that_lacks_something_is_no_plan(key: str) -> None:
    whole = whole_plan()
    del whole[key]

    with pytest.raises(RecordInvalid, match=f"“{key}” is missing"):
        SignedPlan.from_bytes(dump_facts(whole))


@pytest.mark.parametrize("key", fields_by_key(SignedPlan))
def test_a_plan_with_a_value_of_another_type_is_no_plan(key: str) -> None:
    whole = whole_plan()

    with pytest.raises(RecordInvalid, match=f"“{key}” is missing or another type"):
        SignedPlan.from_bytes(dump_facts({**whole, key: False}))


def test_a_plan_of_a_newer_version_keeps_what_this_one_does_not_know() -> None:
    whole = {"newer": "words", **load_facts(RECORD.read_bytes(), GO_FILE)}
    document = dump_facts(whole)

    assert SignedPlan.from_bytes(document).document == document


def test_no_bytes_hold_no_plan() -> None:
    with pytest.raises(RecordInvalid):
        SignedPlan.from_bytes(b"")
