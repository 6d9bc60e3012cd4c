"""A database that holds no table before the migration, or none after it, is walked to its close."""

from hashlib import sha256
from pathlib import Path

import pytest

from actions.fake_target import Bench
from core.record_values import KEYS
from d1_preflight.core.verify.verify import verify_record
from sampling import sampled

ONE = "CREATE TABLE teams(id TEXT PRIMARY KEY, name TEXT);"
EXTREMES = {
    "the last table and its rows go": (ONE, "INSERT INTO teams VALUES ('a', 'A')", "teams"),
    "the last, empty table goes": (ONE, "SELECT 1", "teams"),
    "the last full-text index goes": (
        "CREATE VIRTUAL TABLE notes USING fts5(body);",
        "INSERT INTO notes VALUES ('a word')",
        "notes",
    ),
}


@pytest.mark.parametrize(("earlier", "rows", "table"), sampled(EXTREMES.values(), 3, EXTREMES))
async def test_a_migration_that_drops_the_last_table_is_walked_to_its_close(
    tmp_path: Path, earlier: str, rows: str, table: str
) -> None:
    bench = Bench(tmp_path, f"DROP TABLE {table};\n", "destructive", earlier=earlier, rows=rows)

    await bench.walk("rows")
    compared = await bench.step("rows")
    assert compared.words == "No table is left; quick_check ok, no broken references."
    await bench.walk()

    assert bench.session.closed
    assert bench.query("SELECT name FROM sqlite_schema WHERE sql LIKE '%teams%'") == []
    digest = sha256(bench.files.own.text.encode()).hexdigest()
    found = verify_record(
        bench.store.files(), bench.session.checklist, KEYS, migration_sha256=digest
    )
    assert [problem.words for problem in found.problems] == []


async def test_the_first_table_of_an_empty_database_is_walked_to_its_close(tmp_path: Path) -> None:
    bench = Bench(tmp_path, f"{ONE}\n", "additive", earlier="SELECT 1", rows="SELECT 1")

    await bench.walk()

    assert bench.session.closed
