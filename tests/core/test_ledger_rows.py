"""A ledger that takes a migration's name twice is told by trying, and our own batch stops there."""

import apsw
import pytest

from d1_preflight.core.d1 import LEDGER_COLUMNS
from d1_preflight.core.target.ledger_rows import refusal_sql, takes_twice

NAME = "0062_it's.sql"
WRANGLERS = f"CREATE TABLE d1_migrations{LEDGER_COLUMNS}"
PLAIN = "CREATE TABLE d1_migrations(id INTEGER PRIMARY KEY, name TEXT, applied_at TEXT)"
INDEX = "CREATE UNIQUE INDEX one ON d1_migrations(name)"


@pytest.mark.parametrize(
    ("ddl", "expected"),
    [
        ((), False),
        ((WRANGLERS,), False),
        ((PLAIN,), True),
        ((PLAIN, INDEX), False),
        ((PLAIN, f"{INDEX} WHERE id < 0"), True),
        ((PLAIN, f"{INDEX} WHERE name LIKE '0062%'"), False),
        ((PLAIN, "CREATE INDEX one ON d1_migrations(name)"), True),
        ((PLAIN, "CREATE UNIQUE INDEX one ON d1_migrations(name, id)"), True),
        ((PLAIN.replace("name TEXT", "name TEXT UNIQUE ON CONFLICT IGNORE"),), True),
        ((PLAIN.replace("name TEXT", "name TEXT UNIQUE ON CONFLICT REPLACE"),), True),
        ((PLAIN.replace("name TEXT", "name TEXT UNIQUE COLLATE NOCASE"),), False),
        (("CREATE TABLE d1_migrations(id INTEGER, name TEXT PRIMARY KEY) WITHOUT ROWID",), False),
        ((PLAIN.replace("name TEXT", "name TEXT CHECK (length(name) < 3)"),), True),
        (("CREATE VIEW d1_migrations AS SELECT * FROM elsewhere",), True),
    ],
)
def test_whether_a_ledger_takes_a_name_twice_is_tried(ddl: tuple[str, ...], expected: bool) -> None:
    assert takes_twice(ddl, "d1_migrations", NAME) is expected


def test_the_refusal_fails_where_the_row_is_there_and_says_which() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute(PLAIN)
    connection.execute("INSERT INTO d1_migrations(name) VALUES ('0001_a.sql')")

    assert connection.execute(refusal_sql("d1_migrations", NAME)).fetchall() == []
    connection.execute("INSERT INTO d1_migrations(name) VALUES (?)", (NAME,))
    with pytest.raises(apsw.SQLError, match=r"already in the ledger: 0062_it''s\.sql"):
        connection.execute(refusal_sql("d1_migrations", NAME)).fetchall()
