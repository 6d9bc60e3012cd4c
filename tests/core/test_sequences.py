"""AUTOINCREMENT marks outlive their rows: in the copy, the rehearsal, the backup, the restore."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actions.test_reading_in_batches import EngineWrangler, tools_with
from d1_preflight.actions.copy_rows import copy_rows, plan_reading
from d1_preflight.adapters.local import LocalDatabases
from d1_preflight.adapters.row_copies import compare_copy, open_copy, write_restore
from d1_preflight.core.analysis import analyse
from d1_preflight.core.findings import Kind
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.rows.loss_check import check_losses
from d1_preflight.core.rows.table_copy import RowCopy
from d1_preflight.core.schema.schema import Schema
from d1_preflight.core.schema.sequences import local_sequences
from law_size import examples
from local_copies import copy_rows as copy_local
from local_copies import diff_files, make_file, opened, write_repair

LOCAL = LocalDatabases("database-id")
LEDGER = "CREATE TABLE d1_migrations(id INTEGER PRIMARY KEY AUTOINCREMENT, name, applied_at);"
TABLES = ("a", 'it\'s "odd"')
LARGEST = 2**62


class Target:
    """A target in memory, read through the same SQL and JSON as the real one."""

    def __init__(self, tables: Mapping[str, tuple[list[int], int | None]]) -> None:
        self.connection = apsw.Connection(":memory:")
        self.connection.execute(LEDGER + "INSERT INTO d1_migrations VALUES (1, '0001_a.sql', 'x');")
        for table, (ids, deleted) in tables.items():
            name = '"' + table.replace('"', '""') + '"'
            self.connection.execute(f"CREATE TABLE {name}(id INTEGER PRIMARY KEY AUTOINCREMENT, v)")
            for number in [*ids, *([deleted] if deleted else [])]:
                self.connection.execute(f"INSERT OR IGNORE INTO {name} VALUES (?, 'x')", (number,))
            self.connection.execute(f"DELETE FROM {name} WHERE id = ?", (deleted,))
        self.wrangler = EngineWrangler(self.connection)
        self.schema = Schema.from_connection(self.connection).without("d1_migrations")
        self.marks = {
            table: mark
            for table, mark in local_sequences(self.connection).items()
            if table != "d1_migrations"
        }

    async def copies(self, folder: Path) -> tuple[RowCopy, ...]:
        context: Any = SimpleNamespace(
            environment=tools_with(self.wrangler),
            emit=None,
            progress=lambda _facts: None,
            facts=lambda kind: kind(),
        )
        reading = await plan_reading(context)
        return (await copy_rows(context, reading, folder)).copies


def marks(path: Path) -> dict[str, int]:
    return {t: m for t, m in local_sequences(opened(path)).items() if t != "d1_migrations"}


def next_id(connection: apsw.Connection, table: str) -> int:
    name = '"' + table.replace('"', '""') + '"'
    connection.execute(f"INSERT INTO {name}(v) VALUES ('next')")
    return connection.last_insert_rowid()


IDS = st.lists(st.integers(1, 40), max_size=6)
HELD = st.tuples(IDS, st.none() | st.integers(1, 60) | st.integers(LARGEST, LARGEST + 9))


@settings(max_examples=examples(100), deadline=None)
@given(held=st.tuples(HELD, HELD))
def test_every_mark_is_kept_from_the_target_to_the_restored_backup(
    held: tuple[tuple[list[int], int | None], tuple[list[int], int | None]],
) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        target = Target(dict(zip(TABLES, held, strict=True)))
        copies = asyncio.run(target.copies(folder / "rows"))
        LOCAL.make(folder / "copy", target.schema, copies, ())
        LOCAL.duplicate(folder / "copy", folder / "rehearsal")
        assert marks(LOCAL.file(folder / "rehearsal")) == target.marks
        kept = [open_copy(copy.path) for copy in copies]
        LOCAL.make(folder / "restored", target.schema, kept, ())
        restored = LOCAL.file(folder / "restored")
        assert marks(restored) == target.marks
        assert [compare_copy(copy, restored) for copy in kept] == [None] * len(kept)
        write_restore(folder / "whole.sql", kept, target.schema)
        LOCAL.make(folder / "empty", target.schema, (), ())
        LOCAL.run_sql(folder / "empty", (folder / "whole.sql").read_text())
        assert marks(LOCAL.file(folder / "empty")) == target.marks
        connection = apsw.Connection(str(LOCAL.file(folder / "empty")))
        for table in TABLES:
            assert next_id(connection, table) == next_id(target.connection, table)
        connection.close()


def made(path: Path, sql: str) -> Path:
    return make_file(path, sql)


USERS = """CREATE TABLE users(id INTEGER PRIMARY KEY AUTOINCREMENT, v);
INSERT INTO users(v) VALUES ('a'), ('b'), ('c'); DELETE FROM users WHERE id = 3;"""
REBUILD = """CREATE TABLE n(id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT);
INSERT INTO n SELECT id, v FROM users; DROP TABLE users; ALTER TABLE n RENAME TO users;"""
CARRIED = REBUILD.replace(
    "DROP", "UPDATE sqlite_sequence SET seq = (SELECT seq FROM sqlite_sequence"
    " WHERE name = 'users') WHERE name = 'n'; DROP",
)  # fmt: skip
PLAIN = REBUILD.replace(" AUTOINCREMENT", "")


@pytest.mark.parametrize(
    ("sql", "issued"),
    [
        (REBUILD, (3, 2)),
        (PLAIN, (3, 2)),
        (CARRIED, (3, 3)),
        ("ALTER TABLE users ADD COLUMN w", (3, 3)),
        ("INSERT INTO users(v) VALUES ('d')", (3, 4)),
        ("UPDATE sqlite_sequence SET seq = 0", (3, 2)),
        ("DELETE FROM sqlite_sequence", (3, 2)),
        ("DELETE FROM users; DELETE FROM sqlite_sequence", (3, 0)),
    ],
)
def test_the_account_says_whether_a_mark_fell(
    tmp_path: Path, sql: str, issued: tuple[int, int]
) -> None:
    before, after = made(tmp_path / "a", USERS), made(tmp_path / "b", USERS + sql)
    (users,) = diff_files(before, after).tables
    assert (users.issued_before, users.issued_after) == issued
    assert users.reissues is (issued[1] < issued[0])
    assert not (users.reissues and users.is_untouched)


@pytest.mark.parametrize(
    ("sql", "blocks"),
    [
        (REBUILD, False),
        ("UPDATE sqlite_sequence SET seq = 0 WHERE name = 'users';", False),
        ("DELETE FROM sqlite_sequence WHERE name = 'users';", False),
        ("ALTER TABLE users ADD COLUMN w;", True),  # the marks of another state: nobody did it
    ],
)
def test_a_mark_that_falls_is_said_and_blocks_where_no_statement_does_it(
    tmp_path: Path, sql: str, blocks: bool
) -> None:
    connection = opened(made(tmp_path / "a", USERS))
    analysis = analyse(Migration.from_text("0002_a_b.sql", sql), Schema.from_connection(connection))
    fallen = f"{USERS}{sql} UPDATE sqlite_sequence SET seq = 2;"
    (judged,) = check_losses(diff_files(tmp_path / "a", made(tmp_path / "b", fallen)), analysis)
    assert "ids above 2 are issued again (up to 3)" in judged.words
    assert judged.blocks is blocks


def test_a_statement_that_writes_marks_is_no_harmless_one() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute(USERS)
    prior = Schema.from_connection(connection)
    for sql in ("UPDATE sqlite_sequence SET seq = 0;", "DELETE FROM sqlite_sequence;"):
        found = analyse(Migration.from_text("0002_a_b.sql", sql), prior)
        assert (found.kind, found.effects.sequences_written) == (Kind.TRANSFORMATIVE, True)


@pytest.mark.parametrize(
    ("migration", "later", "mark"),
    [
        (REBUILD, "", 3),
        (REBUILD, "INSERT INTO users(v) VALUES ('x'), ('y'), ('z');", 5),  # issued by now: 3, 4, 5
        ("DELETE FROM users; DELETE FROM sqlite_sequence;", "", 3),
        ("DROP TABLE users;", "", 3),
        (CARRIED, "", 3),
    ],
)
def test_what_was_taken_comes_back_with_its_mark(
    tmp_path: Path, migration: str, later: str, mark: int
) -> None:
    before, after = made(tmp_path / "a", USERS), made(tmp_path / "b", USERS + migration)
    schema = Schema.from_connection(opened(before))
    given = write_repair(tmp_path / "back.sql", before, after, schema)
    live = apsw.Connection(str(after))
    live.execute(later)
    live.execute((tmp_path / "back.sql").read_text())
    live.close()
    assert marks(after) == {"users": mark}
    assert given.problems == ()


def test_a_table_that_lost_autoincrement_is_a_problem(tmp_path: Path) -> None:
    before, after = made(tmp_path / "a", USERS), made(tmp_path / "b", USERS + PLAIN)
    schema = Schema.from_connection(opened(before))
    given = write_repair(tmp_path / "back.sql", before, after, schema)
    assert "its AUTOINCREMENT is gone" in given.problems[0]


def test_a_restored_mark_that_differs_is_found(tmp_path: Path) -> None:
    target = made(tmp_path / "a", USERS)
    (copy,) = copy_local(target, ["users"], tmp_path / "rows")
    assert compare_copy(copy, target) is None
    other = made(tmp_path / "b", USERS + "UPDATE sqlite_sequence SET seq = 2;")
    found = compare_copy(copy, other)
    assert found is not None
    assert found.words == "users: the AUTOINCREMENT counter is not the one that was read"


async def test_the_marks_ride_in_the_calls_that_are_made_anyway(tmp_path: Path) -> None:
    target = Target({"a": ([1, 2], 3)})
    await target.copies(tmp_path / "rows")
    assert len(target.wrangler.commands) == 2  # the schema; the rows
    asked = [command.count("sqlite_sequence") for command in target.wrangler.commands]
    assert asked == [0, 1]
    none = Target({})
    none.connection.execute("CREATE TABLE plain(id INTEGER PRIMARY KEY)")
    assert [copy.sequence for copy in await none.copies(tmp_path / "none")] == [None]
    assert not any("sqlite_sequence" in command for command in none.wrangler.commands)
