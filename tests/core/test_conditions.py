"""A WHERE that a table's own CHECK or NOT NULL makes true of every row leaves no row out."""

import apsw
import pytest

from d1_preflight.core.effects.conditions import always_true
from d1_preflight.core.schema.table import read_tables
from d1_preflight.core.sql.tokenizer import tokens

ONE = "id INTEGER PRIMARY KEY CHECK (id = 1), v TEXT"
FEW = "id INTEGER PRIMARY KEY, v TEXT NOT NULL CHECK (v IN ('a', 'b'))"
NUMBER = "id INTEGER PRIMARY KEY, n INTEGER NOT NULL CHECK (n IN (1, 2))"


def implied(columns: str, where: str) -> bool:
    connection = apsw.Connection(":memory:")
    connection.execute(f"CREATE TABLE t({columns})")
    (table,) = read_tables(connection)
    connection.close()
    query = f"INSERT INTO n SELECT * FROM t WHERE {where};"
    return always_true(table, list(tokens(query, limit=len(query))), {"t"})


@pytest.mark.parametrize(
    ("columns", "where"),
    [
        (ONE, "id = 1"),
        (ONE, "1 == t.id"),
        (ONE, "id IN (1)"),
        (ONE, '"id" < 2'),
        (ONE, "id > 0 AND NOT id = 2"),
        (ONE, "id BETWEEN 0 AND 3"),
        (ONE, "id IS NOT NULL"),
        (ONE, "id"),
        (NUMBER, "n IN (2, 1)"),
        (NUMBER, "n < 3"),
        (ONE.replace("id = 1", "1 = id"), "(id <> 2)"),
        (ONE.replace("id = 1", "id IN (1, 2)"), "id IN (2, 1)"),
        (ONE.replace("id = 1", "id BETWEEN 1 AND 3"), "id <= 3"),
        (FEW, "v IN ('b', 'a')"),
        (FEW, "v = 'a' OR v = 'b'"),
        (FEW, "v != ''"),
        (FEW, "v NOT NULL"),
        ("id INTEGER PRIMARY KEY, n INTEGER NOT NULL", "t.n IS NOT NULL"),
    ],
)
def test_every_row_passes(columns: str, where: str) -> None:
    assert implied(columns, where)


@pytest.mark.parametrize(
    ("columns", "where"),
    [
        (ONE, "id = 2"),
        (ONE, "id < 1"),
        (ONE, "id = 1 AND v = 'x'"),
        (ONE, "id = abs(1)"),
        (ONE, "v IS NOT NULL"),
        (ONE, "id = 1 LIMIT 0"),
        (ONE, "id = 1 GROUP BY v HAVING 0"),
        (ONE, "id = (SELECT 1)"),
        (ONE, "'id' = 1"),
        (ONE.replace("id = 1", "id IN (1, 2)"), "id = 1"),
        (ONE.replace("id = 1", "id BETWEEN 1 AND 3"), "id < 3"),
        (ONE.replace("id = 1", "id BETWEEN 1 AND 999999999"), "id < 3"),
        (ONE.replace("id = 1", "id > 0"), "id > 0 AND id < 5"),
        (ONE.replace("id = 1", "'id' = 1"), "id IN (1)"),
        (FEW, "v = 'a'"),
        (FEW, "v IN ('a', 'b') COLLATE NOCASE AND v > 'a'"),
        (FEW.replace("NOT NULL ", ""), "v IN ('b', 'a')"),
        (FEW.replace("TEXT", "TEXT COLLATE NOCASE"), "v IN ('b', 'a') AND v >= 'a'"),
        (FEW.replace("TEXT", "BLOB"), "v IN ('b', 'a')"),
        (NUMBER.replace("INTEGER NOT", "REAL NOT"), "n IN (2, 1)"),
        (NUMBER.replace("IN (1, 2)", "BETWEEN 1 AND 2"), "n IN (2, 1)"),
        (NUMBER, "n = 1"),
        ("id INTEGER PRIMARY KEY, n INTEGER", "n IS NOT NULL"),
        ("id TEXT PRIMARY KEY, n INTEGER", "id IS NOT NULL"),
    ],
)
def test_a_row_may_not_pass_or_nobody_knows(columns: str, where: str) -> None:
    assert not implied(columns, where)
