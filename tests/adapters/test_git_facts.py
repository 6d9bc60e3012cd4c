"""What git knows of a project: the commit, changes, what is ignored, who works here."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from d1_preflight.adapters.git.facts import GitFacts, is_ignored, operator_identity, read_git
from d1_preflight.adapters.system import machine_user


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    (tmp_path / "gitconfig").write_text("[user]\nname = Ana\nemail = ana@example.com\n")
    folder = tmp_path / "shop"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / ".gitignore").write_text(".preflight/\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "Begin")
    return folder


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(("git", *words), cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_a_clean_repository_is_told_as_clean(repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    assert read_git(repository) == GitFacts(commit, is_dirty=False)


def test_a_new_file_makes_it_dirty(repository: Path) -> None:
    (repository / "new.sql").write_text("")
    assert read_git(repository).is_dirty is True


def test_without_a_repository_dirtiness_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    facts = read_git(tmp_path)
    assert (facts.commit, facts.is_dirty) == ("", None)
    assert is_ignored(tmp_path / "x") is None


def test_a_git_that_hangs_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = tmp_path / "bin" / "git"
    hanging.parent.mkdir()
    shop = tmp_path / "shop"
    shop.mkdir()
    hanging.write_text(f"#!/bin/sh\necho call >> '{tmp_path}/calls'\n/bin/sleep 600\n")
    hanging.chmod(0o755)
    monkeypatch.setenv("PATH", str(hanging.parent))
    began = time.monotonic()
    for _ in range(3):
        assert read_git(shop, 0.3) == GitFacts(silence="git gave no answer within 0.3 s")
        assert operator_identity(shop) == machine_user()
    assert time.monotonic() - began < 4
    assert (tmp_path / "calls").read_text() == "call\n"


def test_an_ignored_folder_is_known_to_be(repository: Path) -> None:
    (repository / ".preflight").mkdir()
    assert is_ignored(repository / ".preflight") is True
    assert is_ignored(repository / "src") is False


def test_the_operator_is_gits_address_else_the_machines_user(
    repository: Path, tmp_path: Path
) -> None:
    assert operator_identity(repository) == "ana@example.com"
    (tmp_path / "gitconfig").write_text("")
    assert operator_identity(repository) == machine_user()
    assert machine_user().count("@") == 1
