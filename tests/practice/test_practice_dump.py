from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from d1_preflight.practice.d1_api import NotExportable, dump
from d1_preflight.practice.engine import Database
from d1_preflight.practice.results import Value
from law_size import examples

VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.binary(),
)
SCHEMA = """
    CREATE TABLE "odd ""name" (id INTEGER PRIMARY KEY AUTOINCREMENT, a, "b c",
      twice AS (id * 2) STORED);
    CREATE TABLE keyed (k TEXT PRIMARY KEY, v) WITHOUT ROWID;
    CREATE VIEW seen AS SELECT k FROM keyed;
    CREATE TRIGGER gone AFTER DELETE ON keyed BEGIN DELETE FROM "odd ""name"; SELECT 1; END;
    CREATE INDEX by_v ON keyed (v);
"""
ALL = (
    "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE '#_cf#_%' ESCAPE '#' ORDER BY 2"
)


def made() -> Database:
    database = Database(Path(":memory:"))
    database.query(SCHEMA)
    return database


def loaded(sql: str) -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    connection.execute(sql)
    return connection


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(st.tuples(VALUES, VALUES), max_size=8))
def test_a_dump_gives_back_every_value_and_its_type(
    rows: list[tuple[Value, Value]],
) -> None:
    database = made()
    for row in rows:
        database.query('INSERT INTO "odd ""name" (a, "b c") VALUES (?, ?)', row)
    table = 'SELECT *, typeof(a), typeof("b c") FROM "odd ""name"'
    copy = loaded("".join(dump(database)))
    assert copy.execute(table).fetchall() == database.rows(table)


def test_a_dump_gives_back_every_object_and_the_counters() -> None:
    database = made()
    database.query('INSERT INTO "odd ""name" (a) VALUES (1), (2); DELETE FROM "odd ""name";')
    copy = loaded("".join(dump(database)))
    assert copy.execute(ALL).fetchall() == database.rows(ALL)
    assert copy.execute("SELECT seq FROM sqlite_sequence").fetchall() == [(2,)]


def test_parts_can_be_left_out() -> None:
    database = made()
    database.query("INSERT INTO keyed VALUES ('x', 1)")
    without_data = "".join(dump(database, data=False))
    assert "INSERT" not in without_data
    assert "CREATE VIEW" in without_data
    without_schema = "".join(dump(database, schema=False))
    assert "CREATE" not in without_schema
    assert "VALUES('x',1)" in without_schema
    alone = loaded("".join(dump(database, tables=["keyed"])))
    assert [row[1] for row in alone.execute(ALL)] == ["keyed"]


def test_virtual_tables_keep_a_database_from_being_exported() -> None:
    database = made()
    database.query("CREATE VIRTUAL TABLE words USING fts5(a)")
    with pytest.raises(NotExportable, match="Virtual Tables"):
        list(dump(database))
