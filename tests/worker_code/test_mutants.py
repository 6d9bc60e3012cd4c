"""For each kind of schema change, a project in which exactly the planted queries are found."""

import pytest

from code_in_memory import verdict_of
from d1_preflight.code.verdict import Harm
from sampling import sampled

BEFORE = """
CREATE TABLE users (
  id INTEGER PRIMARY KEY, email TEXT NOT NULL, name TEXT, nickname TEXT, role TEXT NOT NULL
);
CREATE UNIQUE INDEX users_email ON users (email);
CREATE TABLE teams (id TEXT PRIMARY KEY, title TEXT, status TEXT DEFAULT 'open', owner INTEGER);
CREATE TABLE logs (id INTEGER PRIMARY KEY, at TEXT, body TEXT);
CREATE VIEW open_teams AS SELECT id, title FROM teams WHERE status = 'open';
"""

QUERIES = {
    "by-name": "SELECT id, name FROM users WHERE nickname = ?",
    "by-email": "SELECT id FROM users WHERE email = ?1",
    "add-user": "INSERT INTO users (email, role) VALUES (?, ?)",
    "add-whole-user": "INSERT INTO users (id, email, name, role) VALUES (?, ?, ?, ?)",
    "upsert": "INSERT INTO users (id, email, name, role) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (email) DO UPDATE SET name = excluded.name",
    "ignore": "INSERT OR IGNORE INTO users (id, email, name, role) VALUES (?, ?, ?, ?)",
    "owners": "SELECT id FROM users WHERE role = 'OWNER'",
    "not-owners": "SELECT COUNT(*) FROM users WHERE role NOT IN ('guest')",
    "teams": "SELECT title FROM teams WHERE owner IN (SELECT id FROM users) AND id = ?",
    "join": "SELECT t.title FROM teams t JOIN users u ON u.id = t.owner WHERE t.id = ?",
    "close": "UPDATE teams SET status = 'closed' WHERE id = ?",
    "archive": "UPDATE teams SET status = 'archived' WHERE id = ?",
    "log": "INSERT INTO logs VALUES (NULL, ?, ?)",
    "clear": "DELETE FROM logs WHERE at < ?",
    "view": "SELECT title FROM open_teams",
    "quoted": 'SELECT "nickname" AS n FROM users WHERE id = ?',
    "clear-title": "UPDATE teams SET title = NULL WHERE id = ?",
    "owner-by-name": "INSERT INTO teams (id, title, owner) VALUES (?, 'x', 'nobody')",
    "elsewhere": "SELECT * FROM another_database WHERE nickname = 'OWNER'",
}
PROJECT = {
    f"src/{name}.ts": f"export const run = (db: D1Database) =>\n  db.prepare(`{sql}`).run();\n"
    for name, sql in QUERIES.items()
}
REBUILD = """
CREATE TABLE {table}_new ({columns});
INSERT INTO {table}_new ({names}) SELECT {values} FROM {table};
DROP TABLE {table};
ALTER TABLE {table}_new RENAME TO {table};
"""
TEAMS = "id TEXT PRIMARY KEY, title TEXT, status TEXT DEFAULT 'open', owner INTEGER"


def rebuilt(table: str, columns: str, names: str, values: str = "") -> str:
    view = "CREATE VIEW open_teams AS SELECT id, title FROM teams WHERE status = 'open';"
    text = REBUILD.format(table=table, columns=columns, names=names, values=values or names)
    return f"DROP VIEW open_teams;{text}{view}" if table == "teams" else text


MUTANTS = {
    "drop column": ("ALTER TABLE users DROP COLUMN nickname", {"by-name", "quoted"}),
    "rename column": ("ALTER TABLE users RENAME COLUMN nickname TO handle", {"by-name", "quoted"}),
    "drop table": ("DROP TABLE logs", {"log", "clear"}),
    "rename table": ("ALTER TABLE logs RENAME TO audit", {"log", "clear"}),
    "drop view": ("DROP VIEW open_teams", {"view"}),
    "add column (values without names)": ("ALTER TABLE logs ADD COLUMN level TEXT", {"log"}),
    "NOT NULL without default": (
        rebuilt(
            "users",
            "id INTEGER PRIMARY KEY, email TEXT NOT NULL, name TEXT NOT NULL, nickname TEXT,"
            " role TEXT NOT NULL, UNIQUE (email)",
            "id, email, name, nickname, role",
            "id, email, coalesce(name, ''), nickname, role",
        ),
        {"add-user"},
    ),
    "NULL is no longer taken": (
        rebuilt(
            "teams",
            "id TEXT PRIMARY KEY, title TEXT NOT NULL DEFAULT '', status TEXT, owner INTEGER",
            "id, title, status, owner",
            "id, coalesce(title, ''), status, owner",
        ),
        {"clear-title"},
    ),
    "STRICT": (
        REBUILD.format(
            table="teams",
            columns=f"{TEAMS}) STRICT; CREATE TABLE other (a",
            names="id, title, status, owner",
            values="id, title, status, owner",
        ).join(("DROP VIEW open_teams;", "CREATE VIEW open_teams AS SELECT title FROM teams;")),
        {"owner-by-name"},
    ),
    "type of key": (
        rebuilt(
            "users",
            "id TEXT PRIMARY KEY, email TEXT NOT NULL UNIQUE, name TEXT, nickname TEXT,"
            " role TEXT NOT NULL",
            "id, email, name, nickname, role",
        ),
        {"add-user"},
    ),
    "unique index dropped": ("DROP INDEX users_email", {"upsert", "ignore"}),
    "CHECK added": (
        rebuilt(
            "teams",
            f"{TEAMS}, CHECK (status IN ('open', 'closed'))",
            "id, title, status, owner",
        ),
        {"archive"},
    ),
    "literal rewritten": ("UPDATE users SET role = lower(role)", {"owners"}),
    "literal rewritten by a rebuild": (
        rebuilt(
            "users",
            "id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, name TEXT, nickname TEXT,"
            " role TEXT NOT NULL",
            "id, email, name, nickname, role",
            "id, email, name, nickname, CASE role WHEN 'OWNER' THEN 'owner' ELSE role END",
        ),
        {"owners"},
    ),
    "columns in another order": (
        rebuilt("logs", "id INTEGER PRIMARY KEY, body TEXT, at TEXT", "id, body, at"),
        {"log"},
    ),
    "ambiguous by a new column": ("ALTER TABLE users ADD COLUMN owner INTEGER", set()),
    "generated column": (
        rebuilt(
            "teams",
            "id TEXT PRIMARY KEY, title TEXT, status TEXT AS (lower(title)), owner INTEGER",
            "id, title, owner",
        ),
        {"close", "archive"},
    ),
}
HARMLESS = {
    "new table": "CREATE TABLE tags (id INTEGER PRIMARY KEY, name TEXT)",
    "nullable column": "ALTER TABLE users ADD COLUMN age INTEGER",
    "column with a default": "ALTER TABLE teams ADD COLUMN tier TEXT NOT NULL DEFAULT 'free'",
    "index": "CREATE INDEX teams_owner ON teams (owner)",
    "rows": "UPDATE teams SET title = trim(title)",
    "a literal that stays beside it": "UPDATE users SET role = 'OWNER' WHERE role = 'boss'",
    "only some rows": "UPDATE users SET role = 'guest' WHERE role = 'OWNER' AND name IS NULL",
}


@pytest.mark.parametrize("kind", sampled(MUTANTS, 2))
def test_exactly_the_planted_queries_are_found(kind: str) -> None:
    migration, planted = MUTANTS[kind]

    verdict = verdict_of(PROJECT, migration, before=BEFORE)

    found = {query.path for query in verdict.deployed.harmed}
    assert found == {f"src/{name}.ts" for name in planted}
    assert all(query.line == 2 for query in verdict.deployed.harmed)


@pytest.mark.parametrize("kind", HARMLESS)
def test_a_harmless_change_breaks_nothing(kind: str) -> None:
    verdict = verdict_of(PROJECT, HARMLESS[kind], before=BEFORE)

    assert verdict.deployed.harmed == ()
    assert verdict.new.harmed == ()


def test_the_worst_comes_first_and_the_engine_says_why() -> None:
    verdict = verdict_of(PROJECT, "DROP INDEX users_email", before=BEFORE)

    words = [(query.harm, query.words) for query in verdict.deployed.harmed]
    assert words[0][0] is Harm.FAILS
    assert "ON CONFLICT clause does not match" in words[0][1]
    assert words[1][0] is Harm.WRONG


def test_a_star_whose_shape_changes_is_a_note() -> None:
    files = {"a.ts": "db.prepare('SELECT * FROM logs WHERE id = ?')"}

    verdict = verdict_of(files, "ALTER TABLE logs ADD COLUMN level TEXT", before=BEFORE)

    assert [query.harm for query in verdict.deployed.breaks] == [Harm.NOTE]
    assert "level" in verdict.deployed.breaks[0].words
    assert verdict.deployed.harmed == ()
