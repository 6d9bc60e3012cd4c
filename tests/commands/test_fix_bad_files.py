"""Files that `fix` must not touch, or not as they are by then: nothing is half-written."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands.real_records import CONFIG
from d1_preflight.adapters.rewritten_file import read_rewritable, write_rewrite
from d1_preflight.core.errors import UsageError
from lint.running import POSTS, REBUILD, USERS, folder, preflight
from plain.terminal import Terminal

FILES = {
    "wrangler.jsonc": CONFIG,
    "migrations/0001_make_users.sql": USERS + POSTS,
    "migrations/0002_rebuild_users.sql": REBUILD,
}
PATH = "migrations/0002_rebuild_users.sql"
LATER = f"{REBUILD}-- and a line that somebody else wrote\n"
WRITE = ("--write", "--unapplied")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(folder(tmp_path / "project", FILES))
    yield tmp_path / "project"
    left = [path.name for path in (tmp_path / "project" / "migrations").iterdir()]
    assert not [name for name in left if not name.endswith(".sql")]


@pytest.mark.matrix  # the suite has it without a terminal, below
def test_a_file_that_changes_while_the_question_stands_is_not_written(project: Path) -> None:
    argv = [sys.executable, "-m", "d1_preflight", "fix", PATH, "--unapplied"]
    terminal = Terminal(argv, project, os.environ)
    try:
        terminal.wait_for("Type yes")
        (project / PATH).write_text(LATER)
        terminal.type("yes\n")
        terminal.wait_for("was changed meanwhile")
    finally:
        terminal.kill()

    assert (project / PATH).read_text() == LATER
    assert not (project / ".preflight").exists()


def test_a_file_that_changes_before_the_writing_takes_its_further_files_along(
    project: Path,
) -> None:
    path, new = project / PATH, project / "migrations" / "0003_more.sql"
    before = read_rewritable(path)
    path.write_text(LATER)

    with pytest.raises(UsageError, match="changed meanwhile"):
        write_rewrite(path, before, "SELECT 1;", project / ".preflight", [(new, "SELECT 2;")])

    assert path.read_text() == LATER
    assert not new.exists()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (REBUILD.encode("utf-16"), "not UTF-8"),
        (f"-- caf\xe9\n{REBUILD}".encode("latin-1"), "not UTF-8"),
        (b"", "no rewrite"),
    ],
)
def test_other_bytes_stay_as_they_are(project: Path, data: bytes, said: str) -> None:
    (project / PATH).write_bytes(data)

    ran = preflight("fix", PATH, *WRITE)

    assert said in ran.err
    assert (project / PATH).read_bytes() == data


def test_fifty_megabytes_are_refused_before_they_are_read(project: Path) -> None:
    with (project / PATH).open("ab") as file:
        file.truncate(50_000_000)

    ran = preflight("fix", PATH, *WRITE)

    assert (ran.code, "longer than 10,000,000 bytes" in ran.err) == (2, True)
    assert (project / PATH).stat().st_size == 50_000_000


def test_a_folder_that_a_link_leads_out_of_the_tree_is_not_written(project: Path) -> None:
    outside = project.parent / "outside"
    (project / "migrations").rename(outside)
    (project / "migrations").symlink_to(outside)

    ran = preflight("fix", PATH, *WRITE)

    assert ran.code == 2
    assert "outside of" in ran.err
    assert (outside / "0002_rebuild_users.sql").read_text() == REBUILD


def test_a_file_that_goes_while_it_is_fixed_is_not_made_again(project: Path) -> None:
    before = read_rewritable(project / PATH)
    (project / PATH).unlink()

    with pytest.raises(UsageError):
        write_rewrite(project / PATH, before, "SELECT 1;", project / ".preflight")

    assert not (project / PATH).exists()


@pytest.mark.parametrize("mark", ["\ufeff", ""])
def test_mixed_line_ends_and_a_mark_leave_the_rest_as_it_was(project: Path, mark: str) -> None:
    text = f"{mark}-- one\r\n-- two\n{REBUILD}"
    (project / PATH).write_bytes(text.encode())

    ran = preflight("fix", PATH, "--rule", "cascade-delete", *WRITE)

    data = (project / PATH).read_bytes().decode()
    assert ran.code == 0, ran.err
    assert data.startswith(f"{mark}-- one\r\n-- two\n")
    assert "_park_posts" in data
