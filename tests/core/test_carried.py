"""Rows that already hold what the migration does are found, whatever else was written meanwhile."""

from pathlib import Path

import apsw
import pytest

from d1_preflight.core.rows.carried import Carried, carried_rows

MADE = "CREATE TABLE t(id INTEGER PRIMARY KEY, v INT, note TEXT)"
ROWS = "INSERT INTO t VALUES(1, 10, 'a'), (2, 20, 'b'), (3, 30, NULL)"


def three(tmp_path: Path, migration: str, now: str, made: str = MADE) -> tuple[Carried, ...]:
    connection = apsw.Connection(":memory:")
    for name, script in (("copy", ""), ("rehearsed", migration), ("now", now)):
        file = tmp_path / f"{name}.sqlite"
        state = apsw.Connection(str(file))
        state.execute(f"{made}; {ROWS}; {script}")
        state.close()
        connection.execute(f"ATTACH ? AS {name}", (str(file),))
    return carried_rows(connection, ["t"])


DOUBLE = "UPDATE t SET v = v * 2"


@pytest.mark.parametrize(
    ("migration", "now", "expected"),
    [
        (DOUBLE, "", Carried("t", 0, 3)),
        (DOUBLE, DOUBLE, Carried("t", 3, 0)),
        (DOUBLE, f"{DOUBLE} WHERE id < 3", Carried("t", 2, 1)),
        (DOUBLE, "UPDATE t SET v = v + 1", Carried("t", 0, 0)),
        (DOUBLE, f"{DOUBLE}; INSERT INTO t VALUES(4, 1, 'new')", Carried("t", 3, 0)),
        ("UPDATE t SET note = 'x' WHERE id = 3", "", Carried("t", 0, 1)),
        ("INSERT INTO t VALUES(9, 9, 'n')", "INSERT INTO t VALUES(9, 9, 'n')", Carried("t", 1, 0)),
        ("INSERT INTO t VALUES(9, 9, 'n')", "INSERT INTO t VALUES(9, 8, 'n')", Carried("t", 0, 1)),
        ("DELETE FROM t WHERE id = 1", "DELETE FROM t WHERE id = 1", Carried("t", 1, 0)),
        ("DELETE FROM t WHERE id = 1", "DELETE FROM t WHERE id = 2", Carried("t", 0, 1)),
        ("ALTER TABLE t DROP COLUMN note", "", Carried("t", 0, 0)),
    ],
)
def test_what_is_done_and_what_is_left(
    tmp_path: Path, migration: str, now: str, expected: Carried
) -> None:
    assert three(tmp_path, migration, now) == (expected,)


def test_a_table_that_one_state_lacks_tells_nothing(tmp_path: Path) -> None:
    assert three(tmp_path, "DROP TABLE t", "") == ()


def test_a_table_without_rowid_is_compared_by_its_key(tmp_path: Path) -> None:
    made = "CREATE TABLE t(id TEXT PRIMARY KEY, v INT, note TEXT) WITHOUT ROWID"
    assert three(tmp_path, DOUBLE, f"{DOUBLE} WHERE id = 1", made) == (Carried("t", 1, 2),)
