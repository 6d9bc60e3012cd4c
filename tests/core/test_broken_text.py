"""Text whose bytes are not UTF-8 is text as any other: nothing ends by it or is refused."""

import json
from hashlib import sha256
from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.test_paging import CELLS, fill, tables
from d1_preflight.adapters.row_copies import write_restore
from d1_preflight.core import d1
from d1_preflight.core.engine.sandbox import Sandbox
from d1_preflight.core.engine.trial import run_as_d1
from d1_preflight.core.rows import fingerprint
from d1_preflight.core.rows.codec import Cell, row_text
from d1_preflight.core.rows.fingerprint import fingerprint_query, take_fingerprint
from d1_preflight.core.rows.index_gap import failing_indexes
from d1_preflight.core.rows.table_copy import content_digest
from d1_preflight.core.schema.table import read_tables
from law_size import examples
from local_copies import copy_rows, diff_files, read_schema, table_diff

BROKEN = "CAST(X'C361FF' AS TEXT)"
CHECKED = f"CREATE TABLE u(k TEXT PRIMARY KEY CHECK (k <> {BROKEN})) WITHOUT ROWID;"


@given(
    tables(),
    st.lists(st.lists(CELLS, min_size=1, max_size=5), min_size=3, max_size=14),
    st.integers(1, 40),
)
@settings(max_examples=examples(150), deadline=None)
def test_each_row_lies_in_one_stretch_of_a_fingerprint(
    sql: str, rows: list[list[Cell]], pieces: int
) -> None:
    connection = apsw.Connection(":memory:")
    connection.execute(sql)
    table = fill(connection, rows)
    whole = fingerprint_query(connection, "main", table)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fingerprint, "_PIECES_PER_STATEMENT", pieces)
        parts = fingerprint_query(connection, "main", table)
    assert whole is not None
    assert parts is not None
    counts = [
        int(str(connection.execute(f"SELECT count(*) FROM t WHERE {condition or '1'}").get))
        for condition in parts.conditions
    ]
    assert sum(counts) == connection.execute("SELECT count(*) FROM t").fetchall()[0][0]
    assert take_fingerprint(connection, "main", parts) == take_fingerprint(
        connection, "main", whole
    )


@pytest.mark.parametrize(
    "key",
    [
        *(BROKEN, "'a' || char(0) || 'b'", "X'00FF'", "X''", "1e300", "-0.0", "9e999", "-9e999"),
        *("9007199254740993", "-9223372036854775808", "printf('%5000s', 'long')", "''"),
    ],
)
def test_stretches_end_at_keys_of_any_kind(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setattr(fingerprint, "_PIECES_PER_STATEMENT", 1)
    monkeypatch.setattr(fingerprint, "_MOST_PIECES", 5000)
    connection = apsw.Connection(":memory:")
    connection.execute(
        "CREATE TABLE t(k PRIMARY KEY, v) WITHOUT ROWID;"
        f"INSERT INTO t VALUES (1, 1), ({key}, 2), ('m', 3), (X'61', 4)"
    )
    (table,) = read_tables(connection)
    query = fingerprint_query(connection, "main", table)
    if query is None:  # a question longer than D1 takes
        assert "printf" in key
        return
    found = take_fingerprint(connection, "main", query)
    assert len(query.conditions) == 5
    assert found is not None
    assert found.rows == 4


@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT {BROKEN};",
        f"SELECT {BROKEN} UNION ALL SELECT 'a' UNION ALL SELECT {BROKEN};",
        f"CREATE TABLE u(k); INSERT INTO u VALUES ({BROKEN}) RETURNING k;",
        f"{CHECKED} INSERT INTO u VALUES ('a'); UPDATE u SET k = {BROKEN} || k RETURNING k;",
        f"{CHECKED} INSERT INTO u SELECT {BROKEN} || 'a'; SELECT * FROM u;",
    ],
)
def test_a_statement_that_answers_broken_text_is_not_refused(sql: str) -> None:
    trace = Sandbox().run(sql)
    assert [(one.error, one.data_dependent_error) for one in trace.statements] == [
        ("", "") for _ in trace.statements
    ]
    connection = apsw.Connection(":memory:")
    assert not run_as_d1(connection, sql, "0001_a.sql", ledger=d1.LEDGER, clock=lambda: 0.0).refused


def test_a_search_that_finds_broken_text_does_not_fail() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a);"
        "CREATE VIRTUAL TABLE f USING fts5(a, content='t', content_rowid='id');"
        f"INSERT INTO t VALUES (1, 'word ' || {BROKEN}), (2, {BROKEN} || ' word');"
        "INSERT INTO f(f) VALUES ('rebuild');"
        "CREATE VIRTUAL TABLE own USING fts5(a, tokenize = 'ascii');"
        f"INSERT INTO own VALUES ({BROKEN}), ('\"' || {BROKEN});"
    )
    assert failing_indexes(connection) == {}


def test_a_trees_label_of_broken_text_comes_back(tmp_path: Path) -> None:
    source = tmp_path / "a.sqlite"
    connection = apsw.Connection(str(source))
    tree = "CREATE VIRTUAL TABLE places USING rtree(id, x1, x2, +label);"
    connection.execute(f"{tree} INSERT INTO places VALUES (1, 2, 3, {BROKEN}), (2, 2, 3, 'a')")
    connection.close()
    names = ["places_node", "places_parent", "places_rowid"]
    copies = copy_rows(source, names, tmp_path / "copies")
    script = write_restore(tmp_path / "back.sql", copies, read_schema(source))
    again = tmp_path / "b.sqlite"
    restored = apsw.Connection(str(again))
    restored.execute(tree + (tmp_path / "back.sql").read_text())
    restored.close()
    assert [(t.table, t.rows) for t in script.tables] == [("places", 2)]
    found = table_diff(diff_files(source, again), "places")
    assert found.is_untouched


def test_the_digest_of_rows_is_that_of_their_sorted_hashes() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute(
        "CREATE TABLE t(a, b); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
        f" WHERE i < 300) INSERT INTO t SELECT i % 7, {BROKEN} || i % 90 FROM n"
    )
    texts = connection.execute(f"SELECT {row_text(['a', 'b'])} FROM t")
    hashes = sorted(sha256(str(text).encode()).digest() for (text,) in texts)
    expected = sha256(json.dumps(["a", "b"]).encode() + b"".join(hashes)).hexdigest()

    assert content_digest(connection, "t", ["a", "b"]) == (300, expected)
    assert content_digest(connection, "t", ["a", "b"]) == (300, expected)
