"""What is compared after GO is held to what was signed and told, not to what is handy now."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from core.record_values import START, Walk, shipped_checklist
from d1_preflight.actions.context import Environment, StepContext
from d1_preflight.actions.preconditions import moved_at_risk
from d1_preflight.actions.target_cache import TargetCache
from d1_preflight.actions.verification import signed_limits, verify_rows
from d1_preflight.core.findings import Kind
from d1_preflight.core.project.settings import Verification
from d1_preflight.core.record.facts import Facts
from d1_preflight.core.record.record import Record, Status
from d1_preflight.core.schema.schema import Schema
from d1_preflight.core.target.snapshot import LedgerRow, Observation

CHECKLIST = shipped_checklist()


def seen(counts: Mapping[str, int]) -> Observation:
    ledger = (LedgerRow(1, "0001_a.sql", "2026-11-23 14:00:00"),)
    return Observation(START, ledger, Schema(()), counts, quick_check="ok")


def work_on(record: Record, step: str, observed: Observation, ahead_s: int = 1) -> StepContext:
    clock = SimpleNamespace(now=lambda: START + timedelta(seconds=ahead_s))
    settings = SimpleNamespace(
        verification=replace(Verification(), error_rate_percent=Decimal(50), watch_minutes=1)
    )
    environment = SimpleNamespace(
        clock=clock, settings=settings, cache=TargetCache(observation=observed), root=Path()
    )
    return StepContext(
        environment=cast("Environment", environment),
        record=record, checklist=CHECKLIST, kind=Kind.DESTRUCTIVE,
        step=CHECKLIST.step(step), answers={},
    )  # fmt: skip


def counted(rows: int) -> Facts:
    return {"tables": ({"table": "teams", "rows": rows},)}


def applied_walk(copied: int, rehearsed: int, before: int) -> Record:
    walk = Walk(CHECKLIST)
    walk.answer("copied", facts=counted(copied))
    walk.answer("rehearsed", facts={"counts_after": counted(rehearsed)["tables"]})
    walk.answer("applied", facts={"counts_before": counted(before)["tables"]})
    walk.answer("ledger")
    return walk.record


@pytest.mark.parametrize(
    ("copied", "before", "found", "status"),
    [
        (12, 12, 12, Status.PROVED),
        (12, 12, 2, Status.FAILED),
        (12, 12, 11, Status.FAILED),
        (2, 12, 2, Status.FAILED),
        (12, 12, 15, Status.PROVED),
        (12, 12, 23, Status.FAILED),
        (5000, 5000, 4960, Status.FAILED),
    ],
)
async def test_rows_that_went_are_never_traffic(
    copied: int, before: int, found: int, status: Status
) -> None:
    record = applied_walk(copied, copied, before)

    outcome = await verify_rows(work_on(record, "rows", seen({"teams": found})))

    assert outcome.status is status, outcome.words


async def test_nothing_to_compare_with_is_unknown() -> None:
    walk = Walk(CHECKLIST)
    walk.answer("applied")
    walk.answer("ledger")

    outcome = await verify_rows(work_on(walk.record, "rows", seen({})))

    assert outcome.status is Status.UNKNOWN


def test_the_limits_that_were_signed_hold_whatever_the_settings_say_today() -> None:
    walk = Walk(CHECKLIST)
    walk.answer("go", facts={"criteria": {"error_rate_percent": "0.1", "watch_minutes": 5}})

    assert signed_limits(work_on(walk.record, "errors", seen({}))) == (Decimal("0.1"), 5)


@pytest.mark.parametrize(("now", "moved"), [(0, ()), (3, ("teams",))])
def test_rows_that_came_into_a_table_that_loses_send_back_to_the_gate(
    now: int, moved: tuple[str, ...]
) -> None:
    walk = Walk(CHECKLIST)
    walk.answer("losses", facts={"declared_losses": ("teams",)})
    walk.answer("copied", facts=counted(0))

    assert moved_at_risk(work_on(walk.record, "applied", seen({})), seen({"teams": now})) == moved
