"""A ledger without a UNIQUE name: of two operators still only one applies."""

import pytest

from actions.conftest import Walked
from actions.fake_target import NAME, Bench
from d1_preflight.core.record.apply_facts import ApplyFacts, LedgerFacts
from d1_preflight.core.record.record import Status

LONGER = "UPDATE members SET role = role || '!';\n"
ROLES = [("OWNER!",), ("member!",), (None,)]
LEDGERS = {
    "not unique": "name TEXT",
    "ignored": "name TEXT UNIQUE ON CONFLICT IGNORE",
    "replaced": "name TEXT UNIQUE ON CONFLICT REPLACE",
}


async def on_ledger(walked: Walked, column: str) -> Bench:
    bench = await walked("applied", LONGER, "transformative")
    bench.target.connection.execute(
        "ALTER TABLE d1_migrations RENAME TO earlier;"
        f"CREATE TABLE d1_migrations(id INTEGER PRIMARY KEY, {column}, applied_at TEXT);"
        "INSERT INTO d1_migrations SELECT * FROM earlier; DROP TABLE earlier"
    )
    return bench


@pytest.mark.parametrize("column", LEDGERS.values(), ids=LEDGERS.keys())
async def test_who_comes_second_is_refused_whatever_the_ledger_takes(
    walked: Walked, column: str
) -> None:
    bench = await on_ledger(walked, column)
    bench.target.first["apply"] = lambda: bench.target.apply(NAME, LONGER)

    attempt = await bench.step("applied")

    assert bench.query("SELECT role FROM members") == ROLES
    assert "Applied by somebody else" in attempt.words
    assert "already in the ledger" in ApplyFacts.from_attempt(attempt).refusal
    assert bench.query(f"SELECT count(*) FROM d1_migrations WHERE name = '{NAME}'") == [(1,)]


async def test_who_comes_first_applies_it_and_the_record_holds_what_was_sent_beside_the_file(
    walked: Walked,
) -> None:
    bench = await on_ledger(walked, "name TEXT")

    attempt = await bench.step("applied")

    assert attempt.words.startswith("Applied: ledger row 2")
    assert ApplyFacts.from_attempt(attempt).refusal.startswith("SELECT json_extract(")
    assert bench.query("SELECT role FROM members") == ROLES


async def test_wranglers_own_ledger_needs_nothing_beside_the_file(walked: Walked) -> None:
    bench = await walked("applied", LONGER, "transformative")

    attempt = await bench.step("applied")

    assert "refusal" not in attempt.facts
    assert "ledger_rows" not in attempt.facts


async def test_two_rows_for_one_migration_are_said_and_have_to_be_explained(
    walked: Walked,
) -> None:
    bench = await on_ledger(walked, "name TEXT")
    bench.target.then["apply"] = lambda: bench.target.apply(NAME, LONGER)  # by bare wrangler

    applied = await bench.step("applied")
    failed = await bench.step("ledger")
    explained = await bench.step("ledger", explanation="Ben's row was written by hand")

    assert "The ledger has 2 rows for it" in applied.words
    assert ApplyFacts.from_attempt(applied).ledger_rows == 2
    assert failed.status is Status.FAILED
    assert "2 rows" in failed.words
    assert LedgerFacts.from_attempt(failed).rows == 2
    assert explained.status is Status.ATTESTED
    assert (await bench.step("rows")).status is Status.FAILED
