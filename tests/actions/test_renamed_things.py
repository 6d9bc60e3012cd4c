"""A rename is walked to its close with all that SQLite rewrites; what hides behind it is not.

Virtual tables are walked the same way, by the values of their own rows.
"""

from pathlib import Path

import pytest

from actions.conftest import Walked
from actions.fake_target import Bench
from d1_preflight.core.record.change_facts import RehearsalFacts
from d1_preflight.core.record.record import Status
from sampling import sampled

SHOP = """CREATE TABLE teams(id TEXT PRIMARY KEY, name TEXT, old TEXT);
CREATE TABLE members(id INTEGER PRIMARY KEY, team TEXT REFERENCES teams(id), role TEXT);
CREATE INDEX teams_name ON teams(name);
CREATE VIEW roles AS SELECT role, name FROM members JOIN teams ON teams.id = team;
CREATE TRIGGER logged AFTER UPDATE OF name ON teams BEGIN DELETE FROM members WHERE 0; END;
"""
ROWS = "INSERT INTO teams VALUES ('a', 'A', 'x'); INSERT INTO members VALUES (1, 'a', 'O')"
TREE = "CREATE VIRTUAL TABLE places USING rtree(id, x1, x2, +label);\n"
TREES = "INSERT INTO places VALUES (1, 1, 2, 'a'), (2, 3, 4, 'b')"
TEXT = "CREATE VIRTUAL TABLE places USING fts5(body);\n"
TEXTS = "INSERT INTO places VALUES ('a word'), ('another')"
RENAMES = {
    "a table": (SHOP, ROWS, "ALTER TABLE teams RENAME TO squads;\n"),
    "a column": (SHOP, ROWS, "ALTER TABLE teams RENAME COLUMN name TO title;\n"),
    "a tree": (TREE, TREES, "ALTER TABLE places RENAME TO spots;\n"),
    "a text": (TEXT, TEXTS, "ALTER TABLE places RENAME TO spots;\n"),
}


@pytest.mark.parametrize(("earlier", "rows", "sql"), sampled(RENAMES.values(), 4, RENAMES))
async def test_a_rename_is_walked_to_its_close(
    tmp_path: Path, earlier: str, rows: str, sql: str
) -> None:
    bench = Bench(tmp_path, sql, "transformative", earlier=earlier, rows=rows)

    await bench.walk()

    assert bench.session.closed


@pytest.mark.parametrize(
    ("hidden", "name"),
    sampled(
        [
            ("DROP INDEX teams_name", "index teams_name"),
            ("DROP VIEW roles", "view roles"),
            ("ALTER TABLE squads DROP COLUMN old", "column squads.old"),
        ],
        2,
    ),
)
async def test_what_goes_behind_a_rename_is_not_declared_by_it(
    walked: Walked, hidden: str, name: str
) -> None:
    sql = "ALTER TABLE teams RENAME TO squads;\n"
    bench = await walked("rehearsed", sql, "transformative", earlier=SHOP, rows=ROWS)
    persist = bench.folder / ".preflight" / "rehearsal" / "d1"
    bench.target.then["rehearse"] = lambda: bench.local.run_sql(persist, hidden)

    attempt = await bench.step("rehearsed")

    assert attempt.status is Status.FAILED
    changes = RehearsalFacts.from_attempt(attempt).schema
    assert [c.words.startswith(f"{name} is gone") for c in changes if not c.declared] == [True]


EXCHANGES = {
    "a tree": (
        TREE, TREES,
        "DELETE FROM places WHERE id = 1;\nINSERT INTO places VALUES (9, 1, 2, 'z');\n",
    ),
    "a text": (
        TEXT, TEXTS, "DELETE FROM places WHERE rowid = 1;\nINSERT INTO places VALUES ('z');\n",
    ),
}  # fmt: skip


EXCHANGED = [(*each, traffic) for each in EXCHANGES.values() for traffic in (False, True)]


@pytest.mark.parametrize(("earlier", "rows", "sql", "traffic"), sampled(EXCHANGED, 4))
async def test_a_virtual_tables_own_rows_are_lost_by_name_and_verified_by_value(
    walked: Walked, earlier: str, rows: str, sql: str, *, traffic: bool
) -> None:
    bench = await walked("losses", sql, earlier=earlier, rows=rows)
    declared = await bench.step("losses")
    assert declared.words.startswith("Declared: places: 1 of 2 rows")
    await bench.walk("rows")
    if traffic:
        column = "id, x1, x2" if earlier == TREE else "rowid, body"
        values = "50, 1, 2" if earlier == TREE else "50, 'came'"
        bench.target.connection.execute(f"INSERT INTO places({column}) VALUES ({values})")
        bench.opened()

    checked = await bench.step("rows")

    assert checked.status is Status.PROVED
    assert "1 table value for value" in checked.words


@pytest.mark.matrix  # the suite has it without a walk: core/test_trees
async def test_a_changed_row_of_a_tree_is_no_rehearsed_one(tmp_path: Path) -> None:
    sql = "UPDATE places SET label = 'z' WHERE id = 1;\n"
    bench = await Bench(tmp_path, sql, "transformative", earlier=TREE, rows=TREES).walk("rows")
    bench.target.connection.execute("UPDATE places SET label = 'other' WHERE id = 2")
    bench.opened()

    checked = await bench.step("rows")

    assert checked.status is Status.FAILED
    assert checked.words == "places: 1 row differs, compared with the rehearsal."
