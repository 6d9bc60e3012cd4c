"""On the free plan nothing is read before it is known what the walk will cost."""

from dataclasses import replace
from pathlib import Path

import pytest

from actions.fake_target import Bench
from d1_preflight.core.format import FREE_ROWS_A_DAY
from d1_preflight.core.project.setting_types import Plan
from d1_preflight.core.project.settings import Account, Settings, load_settings
from d1_preflight.core.record.record import Status
from d1_preflight.core.schema.schema import tables_of
from d1_preflight.core.target.reading_cost import (
    READS_OF_A_WALK,
    WalkCost,
    size_statements,
    walk_cost,
)

FREE = Settings(account=Account(Plan.FREE))


async def bench_with(tmp_path: Path, rows: int, settings: Settings = FREE) -> Bench:
    """Up to the copy, on a table whose last rowid is that of so many rows."""
    bench = Bench(tmp_path, settings=settings)
    await bench.walk(until="copied")
    connection = bench.target.connection
    table = next(
        name
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
            " AND name NOT LIKE 'd1_%' ORDER BY name"
        )
    )
    first = next(connection.execute(f"SELECT min(rowid) FROM {table}"))[0] or 1
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute(f"UPDATE {table} SET rowid = {first + rows} WHERE rowid = {first}")
    return bench


def copied(bench: Bench) -> list[str]:
    asked = [" ".join(call) for call in bench.target.calls]
    return [call for call in asked if "quote(" in call or "count(*)" in call]


async def test_a_small_walk_begins_at_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path, settings=FREE)
    await bench.walk(until="copied")

    attempt = await bench.step("copied")

    assert attempt.status is Status.PROVED


@pytest.mark.parametrize("settings", [Settings(), Settings(account=Account(Plan.PAID))])
async def test_only_the_free_plan_is_counted(tmp_path: Path, settings: Settings) -> None:
    bench = await bench_with(tmp_path, FREE_ROWS_A_DAY, settings)

    assert (await bench.step("copied")).status is Status.PROVED


async def test_more_than_a_tenth_of_the_day_asks_first(tmp_path: Path) -> None:
    bench = await bench_with(tmp_path, FREE_ROWS_A_DAY // 10 // READS_OF_A_WALK + 10)
    step = bench.session.checklist.step("copied")
    assert not bench.session.prompts(step)

    first = await bench.step("copied")

    assert first.status is Status.FAILED
    assert "10 % of the 5,000,000" in first.words
    assert copied(bench) == []
    assert [prompt.key for prompt in bench.session.prompts(step)] == ["free_rows"]
    assert (await bench.step("copied", free_rows=True)).status is Status.PROVED


async def test_more_than_half_of_the_day_is_not_begun(tmp_path: Path) -> None:
    bench = await bench_with(tmp_path, FREE_ROWS_A_DAY // 2 // READS_OF_A_WALK + 10)

    for _ in range(2):
        attempt = await bench.step("copied")
        assert attempt.status is Status.FAILED
        assert 'plan = "paid"' in attempt.words
    assert not bench.session.prompts(bench.session.checklist.step("copied"))
    assert copied(bench) == []


def test_ids_with_gaps_are_held_to_the_size_of_the_database(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    tables = [t for t in tables_of(bench.session.environment.prior_schema()) if t.rowid]
    answers = [{f"a{n}": 1, f"z{n}": 2**60} for n in range(len(tables))]
    merged = {key: value for answer in answers for key, value in answer.items()}

    assert len(size_statements(tables)) == 1
    assert walk_cost(tables, [merged], 40_000) == WalkCost(4_000 * READS_OF_A_WALK)


def test_a_table_whose_size_cannot_be_asked_is_asked_about(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    table = replace(tables_of(bench.session.environment.prior_schema())[0], without_rowid=True)

    cost = walk_cost([table], [], None)
    assert cost.unsized == (table.name,)
    assert cost.asks_first
    assert "unknown" in cost.words


def test_the_plan_is_read_strictly() -> None:
    assert load_settings('[account]\nplan = "free"\n').account.plan is Plan.FREE
