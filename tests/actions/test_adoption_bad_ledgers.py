"""Ledgers that lie, before an adoption: what is odd is named, and nothing is written."""

from dataclasses import replace
from pathlib import Path

import pytest

from actions.test_adoption import DRIZZLE, Adopting
from d1_preflight.core.project.naming import Naming
from d1_preflight.core.record.record import Status

OWN = "CREATE TABLE d1_migrations(id INTEGER PRIMARY KEY, name TEXT, applied_at TEXT);"
ROW = "INSERT INTO d1_migrations(name, applied_at) VALUES ('{}', '2026');"
CASES = {
    "a table of the ledger's name that is something else": (
        "CREATE TABLE d1_migrations(id INTEGER PRIMARY KEY, route TEXT);",
        "is not wrangler's ledger",
    ),
    "a row for a file that the schema contradicts": (
        OWN + ROW.format("0004_billing.sql"),
        "0004_billing.sql (contradicts",
    ),
    "another tool's row for a file that is not there": (
        DRIZZLE + ";INSERT INTO __drizzle_migrations(hash) VALUES ('{sha256}');",
        "0004_billing.sql (contradicts",
    ),
    "a name that is no file": (OWN + ROW.format("0000_gone.sql"), "0000_gone.sql"),
    "a name twice": (
        OWN + ROW.format("0001_base.sql") * 2 + ROW.format("0002_members.sql"),
        "0001_base.sql",
    ),
}


@pytest.mark.parametrize("case", CASES)
async def test_a_ledger_that_lies_is_named_and_nothing_is_written(
    tmp_path: Path, case: str
) -> None:
    sql, words = CASES[case]
    adopting = Adopting(tmp_path)
    connection = adopting.bench.target.connection
    connection.execute(sql.replace("{sha256}", adopting.bench.files.own.sha256))
    before = connection.serialize("main")

    attempt = await adopting.step("compared")

    assert words in attempt.words
    assert attempt.status is not Status.PROVED
    assert connection.serialize("main") == before


async def test_a_journal_that_lists_a_file_that_is_gone_is_named_and_nothing_is_written(
    tmp_path: Path,
) -> None:
    adopting = Adopting(tmp_path)
    books = Naming(tool="drizzle", listed=frozenset({"0001_base.sql", "0000_gone.sql"}))
    adopting.bench.files.own = replace(adopting.bench.files.own, naming=books)
    before = adopting.bench.target.connection.serialize("main")

    attempt = await adopting.step("compared")

    assert "drizzle's journal lists files that are gone: 0000_gone.sql." in attempt.words
    assert attempt.status is Status.FAILED
    assert adopting.bench.target.connection.serialize("main") == before
