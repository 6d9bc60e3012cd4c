"""The pages of any table, put together, are the table: each row once, whatever its key holds."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from d1_preflight.core.rows.codec import Cell, RawText, Row, as_text
from d1_preflight.core.rows.paging import Page
from d1_preflight.core.schema.table import Table, read_tables
from law_size import examples

POOL: tuple[Cell, ...] = (
    *(0, 1, -1, 2**53, 2**53 + 1, 2**63 - 1, -(2**63), 1.0, 0.5, -0.5, 0.1, 1 / 3, 1e300, 5e-324),
    *(float("inf"), float("-inf"), 9007199254740993.0, "", "a", "A", "a ", "b", "B", "z", "Z"),
    *("it's", '"q"', "a\0b", "a\0c", "\0", "5", "05", "5.0", "é", "É", "-- x", "/* y", "; COMMIT"),
    *(RawText(b"\xff"), RawText(b"a\xc3"), b"", b"a", b"A", b"\0", b"\xff\0"),
)
CELLS = st.one_of(
    st.sampled_from(POOL),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(max_size=4),
    st.binary(max_size=4),
    st.binary(max_size=4).map(as_text),
)
COLLATIONS = st.sampled_from(["", "", " COLLATE NOCASE", " COLLATE RTRIM", " COLLATE BINARY"])
TYPES = st.sampled_from(["", "INTEGER", "TEXT", "REAL", "BLOB", "NUMERIC"])
KEYS = st.lists(
    st.tuples(TYPES, COLLATIONS, COLLATIONS, st.sampled_from(["", "", " DESC"])),
    min_size=1,
    max_size=3,
)


@st.composite
def tables(draw: st.DrawFn) -> str:
    """A table of any key: by rowid, or by one to three columns of any types and collations."""
    if draw(st.booleans()):
        key = draw(st.sampled_from(["k0 INTEGER PRIMARY KEY", "k0", "k0 UNIQUE COLLATE NOCASE"]))
        return f"CREATE TABLE t(v, {key}, g AS (v) STORED)"
    keys = draw(KEYS)
    columns = [f"k{n} {kind}{column}" for n, (kind, column, _, _) in enumerate(keys)]
    order = draw(st.permutations(range(len(keys))))
    terms = [f"k{n}{keys[n][2]}{keys[n][3]}" for n in order]
    made = draw(st.permutations([*columns, "v", "g AS (v)"]))
    return f"CREATE TABLE t({', '.join(made)}, PRIMARY KEY({', '.join(terms)})) WITHOUT ROWID"


def fill(connection: apsw.Connection, rows: list[list[Cell]]) -> Table:
    """Insert what the table takes of these rows."""
    (table,) = read_tables(connection)
    columns = table.data_columns
    for row in rows:
        cells = (row * len(columns))[: len(columns)]
        marks = ("CAST(? AS TEXT)" if isinstance(cell, RawText) else "?" for cell in cells)
        connection.execute(
            f"INSERT OR IGNORE INTO t({', '.join(columns)}) SELECT {', '.join(marks)}"
            f" {'WHERE typeof(?2) = ' + repr('integer') if 'INTEGER PRIMARY' in table.sql else ''}",
            [cell.data if isinstance(cell, RawText) else cell for cell in cells],
        )
    return table


def answer(connection: apsw.Connection, page: Page) -> list[dict[str, object]]:
    """What the database answers, through JSON."""
    cursor = connection.execute(page.sql)
    return [
        json.loads(
            json.dumps(dict(zip((c[0] for c in cursor.get_description()), row, strict=True)))
        )
        for row in cursor
    ]


def pages(
    connection: apsw.Connection, table: Table, *, size: int, rows: int, measured: bool = False
) -> Iterator[list[Row]]:
    """The rows of a table, page by page."""
    page: Page | None = Page(table, size=size, rows=rows, measured=measured)
    while page is not None:
        found = page.read(answer(connection, page))
        yield list(found.rows)
        page = found.following and replace(found.following, size=size, rows=rows, measured=measured)


def exact(table: Table, connection: apsw.Connection) -> list[str]:
    """Every row by type and byte, as SQLite itself tells."""
    parts = [
        f"typeof({c})||CASE typeof({c}) WHEN 'real' THEN printf('%!.17g', {c}) ELSE hex({c}) END"
        for c in table.data_columns
    ]
    text = f"{table.rowid or 0}||'|'||" + "||'|'||".join(parts)
    return sorted(str(row[0]) for row in connection.execute(f"SELECT {text} FROM t"))


def written(table: Table, rows: list[Row]) -> list[str]:
    """The same of rows which were read."""
    connection = apsw.Connection(":memory:")
    names = ", ".join(table.data_columns)
    connection.execute(f"CREATE TABLE t({names})")
    for row in rows:
        cells = [c.data if isinstance(c, RawText) else c for c in row.cells]
        marks = ", ".join("CAST(? AS TEXT)" if isinstance(c, RawText) else "?" for c in row.cells)
        into, first = (f"rowid, {names}", [row.rowid]) if table.rowid else (names, [])
        place = "?, " if table.rowid else ""
        connection.execute(f"INSERT INTO t({into}) VALUES ({place}{marks})", [*first, *cells])
    return exact(table, connection)


@pytest.mark.matrix  # the suite has keys of each kind: below, test_rows
@given(
    tables(),
    st.lists(st.lists(CELLS, min_size=1, max_size=5), max_size=12),
    st.integers(1, 200),
    st.integers(1, 4),
    st.booleans(),
)
@settings(max_examples=examples(800))
def test_the_pages_of_any_table_are_the_table(
    sql: str, rows: list[list[Cell]], size: int, number: int, measured: bool
) -> None:
    connection = apsw.Connection(":memory:")
    connection.execute(sql)
    table = fill(connection, rows)
    way = pages(connection, table, size=size, rows=number, measured=measured)
    found = [row for page in way for row in page]
    assert written(table, found) == exact(table, connection)


CASES = ("a", "A", "a ", "A ", "b", "B", "Z", "z", "_")


@pytest.mark.parametrize("size", [1, 100])
@pytest.mark.parametrize(
    "body",
    [
        "k TEXT COLLATE NOCASE, v, PRIMARY KEY(k COLLATE BINARY)) WITHOUT ROWID",
        "k TEXT COLLATE RTRIM, v, PRIMARY KEY(k COLLATE NOCASE)) WITHOUT ROWID",
        "k TEXT, v, PRIMARY KEY(k COLLATE NOCASE)) WITHOUT ROWID",
        "k TEXT PRIMARY KEY COLLATE NOCASE, v) WITHOUT ROWID",
        "a COLLATE NOCASE, k, PRIMARY KEY(k COLLATE RTRIM, a COLLATE BINARY DESC)) WITHOUT ROWID",
        "k COLLATE NOCASE, v, PRIMARY KEY(k COLLATE NOCASE, k COLLATE BINARY)) WITHOUT ROWID",
        "k TEXT UNIQUE COLLATE NOCASE, v)",
    ],
)
def test_keys_that_are_equal_by_a_collation_are_each_read_once(body: str, size: int) -> None:
    connection = apsw.Connection(":memory:")
    connection.execute(f"CREATE TABLE t({body}")
    table = fill(connection, [[case, other] for case in CASES for other in CASES])
    found = [row for page in pages(connection, table, size=size, rows=1000) for row in page]
    assert written(table, found) == exact(table, connection)
    assert len(found) >= len({case.strip().lower() for case in CASES})


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE t(k INTEGER PRIMARY KEY, v)",
        "CREATE TABLE t(k INTEGER, v, PRIMARY KEY(k, v)) WITHOUT ROWID",
        "CREATE TABLE t(k INTEGER COLLATE NOCASE, v, PRIMARY KEY(k)) WITHOUT ROWID",
    ],
)
@pytest.mark.parametrize("after", [(), ("2000", "2000")])
def test_a_page_reads_no_more_of_the_table_than_its_rows(sql: str, after: tuple[str, ...]) -> None:
    connection = apsw.Connection(":memory:")
    connection.execute(sql)
    (table,) = read_tables(connection)
    steps = []
    for rows in (600, 6_000):
        connection.execute(
            "INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
            f" WHERE i < {rows}) SELECT i + 100000, i FROM n WHERE i + 100000 NOT IN"
            " (SELECT k FROM t)"
        )
        page = Page(table, rows=200, after=after[: len(table.walk)])
        steps.append(_steps(connection, page.sql))
    assert steps[1] < steps[0] * 1.1


def test_a_measured_page_reads_no_value_past_its_end() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE t(v)")
    connection.executemany("INSERT INTO t VALUES (zeroblob(50000))", [()] * 100)
    (table,) = read_tables(connection)
    hexed = list[int]()

    def counted(*cells: object) -> str:
        hexed.append(len(cells))
        return ""

    connection.create_scalar_function("hex", counted)
    page = Page(table, size=250_000, measured=True)
    found = page.read(answer(connection, page))
    assert len(list(found.rows)) == len(hexed) == 3
    assert found.following is not None
    assert found.following.rows < 200


def _steps(connection: apsw.Connection, sql: str) -> int:
    """How many instructions SQLite performs for a statement."""
    found = []

    def note(event: dict[str, Any]) -> None:
        found.append(event["stmt_status"]["SQLITE_STMTSTATUS_VM_STEP"])

    connection.trace_v2(apsw.SQLITE_TRACE_PROFILE, note)
    connection.execute(sql).fetchall()
    connection.trace_v2(0)
    return int(found[-1])
