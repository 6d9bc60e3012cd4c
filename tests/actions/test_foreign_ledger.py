"""Beside another tool's ledger nothing is copied or applied, unless the team says it is over."""

from pathlib import Path

import pytest

from actions.conftest import Walked
from actions.fake_target import Bench
from d1_preflight.actions.target import observe
from d1_preflight.core.errors import RemoteFailed
from d1_preflight.core.project.settings import Migrations, Settings
from d1_preflight.core.record.record import Status

LEDGER = 'CREATE TABLE "__drizzle_migrations"(id INTEGER PRIMARY KEY, hash TEXT, created_at INT)'


async def to_the_copy(tmp_path: Path, settings: Settings, rows: int) -> Bench:
    bench = Bench(tmp_path, settings=settings)
    bench.target.connection.execute(LEDGER)
    for number in range(rows):
        bench.target.connection.execute(
            'INSERT INTO "__drizzle_migrations"(hash) VALUES (?)', (str(number),)
        )
    await bench.walk(until="copied")
    return bench


async def test_another_tools_ledger_stops_the_walk_before_anything(tmp_path: Path) -> None:
    bench = await to_the_copy(tmp_path, Settings(), 2)

    attempt = await bench.step("copied")

    assert attempt.status is Status.FAILED
    assert "__drizzle_migrations (drizzle's ledger): " in attempt.words
    assert bench.target.reached == 0


@pytest.mark.parametrize(
    ("settings", "rows"),
    [(Settings(), 0), (Settings(migrations=Migrations("", "", ("__drizzle_migrations",))), 2)],
)
async def test_an_empty_ledger_or_one_that_is_over_stops_nothing(
    tmp_path: Path, settings: Settings, rows: int
) -> None:
    bench = await to_the_copy(tmp_path, settings, rows)

    assert (await bench.step("copied")).status is Status.PROVED


EATS = "CREATE TRIGGER eats AFTER INSERT ON d1_migrations BEGIN DELETE FROM members; END"
"""It fires as the apply writes its row; the rehearsal's ledger is a new one, without it."""


@pytest.mark.parametrize("written", [EATS, EATS.replace("d1_migrations", '"D1_Migrations"')])
async def test_a_trigger_on_the_ledger_stops_the_walk_at_the_copy(
    tmp_path: Path, written: str
) -> None:
    bench = Bench(tmp_path)
    bench.target.connection.execute(written)
    await bench.walk(until="copied")

    attempt = await bench.step("copied")

    assert attempt.status is Status.FAILED
    assert attempt.words.startswith("The trigger eats on d1_migrations would run with the apply")


@pytest.mark.parametrize("written", [EATS, EATS.replace("d1_migrations", "D1_MIGRATIONS")])
async def test_a_trigger_that_came_upon_the_ledger_holds_the_apply(
    walked: Walked, written: str
) -> None:
    bench = await walked("applied")
    bench.target.connection.execute(written)

    attempt = await bench.step("applied")

    assert attempt.status is Status.FAILED
    assert "the triggers of the ledger (eats) changed" in attempt.words
    assert bench.target.reached == 0


async def test_a_table_of_the_ledgers_name_that_is_something_else_is_named(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.target.connection.execute("DROP TABLE d1_migrations")
    bench.target.connection.execute("CREATE TABLE d1_migrations(id TEXT, note TEXT)")

    with pytest.raises(RemoteFailed, match="is not wrangler's ledger"):
        await observe(bench.environment())
