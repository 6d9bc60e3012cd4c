"""`restore` says where its SQL cannot go, and leaves no half of it."""

from pathlib import Path

import apsw
import pytest

from d1_preflight.adapters.row_copies import write_restore
from d1_preflight.cli import main
from d1_preflight.commands.restore import _make_room
from d1_preflight.core.errors import UsageError
from d1_preflight.core.schema.schema import Schema
from d1_preflight.core.schema.table import read_tables
from local_copies import copy_table


def test_an_output_whose_folder_is_missing_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a folder") as raised:
        _make_room(tmp_path / "missing" / "dir" / "x.sql", named=True)
    assert raised.value.hint.startswith("Make it")
    assert raised.value.exit_code == 2


def test_an_output_that_is_there_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "link.sql").symlink_to("nowhere")
    for name in (".", "link.sql"):
        with pytest.raises(UsageError, match="exists already"):
            _make_room(tmp_path / name, named=True)


def test_half_a_restore_is_not_left_behind(tmp_path: Path) -> None:
    path = tmp_path / "shop.sqlite"
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE t(v); INSERT INTO t VALUES (1)")
    schema, (table,) = Schema.from_connection(connection), read_tables(connection)
    connection.close()
    copy = copy_table(path, table, tmp_path / "0001.rows")
    copy.path.write_bytes(b"no copy")

    with pytest.raises(apsw.Error):
        write_restore(tmp_path / "restore.sql", [copy], schema)

    assert not (tmp_path / "restore.sql").exists()


def test_a_command_that_the_machine_refuses_ends_in_words(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    assert main(["lint"]) == 2

    assert "next:" in capsys.readouterr().err
