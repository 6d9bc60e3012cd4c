"""Other tools' ledgers are known by their shape, and no other table is taken for one."""

from datetime import UTC, datetime

import pytest

from d1_preflight.core.analysis import schema_after
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.schema.schema import Schema
from d1_preflight.core.target.ledgers import foreign_ledgers, kept_ledgers, ledger_remarks, refusal
from d1_preflight.core.target.snapshot import LedgerRow, Observation

NOW = datetime(2026, 11, 26, tzinfo=UTC)
LEDGERS = {
    "drizzle": 'CREATE TABLE "__drizzle_migrations"(id SERIAL PRIMARY KEY, hash text NOT NULL, '
    "created_at numeric);",
    "NuxtHub": "CREATE TABLE _hub_migrations(id INTEGER PRIMARY KEY AUTOINCREMENT, "
    "name TEXT UNIQUE, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL);",
    "Alchemy": "CREATE TABLE alchemy_migrations(id TEXT PRIMARY KEY, name TEXT NOT NULL, "
    "applied_at TEXT NOT NULL, type TEXT NOT NULL);",
    "Prisma": "CREATE TABLE _prisma_migrations(id TEXT PRIMARY KEY, checksum TEXT, "
    "finished_at DATETIME, migration_name TEXT, logs TEXT, rolled_back_at DATETIME, "
    "started_at DATETIME, applied_steps_count INTEGER);",
    "wrangler": "CREATE TABLE old_migrations(id INTEGER PRIMARY KEY, name TEXT, applied_at TEXT);",
    "": "CREATE TABLE schema_migrations(version TEXT PRIMARY KEY, applied_at TEXT);",
}


def schema(*sql: str) -> Schema:
    return schema_after([Migration.from_text("0001_a_b.sql", "\n".join(sql))])


@pytest.mark.parametrize("tool", LEDGERS)
def test_a_ledger_is_known_by_its_shape(tool: str) -> None:
    (found,) = foreign_ledgers(schema("CREATE TABLE users(id, name);", LEDGERS[tool]))

    assert found.tool == tool
    made = schema(LEDGERS[tool])
    kept = kept_ledgers(made, {found.table: 12})
    if tool == "wrangler":  # that of another folder, whose files are others
        assert kept == ()
        return
    assert kept == (found,)
    assert f"{found.table} (" in refusal({found: "its rows are others"})
    assert kept_ledgers(made, {found.table: 0}) == ()
    assert kept_ledgers(made, {found.table: 12}, [found.table]) == ()


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE users(id, name, applied_at);",
        "CREATE TABLE files(hash, created_at);",
        "CREATE TABLE bird_migrations(species, route, season);",
        "CREATE TABLE migration_requests(id, a, b, c, d, e, f, g);",
    ],
)
def test_no_other_table_is_taken_for_one(sql: str) -> None:
    assert foreign_ledgers(schema(sql)) == ()


def test_the_board_names_what_is_odd_about_the_ledger() -> None:
    names = ("0001_a_b.sql", "0002_gone.sql", "0003_c_d.sql", "0003_c_d.sql")
    ledger = tuple(LedgerRow(n, name, "") for n, name in enumerate(names, start=1))
    seen = Observation(NOW, ledger, schema(LEDGERS["drizzle"]))

    assert ledger_remarks(seen, ("0001_a_b.sql", "0003_c_d.sql")) == (
        "There is also __drizzle_migrations (drizzle's ledger).",
        "The ledger lists files that are not here: 0002_gone.sql.",
        "The ledger has two rows each for: 0003_c_d.sql.",
    )
    assert ledger_remarks(Observation(NOW, (), Schema()), ("0001_a_b.sql",)) == ()
