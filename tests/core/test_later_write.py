"""What was proved before a later write says nothing of now, and is marked."""

from dataclasses import replace
from datetime import timedelta

import pytest

from core.record_values import START, Walk, shipped_checklist
from d1_preflight.core.checklist.answers import FIXED_MANUALLY, KEPT, ROLLED_BACK
from d1_preflight.core.record.record import Record, Status
from d1_preflight.core.recovery.later_write import later_write
from d1_preflight.core.schema.schema import Schema, SchemaObject
from d1_preflight.core.target.snapshot import LedgerRow, Observation
from d1_preflight.core.verify.timeline import new_timeline, next_line
from d1_preflight.report import show

CHECKLIST = shipped_checklist()
REHEARSED = Schema((SchemaObject("table", "t", "t", "CREATE TABLE t(x)"),))
DOWN = "wrangler d1 execute shop --remote --config c.json --file=migrations/down/0057.sql"
WRITES = (
    DOWN,
    "wrangler d1 time-travel restore shop --bookmark 0000",
    "wrangler d1 migrations apply shop --remote",
)
READS = (
    "wrangler d1 execute shop --remote --json --command='SELECT 1'",
    "wrangler d1 time-travel info shop",
    "preflight restore 0057",
)


def verified(end: str = "", status: Status = Status.ATTESTED) -> Walk:
    walk = Walk(CHECKLIST)
    walk.answer("applied", facts={"ledger_id": 1})
    walk.answer("ledger").answer("schema", facts={"fingerprint": REHEARSED.fingerprint})
    walk.answer("rows").answer("endpoints").answer("errors")
    return walk.answer("close", status, facts={"end": end}) if end else walk


def timeline(walk: Walk, command: str, minutes: int = 1) -> bytes:
    head = new_timeline("x")
    at = walk.now + timedelta(minutes=minutes)
    return (head + next_line(head, at, f"ana  begins `{command}`")).encode()


def stale(record: Record, data: bytes | None = None, seen: Observation | None = None) -> set[str]:
    return {s.id for s in CHECKLIST.steps if later_write(record, s.id, data, seen)}


@pytest.mark.parametrize("command", WRITES)
def test_a_write_from_the_card_makes_every_later_check_stale(command: str) -> None:
    walk = verified()

    found = stale(walk.record, timeline(walk, command))

    assert found == {"ledger", "schema", "rows", "endpoints", "errors"}


def test_the_words_name_the_file_that_ran() -> None:
    walk = verified()

    words = later_write(walk.record, "schema", timeline(walk, DOWN))

    assert words == "migrations/down/0057.sql ran"


@pytest.mark.parametrize("command", READS)
def test_what_only_reads_makes_nothing_stale(command: str) -> None:
    walk = verified()

    assert stale(walk.record, timeline(walk, command)) == set()


def test_another_worker_makes_stale_what_the_worker_answered() -> None:
    walk = verified()

    assert stale(walk.record, timeline(walk, "wrangler rollback 1a2b")) == {"endpoints", "errors"}


def test_what_is_proved_again_after_the_write_stands() -> None:
    walk = verified()
    data = timeline(walk, DOWN)
    walk.now += timedelta(minutes=5)

    assert "ledger" not in stale(walk.answer("ledger").record, data)


@pytest.mark.parametrize("end", [ROLLED_BACK, FIXED_MANUALLY])
def test_a_closed_record_says_that_it_was_rolled_back_since(end: str) -> None:
    found = stale(verified(end).record)

    assert found == {"ledger", "schema", "rows", "endpoints", "errors"}
    assert stale(verified(KEPT).record) == set()
    assert stale(verified(end, Status.FAILED).record) == set()


def test_a_look_at_another_schema_makes_the_schema_stale() -> None:
    walk = verified()
    row = (LedgerRow(1, walk.record.migration, "2026-11-23 14:00:00"),)
    same = Observation(walk.now + timedelta(minutes=1), row, REHEARSED)

    assert stale(walk.record, seen=same) == set()
    assert stale(walk.record, seen=replace(same, schema=Schema())) == {"schema"}
    assert stale(walk.record, seen=replace(same, ledger=())) == {"ledger", "schema", "rows"}
    assert stale(walk.record, seen=replace(same, schema=Schema(), taken_at=START)) == set()


def test_a_refused_close_that_saw_another_schema_makes_the_schema_stale() -> None:
    walk = verified()
    walk.answer("close", Status.FAILED, facts={"end": KEPT, "schema": "f" * 64})

    assert stale(walk.record) == {"schema"}


def test_show_says_it() -> None:
    walk = verified()

    told = show(walk.record, CHECKLIST, timeline=timeline(walk, DOWN))

    assert "stale: since then migrations/down/0057.sql ran" in " ".join(told.split())
    assert "stale" not in show(walk.record, CHECKLIST)
