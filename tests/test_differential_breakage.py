"""What no statement can do any more after a migration must be told: every shape, every object.

A schema with triggers, views, keys and full-text indexes meets a migration put together by chance.
Before and after, on rows, every kind of statement is tried on every table, view, conflict target
and index. What passed before and fails after for a reason of the schema must stand in a finding,
a reason or an effect.
"""

import re
from collections.abc import Iterator

import apsw
from hypothesis import given, settings
from hypothesis import strategies as st

from as_d1 import run_as_d1
from d1_preflight.core.analysis import analyse, schema_after
from d1_preflight.core.findings import Analysis
from d1_preflight.core.project.migration import Migration
from law_size import examples

PRIOR = """
CREATE TABLE team(id INTEGER PRIMARY KEY, slug TEXT, plan TEXT);
CREATE TABLE task(id INTEGER PRIMARY KEY, team INTEGER REFERENCES team(id) ON DELETE CASCADE,
  status TEXT, note TEXT);
CREATE TABLE log(id INTEGER PRIMARY KEY, task INTEGER, what TEXT);
CREATE TABLE seen(slug TEXT, n INTEGER);
CREATE TABLE doc(id INTEGER PRIMARY KEY, body TEXT, kind TEXT);
CREATE TABLE memo(key TEXT PRIMARY KEY NOT NULL, body TEXT);
CREATE UNIQUE INDEX team_slug ON team(slug);
CREATE UNIQUE INDEX seen_slug ON seen(slug);
CREATE VIEW open_task AS SELECT id, team, status FROM task WHERE status <> 'done';
CREATE VIEW named AS SELECT t.id, m.slug FROM open_task t JOIN team m ON m.id = t.team;
CREATE VIRTUAL TABLE doc_fts USING fts5(body, content='doc', content_rowid='id');
CREATE VIRTUAL TABLE memo_fts USING fts5(body, content='memo');
CREATE VIRTUAL TABLE words USING fts5vocab('doc_fts', 'row');
"""
TRIGGERS = (
    ("task", ("CREATE TRIGGER a AFTER UPDATE OF status ON task BEGIN"
     " INSERT INTO log(task, what) VALUES (new.id, new.status); END;")),
    ("task", "CREATE TRIGGER b AFTER DELETE ON task BEGIN DELETE FROM log WHERE id = old.id; END;"),
    ("task", ("CREATE TRIGGER c AFTER UPDATE OF note ON task BEGIN"
     " INSERT INTO seen VALUES (new.note, 1)"
     " ON CONFLICT(slug) DO UPDATE SET n = n + 1; END;")),
    ("open_task", ("CREATE TRIGGER d INSTEAD OF UPDATE OF status ON open_task BEGIN"
     " UPDATE task SET status = new.status WHERE id = old.id; END;")),
    ("open_task", ("CREATE TRIGGER e INSTEAD OF INSERT ON open_task BEGIN"
     " INSERT INTO log(what) VALUES (new.status); END;")),
    ("doc", ("CREATE TRIGGER f AFTER INSERT ON doc BEGIN"
     " INSERT INTO doc_fts(rowid, body) VALUES (new.id, new.body); END;")),
    ("doc", ("CREATE TRIGGER g AFTER DELETE ON doc BEGIN INSERT INTO doc_fts(doc_fts, rowid, body)"
     " VALUES ('delete', old.id, old.body); END;")),
    ("memo", ("CREATE TRIGGER h AFTER INSERT ON memo BEGIN"
     " INSERT INTO memo_fts(rowid, body) VALUES (new.rowid, new.body); END;")),
)  # fmt: skip
ROWS = """
INSERT INTO team VALUES (1, 'a', 'x'), (2, 'b', 'y');
INSERT INTO task VALUES (1, 1, 'open', 'n1'), (2, 2, 'done', 'n2');
INSERT INTO log VALUES (1, 1, 'made');
INSERT INTO seen VALUES ('n1', 1);
INSERT INTO doc VALUES (1, 'word1', 'k'), (2, 'word2', 'k'), (3, 'word3', 'k');
INSERT INTO memo VALUES ('m1', 'word1'), ('m2', 'word2'), ('m3', 'word3');
INSERT INTO doc_fts(doc_fts) VALUES ('rebuild');
DELETE FROM memo WHERE key = 'm1';
INSERT INTO memo_fts(memo_fts) VALUES ('rebuild');
"""
TABLES = {
    "team": ("id", "slug", "plan"),
    "task": ("id", "team", "status", "note"),
    "log": ("id", "task", "what"),
    "seen": ("slug", "n"),
    "doc": ("id", "body", "kind"),
    "memo": ("key", "body"),
}
TYPES = {"id": "INTEGER PRIMARY KEY", "key": "TEXT PRIMARY KEY NOT NULL"}
TARGETS = (("team", "slug"), ("seen", "slug"), ("team", "id"), ("memo", "key"), ("doc", "id"))
PLAIN = (
    "DROP INDEX seen_slug;", "DROP INDEX team_slug;", "DROP VIEW open_task;", "DROP VIEW named;",
    "DROP TRIGGER IF EXISTS a;", "DROP TRIGGER IF EXISTS e;", "DROP TABLE doc_fts;",
    "DROP TABLE words;",
    "ALTER TABLE team ADD COLUMN extra TEXT;", "PRAGMA legacy_alter_table = ON;",
    "CREATE VIEW IF NOT EXISTS open_task AS SELECT id, team, status FROM task;",
    "CREATE TABLE IF NOT EXISTS log(id INTEGER PRIMARY KEY, what TEXT);",
    "INSERT INTO doc_fts(doc_fts) VALUES ('rebuild');",
    "INSERT INTO memo_fts(memo_fts) VALUES ('rebuild');",
    ("CREATE VIRTUAL TABLE IF NOT EXISTS doc_fts"
    " USING fts5(body, content='doc', content_rowid='id');"),
)  # fmt: skip


@st.composite
def changes(draw: st.DrawFn) -> str:
    """One change of one table, as people write it."""
    table = draw(st.sampled_from(sorted(TABLES)))
    columns = TABLES[table]
    column = draw(st.sampled_from(columns))
    kept = tuple(c for c in columns if c != column) or columns
    return draw(
        st.sampled_from((
            f"DROP TABLE {table};",
            f"ALTER TABLE {table} RENAME TO {table}_old;",
            f"ALTER TABLE {table} RENAME COLUMN {column} TO {column}2;",
            f"ALTER TABLE {table} DROP COLUMN {column};",
            rebuilt(table, columns, columns),
            rebuilt(table, kept, kept),
            rebuilt(table, (*columns, "more"), columns),
            (f"ALTER TABLE {table} RENAME TO {table}_was; CREATE TABLE {table}({defined(columns)});"
            f" INSERT INTO {table} SELECT * FROM {table}_was; DROP TABLE {table}_was;"),
        ))
    )  # fmt: skip


def defined(columns: tuple[str, ...]) -> str:
    return ", ".join(f"{c} {TYPES.get(c, 'TEXT')}" for c in columns)


def rebuilt(table: str, columns: tuple[str, ...], copied: tuple[str, ...]) -> str:
    names = ", ".join(copied)
    return (
        f"CREATE TABLE {table}_new({defined(columns)}); INSERT INTO {table}_new({names})"
        f" SELECT {names} FROM {table}; DROP TABLE {table};"
        f" ALTER TABLE {table}_new RENAME TO {table};"
    )


def worlds() -> st.SearchStrategy[str]:
    chosen = st.sets(st.sampled_from(TRIGGERS), max_size=len(TRIGGERS))
    return chosen.map(lambda some: PRIOR + "\n".join(sql for _, sql in sorted(some)))


def migrations() -> st.SearchStrategy[str]:
    return st.lists(changes() | st.sampled_from(PLAIN), min_size=1, max_size=4).map("\n".join)


def shapes() -> Iterator[tuple[str, str]]:
    """Every kind of statement, each with the object that it is about."""
    for table, columns in TABLES.items():
        names = ", ".join(columns)
        values = ", ".join("NULL" if c == "id" else f"'v_{c}'" for c in columns)
        yield table, f"SELECT {names} FROM {table}"
        yield table, f"INSERT INTO {table}({names}) VALUES ({values})"
        yield from ((table, f"UPDATE {table} SET {c} = {c}") for c in columns)
        yield table, f"DELETE FROM {table}"
    for table, column in TARGETS:
        value = "7" if column == "id" else "'z'"
        target = f"INSERT INTO {table}({column}) VALUES ({value}) ON CONFLICT({column}) DO NOTHING"
        yield f"{table}.{column}", target
    yield "open_task", "SELECT id, team, status FROM open_task"
    yield "open_task", "INSERT INTO open_task(status) VALUES ('x')"
    yield "open_task", "UPDATE open_task SET status = 'x'"
    yield "named", "SELECT id, slug FROM named"
    for index in ("doc_fts", "memo_fts"):
        yield index, f"SELECT rowid, body FROM {index}"
        yield index, f"SELECT rowid, body FROM {index} WHERE {index} MATCH 'word3'"
    yield "words", "SELECT term FROM words"


def answers(connection: apsw.Connection) -> dict[str, str]:
    """What each statement answers: SQLite's error, "" where it passes; a MATCH with its texts."""
    found = {}
    for _, sql in shapes():
        connection.execute("SAVEPOINT one")
        try:
            rows = connection.execute(sql).fetchall()
            matched = "MATCH" in sql
            found[sql] = f"rows {sorted(str(r[1]) for r in rows)}" if matched else ""
        except apsw.Error as error:
            found[sql] = str(error)
        connection.execute("ROLLBACK TO one; RELEASE one")
    return found


def run(prior: str, sql: str) -> tuple[dict[str, str], dict[str, str]] | None:
    """The answers before and after; None where D1 refuses the file."""
    connection = apsw.Connection(":memory:")
    connection.execute(prior + ROWS)
    connection.execute("PRAGMA foreign_keys = ON")
    before = answers(connection)
    if not run_as_d1(connection, sql):
        return None
    connection.execute("PRAGMA legacy_alter_table = OFF")
    return before, answers(connection)


def is_told(analysis: Analysis, subject: str, error: str) -> bool:
    """Whether a finding names what broke, or an effect the column that it misses."""
    effects = analysis.effects
    named = {*effects.columns_dropped, *effects.columns_renamed, *effects.tables_dropped}
    table = subject.partition(".")[0]
    missing = _MISSING.search(error)
    lost = next((part for part in missing.groups() if part), "") if missing else ""
    word = re.compile(rf"\b{re.escape(table)}\b")
    told = any(table in f.tables or word.search(f.message) for f in analysis.findings)
    columns = {name.partition(".")[2] for name in named}  # a view's column has a table's name
    return told or bool({table, lost} & named) or lost in columns - {""}


_MISSING = re.compile(r"no such (?:table|column): (?:main\.)?(\S+)|has no column named (\S+)")


@settings(deadline=None, max_examples=examples(300))
@given(worlds(), migrations())
def test_what_breaks_is_told(prior: str, sql: str) -> None:
    ran = run(prior, sql)
    if ran is None:
        return
    before, after = ran
    schema = schema_after([Migration.from_text("0001_prior_state.sql", prior)])
    analysis = analyse(Migration.from_text("0002_a_b.sql", sql), schema, whole=True)
    for subject, statement in shapes():
        if before[statement] != after[statement]:
            assert is_told(analysis, subject, after[statement]), (statement, after[statement])
