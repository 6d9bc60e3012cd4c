"""An R*Tree's rows: paired by their number, told by value, and written back through the tree."""

from pathlib import Path

import apsw
import pytest

from d1_preflight.adapters.row_copies import write_restore
from d1_preflight.core.rows.fingerprint import fingerprint_query, take_fingerprint
from d1_preflight.core.schema.table import read_tables
from local_copies import (
    copy_rows,
    diff_files,
    make_file,
    read_schema,
    read_shapes,
    table_diff,
)
from sampling import sampled

TREES = {
    "reals": "CREATE VIRTUAL TABLE places USING rtree(id, x1, x2, y1, y2, +label);",
    "integers": "CREATE VIRTUAL TABLE places USING rtree_i32(id, x1, x2, y1, y2, +label);",
    "text": "CREATE VIRTUAL TABLE places USING fts5(x1, x2, y1, y2, label);",
}
FILLED = """WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 400)
INSERT INTO places({number}, x1, x2, y1, y2, label)
SELECT i, -i, i + 0.3, i, i * 2, 'p' || i FROM s;"""
NEW = "INSERT INTO places({number}, x1, x2, y1, y2, label) VALUES"


def made(path: Path, kind: str, sql: str = "") -> Path:
    number = "rowid" if kind == "text" else "id"
    filled = TREES[kind] + FILLED.format(number=number)
    return make_file(path, f"{filled}; {sql.replace('{number}', number)}")


@pytest.mark.parametrize("kind", sampled(TREES, 2))
@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (f"DELETE FROM places WHERE {{number}} = 9; {NEW} (900, 1, 2, 3, 4, 'new')", (1, 1, 0)),
        ("UPDATE places SET label = 'other' WHERE {number} < 4", (0, 0, 3)),
        ("UPDATE places SET x2 = 4000 WHERE {number} = 4", (0, 0, 1)),
        ("DELETE FROM places", (400, 0, 0)),
        ("SELECT 1", (0, 0, 0)),
    ],
)
def test_a_row_that_goes_or_changes_is_seen_though_another_comes(
    tmp_path: Path, kind: str, sql: str, expected: tuple[int, int, int]
) -> None:
    before = made(tmp_path / "before.sqlite", kind)
    after = made(tmp_path / "after.sqlite", kind, sql)

    found = table_diff(diff_files(before, after), "places")

    assert (found.lost, found.added, found.changed) == expected


@pytest.mark.parametrize("kind", TREES)
def test_a_changed_cell_of_it_changes_its_fingerprint(tmp_path: Path, kind: str) -> None:
    sides = [
        made(tmp_path / f"{n}.sqlite", kind, sql)
        for n, sql in enumerate(
            ("SELECT 1", "SELECT 2", "UPDATE places SET label = 'o' WHERE {number} = 7")
        )
    ]
    taken = []
    for path in sides:
        connection = apsw.Connection(str(path))
        (table,) = (t for t in read_tables(connection) if t.name == "places")
        query = fingerprint_query(connection, "main", table)
        assert query is not None
        taken.append(take_fingerprint(connection, "main", query))
        connection.close()

    assert taken[0] == taken[1]
    assert taken[0] != taken[2]


@pytest.mark.parametrize("kind", sampled(["reals", "integers"], 2))
def test_a_tree_is_restored_from_its_copies_through_itself(tmp_path: Path, kind: str) -> None:
    source = made(tmp_path / "a.sqlite", kind)
    names = [table.name for table in read_shapes(source) if table.is_shadow]
    copies = copy_rows(source, names, tmp_path / "copies")

    script = write_restore(tmp_path / "back.sql", copies, read_schema(source))

    text = (tmp_path / "back.sql").read_text()
    assert (script.cautions, [(t.table, t.rows) for t in script.tables]) == ((), [("places", 400)])
    assert "places_" not in text  # D1 refuses writes to what the tree keeps
    assert not list(tmp_path.glob(".scratch*"))  # where its rows lay, as a tree can be large
    again = made(tmp_path / "b.sqlite", kind, f"DELETE FROM places; {text}")
    found = table_diff(diff_files(source, again), "places")
    assert found.is_untouched


def test_half_of_a_tree_is_not_restored_but_said(tmp_path: Path) -> None:
    source = made(tmp_path / "a.sqlite", "reals")
    copies = copy_rows(source, ["places_node"], tmp_path / "copies")

    script = write_restore(tmp_path / "back.sql", copies, read_schema(source))

    assert script.tables == ()
    assert script.cautions == (
        "places_node belongs to a virtual table and is not restored; fill that table again.",
    )
