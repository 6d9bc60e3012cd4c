"""What GO rests on is held against the present before anything is sent."""

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest

from core.record_values import ANA, BEN, KEYS, START, closed_files
from d1_preflight.actions.close import sign_close
from d1_preflight.actions.context import Environment, StepContext
from d1_preflight.actions.preconditions import require_second_person, require_signed_plan
from d1_preflight.core.errors import NotAllowed
from d1_preflight.core.findings import Kind
from d1_preflight.core.project.setting_types import SecondPerson
from d1_preflight.core.record.file import load_record
from d1_preflight.core.record.review import PLAN, Verdict, statement
from d1_preflight.core.record.signed_plan import SignedPlan
from d1_preflight.core.record.signing import REVIEW
from plain.fakes import MemoryStore, ReadySigner

FILES, CHECKLIST = closed_files()
RECORD = load_record(FILES["record.toml"])
PLAN_SIGNED = SignedPlan.from_bytes(FILES["go.toml"])


def work_on(files: dict[str, bytes], policy: SecondPerson) -> StepContext:
    environment = SimpleNamespace(
        settings=SimpleNamespace(signing=SimpleNamespace(second_person=policy)),
        store=MemoryStore(dict(files)),
        signer=ReadySigner(KEYS, ANA),
        stem="0057_add_team_billing",
    )
    return StepContext(
        environment=cast("Environment", environment),
        record=RECORD, checklist=CHECKLIST, kind=Kind.DESTRUCTIVE,
        step=CHECKLIST.step("applied"), answers={},
    )  # fmt: skip


def reviewed(verdict: Verdict, reason: str = "") -> dict[str, bytes]:
    document = statement(FILES, RECORD, PLAN, verdict, reason, reviewer=BEN, at=START)
    signature = KEYS.sign(document, REVIEW, BEN)
    return FILES | {"go.review.toml": document, "go.review.toml.sig": signature}


@pytest.mark.parametrize("policy", SecondPerson)
def test_a_go_that_was_sent_back_is_not_applied_whatever_the_policy(policy: SecondPerson) -> None:
    with pytest.raises(NotAllowed, match=r"ben@example\.com sent this GO back: not today"):
        require_second_person(work_on(reviewed(Verdict.SENT_BACK, "not today"), policy))


def test_a_second_person_is_waited_for_where_the_policy_asks() -> None:
    require_second_person(work_on(FILES, SecondPerson.NEVER))
    with pytest.raises(NotAllowed, match="waits for a second person"):
        require_second_person(work_on(FILES, SecondPerson.DESTRUCTIVE))
    require_second_person(work_on(reviewed(Verdict.APPROVED), SecondPerson.DESTRUCTIVE))


def test_the_plan_that_was_signed_is_the_present_one() -> None:
    context = work_on(FILES, SecondPerson.NEVER)

    require_signed_plan(context, PLAN_SIGNED)

    for change in ({"checklist": "f" * 64}, {"class": "none"}, {"rows_at_risk": 1}):
        other = SignedPlan.read({**PLAN_SIGNED.written(), **change})
        with pytest.raises(NotAllowed, match="Since GO was signed"):
            require_signed_plan(context, other)


def test_a_checklist_that_changed_since_go_goes_back_to_the_gate() -> None:
    context = work_on(FILES, SecondPerson.NEVER)
    changed = replace(context, record=replace(RECORD, checklist="f" * 64))

    with pytest.raises(NotAllowed, match="the checklist changed") as refused:
        require_signed_plan(changed, PLAN_SIGNED)
    assert refused.value.hint == "Nothing was applied. Sign GO again."


def test_a_class_that_changed_since_go_goes_back_to_the_gate() -> None:
    context = replace(work_on(FILES, SecondPerson.NEVER), kind=Kind.ADDITIVE)

    with pytest.raises(NotAllowed, match="the class changed: 'destructive' then, 'additive' now"):
        require_signed_plan(context, PLAN_SIGNED)


def test_rows_at_risk_that_changed_since_go_go_back_to_the_gate() -> None:
    attempts = tuple(
        replace(a, facts={"tables": ({"table": "teams", "lost": 7},)})
        if a.step == "rehearsed"
        else a
        for a in RECORD.attempts
    )
    context = replace(work_on(FILES, SecondPerson.NEVER), record=replace(RECORD, attempts=attempts))

    with pytest.raises(NotAllowed, match="rows at risk changed: 0 then, 7 now"):
        require_signed_plan(context, PLAN_SIGNED)


async def test_a_record_is_not_closed_by_another_checklist_than_its_gos() -> None:
    attempts = tuple(
        replace(a, facts={**a.facts, "checklist": "f" * 64}) if a.step == "go" else a
        for a in RECORD.attempts
    )
    context = replace(work_on(FILES, SecondPerson.NEVER), record=replace(RECORD, attempts=attempts))

    with pytest.raises(NotAllowed, match="not the checklist that GO was signed with") as refused:
        await sign_close(context)
    assert "f" * 64 in refused.value.hint
