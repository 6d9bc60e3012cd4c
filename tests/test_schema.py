"""Schemas as values: read, built again, compared."""

from collections.abc import Sequence

import apsw
import pytest

from d1_preflight.core.analysis import schema_after
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.schema.schema import Change, Schema, diff, structure, tables_of
from d1_preflight.core.schema.table import Table, TableKind, countable, read_tables, shadows_of

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


NESTED = """
CREATE TABLE a_content(id INTEGER PRIMARY KEY, body TEXT);
CREATE TABLE a_node(id INTEGER PRIMARY KEY);
CREATE TABLE b_docsize(id INTEGER PRIMARY KEY);
CREATE TABLE b_config(id INTEGER PRIMARY KEY);
CREATE VIRTUAL TABLE a USING fts5(body, content='a_content');
CREATE VIRTUAL TABLE a_b USING fts5(body);
CREATE VIRTUAL TABLE a_b_c USING rtree(id, x0, x1);
CREATE VIRTUAL TABLE b USING rtree(id, x0, x1);
CREATE VIRTUAL TABLE c USING fts5(body, content='', columnsize=0);
CREATE TABLE c_content(id INTEGER PRIMARY KEY);
CREATE TABLE c_docsize(id INTEGER PRIMARY KEY);
CREATE VIRTUAL TABLE a_v USING fts5vocab(a, row);
"""


def by_shadows() -> dict[str, Sequence[Table]]:
    connection = apsw.Connection(":memory:")
    connection.execute(NESTED)
    built = schema(NESTED)
    return {
        "asked": read_tables(connection),
        "built": tables_of(built),
        "structure": tuple(structure(built).tables.values()),
    }


@pytest.mark.parametrize("way", ["asked", "built", "structure"])
def test_a_shadow_belongs_to_the_virtual_table_whose_module_made_it(way: str) -> None:
    found = by_shadows()[way]
    expected = {
        "a": {"a_config", "a_data", "a_docsize", "a_idx"},
        "a_b": {"a_b_config", "a_b_content", "a_b_data", "a_b_docsize", "a_b_idx"},
        "a_b_c": {"a_b_c_node", "a_b_c_parent", "a_b_c_rowid"},
        "a_v": set(),
        "b": {"b_node", "b_parent", "b_rowid"},
        "c": {"c_config", "c_data", "c_idx"},
    }
    assert {name: set(shadows_of(found, name)) for name in expected} == expected


@pytest.mark.parametrize("way", ["asked", "built", "structure"])
def test_a_table_named_like_a_shadow_is_one_of_the_users(way: str) -> None:
    found = by_shadows()[way]
    ordinary = {table.name for table in found if table.kind is TableKind.ORDINARY}
    own = {"a_content", "a_node", "b_docsize", "b_config", "c_content", "c_docsize"}
    assert ordinary == own
    assert own <= set(countable(found))


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


PARENT = "CREATE TABLE p(id INTEGER PRIMARY KEY);"
SAME = {
    "a quoted name in a CHECK": (
        "CREATE TABLE a(old_name TEXT CHECK (length(old_name) > 2));",
        'CREATE TABLE a(old_name TEXT CHECK (length("old_name") > 2));',
    ),
    "a quoted name in a table's CHECK": (
        "CREATE TABLE a(x, CHECK (x > 1));",
        "CREATE TABLE a(x, CONSTRAINT c CHECK([x]>1));",
    ),
    "a quoted name in a generated column": (
        "CREATE TABLE a(x, g TEXT AS (upper(x)));",
        'CREATE TABLE a(x, g TEXT GENERATED ALWAYS AS ( upper("x") ));',
    ),
    "a renamed table": (
        "CREATE TABLE a(x);",
        "CREATE TABLE b(x); ALTER TABLE b RENAME TO a;",
    ),
    "a column renamed and renamed again": (
        (
            "CREATE TABLE a(x TEXT CHECK (x <> ''), y); CREATE INDEX i ON a(x) WHERE x > 'a';"
            "CREATE VIEW v AS SELECT x FROM a;"
        ),
        (
            "CREATE TABLE a(n TEXT CHECK (n <> ''), y); CREATE INDEX i ON a(n) WHERE n > 'a';"
            'CREATE VIEW v AS SELECT n FROM a; ALTER TABLE a RENAME COLUMN n TO "x";'
        ),
    ),
    "a type": ("CREATE TABLE a(x VARCHAR(20));", "CREATE TABLE a(x varchar( 20 ));"),
    "defaults": (
        "CREATE TABLE a(x DEFAULT 'a', y DEFAULT 1, z DEFAULT CURRENT_TIMESTAMP);",
        "CREATE TABLE a(x DEFAULT ('a'), y DEFAULT ((1)), z DEFAULT current_timestamp);",
    ),
    "a collation": ("CREATE TABLE a(x COLLATE NOCASE);", "CREATE TABLE a(x collate nocase);"),
    "a key that does not say the parent's columns": (
        f"{PARENT} CREATE TABLE a(x REFERENCES p);",
        f"{PARENT} CREATE TABLE a(x, FOREIGN KEY (x) REFERENCES P(ID) ON DELETE NO ACTION);",
    ),
    "constraints in another order": (
        (
            f"{PARENT} CREATE TABLE a(x REFERENCES p(id), y REFERENCES p(id), z, CHECK (x > 1),"
            " CHECK (y > 1), UNIQUE (x), UNIQUE (y, z));"
        ),
        (
            f"{PARENT} CREATE TABLE a(x, y, z, UNIQUE (y, z), UNIQUE (x), CHECK (y>1), CHECK (x>1),"
            " FOREIGN KEY (y) REFERENCES p(id), FOREIGN KEY (x) REFERENCES p(id));"
        ),
    ),
    "an index": (
        "CREATE TABLE a(x, y); CREATE INDEX i ON a(x, y) WHERE y > 1;",
        'CREATE TABLE a(x, y); create index I on "a" ([x] ASC,\n "y") where (y>1);',
    ),
    "a trigger": (
        "CREATE TABLE a(x); CREATE TRIGGER g AFTER INSERT ON a BEGIN DELETE FROM a; END;",
        'CREATE TABLE a(x); create trigger "g" after insert on "a"\n begin delete from "a"; end;',
    ),
    "a view's text in double quotes": (
        "CREATE TABLE a(x); CREATE VIEW v AS SELECT x FROM a WHERE x = 'Open';",
        'CREATE TABLE a(x); CREATE VIEW v AS SELECT "x" FROM "a" WHERE x = "Open";',
    ),
}


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME.keys())
def test_another_spelling_is_no_difference(one: str, other: str) -> None:
    assert diff(schema(one), schema(other)) == ()
    assert diff(schema(other), schema(one)) == ()


OTHER = {
    "a string's letters": (
        "CREATE TABLE a(x CHECK (x IN ('A')));",
        "CREATE TABLE a(x CHECK (x IN ('a')));",
    ),
    "a default's letters": (
        "CREATE TABLE a(x DEFAULT 'Free');",
        'CREATE TABLE a(x DEFAULT "free");',
    ),
    "a view's letters": (
        "CREATE TABLE a(x); CREATE VIEW v AS SELECT x FROM a WHERE x = 'Open';",
        'CREATE TABLE a(x); CREATE VIEW v AS SELECT x FROM a WHERE x = "open";',
    ),
    "an index's condition": (
        "CREATE TABLE a(x, y); CREATE INDEX i ON a(x) WHERE y > 1;",
        "CREATE TABLE a(x, y); CREATE INDEX i ON a(x) WHERE y > 2;",
    ),
    "an index's direction": (
        "CREATE TABLE a(x); CREATE INDEX i ON a(x);",
        "CREATE TABLE a(x); CREATE INDEX i ON a(x DESC);",
    ),
    "a key's order": (
        "CREATE TABLE a(x, y, PRIMARY KEY (x, y));",
        "CREATE TABLE a(x, y, PRIMARY KEY (y, x));",
    ),
    "one of two keys on a column": (
        (
            f"{PARENT} CREATE TABLE q(id INTEGER PRIMARY KEY);"
            " CREATE TABLE a(x REFERENCES p(id) REFERENCES q(id));"
        ),
        f"{PARENT} CREATE TABLE q(id INTEGER PRIMARY KEY); CREATE TABLE a(x REFERENCES q(id));",
    ),
    "a full-text table's arguments": (
        "CREATE VIRTUAL TABLE f USING fts5(a);",
        "CREATE VIRTUAL TABLE f USING fts5(a, tokenize = 'porter');",
    ),
    "a column's letter case, which names the values of a row": (
        "CREATE TABLE a(userId);",
        "CREATE TABLE a(userid);",
    ),
}


@pytest.mark.parametrize(("one", "other"), OTHER.values(), ids=OTHER.keys())
def test_what_means_something_else_is_a_difference(one: str, other: str) -> None:
    assert diff(schema(one), schema(other)) != ()
    assert diff(schema(other), schema(one)) != ()
