"""A fingerprint tells every change of a value, of either side, and nothing else."""

import itertools
from collections.abc import Sequence
from typing import Any

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from d1_preflight.core import d1
from d1_preflight.core.rows import fingerprint
from d1_preflight.core.rows.fingerprint import (
    Fingerprint,
    FingerprintQuery,
    fingerprint_query,
    take_fingerprint,
)
from d1_preflight.core.schema.table import Table, read_tables
from law_size import examples

VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(max_size=30),
    st.binary(max_size=30),
    st.sampled_from([0, -0.0, 0.0, "", b"", "0", b"0", "-1", -1, "é", "\x00", 1.0, 1, "1"]),
)
Rows = list[tuple[Any, ...]]
ROWS = st.lists(st.tuples(VALUES, VALUES, VALUES), min_size=1, max_size=6)


def database(rows: Sequence[Sequence[Any]], columns: str = "a, b, c") -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    connection.execute(f"CREATE TABLE t({columns})")
    if rows:
        marks = ",".join("?" * len(rows[0]))
        connection.executemany(f"INSERT INTO t VALUES({marks})", rows)
    return connection


def query_for(connection: apsw.Connection) -> FingerprintQuery:
    (table,) = read_tables(connection)
    found = fingerprint_query(connection, "main", table)
    assert found is not None
    return found


def taken(connection: apsw.Connection, query: FingerprintQuery) -> Fingerprint:
    found = take_fingerprint(connection, "main", query)
    assert found is not None
    return found


def cells(rows: Rows) -> list[tuple[tuple[str, object], ...]]:
    """What two rows must agree on: type and exact value."""
    return [tuple((type(v).__name__, repr(v)) for v in row) for row in rows]


@settings(max_examples=examples(200), deadline=None)
@given(ROWS, st.integers(0, 5), st.integers(0, 2), VALUES)
def test_any_changed_cell_is_seen(rows: Rows, row: int, column: int, value: object) -> None:
    before = database(rows)
    query = query_for(before)
    changed = [list(r) for r in rows]
    changed[row % len(rows)][column] = value
    after = database([tuple(r) for r in changed])
    there = take_fingerprint(after, "main", query)
    same = cells(rows) == cells([tuple(r) for r in changed])
    assert (there == taken(before, query)) is same


def test_values_that_change_places_are_seen() -> None:
    rows = [(n, f"name {n}", n % 3) for n in range(6)]
    before = database(rows)
    query, first = query_for(before), taken(before, query_for(before))
    for one, other in itertools.combinations(range(6), 2):
        swapped = [list(r) for r in rows]
        swapped[one][1], swapped[other][1] = swapped[other][1], swapped[one][1]
        assert taken(database([tuple(r) for r in swapped]), query) != first


@pytest.mark.parametrize("change", ["INSERT INTO t VALUES(9,9,9)", "DELETE FROM t WHERE a=2"])
def test_rows_that_come_or_go_are_seen(change: str) -> None:
    connection = database([(n, "x", None) for n in range(5)])
    query = query_for(connection)
    before = taken(connection, query)
    connection.execute(change)
    assert taken(connection, query) != before


def test_the_order_in_which_rows_lie_means_nothing() -> None:
    rows = [(f"k{n}", n, b"\x00") for n in range(20)]
    without = "CREATE TABLE t(a TEXT PRIMARY KEY, b, c) WITHOUT ROWID"
    one, other = apsw.Connection(":memory:"), apsw.Connection(":memory:")
    for connection, order in ((one, rows), (other, rows[::-1])):
        connection.execute(without)
        connection.executemany("INSERT INTO t VALUES(?,?,?)", order)
    assert taken(one, query_for(one)) == taken(other, query_for(one))


def test_stretches_add_up_to_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = database([(n, "x" * (n % 7), n / 3) for n in range(100)])
    whole = query_for(connection)
    monkeypatch.setattr(fingerprint, "_PIECES_PER_STATEMENT", 300)
    parts = query_for(connection)
    assert len(parts.conditions) > 3
    assert taken(connection, parts) == taken(connection, whole)
    before = taken(connection, whole)
    connection.execute("INSERT INTO t VALUES(1, 2, 3)")  # after the last bound
    assert taken(connection, parts) == taken(connection, whole) != before


def test_a_row_that_outgrew_the_question_is_not_sure() -> None:
    connection = database([(1, "short", 1)])
    query = query_for(connection)
    connection.execute("UPDATE t SET b = printf('%2000s', 'long')")
    assert take_fingerprint(connection, "main", query) is None


def test_a_row_too_long_for_any_question_has_none() -> None:
    connection = database([(1, "x" * 5000, 1)])
    assert fingerprint_query(connection, "main", read_tables(connection)[0]) is None


def test_a_question_longer_than_d1_takes_is_none() -> None:
    columns = ", ".join(f"c{'x' * 900}{n}" for n in range(100))
    connection = database([], columns)
    assert fingerprint_query(connection, "main", read_tables(connection)[0]) is None


def test_an_empty_table_has_one() -> None:
    connection = database([])
    assert taken(connection, query_for(connection)) == Fingerprint(0, 0, 0, 0)


def test_d1s_limits_allow_the_longest_question() -> None:
    columns = [f"c{n}" for n in range(100)]
    connection = database([tuple("x" * 37 for _ in columns)], ", ".join(columns))
    for limit, value in d1.LIMITS:
        connection.limit(limit, value)
    query = query_for(connection)
    assert query.pieces > 900
    assert max(len(statement) for statement in query.statements()) < 100_000
    assert taken(connection, query).rows == 1


def test_hostile_names_stay_names() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute('CREATE TABLE "t"" FROM ""x"("a FROM ""t""", rowid, "LIMIT -1" TEXT)')
    connection.execute('INSERT INTO "t"" FROM ""x" VALUES(1, 2, 3)')
    assert taken(connection, query_for(connection)).rows == 1


def test_an_index_without_a_text_of_its_own_is_asked_by_the_tables_that_hold_it() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE VIRTUAL TABLE f USING fts5(a, content='')")
    connection.execute("INSERT INTO f(rowid, a) VALUES (1, 'one')")
    tables: dict[str, Table] = {table.name: table for table in read_tables(connection)}
    assert fingerprint_query(connection, "main", tables["f"]) is None
    query = fingerprint_query(connection, "main", tables["f_data"])
    assert query is not None
    before = taken(connection, query)
    connection.execute("INSERT INTO f(rowid, a) VALUES (2, 'two')")
    assert taken(connection, query) != before


def test_the_text_has_every_number() -> None:
    assert Fingerprint(3, 4000, 2**40, 17).text == "3-fa0-10000000000-11"
