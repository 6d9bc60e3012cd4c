"""Schemas as values: read, built again, compared."""

import apsw
import pytest

from d1_preflight.core.analysis import schema_after
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.schema.schema import Change, Schema, diff, structure

SQL = """
CREATE TABLE p(id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT UNIQUE COLLATE NOCASE);
CREATE TABLE k(
  id TEXT PRIMARY KEY NOT NULL, p INTEGER DEFAULT 1 REFERENCES p(id) ON DELETE CASCADE,
  n REAL CHECK (n > 0), up TEXT GENERATED ALWAYS AS (upper(id)) VIRTUAL
) STRICT, WITHOUT ROWID;
CREATE INDEX k_p ON k(p) WHERE n > 1;
CREATE VIEW v AS SELECT id FROM k;
CREATE TRIGGER g AFTER INSERT ON k BEGIN UPDATE p SET code = 'x;y'; END;
CREATE VIRTUAL TABLE f USING fts5(body);
"""


def schema(sql: str) -> Schema:
    return schema_after([Migration.from_text("0001_a_b.sql", sql)])


def test_a_schema_comes_back_from_the_database_it_builds() -> None:
    first = schema(SQL)
    connection = apsw.Connection(":memory:")
    assert first.build(connection) == ()
    assert Schema.from_connection(connection).fingerprint == first.fingerprint


def test_the_shape_of_a_table_holds_all_that_a_rebuild_could_forget() -> None:
    table = structure(schema(SQL)).tables["k"]
    assert table.column_names == ("id", "p", "n", "up")
    assert (table.strict, table.without_rowid, table.primary_key) == (True, True, ("id",))
    assert table.checks == ("( n > 0 )",)
    assert [key.words for key in table.foreign_keys] == [
        "(p) REFERENCES p(id) ON DELETE CASCADE ON UPDATE NO ACTION"
    ]
    assert [column.default for column in table.columns] == [None, "1", None, None]
    assert table.columns[3].generated == "AS ( upper ( id ) )"
    parent = structure(schema(SQL)).tables["p"]
    assert (parent.autoincrement, parent.unique) == (True, (("code",),))
    assert parent.columns[1].collation == "NOCASE"


def test_a_full_text_tables_inner_tables_are_not_the_users() -> None:
    found = structure(schema(SQL))
    assert found.tables["f"].is_virtual
    assert "f_data" in found.inner


def test_wording_and_order_are_no_difference() -> None:
    one = schema("CREATE TABLE a(x TEXT, y INT);\nCREATE INDEX i ON a(x);\nCREATE TABLE b(z);")
    other = schema(
        'CREATE TABLE b ( z );create table "a"( x TEXT,\n y INT );CREATE INDEX i on a(x)'
    )
    assert diff(one, other) == ()


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        ("", "CREATE TABLE a(x);", Change("added", "table", "a", "", "x")),
        ("CREATE TABLE a(x);", "", Change("removed", "table", "a", "x", "")),
        (
            "CREATE TABLE a(x, y TEXT);",
            "CREATE TABLE a(x);",
            Change("removed", "column", "a.y", "TEXT", ""),
        ),
        (
            "CREATE TABLE a(x TEXT);",
            "CREATE TABLE a(x TEXT NOT NULL DEFAULT 'q');",
            Change("changed", "column", "a.x", "TEXT", "TEXT NOT NULL DEFAULT 'q'"),
        ),
        (
            "CREATE TABLE a(x TEXT) STRICT;",
            "CREATE TABLE a(x TEXT);",
            Change("changed", "option", "a.strict", "yes", "no"),
        ),
        (
            "CREATE TABLE a(x, UNIQUE(x));",
            "CREATE TABLE a(x);",
            Change("removed", "unique", "a.x", "UNIQUE", ""),
        ),
    ],
)
def test_a_difference_is_named(before: str, after: str, change: Change) -> None:
    assert diff(schema(before), schema(after)) == (change,)
    assert change.name in change.words


def test_objects_that_cannot_be_made_are_told() -> None:
    broken = Schema.from_rows(
        [{"type": "index", "name": "i", "tbl_name": "gone", "sql": "CREATE INDEX i ON gone(x)"}]
    )
    assert broken.build(apsw.Connection(":memory:")) == ("index i: no such table: main.gone",)
