"""What a migration does is decided by rows that its text does not name: views, triggers, cascades.

Somebody changes them between backup and apply, and nothing is sent.
"""

from pathlib import Path

import pytest

from actions.fake_target import Bench
from d1_preflight.core.record.apply_facts import ApplyFacts

EARLIER = """CREATE TABLE orgs(id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE people(id INTEGER PRIMARY KEY AUTOINCREMENT,
  org INTEGER REFERENCES orgs(id) ON DELETE CASCADE ON UPDATE CASCADE, role TEXT);
CREATE TABLE flags(name TEXT PRIMARY KEY, is_on INTEGER);
CREATE TABLE badges(person INTEGER REFERENCES people(id) ON DELETE SET NULL, kind TEXT);
CREATE TABLE apart(id INTEGER PRIMARY KEY, v TEXT);
CREATE VIEW staff AS SELECT id, role FROM people;
CREATE VIEW chosen AS SELECT name FROM flags WHERE is_on = 1;
CREATE TRIGGER changed INSTEAD OF UPDATE ON staff BEGIN
  UPDATE people SET role = new.role WHERE id = old.id; END;
CREATE TRIGGER kept BEFORE UPDATE OF name ON orgs WHEN (SELECT is_on FROM flags WHERE name = 'lock')
BEGIN SELECT RAISE(IGNORE); END;
"""
ROWS = """INSERT INTO orgs VALUES (1, 'One'), (2, 'Two');
INSERT INTO people(id, org, role) VALUES (1, 1, 'OWNER'), (2, 2, 'member');
INSERT INTO flags VALUES ('lock', 0), ('b', 1);
INSERT INTO badges VALUES (1, 'gold'), (2, NULL);
INSERT INTO apart VALUES (1, 'x');"""

CASES = {
    "written through a view": (
        "UPDATE staff SET role = lower(role);\n",
        "people",
        "UPDATE people SET role = 'Guest' WHERE id = 2",
    ),
    "read through a view": (
        "UPDATE orgs SET name = 'x' WHERE name IN (SELECT name FROM chosen);\n",
        "flags",
        "UPDATE flags SET is_on = 0 WHERE name = 'b'",
    ),
    "a trigger's own question": (
        "UPDATE orgs SET name = lower(name);\n",
        "flags",
        "UPDATE flags SET is_on = 1 WHERE name = 'lock'",
    ),
    "rows that a cascade takes": (
        "DELETE FROM orgs WHERE id = 2;\n",
        "people",
        "UPDATE people SET role = 'boss' WHERE id = 2",
    ),
    "references that a cascade clears": (
        "DELETE FROM orgs WHERE id = 2;\n",
        "badges",
        "UPDATE badges SET kind = 'tin' WHERE person = 2",
    ),
    "keys that a cascade changes": (
        "UPDATE orgs SET id = id + 10;\n",
        "people",
        "UPDATE people SET role = 'x' WHERE id = 1",
    ),
    "read by a join": (
        "CREATE TABLE copies AS SELECT * FROM people NATURAL JOIN badges;\n",
        "badges",
        "UPDATE badges SET kind = 'tin' WHERE person = 1",
    ),
    "read by a common table expression": (
        "WITH some AS (SELECT name FROM flags) UPDATE orgs SET name = '' WHERE name IN some;\n",
        "flags",
        "DELETE FROM flags",
    ),
}
"""By what decides: the migration, the table that decides it, and somebody's change of its rows."""


async def at_the_apply(folder: Path, sql: str) -> Bench:
    bench = Bench(folder, sql, "destructive", earlier=EARLIER, rows=ROWS)
    return await bench.walk("applied")


IN_THE_SUITE = {"a trigger's own question"}  # and what only decides: test_odd_tables
ALL = [
    pytest.param(case, marks=() if case in IN_THE_SUITE else pytest.mark.matrix) for case in CASES
]


@pytest.mark.parametrize("case", ALL)
async def test_rows_that_decide_without_being_named_hold_the_apply(
    tmp_path: Path, case: str
) -> None:
    sql, table, change = CASES[case]
    bench = await at_the_apply(tmp_path, sql)
    bench.target.connection.execute(change)

    attempt = await bench.step("applied")

    assert "apply" not in bench.target.commands, attempt.words
    assert table in ApplyFacts.from_attempt(attempt).moved
