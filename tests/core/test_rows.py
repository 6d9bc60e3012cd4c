"""The codec: every value that SQLite can hold comes through JSON as it was."""

import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from d1_preflight.adapters.row_copies import RowCopyWriter, compare_copy, open_copy
from d1_preflight.core.rows.codec import (
    Cell,
    RawText,
    Row,
    as_text,
    batches,
    decode,
    literal,
    read_rows,
    whole_page,
)
from d1_preflight.core.rows.paging import PAGE_BYTES, Page
from d1_preflight.core.schema.table import Table, read_tables
from local_copies import copy_table
from sampling import sampled

TRICKY: tuple[Cell, ...] = (
    None,
    0,
    -1,
    2**53,
    2**53 + 1,
    -(2**53) - 1,
    2**63 - 1,
    -(2**63),
    0.0,
    -0.0,
    1.0,
    0.1,
    1 / 3,
    1e15,
    1e16,
    123456789012345678.0,
    1.7976931348623157e308,
    5e-324,
    2.2250738585072014e-308,
    float("inf"),
    float("-inf"),
    "",
    " ",
    "plain",
    "it's",
    '"double"',
    "a\nb",
    "literal \\n and\nnewline",
    "\r\n",
    "tab\t",
    "nul\0inside",
    "\0",
    "é ü 漢字 🐢",
    "\u2028",
    "\ufeffbom",
    "007",
    "1.50",
    "12345678901234567890",
    "BEGIN TRANSACTION; COMMIT;",
    "-- not a comment /* nor this",
    "[0, 255, 16]",
    "NULL",
    "i5",
    RawText(b"\xff\xfe"),
    RawText(b"ok\xc3"),
    RawText(b"\xed\xa0\x80"),
    RawText(b"\x00\xff"),
    b"",
    b"\x00",
    b"\x00\xff\x10",
    b"text",
    bytes(range(256)),
)


@pytest.mark.parametrize("value", TRICKY, ids=repr)
def test_a_tricky_value_comes_through_the_tagged_select(value: Cell) -> None:
    assert _same(_through_json([value])[0], value)


@pytest.mark.parametrize("value", TRICKY, ids=repr)
def test_a_literal_means_the_value(value: Cell) -> None:
    connection = apsw.Connection(":memory:")
    connection.execute(f"CREATE TABLE t(v); INSERT INTO t VALUES ({literal(value)})")
    assert _same(_read(connection)[0], value)


CELLS = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(),
    st.binary().map(as_text),
    st.binary(),
)


@given(st.lists(CELLS, min_size=1, max_size=8))
def test_any_values_come_through_the_tagged_select(values: list[Cell]) -> None:
    assert all(_same(a, b) for a, b in zip(_through_json(values), values, strict=True))


@given(st.binary(min_size=8, max_size=8))
def test_any_bit_pattern_of_a_real_comes_through(bits: bytes) -> None:
    (value,) = struct.unpack("<d", bits)
    if value == value:  # SQLite holds no NaN  # noqa: PLR0124
        assert _same(_through_json([value])[0], value)


@given(CELLS)
def test_a_literal_of_any_value_means_the_value(value: Cell) -> None:
    connection = apsw.Connection(":memory:")
    connection.execute(f"CREATE TABLE t(v); INSERT INTO t VALUES ({literal(value)})")
    assert _same(_read(connection)[0], value)


@pytest.mark.parametrize("text", ["", "x1", "q00", "7"])
def test_a_value_without_its_tag_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="tag"):
        decode(text)


def test_a_table_of_a_hundred_columns_is_read_within_d1s_limits() -> None:
    connection = apsw.Connection(":memory:")
    columns = ", ".join(f"c{n} DEFAULT {n}" for n in range(100))
    connection.execute(f"CREATE TABLE t({columns}); INSERT INTO t DEFAULT VALUES")
    connection.limit(apsw.SQLITE_LIMIT_COLUMN, 100)
    connection.limit(apsw.SQLITE_LIMIT_EXPR_DEPTH, 100)
    connection.limit(apsw.SQLITE_LIMIT_SQL_LENGTH, 100_000)
    assert _read_table(connection) == [Row(1, tuple(range(100)))]


@pytest.mark.parametrize(
    "sql",
    sampled(
        [
            "CREATE TABLE t(id INTEGER PRIMARY KEY, v)",
            "CREATE TABLE t(v, w)",
            "CREATE TABLE t(rowid, v)",
            "CREATE TABLE t(a COLLATE NOCASE, b INTEGER, v, PRIMARY KEY(b, a)) WITHOUT ROWID",
            "CREATE TABLE t(a, v, PRIMARY KEY(a DESC)) WITHOUT ROWID",
            "CREATE TABLE t(rowid, _rowid_, oid, v)",
        ],
        2,
    ),
)
def test_pages_hold_every_row_once_and_in_order(sql: str) -> None:
    connection = apsw.Connection(":memory:")
    connection.execute(sql)
    (table,) = read_tables(connection)
    marks = ", ".join("?" for _ in table.data_columns)
    rows = [[n * 7919 % 1009] * len(table.data_columns) for n in range(1000)]
    connection.executemany(f"INSERT INTO t VALUES ({marks})", rows)
    found = _read_table(connection, page_bytes=4000)
    assert sorted(row.cells for row in found) == sorted(tuple(row) for row in rows)


def test_pages_follow_the_bytes() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute(f"CREATE TABLE t(v); INSERT INTO t VALUES {', '.join(['(1)'] * 50)}")
    connection.execute("INSERT INTO t VALUES (zeroblob(100000)), ('y')")
    found = _pages(connection, page_bytes=2000)
    assert [len(rows) for rows in found] == [51, 1]


@pytest.mark.parametrize(("rows", "pages"), [(99, 1), (100, 1), (101, 2), (200, 2), (250, 3)])
def test_a_page_that_is_full_is_followed_by_another(rows: int, pages: int) -> None:
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE t(v)")
    connection.executemany("INSERT INTO t VALUES (?)", [(n,) for n in range(rows)])
    (table,) = read_tables(connection)
    page: Page | None = Page(table, rows=100)
    found = []
    while page is not None:
        read = page.read(list(_answer(connection, page.sql)))
        found.append(list(read.rows))
        page = read.following and replace(read.following, rows=100)
    assert [row.cells[0] for page in found for row in page] == list(range(rows))
    assert len(found) == pages


def test_the_pages_after_the_first_are_as_large_as_their_rows_allow() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE t(v)")
    connection.executemany("INSERT INTO t VALUES (zeroblob(10000))", [()] * 30)
    (table,) = read_tables(connection)
    page = Page(table, size=100_000)
    following = page.read(list(_answer(connection, page.sql))).following
    assert following is not None
    assert following.size == PAGE_BYTES
    assert PAGE_BYTES // 20_100 <= following.rows <= PAGE_BYTES // 20_000
    assert following.after == ("5",)


@pytest.mark.parametrize("left", [[0, 1, 2], [1, 2, 3], [0, 2, 3], [0, 1, 3], [3], []])
def test_an_answer_that_lacks_rows_is_none(left: list[int]) -> None:
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE t(v); INSERT INTO t VALUES ('a'), ('b'), ('c')")
    (table,) = read_tables(connection)
    page = Page(table)
    whole = list(_answer(connection, page.sql))
    assert len(list(page.read(whole).rows)) == 3
    with pytest.raises(ValueError, match="rows of t"):
        list(page.read([whole[n] for n in left]).rows)


def test_rowids_beyond_2_to_the_53_stay_apart() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE t(id INTEGER PRIMARY KEY)")
    ids = [2**53 + n for n in range(20)] + [-(2**63), 2**63 - 1]
    connection.executemany("INSERT INTO t VALUES (?)", [(n,) for n in ids])
    found = _read_table(connection, page_bytes=30)
    assert [row.cells[0] for row in found] == sorted(ids)


def test_an_empty_table_has_one_empty_page() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE t(v)")
    assert _pages(connection, page_bytes=100) == [[]]


def test_generated_columns_are_left_out() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE t(a, b AS (a + 1), c AS (a + 2) STORED, d)")
    connection.execute("INSERT INTO t(a, d) VALUES (1, 2)")
    assert _read_table(connection) == [Row(1, (1, 2))]


def test_batches_stay_under_the_limit_of_one_argument() -> None:
    many = ["é" * 200] * 25
    grouped = list(batches(many, limit=1000))
    assert [statement for batch in grouped for statement in batch] == many
    assert all(len(batch) == 2 for batch in grouped[:-1])


def test_a_copy_written_from_json_equals_one_made_inside_sqlite(tmp_path: Path) -> None:
    source = tmp_path / "source.sqlite"
    connection = apsw.Connection(str(source))
    _fill(connection, TRICKY)
    (table,) = read_tables(connection)
    local = copy_table(source, table, tmp_path / "local.rows")
    writer = RowCopyWriter(tmp_path / "remote.rows", table)
    writer.add(_read_table(connection))
    remote = writer.close()
    assert (remote.rows, remote.digest) == (local.rows, local.digest)
    assert remote.rows == len(TRICKY)


def test_a_digest_tells_every_tricky_value_from_every_other(tmp_path: Path) -> None:
    digests = set()
    for n, value in enumerate(TRICKY):
        writer = RowCopyWriter(tmp_path / f"{n}.rows", _table("CREATE TABLE t(v)"))
        writer.add([Row(1, (value,))])
        digests.add(writer.close().digest)
    assert len(digests) == len(TRICKY)


def test_a_digest_does_not_depend_on_the_order_of_rows(tmp_path: Path) -> None:
    table = _table("CREATE TABLE t(v, w)")
    rows = [Row(n, (n, str(n))) for n in range(1, 30)]
    copies = []
    for n, order in enumerate((rows, rows[::-1])):
        writer = RowCopyWriter(tmp_path / f"{n}.rows", table)
        writer.add(order)
        copies.append(writer.close())
    assert copies[0].digest == copies[1].digest


def test_a_copy_that_was_changed_is_noticed(tmp_path: Path) -> None:
    writer = RowCopyWriter(tmp_path / "t.rows", _table("CREATE TABLE t(v)"))
    writer.add([Row(1, ("kept",))])
    copy = writer.close()
    copy.path.write_bytes(copy.path.read_bytes().replace(b"kept", b"lost"))
    with pytest.raises(Exception, match="changed"):
        compare_copy(copy, copy.path)


def test_a_copy_says_of_itself_what_it_holds(tmp_path: Path) -> None:
    writer = RowCopyWriter(tmp_path / "t.rows", _table("CREATE TABLE t(v, w)"))
    writer.add([Row(5, (1, None))])
    copy = writer.close()
    assert open_copy(copy.path) == copy
    assert copy.path.stat().st_mode & 0o777 == 0o600


def _table(sql: str) -> Table:
    connection = apsw.Connection(":memory:")
    connection.execute(sql)
    return read_tables(connection)[0]


def _fill(connection: apsw.Connection, values: Sequence[Cell]) -> None:
    connection.execute("CREATE TABLE t(v)")
    for value in values:
        if isinstance(value, RawText):
            connection.execute("INSERT INTO t VALUES (CAST(? AS TEXT))", (value.data,))
        else:
            connection.execute("INSERT INTO t VALUES (?)", (value,))


def _through_json(values: Sequence[Cell]) -> list[Cell]:
    connection = apsw.Connection(":memory:")
    _fill(connection, values)
    return _read(connection)


def _read(connection: apsw.Connection) -> list[Cell]:
    return [row.cells[0] for row in _read_table(connection)]


def _read_table(connection: apsw.Connection, page_bytes: int = 10**6) -> list[Row]:
    return [row for rows in _pages(connection, page_bytes) for row in rows]


def _pages(connection: apsw.Connection, page_bytes: int) -> list[list[Row]]:
    (table,) = read_tables(connection)
    if not table.walk:
        return [list(read_rows(table, _answer(connection, whole_page(table).sql)))]
    found, page = list[list[Row]](), Page(table, size=page_bytes)
    while True:
        read = page.read(list(_answer(connection, page.sql)))
        found.append(list(read.rows))
        if read.following is None:
            return found
        page = replace(read.following, size=page_bytes)


def _answer(connection: apsw.Connection, sql: str) -> Iterator[dict[str, object]]:
    cursor = connection.execute(sql)
    for row in cursor:
        names = [str(column[0]) for column in cursor.get_description()]
        yield json.loads(json.dumps(dict(zip(names, row, strict=True))))


def _same(a: Cell, b: Cell) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return struct.pack("<d", a) == struct.pack("<d", b)
    return type(a) is type(b) and a == b
