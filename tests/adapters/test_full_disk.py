"""A full disk, a read-only one, a folder in a file's place: each is words, and files stay whole."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from d1_preflight.adapters.local import LocalDatabases
from d1_preflight.adapters.localdb import Contents, create, duplicate
from d1_preflight.adapters.locks import Lock, take
from d1_preflight.adapters.row_copies import RowCopyWriter
from d1_preflight.adapters.ssh.allowed_signers import allow_signer
from d1_preflight.adapters.store import RecordStore, write_durably
from d1_preflight.adapters.wrangler.evidence import EvidenceFolder
from d1_preflight.adapters.wrangler.redaction import Redactor
from d1_preflight.core.errors import ProjectError, RecordBusy
from d1_preflight.core.rows.codec import Row
from d1_preflight.core.schema.schema import Schema
from d1_preflight.core.schema.table import Table, read_tables
from local_copies import copy_table

BIG = b"x" * 200_000
TABLE = "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT)"


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KB."""
    folder = tmp_path / "small"
    folder.mkdir()
    words = ("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder))
    if subprocess.run(words, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root can make a small disk")
    yield folder
    subprocess.run(("umount", "-l", str(folder)), check=True)


def fill(folder: Path) -> None:
    """Leave no byte of room."""
    with (folder / "filler").open("wb", buffering=0) as file:
        while True:
            try:
                file.write(b"x" * 4096)
            except OSError:
                return


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "big.sqlite"
    connection = apsw.Connection(str(path))
    connection.execute(TABLE)
    connection.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 3000)"
        " INSERT INTO t SELECT i, hex(randomblob(50)) FROM n"
    )
    connection.close()
    return path


def table_of(path: Path) -> Table:
    connection = apsw.Connection(str(path))
    (table,) = read_tables(connection)
    connection.close()
    return table


def test_a_file_that_has_no_room_leaves_the_old_one_whole(small: Path) -> None:
    write_durably(small / "record.toml", b"old")
    with pytest.raises(ProjectError, match="The disk is full") as raised:
        write_durably(small / "record.toml", BIG)
    assert "is unchanged. Make room" in raised.value.hint
    assert (small / "record.toml").read_bytes() == b"old"
    assert [path.name for path in small.iterdir()] == ["record.toml"]


def test_a_record_without_room_is_said(small: Path, tmp_path: Path) -> None:
    store = RecordStore(small / "a/b", tmp_path / "lock")
    with pytest.raises(ProjectError, match="The disk is full"):
        store.write("go.toml", BIG)
    assert store.read("go.toml") is None


def test_a_lock_is_taken_on_a_full_disk_as_well(small: Path) -> None:
    (small / "lock").touch()
    fill(small)
    store = RecordStore(small, small / "lock").acquire()
    with pytest.raises(RecordBusy):
        RecordStore(small, small / "lock").acquire()
    store.release()


def test_who_may_sign_is_never_written_by_half(small: Path) -> None:
    signers = small / "allowed_signers"
    signers.write_text("# the team\n" + "# more\n" * 4000)
    before = signers.read_bytes()
    fill(small)
    with pytest.raises(ProjectError, match="The disk is full"):
        allow_signer(signers, "ana@example.com", "ssh-ed25519 AAAA", ("go",))
    assert signers.read_bytes() == before


def test_evidence_without_room_stays_raw_until_there_is_some(small: Path, tmp_path: Path) -> None:
    folder = EvidenceFolder(small / "evidence", tmp_path / "raw", Redactor())
    with folder.open("01-x", "out") as file:
        file.write(BIG)
    folder.note("01-x", ("d1", "list"))
    with pytest.raises(ProjectError, match="The disk is full") as raised:
        folder.keep("01-x")
    assert raised.value.hint.startswith("The command has run")
    assert (tmp_path / "raw/01-x.out").stat().st_size == len(BIG)
    assert not list((small / "evidence").iterdir())


def test_a_command_whose_output_has_no_room_is_not_run(small: Path) -> None:
    fill(small)
    folder = EvidenceFolder(small / "evidence", small / "raw", Redactor())
    with pytest.raises(ProjectError) as raised:
        folder.note("01-x", ("d1", "list"))
    assert raised.value.hint.startswith("The command was not run")


def test_rows_that_arrive_without_room_are_no_copy(small: Path, database: Path) -> None:
    table = table_of(database)

    def write() -> None:
        writer = RowCopyWriter(small / "0001.rows", table)
        writer.add(Row(n, (n, "x" * 100)) for n in range(3000))
        writer.close()

    with pytest.raises(ProjectError, match="The disk is full"):
        write()


def test_a_local_database_without_room_is_not_left_by_half(
    small: Path, tmp_path: Path, database: Path
) -> None:
    copy = copy_table(database, table_of(database), tmp_path / "0001.rows")
    connection = apsw.Connection(str(database))
    schema = Schema.from_connection(connection)
    connection.close()
    with pytest.raises(ProjectError, match="The disk is full"):
        create(small / "made.sqlite", Contents(schema, (copy,)))
    with pytest.raises(ProjectError, match="The disk is full"):
        duplicate(database, small / "copy.sqlite")
    assert list(small.iterdir()) == []


def test_an_export_that_finds_no_room_is_not_called_one_that_does_not_load(
    small: Path, tmp_path: Path
) -> None:
    rows = ", ".join(f"({n}, '{'x' * 100}')" for n in range(2000))
    dump = tmp_path / "export.sql"
    dump.write_text(f"{TABLE}; INSERT INTO t VALUES {rows};")
    with pytest.raises(ProjectError, match="The disk is full"):
        LocalDatabases("an-id").load_dump(small / "d1", dump)
    assert LocalDatabases("an-id").load_dump(tmp_path / "d1", dump) == ""
    assert "cannot be read" in LocalDatabases("an-id").load_dump(tmp_path / "d1", tmp_path / "gone")


def test_a_folder_in_the_locks_place_is_said(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    with pytest.raises(ProjectError, match="cannot be locked: Is a directory") as raised:
        take(tmp_path / "lock")
    assert raised.value.hint.startswith("Nothing was started")
    with pytest.raises(ProjectError):
        RecordStore(tmp_path / "record", tmp_path / "lock").acquire()
    with pytest.raises(ProjectError):
        Lock.is_held(tmp_path / "lock")


def test_a_read_only_disk_is_said(small: Path) -> None:
    subprocess.run(("mount", "-o", "remount,ro", str(small)), check=True)
    for act in (
        lambda: write_durably(small / "x", b"x"),
        lambda: take(small / "lock"),
        lambda: RecordStore(small / "record", small / "locks/lock").acquire(),
        lambda: EvidenceFolder(small / "e", small / "raw", Redactor()).note("1-x", ("d1",)),
    ):
        with pytest.raises(ProjectError, match="Read-only file system"):
            act()


def test_a_folder_in_the_records_place_is_said(tmp_path: Path) -> None:
    (tmp_path / "record.toml").mkdir()
    store = RecordStore(tmp_path, tmp_path / "lock")
    with pytest.raises(ProjectError, match="cannot be read"):
        store.load()
    with pytest.raises(ProjectError, match="cannot be written"):
        write_durably(tmp_path / "record.toml", b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["record.toml"]
