"""Times the data engine: loading a million rows, copying, proving, and an account of 200,000.

Run it as a program; it prints one line a figure and asserts nothing about time.
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from d1_preflight.adapters.localdb import (
    Contents,
    create,
    duplicate,
    read_schema,
)
from d1_preflight.adapters.row_copies import compare_copy
from local_copies import copy_rows, diff_files, read_digests

TABLE = """CREATE TABLE users(id TEXT PRIMARY KEY, email TEXT NOT NULL, team INTEGER, score REAL,
  role TEXT, note TEXT, created_at INTEGER); CREATE INDEX users_team ON users(team);"""


@contextmanager
def timed(what: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    print(f"{what:<48} {time.perf_counter() - start:7.2f} s")


def fill(path: Path, rows: int) -> None:
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA synchronous = OFF;" + TABLE)
    connection.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
        " INSERT INTO users SELECT printf('u%08d', i), 'user' || i || '@example.com', i % 1000,"
        " i / 7.0, CASE i % 3 WHEN 0 THEN 'owner' ELSE 'member' END,"
        " CASE i % 5 WHEN 0 THEN NULL ELSE 'note ' || i END, 1700000000 + i FROM n",
        (rows,),
    )
    connection.close()


def main(rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        fill(here / "a.sqlite", rows)
        with timed(f"copy {rows:,} rows to a row copy (with digest)"):
            (copy,) = copy_rows(here / "a.sqlite", ["users"], here / "copies")
        print(f"{'  its file':<48} {copy.bytes / 1e6:7.1f} MB")
        with timed(f"make a local D1 with {rows:,} rows"):
            create(here / "b.sqlite", Contents(read_schema(here / "a.sqlite"), (copy,)))
        with timed(f"prove {rows:,} rows the same"):
            assert compare_copy(copy, here / "b.sqlite") is None
        with timed(f"digest {rows:,} rows"):
            assert read_digests(here / "b.sqlite")["users"] == (rows, copy.digest)
        fill(here / "c.sqlite", rows // 5)
        with timed("duplicate the fifth of it"):
            duplicate(here / "c.sqlite", here / "d.sqlite")
        changer = apsw.Connection(str(here / "d.sqlite"))
        changer.execute("DELETE FROM users WHERE team = 3; UPDATE users SET role = upper(role)")
        changer.close()
        with timed(f"account of {rows // 5:,} rows"):
            (found,) = diff_files(here / "c.sqlite", here / "d.sqlite").tables
        print(f"  lost {found.lost:,}, changed {found.changed:,} of {found.before:,}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
