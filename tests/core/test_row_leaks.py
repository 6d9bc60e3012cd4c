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


def test_a_comment_or_a_string_that_looks_like_it_is_none() -> None:
    assert not error_may_leak_row_values("-- RAISE(ABORT, OLD.a)\nSELECT 'RAISE(ABORT, x)';")


def test_an_unclosed_call_is_read_to_the_end() -> None:
    assert error_may_leak_row_values("SELECT json_extract(a, b")
