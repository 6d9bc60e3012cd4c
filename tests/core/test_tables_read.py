"""Which tables a migration only reads: another row there, and it writes something else."""

import pytest

from core.test_effects import judged

PRIOR = """
CREATE TABLE teams(id TEXT PRIMARY KEY, name TEXT, old TEXT);
CREATE TABLE members(id INTEGER PRIMARY KEY, team TEXT REFERENCES teams(id), role TEXT);
CREATE TABLE kinds(code TEXT PRIMARY KEY, rate REAL) WITHOUT ROWID;
CREATE TABLE log(what TEXT, at INTEGER);
CREATE TABLE quiet(v);
CREATE TABLE "a""b"(v);
CREATE VIEW rates AS SELECT max(rate) AS top FROM kinds;
CREATE TRIGGER priced AFTER INSERT ON log BEGIN
  UPDATE log SET at = (SELECT count(*) FROM quiet) WHERE rowid = new.rowid; END;
"""
CASES = {
    "UPDATE members SET role = (SELECT name FROM teams t WHERE t.id = team)": ("teams",),
    "UPDATE members SET role = name FROM teams WHERE teams.id = team": ("teams",),
    "DELETE FROM members WHERE team IN (SELECT id FROM teams)": ("teams",),
    "DELETE FROM log WHERE NOT EXISTS (SELECT 1 FROM kinds)": ("kinds",),
    "INSERT INTO log SELECT code, rate FROM kinds": ("kinds", "quiet"),
    "INSERT INTO log(what) VALUES ((SELECT max(code) FROM kinds))": ("kinds", "quiet"),
    "REPLACE INTO kinds SELECT id, 1 FROM members": ("members",),
    "WITH best AS (SELECT max(rate) r FROM kinds) UPDATE teams SET name = (SELECT r FROM best)": (
        "kinds",
    ),
    "UPDATE teams SET name = (SELECT top FROM rates)": ("kinds",),
    "CREATE TABLE kept AS SELECT * FROM log": ("log",),
    "CREATE TABLE kept AS SELECT * FROM log; DROP TABLE log": (),
    "ALTER TABLE kinds RENAME TO sorts; UPDATE teams SET old = (SELECT max(code) FROM sorts)": (
        "kinds",
    ),
    "CREATE TABLE t(v); INSERT INTO t SELECT rate FROM kinds; DELETE FROM log": ("kinds",),
    "INSERT INTO log VALUES ('x', 1)": ("quiet",),  # by the trigger
    "INSERT INTO members VALUES (1, 'a', 'x')": (),  # the check of its foreign key asks for a team
    'UPDATE teams SET name = (SELECT max(v) FROM "a""b")': ('a"b',),
    'UPDATE teams SET name = (SELECT max(v) FROM [a"b])': ('a"b',),
    "UPDATE members SET team = NULL": (),
    "UPDATE members SET role = upper(role)": (),
    "SELECT * FROM kinds": (),
    "ALTER TABLE teams DROP COLUMN old": (),
    "CREATE INDEX more ON log(at)": (),
    "CREATE VIEW again AS SELECT * FROM kinds": (),
}


@pytest.mark.parametrize("sql", CASES)
def test_the_tables_whose_rows_decide_are_named(sql: str) -> None:
    found = judged(f"{sql};", PRIOR).effects

    assert sorted(found.tables_read) == sorted(CASES[sql])
    assert not set(found.tables_read) & set(found.tables_touched)
