"""What a migration took is given back by SQL that D1 runs, or is said not to come back."""

from collections.abc import Callable, Collection
from pathlib import Path

import apsw
import pytest

from d1_preflight.core.errors import ProjectError
from d1_preflight.core.recovery.repair_sql import (
    RepairScript,
    TableRepairResult,
    write_repair_sql,
)
from d1_preflight.core.rows.index_gap import failing_indexes
from d1_preflight.core.schema.schema import Schema, diff
from local_copies import diff_files, make_file, two_states, write_repair
from sampling import sampled

SHOP = """
CREATE TABLE users(id INTEGER PRIMARY KEY, email TEXT UNIQUE, boss INTEGER REFERENCES users(id));
CREATE TABLE teams(id TEXT PRIMARY KEY, name TEXT NOT NULL, old BLOB, plan TEXT DEFAULT 'free');
CREATE TABLE members(team TEXT REFERENCES teams(id) ON DELETE CASCADE, user INTEGER, role TEXT,
  PRIMARY KEY (team, user));
CREATE TABLE pins(id INTEGER PRIMARY KEY, team TEXT REFERENCES teams(id) ON DELETE SET NULL);
CREATE TABLE log(what TEXT, at INTEGER);
CREATE INDEX members_user ON members(user);
INSERT INTO users VALUES (2, 'b@x', NULL), (1, 'a@x', 2), (9007199254740993, 'c''x', 1);
INSERT INTO teams VALUES ('t1', 'One', x'00ff', 'pro'), ('t2', 'Two;
--', NULL, 'free');
INSERT INTO members VALUES ('t1', 1, 'OWNER'), ('t1', 2, 'owner'), ('t2', 1, NULL);
INSERT INTO pins VALUES (1, 't1'), (2, NULL), (3, 't2');
INSERT INTO log VALUES ('x', 1), ('x', 1), ('y', 2);
"""
TAKES = {
    "a table": "DROP TABLE members",
    "rows": "DELETE FROM members WHERE team = 't1'",
    "rows that refer to their own table": "DELETE FROM users WHERE id <> 2",
    "rows by cascade": "DELETE FROM teams WHERE id = 't1'",
    "a column": "ALTER TABLE teams DROP COLUMN old",
    "a column with a default": "ALTER TABLE teams DROP COLUMN plan",
    "references": "UPDATE pins SET team = NULL",
    "values": "UPDATE members SET role = 'owner' WHERE role = 'OWNER'",
    "rows without a key": "DELETE FROM log WHERE what = 'y'",
    "everything": "DELETE FROM teams; DROP TABLE log; UPDATE users SET email = NULL",
}
Take = Callable[..., tuple[RepairScript, Path, Path]]


def make(path: Path, sql: str) -> Path:
    if not path.exists():
        return make_file(path, f"PRAGMA foreign_keys = ON; {sql}")
    connection = apsw.Connection(str(path))
    connection.execute(f"PRAGMA foreign_keys = ON; {sql}")
    connection.close()
    return path


def script(after: Path) -> Path:
    return after.with_name("back.sql")


@pytest.fixture
def take(tmp_path: Path) -> Take:
    """A shop that a migration took something from, and the SQL that gives it back."""

    def taken(sql: str, limit: int = 300) -> tuple[RepairScript, Path, Path]:
        before = make(tmp_path / "before.sqlite", SHOP)
        after = make(tmp_path / "after.sqlite", f"{SHOP} BEGIN; {sql}; COMMIT")
        connection = apsw.Connection(str(before))
        schema = Schema.from_connection(connection)
        connection.close()
        path = script(after)
        return write_repair(path, before, after, schema, limit=limit), before, after

    return taken


@pytest.mark.parametrize("sql", sampled(TAKES.values(), 2, TAKES))
def test_what_was_taken_is_given_back_value_for_value(take: Take, sql: str) -> None:
    given, before, after = take(sql)

    make(after, f"BEGIN; {script(after).read_text()} COMMIT")

    assert given.problems == ()
    assert given.rows > 0
    found = diff_files(before, after, ignore=())
    assert [t.table for t in found.tables if not t.is_untouched] == []
    assert script(after).stat().st_mode & 0o777 == 0o600


def test_what_was_not_taken_is_not_written(take: Take) -> None:
    given, _, after = take("CREATE TABLE more(x)")

    assert all(table.is_empty for table in given.tables)
    assert script(after).read_text() == "PRAGMA defer_foreign_keys = ON;\n"
    make(after, script(after).read_text())


def test_rows_that_are_there_still_are_left_alone(take: Take) -> None:
    _, _, after = take("DELETE FROM members WHERE user = 2")
    make(after, "UPDATE members SET role = 'later' WHERE user = 1")

    make(after, f"BEGIN; {script(after).read_text()} COMMIT")

    connection = apsw.Connection(str(after))
    roles = connection.execute("SELECT team, user, role FROM members ORDER BY 1, 2").fetchall()
    assert roles == [("t1", 1, "later"), ("t1", 2, "owner"), ("t2", 1, "later")]


def test_what_comes_back_otherwise_is_said(take: Take) -> None:
    given, _, after = take("ALTER TABLE teams DROP COLUMN name")

    make(after, f"BEGIN; {script(after).read_text()} COMMIT")

    assert given.problems == ("teams: column name comes back without NOT NULL",)


def test_a_row_that_no_statement_can_hold_is_counted(take: Take) -> None:
    given, _, _ = take("DELETE FROM members; UPDATE users SET email = NULL", limit=70)

    assert any("exceed D1's limit of 100 KB" in words for words in given.problems)


def test_rows_of_a_rebuilt_table_without_a_key_do_not_come_back_one_by_one(tmp_path: Path) -> None:
    before = make(tmp_path / "before.sqlite", SHOP)
    rebuilt = "CREATE TABLE n(what, at); INSERT INTO n SELECT * FROM log LIMIT 1; DROP TABLE log;"
    after = make(tmp_path / "after.sqlite", f"{SHOP} {rebuilt} ALTER TABLE n RENAME TO log")
    schema = Schema.from_connection(apsw.Connection(str(before)))

    given = write_repair(tmp_path / "b.sql", before, after, schema, rebuilt=["log"])

    assert given.problems == ("log: its rows have no key, so they cannot be restored one by one",)


KEYLESS = """CREATE TABLE log(what TEXT COLLATE NOCASE, at INTEGER, note);
INSERT INTO log VALUES ('x', 1, 'a'), ('x', 1, 'a'), ('y', 2, NULL);"""
COPIES = {
    "as it was": ("what, at, note", "SELECT what, at, note FROM log", False),
    "in another order": ("what, at, note", "SELECT * FROM log ORDER BY what DESC", False),
    "without a column": ("what, at", "SELECT what, at FROM log", True),
    "without one of two equal rows": ("what, at, note", "SELECT DISTINCT * FROM log", True),
    "without a row": ("what, at, note", "SELECT * FROM log WHERE what = 'x'", True),
    "in other letters": (
        "what COLLATE NOCASE, at, note",
        "SELECT upper(what), at, note FROM log",
        True,
    ),
    "as another type": ("what, at, note", "SELECT what, at * 1.0, note FROM log", True),
    "with a row more": (
        "what, at, note",
        "SELECT * FROM log UNION ALL SELECT 'z', 3, NULL",
        False,
    ),
}


@pytest.mark.parametrize(("columns", "copy", "said"), COPIES.values(), ids=COPIES.keys())
def test_what_a_rebuilt_table_without_a_key_lacks_is_always_said(
    tmp_path: Path, columns: str, copy: str, *, said: bool
) -> None:
    rebuild = f"CREATE TABLE n({columns}); INSERT INTO n {copy}; DROP TABLE log;"
    given = repaired(tmp_path, KEYLESS, f"{rebuild} ALTER TABLE n RENAME TO log", rebuilt=["log"])

    words = "log: its rows have no key, so they cannot be restored one by one"
    assert given.problems == ((words,) if said else ())
    assert given.rows == 0


NOT_ADDED = """CREATE TABLE t(id INTEGER PRIMARY KEY, "a b" TEXT UNIQUE, a TEXT, c TEXT);
INSERT INTO t VALUES (1, 'u1', 'x', 'p'), (2, 'u2', 'y', 'q');"""


def test_a_column_that_cannot_be_added_again_is_left_out_and_the_others_come_back(
    tmp_path: Path,
) -> None:
    rebuild = """CREATE TABLE n(id INTEGER PRIMARY KEY, c TEXT); INSERT INTO n SELECT id, c FROM t
        WHERE id = 1; DROP TABLE t; ALTER TABLE n RENAME TO t"""

    given = repaired(tmp_path, NOT_ADDED, rebuild, rebuilt=["t"])
    make(tmp_path / "after.sqlite", f"BEGIN; {(tmp_path / 'back.sql').read_text()} COMMIT")

    assert given.problems == ("t: column a b cannot be added again",)
    rows = query(tmp_path / "after.sqlite", "SELECT id, a, c FROM t ORDER BY id")
    assert rows == [(1, "x", "p"), (2, "y", "q")]


def test_a_column_that_comes_back_without_not_null_comes_back_with_its_values(
    tmp_path: Path,
) -> None:
    prior = "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT NOT NULL); INSERT INTO t VALUES (1, 'x')"

    given = repaired(tmp_path, f"{prior};", "ALTER TABLE t DROP COLUMN a")
    make(tmp_path / "after.sqlite", f"BEGIN; {(tmp_path / 'back.sql').read_text()} COMMIT")

    assert given.problems == ("t: column a comes back without NOT NULL",)
    assert query(tmp_path / "after.sqlite", "SELECT id, a FROM t") == [(1, "x")]


TREE = """CREATE VIRTUAL TABLE places USING rtree(id, x1, x2, +label);
WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 200)
INSERT INTO places SELECT i, i / 3.0, i, 'p' || i FROM s;"""


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE places",
        "DELETE FROM places WHERE id > 150",
        "UPDATE places SET x2 = 999, label = 'other' WHERE id < 9",
        "UPDATE places SET label = NULL",
    ],
)
def test_the_rows_of_a_tree_come_back(tmp_path: Path, sql: str) -> None:
    given = repaired(tmp_path, TREE, sql)

    make(tmp_path / "after.sqlite", f"BEGIN; {(tmp_path / 'back.sql').read_text()} COMMIT")
    rows = [
        query(tmp_path / side, "SELECT * FROM places ORDER BY id")
        for side in ("before.sqlite", "after.sqlite")
    ]
    assert given.problems == ()
    assert rows[0] == rows[1]
    assert len(rows[0]) == 200


def test_the_vocabulary_of_an_index_comes_back_by_its_definition(tmp_path: Path) -> None:
    prior = "CREATE VIRTUAL TABLE f USING fts5(t); INSERT INTO f VALUES ('a word');"

    given = repaired(
        tmp_path, f"{prior} CREATE VIRTUAL TABLE v USING fts5vocab(f, row);", "DROP TABLE v"
    )

    make(tmp_path / "after.sqlite", (tmp_path / "back.sql").read_text())
    assert given.problems == ()
    assert query(tmp_path / "after.sqlite", "SELECT term FROM v") == [("a",), ("word",)]


POSTS = "CREATE TABLE posts(id INTEGER PRIMARY KEY, title);"
FILLED = "INSERT INTO posts VALUES (1, 'one'), (2, 'two'), (3, 'three');"
EXTERNAL = "CREATE VIRTUAL TABLE f USING fts5(title, content='posts', content_rowid='id');"
OWN = "CREATE VIRTUAL TABLE f USING fts5(title);"
FEEDS = """CREATE TRIGGER fed AFTER INSERT ON posts
BEGIN INSERT INTO f(rowid, title) VALUES (new.id, new.title); END;
CREATE TRIGGER gone AFTER DELETE ON posts BEGIN DELETE FROM f WHERE rowid = old.id; END;"""
FORGETS = FEEDS.replace(
    "DELETE FROM f WHERE rowid = old.id;",
    "INSERT INTO f(f, rowid, title) VALUES ('delete', old.id, old.title);",
)


@pytest.mark.parametrize(
    ("prior", "sql"),
    sampled(
        [
            (EXTERNAL + FORGETS, "DELETE FROM posts WHERE id > 1"),
            (
                EXTERNAL + FORGETS,
                "DROP TRIGGER gone; DROP TRIGGER fed; DELETE FROM posts WHERE id > 1",
            ),
            (EXTERNAL + FORGETS, "DROP TABLE f"),
            (EXTERNAL + FORGETS, "DROP TABLE f; DROP TABLE posts"),
            (EXTERNAL + FORGETS, "INSERT INTO f(f) VALUES ('delete-all')"),
            (OWN + FEEDS, "DELETE FROM posts WHERE id > 1"),
            (OWN + FEEDS, "DELETE FROM f"),
            (OWN + FEEDS, "UPDATE f SET title = 'other'"),
            (OWN + FEEDS, "DROP TABLE f"),
        ],
        3,
    ),
)
def test_the_words_of_a_full_text_index_come_back(tmp_path: Path, prior: str, sql: str) -> None:
    given = repaired(tmp_path, POSTS + prior + FILLED, sql)
    after = tmp_path / "after.sqlite"
    make(after, f"BEGIN; {(tmp_path / 'back.sql').read_text()} COMMIT")

    assert given.problems == ()
    assert not any(shadow in (tmp_path / "back.sql").read_text() for shadow in ("f_data", "f_idx"))
    for word in ("one", "two", "three"):
        assert len(query(after, f"SELECT * FROM f WHERE f MATCH '{word}'")) == 1
    connection = apsw.Connection(str(after))
    assert failing_indexes(connection) == {}
    connection.close()


@pytest.mark.parametrize("sql", ["DROP TABLE f", "INSERT INTO f(f) VALUES ('delete-all')"])
def test_an_index_without_text_is_named(tmp_path: Path, sql: str) -> None:
    prior = "CREATE VIRTUAL TABLE f USING fts5(title, content=''); INSERT INTO f VALUES ('x');"

    given = repaired(tmp_path, prior, sql)

    assert given.problems == ("f: it stores no text: fill it again from the source of its text",)


BOTH = (
    POSTS
    + FILLED
    + EXTERNAL
    + "INSERT INTO f(f) VALUES ('rebuild');"
    + "CREATE TABLE other(id INTEGER PRIMARY KEY, v); INSERT INTO other VALUES (1, 'x');"
    + "CREATE VIRTUAL TABLE g USING fts5(v, content='other', content_rowid='id');"
    + "INSERT INTO g(g) VALUES ('rebuild');"
)


@pytest.mark.parametrize(
    ("change", "only", "filled", "named"),
    [
        ("SELECT 1", (), set(), {"posts", "other", "f", "g"}),
        ("UPDATE posts SET title = 'z' WHERE id = 1", (), {"f"}, {"posts", "other", "f", "g"}),
        ("UPDATE other SET v = NULL", (), {"g"}, {"posts", "other", "f", "g"}),
        ("UPDATE other SET v = NULL", ("posts",), set(), {"posts", "f"}),
        ("UPDATE other SET v = NULL", ("other",), {"g"}, {"other", "g"}),
        ("DROP TABLE f", ("f",), {"f"}, {"f"}),
        ("DROP TABLE f", ("other",), set(), {"other", "g"}),
    ],
)
def test_an_index_is_filled_again_only_with_the_table_that_it_holds(
    change: str, only: tuple[str, ...], filled: set[str], named: set[str]
) -> None:
    written: list[str] = []

    with two_states(BOTH, BOTH + change) as connection:
        schema = Schema.from_connection(connection, "before")
        given = write_repair_sql(written.append, connection, schema, only=only)

    script = "".join(written)
    rebuilds = {name: f"""INSERT INTO "{name}"("{name}") VALUES ('rebuild')""" for name in "fg"}
    assert {name for name, sql in rebuilds.items() if sql in script} == filled
    assert {table.table for table in given.tables} == named


def test_indexes_and_triggers_of_a_dropped_table_come_back(tmp_path: Path) -> None:
    prior = """CREATE TABLE t(id INTEGER PRIMARY KEY, a); CREATE TABLE u(id INTEGER PRIMARY KEY);
        CREATE INDEX t_a ON T(a); CREATE INDEX u_id ON u(id);
        CREATE TRIGGER t_t AFTER INSERT ON t BEGIN SELECT 1; END;"""

    repaired(tmp_path, prior, "DROP TABLE t")
    make(tmp_path / "after.sqlite", f"BEGIN; {(tmp_path / 'back.sql').read_text()} COMMIT")

    names = query(tmp_path / "after.sqlite", "SELECT name FROM sqlite_schema ORDER BY 1")
    assert names == [("t",), ("t_a",), ("t_t",), ("u",), ("u_id",)]


SEQUENCE = """CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, a);
INSERT INTO t VALUES (9, 'x'), (2, 'y'); DELETE FROM t WHERE id = 9;"""
PLAIN = """CREATE TABLE n(id INTEGER PRIMARY KEY, a); INSERT INTO n SELECT * FROM t; DROP TABLE t;
ALTER TABLE n RENAME TO t"""


@pytest.mark.parametrize(
    ("migration", "mark", "problems"),
    [
        ("SELECT 1", None, ()),
        ("DROP TABLE t", 9, ()),
        ("UPDATE sqlite_sequence SET seq = 3", 9, ()),
        ("UPDATE sqlite_sequence SET seq = 12", None, ()),
        (PLAIN, None, ("t: its AUTOINCREMENT is gone, and with it the highest id it issued",)),
    ],
)
def test_an_autoincrement_mark_that_fell_comes_back(
    tmp_path: Path, migration: str, mark: int | None, problems: tuple[str, ...]
) -> None:
    given = repaired(tmp_path, SEQUENCE, migration)

    assert given.tables[0].sequence == mark
    assert given.tables[0].is_empty is not (mark or problems)
    assert given.problems == problems
    if mark:
        make(tmp_path / "after.sqlite", f"BEGIN; {(tmp_path / 'back.sql').read_text()} COMMIT")
        rows = query(tmp_path / "after.sqlite", "SELECT name, seq FROM sqlite_sequence")
        assert rows == [("t", mark)]


def test_rows_of_a_table_by_rowid_come_back_under_their_numbers(tmp_path: Path) -> None:
    prior = "CREATE TABLE log(a); INSERT INTO log(rowid, a) VALUES (3, 'x'), (7, 'y'), (8, NULL);"

    given = repaired(tmp_path, prior, "DELETE FROM log WHERE rowid > 3; UPDATE log SET a = 'z'")
    make(tmp_path / "after.sqlite", f"BEGIN; {(tmp_path / 'back.sql').read_text()} COMMIT")

    assert (given.tables[0].rows, given.tables[0].updated, given.rows) == (2, 1, 3)
    rows = query(tmp_path / "after.sqlite", "SELECT rowid, a FROM log ORDER BY 1")
    assert rows == [(3, "x"), (7, "y"), (8, None)]


def test_values_of_many_columns_come_back(tmp_path: Path) -> None:
    columns = [f"c{n}" for n in range(95)]
    prior = f"CREATE TABLE wide(id INTEGER PRIMARY KEY, {', '.join(columns)});"
    prior += f"INSERT INTO wide VALUES (1, {', '.join(map(str, range(95)))}), (2{', 0' * 95});"
    cleared = ", ".join(f"{name} = NULL" for name in columns)

    given = repaired(tmp_path, prior, f"UPDATE wide SET {cleared}")
    make(tmp_path / "after.sqlite", f"BEGIN; {(tmp_path / 'back.sql').read_text()} COMMIT")

    assert given.tables[0].updated == 2
    rows = query(tmp_path / "after.sqlite", "SELECT * FROM wide ORDER BY id")
    assert rows == [(1, *range(95)), (2, *([0] * 95))]


def test_only_the_named_tables_are_written(tmp_path: Path) -> None:
    prior = (
        "CREATE TABLE a(x); CREATE TABLE b(x); INSERT INTO a VALUES (1); INSERT INTO b VALUES (1);"
    )

    given = repaired(tmp_path, prior, "DROP TABLE a; DROP TABLE b", only=["b"])

    assert [table.table for table in given.tables] == ["b"]
    assert "CREATE TABLE a" not in (tmp_path / "back.sql").read_text()


def test_parents_are_written_before_their_children(tmp_path: Path) -> None:
    prior = """CREATE TABLE child(id INTEGER PRIMARY KEY, p REFERENCES parent(id));
        CREATE TABLE parent(id INTEGER PRIMARY KEY); CREATE VIRTUAL TABLE f USING fts5(b);
        INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1, 1);"""

    given = repaired(tmp_path, prior, "DROP TABLE child; DROP TABLE parent")

    assert [table.table for table in given.tables][:2] == ["parent", "child"]
    written = (tmp_path / "back.sql").read_text()
    assert written.index('INSERT INTO "parent"') < written.index('INSERT INTO "child"')


def test_a_table_that_never_issued_an_id_has_no_mark_to_bring_back(tmp_path: Path) -> None:
    prior = "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, a);"

    given = repaired(tmp_path, prior, "DROP TABLE t")

    assert (given.tables[0].sequence, given.problems) == (None, ())


@pytest.mark.parametrize(
    ("result", "is_empty"),
    [
        (TableRepairResult("t"), True),
        (TableRepairResult("t", rows=1), False),
        (TableRepairResult("t", updated=1), False),
        (TableRepairResult("t", problems=("no",)), False),
        (TableRepairResult("t", sequence=0), False),
    ],
)
def test_a_table_needs_no_repair_where_nothing_is_written_and_nothing_lacks(
    result: TableRepairResult, *, is_empty: bool
) -> None:
    assert result.is_empty is is_empty


def test_states_that_cannot_be_compared_are_said(tmp_path: Path) -> None:
    connection = apsw.Connection(str(make(tmp_path / "before.sqlite", SHOP)))

    with pytest.raises(ProjectError, match="cannot be identified") as refused:
        write_repair_sql(print, connection, Schema(()))

    assert refused.value.hint.startswith("Restore with Time Travel")


def test_what_the_engine_says_of_a_row_is_not_repeated() -> None:
    def fail(_: str) -> None:
        raise apsw.SQLError("bad JSON path: 'canary'")

    with two_states(SHOP, SHOP) as connection, pytest.raises(ProjectError) as refused:
        write_repair_sql(fail, connection, Schema(()))

    assert "canary" not in refused.value.message
    assert "SQLError" in refused.value.message


MERGED = """CREATE TABLE t(k TEXT PRIMARY KEY, v);
INSERT INTO t VALUES ('007', 'a'), ('7', 'b'), ('8', 'c');"""


@pytest.mark.parametrize(
    ("key", "problems"),
    [
        ("INTEGER", ("t: several rows have the same key now, so 1 cannot be restored",)),
        ("TEXT", ()),
    ],
)
def test_rows_that_a_new_type_gives_one_key_are_never_called_given_back(
    key: str, problems: tuple[str, ...]
) -> None:
    rebuilt = f"CREATE TABLE t(k {key} PRIMARY KEY, v); INSERT OR IGNORE INTO t VALUES"
    after = f"{rebuilt} ('007', 'a'), ('7', 'b'), ('8', 'c');"
    written: list[str] = []

    with two_states(MERGED, after) as connection:
        schema = Schema.from_connection(connection, "before")
        given = write_repair_sql(written.append, connection, schema, rebuilt=["t"])

    assert given.problems == problems


def query(path: Path, sql: str) -> list[tuple[object, ...]]:
    connection = apsw.Connection(str(path))
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def repaired(
    folder: Path,
    prior: str,
    migration: str,
    rebuilt: Collection[str] = (),
    only: Collection[str] = (),
) -> RepairScript:
    """The script in back.sql of what a migration took from a database of its own."""
    before = make(folder / "before.sqlite", prior)
    after = make(folder / "after.sqlite", f"{prior} BEGIN; {migration}; COMMIT")
    connection = apsw.Connection(str(before))
    schema = Schema.from_connection(connection)
    connection.close()
    path = folder / "back.sql"
    return write_repair(path, before, after, schema, rebuilt=rebuilt, only=only)


OBJECTS = """
CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, old_name TEXT, n INT);
CREATE TABLE o(id INTEGER PRIMARY KEY, t INTEGER);
CREATE INDEX t_name ON t(old_name) WHERE old_name IS NOT NULL;
CREATE UNIQUE INDEX t_n ON t(n);
CREATE INDEX o_t ON o(t);
CREATE VIEW names AS SELECT id, old_name FROM t;
CREATE TRIGGER t_old AFTER UPDATE OF old_name ON t BEGIN UPDATE t SET n = 1 WHERE id = new.id; END;
CREATE TRIGGER names_in INSTEAD OF INSERT ON names BEGIN INSERT INTO t (old_name) VALUES (1); END;
INSERT INTO t VALUES (1, 'a', 7), (9, 'b', 8);
INSERT INTO o VALUES (1, 1);
"""
TAKES_OBJECTS = {
    "a column with its index, its view and its triggers": (
        "DROP VIEW names; DROP TRIGGER t_old; DROP INDEX t_name; ALTER TABLE t DROP COLUMN old_name"
    ),
    "a table with all that hangs on it": "DROP VIEW names; DROP TABLE t",
    "an index": "DROP INDEX t_n",
    "an index of a table that is not backed up": "DROP INDEX o_t",
    "a trigger": "DROP TRIGGER t_old",
    "a view": "DROP VIEW names",
    "a rebuilt table's indexes": (
        "DROP VIEW names; CREATE TABLE x(id INTEGER PRIMARY KEY AUTOINCREMENT, old_name TEXT,"
        " n INT); INSERT INTO x SELECT * FROM t; DROP TABLE t; ALTER TABLE x RENAME TO t"
    ),
}


def with_objects(tmp_path: Path, sql: str, only: Collection[str] = ()) -> tuple[RepairScript, Path]:
    """A database that a migration took objects from, and the script that gives them back."""
    whole = make(tmp_path / "whole.sqlite", OBJECTS)
    after = make(tmp_path / "after.sqlite", f"{OBJECTS} BEGIN; {sql}; COMMIT")
    table = OBJECTS.splitlines()[1]
    rows = "INSERT INTO t VALUES (1, 'a', 7), (9, 'b', 8)"
    backed_up = make(tmp_path / "before.sqlite", table + rows)
    schema = Schema.from_connection(apsw.Connection(str(whole)))
    return write_repair(script(after), backed_up, after, schema, only=only), after


@pytest.mark.parametrize("sql", TAKES_OBJECTS.values(), ids=TAKES_OBJECTS.keys())
def test_every_index_view_and_trigger_is_given_back(tmp_path: Path, sql: str) -> None:
    given, after = with_objects(tmp_path, sql)

    make(after, f"BEGIN; {script(after).read_text()} COMMIT")

    assert given.problems == ()
    was = Schema.from_connection(apsw.Connection(str(tmp_path / "whole.sqlite")))
    assert diff(was, Schema.from_connection(apsw.Connection(str(after)))) == ()


def test_an_object_that_cannot_be_made_again_is_named(tmp_path: Path) -> None:
    given, after = with_objects(
        tmp_path,
        "DROP VIEW names; DROP TRIGGER t_old; DROP INDEX t_name; DROP INDEX t_n;"
        "ALTER TABLE t RENAME COLUMN n TO m; CREATE VIEW names AS SELECT id FROM t;"
        "ALTER TABLE o RENAME COLUMN t TO team",
        only=("o",),
    )

    assert given.problems == ("index o_t is different now",)
    assert "names" not in script(after).read_text()


def test_only_the_objects_of_the_named_tables_are_made_again(tmp_path: Path) -> None:
    given, _ = with_objects(tmp_path, "DROP INDEX t_n; DROP INDEX o_t; DROP VIEW names", ("t",))

    assert [found.name for found in given.objects] == ["t_n", "names", "names_in"]
