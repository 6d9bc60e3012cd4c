"""The board: a contract half that is owed stays until the record that drops it is closed."""

from dataclasses import replace
from datetime import timedelta

import pytest

from core.record_values import START
from d1_preflight.board import BoardRow, Remote, owed_words, with_owed
from d1_preflight.core.checklist.answers import EXPAND_AND_CONTRACT, KEPT, ROLLED_BACK
from d1_preflight.core.findings import Kind, Risk
from d1_preflight.core.record.apply_facts import CloseFacts
from d1_preflight.core.record.change_facts import RehearsalFacts, SchemaChange
from d1_preflight.core.record.facts import StepFacts
from d1_preflight.core.record.record import Attempt, DatabaseRef, Record, Status
from d1_preflight.core.record.safety_facts import DeployOrderFacts

EXPAND, CONTRACT = "0060_add_new_name.sql", "0064_drop_old_name.sql"
OWED = DeployOrderFacts(order=EXPAND_AND_CONTRACT, owed=("runs.old_name",))


def row(name: str) -> BoardRow:
    return BoardRow(name, name[:4], name[5:-4], Kind.ADDITIVE, Risk.LOW, Remote.PENDING)


def record(name: str, *facts: StepFacts, status: Status = Status.PROVED) -> Record:
    attempts = tuple(
        Attempt(f.step, status, START, "ana", {}, START + timedelta(1), facts=f.written())
        for f in facts
    )
    return Record(name, DatabaseRef("db", "id"), "c" * 64, {}, attempts=attempts)


def removing(*names: tuple[str, str]) -> RehearsalFacts:
    return RehearsalFacts(
        schema=tuple(SchemaChange(change="removed", object=o, name=n) for o, n in names)
    )


def owed(expand: tuple[Record, bool], contract: tuple[Record, bool] | None = None) -> list[str]:
    records = {EXPAND: expand} | ({CONTRACT: contract} if contract else {})
    rows = with_owed([row(EXPAND), row(CONTRACT)], records)
    return [f"{r.words}: {r.record}" for r in rows if r.record_of]


LINE = ["contract half: drop runs.old_name: owed"]


def test_an_owed_contract_half_is_a_line_behind_its_expand_half() -> None:
    rows = list(with_owed([row(EXPAND), row(CONTRACT)], {EXPAND: (record(EXPAND, OWED), False)}))

    assert [r.name for r in rows] == [EXPAND, f"{EXPAND}: contract half", CONTRACT]
    assert rows[1].record_of == EXPAND


@pytest.mark.parametrize("gone", [("column", "runs.old_name"), ("column", "Runs.Old_Name"),
                                  ("table", "runs")])  # fmt: skip
def test_it_stays_until_the_record_that_drops_it_is_closed(gone: tuple[str, str]) -> None:
    expand = (record(EXPAND, OWED), False)
    closed = record(CONTRACT, removing(gone), CloseFacts(end=KEPT))

    assert owed(expand, (record(CONTRACT, removing(gone)), False)) == LINE
    assert owed(expand, (closed, False)) == LINE  # the signature is missing
    assert owed(expand, (closed, True)) == []


def test_another_drop_or_one_that_was_rolled_back_pays_nothing() -> None:
    expand = (record(EXPAND, OWED), True)
    other = record(CONTRACT, removing(("column", "runs.other")), CloseFacts(end=KEPT))
    back = record(CONTRACT, removing(("table", "runs")), CloseFacts(end=ROLLED_BACK))

    assert owed(expand, (other, True)) == LINE
    assert owed(expand, (back, True)) == LINE


def test_nothing_is_owed_before_an_answer_or_by_what_was_rolled_back() -> None:
    asked = record(EXPAND, OWED, status=Status.UNKNOWN)
    back = record(EXPAND, OWED, CloseFacts(end=ROLLED_BACK))

    assert owed((asked, False)) == []
    assert owed((back, True)) == []
    assert owed((replace(back, attempts=back.attempts[:1]), True)) == LINE


def test_a_face_without_a_board_says_it_in_a_sentence() -> None:
    rows = list(with_owed([row(EXPAND), row(CONTRACT)], {EXPAND: (record(EXPAND, OWED), False)}))

    assert list(owed_words(rows)) == [f"Owed since {EXPAND}: contract half: drop runs.old_name."]
    assert list(owed_words([row(EXPAND), row(CONTRACT)])) == []
