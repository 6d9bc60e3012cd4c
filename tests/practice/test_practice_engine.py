from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from d1_preflight.practice.engine import Database
from d1_preflight.practice.results import StatementRefused, to_json
from law_size import examples

FAMILY = (
    "CREATE TABLE parent (id INTEGER PRIMARY KEY);"
    "CREATE TABLE child (p INTEGER REFERENCES parent(id) ON DELETE CASCADE);"
    "INSERT INTO parent VALUES (1), (2); INSERT INTO child VALUES (1), (1), (2);"
)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "d1.sqlite")


def count(database: Database, table: str) -> object:
    return database.query(f"SELECT count(*) AS n FROM {table}")[0].rows[0]["n"]


def refusal(database: Database, sql: str) -> str:
    with pytest.raises(StatementRefused) as caught:
        database.query(sql)
    return caught.value.message


def test_a_failing_statement_takes_back_all_before_it(database: Database) -> None:
    database.query("CREATE TABLE t (a UNIQUE)")
    message = refusal(
        database, "CREATE TABLE u (b); INSERT INTO t VALUES (1); INSERT INTO t VALUES (1);"
    )
    assert message == (
        "UNIQUE constraint failed: t.a: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_UNIQUE)"
    )
    assert count(database, "t") == 0
    assert "no such table: u" in refusal(database, "SELECT * FROM u")


def test_foreign_keys_stay_on_whatever_the_pragma_says(database: Database) -> None:
    database.query(FAMILY)
    results = database.query(
        "PRAGMA foreign_keys=OFF; PRAGMA foreign_keys; DROP TABLE parent; PRAGMA foreign_keys=ON;"
    )
    assert results[1].rows == ({"foreign_keys": 1},)
    assert count(database, "child") == 0


def test_a_broken_reference_at_the_end_rolls_back(database: Database) -> None:
    database.query(FAMILY)
    message = refusal(database, "PRAGMA defer_foreign_keys=on; INSERT INTO child VALUES (9)")
    assert message.startswith("internal error; reference = ")
    assert count(database, "child") == 3


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("BEGIN", "To execute a transaction, please use the state.storage.transaction()"),
        ("begin transaction; SELECT 1; commit;", "To execute a transaction"),
        ("SAVEPOINT s", "To execute a transaction"),
        ("COMMIT", "To execute a transaction"),
        ("ROLLBACK", "To execute a transaction"),
        ("VACUUM", "cannot VACUUM from within a transaction"),
        ("ATTACH 'x.sqlite' AS x", "not authorized: SQLITE_AUTH"),
        ("CREATE TEMP TABLE t (a)", "not authorized: SQLITE_AUTH"),
        ("CREATE TABLE _cf_own (a)", "not authorized: SQLITE_AUTH"),
        ("DROP TABLE _cf_KV", "not authorized: SQLITE_AUTH"),
        ("SELECT * FROM _cf_KV", "prohibited: SQLITE_AUTH"),
        ("CREATE TABLE t (a); ALTER TABLE t RENAME TO _cf_t", "not authorized: SQLITE_AUTH"),
        ("PRAGMA journal_mode", "not authorized: SQLITE_AUTH"),
        ("PRAGMA integrity_check", "not authorized: SQLITE_AUTH"),
        ("SELECT * FROM pragma_user_version", "not authorized: SQLITE_AUTH"),
        ("SELECT sqlite_version()", "not authorized to use function: sqlite_version"),
        ("CREATE TABLE t (a); ALTER TABLE t ALTER a SET NOT NULL", "sqlite_fail"),
        ("CREATE VIRTUAL TABLE v USING fts4(a)", "not authorized: SQLITE_AUTH"),
        ("SELECT '" + "x" * 100_001 + "'", "statement too long: SQLITE_TOOBIG"),
        (f"CREATE TABLE t ({', '.join(f'c{n}' for n in range(101))})", "too many columns on t"),
        ("SELECT " + " + ".join("1" * 102), "Expression tree is too large (maximum depth 100)"),
        (" UNION ".join(["SELECT 1"] * 6), "too many terms in compound SELECT"),
        (f"SELECT 'a' LIKE '{'x' * 51}'", "LIKE or GLOB pattern too complex"),
        (f"SELECT max({', '.join('1' * 33)})", "too many arguments on function max"),
        (f"SELECT {', '.join('?' * 101)}", "too many SQL variables"),
        ("SELECT hex(randomblob(2000001))", "string or blob too big: SQLITE_TOOBIG"),
        ("selec 1", 'near "selec": syntax error at offset 0: SQLITE_ERROR'),
        ("SELECT 1; SELECT * FROM nowhere", "no such table: nowhere"),
    ],
)
def test_what_d1_refuses_is_refused_and_leaves_nothing(
    database: Database, sql: str, words: str
) -> None:
    database.query("CREATE TABLE kept (a)")
    assert words in refusal(database, sql)
    tables = database.query(
        "SELECT name FROM sqlite_schema WHERE name NOT LIKE '#_cf#_%' ESCAPE '#'"
    )
    assert tables[0].rows == ({"name": "kept"},)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c",
        "PRAGMA quick_check; PRAGMA foreign_key_check; PRAGMA optimize; ANALYZE; REINDEX;",
        "CREATE VIRTUAL TABLE v USING fts5(a); INSERT INTO v VALUES ('x'); DROP TABLE v;",
        "CREATE TABLE t (a) STRICT;".replace("(a)", "(a ANY)"),
        "CREATE TABLE t (a); CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; SELECT 2; END;",
        "CREATE TABLE t (a, b); ALTER TABLE t DROP COLUMN b; ALTER TABLE t RENAME a TO c;",
        "SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5",
        f"SELECT 'a' LIKE '{'x' * 50}'",
        "SELECT ceil(1.2), pow(2, 3), log(10), iif(1, 2, 3)",
        "/* only */ -- comments",
        "",
    ],
)
def test_what_d1_allows_runs(database: Database, sql: str) -> None:
    assert isinstance(database.query(sql), tuple)


def test_each_statement_has_its_rows_and_its_cost(database: Database) -> None:
    made, inserted, read = database.query(
        "CREATE TABLE t (a); INSERT INTO t VALUES (1), (2); SELECT a, a + 1 AS a FROM t;"
    )
    assert (made.rows, made.meta.changed_db) == ((), True)
    assert (inserted.meta.changes, inserted.meta.last_row_id) == (2, 2)
    assert read.rows == ({"a": 2}, {"a": 3})
    assert (read.meta.changes, read.meta.rows_read, read.meta.changed_db) == (0, 2, False)
    assert read.meta.size_after == database.size


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT count(*) FROM t", 3),
        ("SELECT (SELECT count(*) FROM t) AS a, (SELECT count(*) FROM t) AS b", 6),
        ("SELECT count(*), sum(a) FROM t", 2),  # SQLite tells the steps between rows
        ("PRAGMA quick_check", 4),  # D1's own table, too
        ("SELECT count(*) AS broken FROM pragma_foreign_key_check", 1),
        ("SELECT 'count(' AS a", 1),
    ],
)
def test_what_is_counted_costs_its_rows_as_on_real_d1(
    database: Database, sql: str, rows: int
) -> None:
    database.query("CREATE TABLE t (a); INSERT INTO t VALUES (1), (2), (3)")

    (counted,) = database.query(sql)

    assert counted.meta.rows_read == rows


def test_values_are_answered_as_javascript_sees_them() -> None:
    assert to_json(9_007_199_254_740_993) == 9007199254740992.0
    assert to_json(2**53) == 2**53
    assert to_json(float("inf")) is None
    assert to_json(b"\x00\xff") == [0, 255]
    assert to_json(1.0) == 1
    assert to_json("it's ü\n") == "it's ü\n"


def test_a_query_that_takes_too_long_is_stopped_and_taken_back(tmp_path: Path) -> None:
    database = Database(tmp_path / "d1.sqlite", seconds=0.05)
    endless = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r"
    message = refusal(database, f"CREATE TABLE t (a); {endless};")
    assert message == "D1 DB exceeded its CPU time limit and was reset."
    assert database.query("SELECT count(*) AS n FROM sqlite_schema WHERE name = 't'")[0].rows == (
        {"n": 0},
    )


def test_only_what_wrote_counts_as_a_write(database: Database) -> None:
    before = database.writes
    database.query("SELECT 1; CREATE TABLE t (a);")
    database.query("CREATE TABLE IF NOT EXISTS t (a); SELECT * FROM t;")
    refusal(database, "INSERT INTO t VALUES (1); selec")
    assert database.writes == before + 1


@settings(max_examples=examples(64), deadline=None)
@given(
    st.lists(
        st.integers(-(2**63), 2**63 - 1) | st.text(max_size=20).filter(lambda t: "\0" not in t)
    )
)
def test_a_request_is_kept_whole_or_not_at_all(values: list[int | str]) -> None:
    database = Database(Path(":memory:"))
    database.query("CREATE TABLE t (a)")
    inserts = "".join(f"INSERT INTO t VALUES ({literal(value)});" for value in values)
    with pytest.raises(StatementRefused):
        database.query(f"{inserts} SELECT nothing FROM t;")
    assert database.rows("SELECT * FROM t") == []
    database.query(inserts)
    assert [row[0] for row in database.rows("SELECT a FROM t ORDER BY rowid")] == values


def literal(value: int | str) -> str:
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"
