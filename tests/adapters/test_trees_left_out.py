"""What a tree of source does not hold, although it is there, is said as left out."""

import os
import subprocess
from pathlib import Path

import pytest

from code_in_memory import NoCache
from d1_preflight.adapters.git.revision_tree import revision_tree
from d1_preflight.adapters.working_tree import working_tree
from d1_preflight.code.project_code import read_code
from d1_preflight.code.source import Scope

QUERY = "db.prepare('SELECT 1')"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.ts").write_text(f"{QUERY} // {name}")
    (tmp_path / "picture.png").write_text("not asked for")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", "one")
    return tmp_path


def git(folder: Path, *words: str) -> str:
    argv = ("git", "-C", str(folder), *words)
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


def is_source(path: str) -> bool:
    return path.endswith(".ts")


@pytest.mark.parametrize("in_git", [True, False])
def test_more_files_than_a_working_tree_takes(repository: Path, in_git: bool) -> None:
    if not in_git:
        (repository / ".git").rename(repository.parent / "elsewhere")

    tree = working_tree(repository, is_source, most_files=2)

    assert len(tree.blobs) == 2
    assert tree.notes[-1] == "more than 2 files here: the rest is left out"
    assert read_code(tree, Scope(), NoCache()).left_out == 1


def test_more_files_than_a_revision_takes(repository: Path) -> None:
    tree = revision_tree(repository, "HEAD", is_source, most_files=3)

    assert len(tree.blobs) == 3
    assert tree.notes == ("more than 3 files at HEAD: the rest is left out",)
    assert read_code(tree, Scope(), NoCache()).left_out == 1


def test_exactly_as_many_files_as_are_taken_leave_nothing_out(repository: Path) -> None:
    assert revision_tree(repository, "HEAD", is_source, most_files=4).notes == ()
    assert working_tree(repository, is_source, most_files=4).notes == ()


def test_files_whose_bytes_a_clone_does_not_have(repository: Path) -> None:
    for name in ("b.ts", "c.ts", "picture.png"):
        blob = git(repository, "rev-parse", f"HEAD:{name}")
        (repository / ".git" / "objects" / blob[:2] / blob[2:]).unlink()

    tree = revision_tree(repository, "HEAD", is_source)

    assert set(tree.blobs) == {"a.ts"}
    assert tree.notes == ("2 files at HEAD are not in this clone: left out",)
    assert read_code(tree, Scope(), NoCache()).left_out == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_that_may_not_be_read(repository: Path) -> None:
    (repository / "b.ts").chmod(0)

    tree = working_tree(repository, is_source)

    assert tree.notes == ("b.ts could not be read: left out",)
    assert read_code(tree, Scope(), NoCache()).left_out == 1
