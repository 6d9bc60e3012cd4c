"""An error that could quote a row's value is known before it is kept; SQLite shows which can."""

import apsw
import pytest

from d1_preflight.core.sql.row_leaks import error_may_leak_row_values

CANARY = "canary3141592"

QUOTES = {
    "raise": "CREATE TRIGGER g BEFORE DELETE ON t BEGIN SELECT RAISE(ABORT, 'no ' || OLD.a); END;"
    "DELETE FROM t;",
    "path": "UPDATE t SET b = json_extract('{}', a);",
    "set": "UPDATE t SET b = json_set('{}', a, 1);",
    "query": "CREATE VIRTUAL TABLE f USING fts5(x); INSERT INTO f VALUES ('y');"
    "UPDATE t SET b = (SELECT count(*) FROM f WHERE f MATCH a || ':y');",
    "array": "UPDATE t SET b = json_array_insert('[]', a, 1);",
    "query by equality": "CREATE VIRTUAL TABLE f USING fts5(x);"
    "UPDATE t SET b = (SELECT count(*) FROM f WHERE f = t.a || ':y');",
    "query by call": "CREATE VIRTUAL TABLE f USING fts5(x); SELECT * FROM t, f(t.a || ':y');",
    "query after a literal": "CREATE VIRTUAL TABLE f USING fts5(x);"
    "UPDATE t SET b = (SELECT count(*) FROM f WHERE f MATCH '' || a || ':y');",
}
SILENT = {
    "literal raise": "CREATE TRIGGER g BEFORE DELETE ON t BEGIN SELECT RAISE(ABORT, 'no'); END;"
    "DELETE FROM t;",
    "ignore": "CREATE TRIGGER g BEFORE DELETE ON t BEGIN SELECT RAISE(IGNORE); END;",
    "unique": "CREATE UNIQUE INDEX i ON t (c);",
    "not null": "CREATE TABLE n (x NOT NULL); INSERT INTO n SELECT b FROM t;",
    "check": "CREATE TABLE n (x CHECK (length(x) < 3)); INSERT INTO n SELECT a FROM t;",
    "strict": "CREATE TABLE n (x INTEGER) STRICT; INSERT INTO n SELECT a FROM t;",
    "json": "UPDATE t SET b = json(a);",
    "literal path": "UPDATE t SET b = json_extract(a, '$.x');",
    "arrow": "UPDATE t SET b = '{}' -> '$.x';",
    "datatype": "CREATE TABLE n (id INTEGER PRIMARY KEY); INSERT INTO n SELECT a FROM t;",
    "values of a set": "UPDATE t SET b = json_set('{}', '$.x', a);",
}


def error_of(sql: str) -> str:
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE t (a, b, c)")
    connection.execute("INSERT INTO t VALUES (?1, NULL, 1), (?1, NULL, 1)", (CANARY,))
    try:
        connection.execute(sql)
    except apsw.Error as error:
        return str(error)
    return ""


@pytest.mark.parametrize("sql", QUOTES.values(), ids=QUOTES.keys())
def test_what_sqlite_quotes_is_known_to_quote(sql: str) -> None:
    assert CANARY in error_of(sql)
    assert error_may_leak_row_values(sql)


@pytest.mark.parametrize("sql", SILENT.values(), ids=SILENT.keys())
def test_what_sqlite_does_not_quote_is_kept(sql: str) -> None:
    assert CANARY not in error_of(sql)
    assert not error_may_leak_row_values(sql)


PATHS = ["extract", "remove", "type", "array_length", "each", "tree"]
PAIRS = ["set", "insert", "replace", "array_insert"]
BINARY = ["jsonb_extract", "jsonb_remove", "jsonb_each", "jsonb_tree"]
CALLS = [*(f"json_{name}" for name in PATHS), *BINARY]
WRITES = [f"{kind}_{name}" for kind in ("json", "jsonb") for name in PAIRS]


@pytest.mark.parametrize("function", CALLS)
def test_a_path_that_is_computed_may_be_quoted(function: str) -> None:
    assert error_may_leak_row_values(f"SELECT {function}('{{}}', a)")
    assert error_may_leak_row_values(f"SELECT {function.upper()}(j, '$.x' || a)")
    assert error_may_leak_row_values(f"SELECT {function}(j, '$.x', a)")
    assert not error_may_leak_row_values(f"SELECT {function}(a, '$.x')")
    assert not error_may_leak_row_values(f"SELECT {function}(a)")


@pytest.mark.parametrize("function", WRITES)
def test_a_path_to_write_to_that_is_computed_may_be_quoted(function: str) -> None:
    assert error_may_leak_row_values(f"SELECT {function}('{{}}', a, 1)")
    assert error_may_leak_row_values(f"SELECT {function}('{{}}', '$.x', 1, a, 2)")
    assert not error_may_leak_row_values(f"SELECT {function}(a, '$.x', a, '$.y', f(a, b))")


@pytest.mark.parametrize(
    ("sql", "leaks"),
    [
        ("SELECT j -> a", True),
        ("SELECT j ->> a", True),
        ("SELECT j -> '$.x'", False),
        ("SELECT j ->> 'x'", False),
        ("SELECT j ->> 0", False),
        ("SELECT j ->", True),
        ("SELECT 1 FROM f WHERE f MATCH a", True),
        ("SELECT 1 FROM f WHERE f MATCH 'x' || a", True),
        ("SELECT 1 FROM f WHERE f MATCH '{' -> a", True),
        ("SELECT 1 FROM f WHERE f MATCH 'x'", False),
        ("SELECT 1 FROM f WHERE f MATCH 'x' AND a = 1", False),
        ("SELECT (SELECT 1 FROM f WHERE f MATCH 'x'), a", False),
        ("SELECT 1 FROM f WHERE f MATCH 'x' ORDER BY a", False),
        ("SELECT json_extract", False),
        ("SELECT RAISE(FAIL, printf('%s', OLD.a))", True),
        ("SELECT RAISE(ROLLBACK, 'no')", False),
        ("SELECT json_extract(j, /* a */ '$.x')", False),
    ],
)
def test_what_is_computed_is_told_from_what_is_written_out(sql: str, *, leaks: bool) -> None:
    assert error_may_leak_row_values(sql) is leaks


FULL_TEXT = 'CREATE VIRTUAL TABLE "F" USING fts5(x)'


@pytest.mark.parametrize(
    ("sql", "leaks"),
    [
        ("SELECT * FROM t, f WHERE f = t.a", True),
        ("SELECT * FROM t, f WHERE t.a == f.F", True),
        ("SELECT * FROM t, f(t.a)", True),
        ("SELECT * FROM f WHERE x = 'y'", False),
        ("INSERT INTO f(x) SELECT a FROM t", False),
        ("SELECT * FROM g WHERE g = t.a", False),
    ],
)
def test_a_full_text_table_of_the_schema_may_be_asked_in_place_of_match(
    sql: str, *, leaks: bool
) -> None:
    assert error_may_leak_row_values(sql, FULL_TEXT) is leaks


def test_a_comment_or_a_string_that_looks_like_it_is_none() -> None:
    assert not error_may_leak_row_values("-- RAISE(ABORT, OLD.a)\nSELECT 'RAISE(ABORT, x)';")


def test_an_unclosed_call_is_read_to_the_end() -> None:
    assert error_may_leak_row_values("SELECT json_extract(a, b")
