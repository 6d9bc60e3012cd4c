"""A backup that is gone, or is not the one that was written, holds the apply and the restore."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import apsw
import pytest

from d1_preflight.actions.context import Environment
from d1_preflight.actions.table_restore import opened_copy
from d1_preflight.adapters.local import LocalDatabases
from d1_preflight.core.errors import NotAllowed, PreflightError, RecordInvalid
from d1_preflight.core.record.safety_facts import BackupTable
from local_copies import copy_rows


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    connection = apsw.Connection(str(tmp_path / "shop.sqlite"))
    connection.execute("CREATE TABLE a(v); CREATE TABLE b(v); INSERT INTO a VALUES (1), (2)")
    connection.close()
    copy_rows(tmp_path / "shop.sqlite", ["a", "b"], tmp_path / "backup")
    return tmp_path / "backup"


def environment(root: Path) -> Environment:
    project = SimpleNamespace(root=root)
    return cast("Environment", SimpleNamespace(project=project, local=LocalDatabases("id-1")))


def entry(backup: Path) -> BackupTable:
    copy = LocalDatabases("id-1").open_copy(backup / "0001.rows")
    return BackupTable(table="a", rows=2, file="backup/0001.rows", sha256=copy.sha256)


def test_the_backup_that_was_written_is_opened(backup: Path) -> None:
    assert opened_copy(environment(backup.parent), entry(backup)).rows == 2


def lose(file: Path) -> None:
    file.unlink()


def empty(file: Path) -> None:
    file.write_bytes(b"")


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def swap(file: Path) -> None:
    (file.parent / "0002.rows").replace(file)


def change_a_row(file: Path) -> None:
    connection = apsw.Connection(str(file))
    connection.execute("UPDATE rows SET v = 3 WHERE v = 2")
    connection.close()


def make_a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def lead_nowhere(file: Path) -> None:
    file.unlink()
    file.symlink_to(file.parent / "gone.rows")


@pytest.mark.parametrize(
    ("happens", "refusal"),
    [
        (lose, RecordInvalid), (make_a_folder, RecordInvalid), (lead_nowhere, RecordInvalid),
        (empty, RecordInvalid), (cut, PreflightError), (swap, NotAllowed),
        (change_a_row, NotAllowed),
    ],
)  # fmt: skip
def test_another_file_than_the_one_that_was_written_is_refused(
    happens: object, refusal: type[PreflightError], backup: Path
) -> None:
    written = entry(backup)

    happens(backup / "0001.rows")  # type: ignore[operator]  # one of the functions above

    with pytest.raises(refusal) as refused:
        opened_copy(environment(backup.parent), written)
    assert refused.value.exit_code != 3  # a step that fails so is failed, not unknown
