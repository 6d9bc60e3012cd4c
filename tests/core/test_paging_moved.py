"""A table that moves while its pages are read, and answers that are not the ones asked for."""

from collections.abc import Callable
from dataclasses import replace

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.test_paging import answer, fill
from d1_preflight.core import d1
from d1_preflight.core.errors import ProjectError
from d1_preflight.core.rows.codec import Row
from d1_preflight.core.rows.paging import Page
from d1_preflight.core.schema.table import Table, read_tables
from law_size import examples

SHAPES = (
    "CREATE TABLE t(v, k INTEGER PRIMARY KEY)",
    "CREATE TABLE t(k TEXT PRIMARY KEY COLLATE NOCASE, v) WITHOUT ROWID",
    "CREATE TABLE t(k, v, PRIMARY KEY(v, k)) WITHOUT ROWID",
)
Answer = list[dict[str, object]]


def filled(sql: str, keys: list[int]) -> tuple[apsw.Connection, Table]:
    connection = apsw.Connection(":memory:")
    connection.execute(sql)
    connection.executemany("INSERT OR IGNORE INTO t(k, v) VALUES (?, ?)", [(k, -k) for k in keys])
    (table,) = read_tables(connection)
    return connection, table


def keys_in(table: Table, rows: list[Row]) -> list[str]:
    place = table.data_columns.index("k")
    return [str(row.cells[place]) for row in rows]


@given(
    st.sampled_from(SHAPES),
    st.lists(st.integers(-50, 50), max_size=30),
    st.lists(st.tuples(st.booleans(), st.integers(-60, 60)), max_size=12),
    st.integers(1, 6),
)
@settings(max_examples=examples(400), deadline=None)
def test_a_row_that_stays_is_read_once_whatever_comes_and_goes(
    sql: str, keys: list[int], events: list[tuple[bool, int]], rows: int
) -> None:
    connection, table = filled(sql, keys)
    ever = always = {str(row[0]) for row in connection.execute("SELECT k FROM t")}
    coming, found = iter(events), list[Row]()
    page: Page | None = Page(table, rows=rows)
    while page is not None:
        read = page.read(answer(connection, page))
        found += read.rows
        page = read.following and replace(read.following, rows=rows)
        if event := next(coming, None):
            comes, key = event
            change = "INSERT OR IGNORE INTO t(k, v) VALUES (?1, -?1)"
            connection.execute(change if comes else "DELETE FROM t WHERE k = ?1", (key,))
        now = {str(row[0]) for row in connection.execute("SELECT k FROM t")}
        ever, always = ever | now, always & now
    seen = keys_in(table, found)
    assert always <= set(seen) <= ever
    assert len(seen) == len(set(seen)) or "INTEGER" not in table.sql


def pages_of(connection: apsw.Connection, table: Table) -> list[tuple[Page, Answer]]:
    found, page = [], Page(table, rows=4)
    while True:
        answered = answer(connection, page)
        found.append((page, answered))
        following = page.read(answered).following
        if following is None:
            return found
        page = replace(following, rows=4)


WRONG: dict[str, Callable[[list[Answer], int], Answer]] = {
    "the page before": lambda all_, n: all_[n - 1],
    "the page after": lambda all_, n: all_[(n + 1) % len(all_)],
    "reversed": lambda all_, n: all_[n][-2::-1] + all_[n][-1:],
    "the first row twice": lambda all_, n: all_[n][:1] + all_[n],
    "the last row twice": lambda all_, n: [*all_[n][:-1], all_[n][-2], all_[n][-1]],
    "one row less": lambda all_, n: all_[n][:1] + all_[n][2:],
    "the last row less": lambda all_, n: [*all_[n][:-2], all_[n][-1]],
    "no last line": lambda all_, n: all_[n][:-1],
    "the last line alone": lambda all_, n: all_[n][-1:],
    "nothing": lambda _all, _n: [],
    "the last line twice": lambda all_, n: [*all_[n], all_[n][-1]],
    "rows of two pages": lambda all_, n: all_[n - 1][:-1] + all_[n],
    "the rows of the page before": lambda all_, n: all_[n - 1][:-1] + all_[n][-1:],
}


@pytest.mark.parametrize(
    ("sql", "wrong"),
    [*((SHAPES[0], wrong) for wrong in WRONG), *((SHAPES[2], wrong) for wrong in list(WRONG)[:-1])],
)
def test_an_answer_that_is_not_the_one_asked_for_is_refused(sql: str, wrong: str) -> None:
    connection, table = filled(sql, list(range(12)))
    asked = pages_of(connection, table)
    answers = [answered for _, answered in asked]
    assert len(asked) == 3
    with pytest.raises(ValueError, match=r"(lacks|repeats) rows of t|unpack|tag"):
        list(asked[1][0].read(WRONG[wrong](answers, 1)).rows)


@pytest.mark.parametrize("key", ["rowid", "two columns", "all columns"])
def test_a_hundred_columns_of_long_names_are_paged_within_d1s_limits(key: str) -> None:
    columns = [f"column_{'n' * 30}_{n}" for n in range(100)]
    keys = {"rowid": [], "two columns": columns[42:44], "all columns": columns[:60]}[key]
    end = f", PRIMARY KEY({', '.join(keys)})) WITHOUT ROWID" if keys else ")"
    connection = apsw.Connection(":memory:")
    connection.execute(f"CREATE TABLE t({', '.join(columns)}{end}")
    for limit, value in d1.LIMITS:
        connection.limit(limit, value)
    table = fill(connection, [[n, "text", 1.5] for n in range(9)])
    page: Page | None = Page(table, rows=2)
    found = list[Row]()
    while page is not None:
        read = page.read(answer(connection, page))
        found += read.rows
        page = read.following and replace(read.following, rows=2)
    assert sorted(str(row.cells[0]) for row in found) == [str(n) for n in range(9)]


def test_a_key_that_no_statement_holds_is_refused_in_words() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE t(k TEXT PRIMARY KEY, v) WITHOUT ROWID")
    connection.execute("INSERT INTO t VALUES (printf('%60000s', '|'), 1), ('z', 2)")
    (table,) = read_tables(connection)
    page = Page(table, rows=1)
    following = page.read(answer(connection, page)).following
    assert following is not None
    with pytest.raises(ProjectError, match="longer than D1's 100 KB") as error:
        _ = following.sql
    assert "keys are very long" in error.value.hint
