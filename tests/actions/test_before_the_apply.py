"""What GO rests on is held against the present before anything is sent."""

from types import SimpleNamespace
from typing import cast

import pytest

from core.record_values import ANA, BEN, KEYS, START, closed_files
from d1_preflight.actions.rechecking import require_second_person
from d1_preflight.actions.tools import Tools, Work
from d1_preflight.core.errors import NotAllowed
from d1_preflight.core.findings import Kind
from d1_preflight.core.record_file import load_record
from d1_preflight.core.review import PLAN, Verdict, statement
from d1_preflight.core.signing import REVIEW
from d1_preflight.core.values import SecondPerson
from plain.fakes import MemoryStore, ReadySigner

FILES, CHECKLIST = closed_files()
RECORD = load_record(FILES["record.toml"])


def work_on(files: dict[str, bytes], policy: SecondPerson) -> Work:
    tools = SimpleNamespace(
        settings=SimpleNamespace(signing=SimpleNamespace(second_person=policy)),
        store=MemoryStore(dict(files)),
        signer=ReadySigner(KEYS, ANA),
        stem="0057_add_team_billing",
    )
    return Work(
        tools=cast("Tools", tools), record=RECORD, checklist=CHECKLIST, kind=Kind.DESTRUCTIVE,
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
