"""The door to git, the bound on what it says, and which programs may be it."""

import os
import sys
from pathlib import Path

import pytest

from commands.hostile import commit, git, write
from d1_preflight.adapters.git.base_revision import BaseRevision
from d1_preflight.adapters.git.checkout import checkout_of, folders_outside, program_outside
from d1_preflight.adapters.git.door import TOO_LONG, ask_bounded, git_around
from d1_preflight.adapters.git.facts import git_setting, read_git
from d1_preflight.adapters.processes import MISSING, TOO_SLOW
from d1_preflight.adapters.ssh.keys import find_keys, ssh_keygen
from d1_preflight.core.errors import ProjectError, UsageError
from sampling import sampled


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    root = tmp_path / "shop"
    write(root, {"db/0001_a.sql": "SELECT 1;\n"})
    git(root, "init", "-q", "-b", "main")
    commit(root, "begin")
    return root


def test_what_says_too_much_is_ended() -> None:
    answer = ask_bounded(
        sys.executable, "-c", "while True: print('x' * 4096)",
        cwd=Path("/"), environ={}, most=100_000,
    )  # fmt: skip
    assert (answer.exit_code, answer.out) == (TOO_LONG, b"")
    assert answer.reason == "more than 100,000 bytes"


def test_what_does_not_end_is_ended_with_what_it_started() -> None:
    words = ("-c", "import subprocess; subprocess.run(['sleep', '600'])")
    environ = {"PATH": os.environ["PATH"]}
    answer = ask_bounded(sys.executable, *words, cwd=Path("/"), environ=environ, timeout=0.5)
    assert answer.exit_code == TOO_SLOW


def test_what_is_given_and_said_arrives_whole() -> None:
    given = b"x" * 300_000
    words = ("-c", "import sys; d = sys.stdin.buffer.read(); sys.stdout.buffer.write(d)")
    answer = ask_bounded(sys.executable, *words, cwd=Path("/"), environ={}, stdin=given)
    assert (answer.exit_code, answer.out) == (0, given)


def test_a_word_that_is_none_starts_nothing() -> None:
    assert ask_bounded("x\0y", cwd=Path("/"), environ={}).exit_code == MISSING


def test_the_checkout_begins_where_git_is_not_where_it_looks_like_it(tmp_path: Path) -> None:
    root = tmp_path / "ci"
    write(root, {"db/HEAD": "ref: refs/heads/main\n", "db/refs/x": "", "db/objects/x": ""})
    assert checkout_of(root / "db") is None
    (root / ".git").mkdir()
    assert checkout_of(root / "db") == root
    assert checkout_of(root / "db" / "not" / "there") == root


def test_a_link_leads_into_no_other_checkout(tmp_path: Path) -> None:
    for name in ("ci", "other"):
        write(tmp_path / name, {".git/HEAD": "", "db/x": ""})
    (tmp_path / "ci" / "link").symlink_to(tmp_path / "other")
    assert checkout_of(tmp_path / "ci" / "link") == tmp_path / "ci"
    assert checkout_of(tmp_path / "ci" / "link" / "db") == tmp_path / "ci"
    (tmp_path / "way").symlink_to(tmp_path / "ci" / "db")
    assert checkout_of(tmp_path / "way") == tmp_path / "ci"


def test_programs_of_the_checkout_and_of_no_fixed_place_are_none(tmp_path: Path) -> None:
    own, theirs = tmp_path / "bin", tmp_path / "ci" / "bin"
    for folder in (own, theirs):
        write(folder, {"git": ""})
        (folder / "git").chmod(0o755)
    (tmp_path / "link").symlink_to(theirs)
    path = f"{theirs}:{tmp_path / 'link'}::.:bin:{tmp_path}/bin/../ci/bin:{own}"
    environ = {"PATH": path, "HOME": str(tmp_path / "home")}
    assert program_outside("git", environ, tmp_path / "ci") == own / "git"
    assert list(folders_outside(environ, tmp_path / "ci")) == [own]
    in_home = {**environ, "HOME": str(tmp_path / "ci" / "home")}
    assert program_outside("git", in_home, tmp_path / "ci") == theirs / "git"


def test_ssh_keygen_of_the_checkout_verifies_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {".git/HEAD": "", "bin/ssh-keygen": "#!/bin/sh\necho yes\n"})
    (tmp_path / "bin" / "ssh-keygen").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ProjectError, match="ssh-keygen is missing"):
        ssh_keygen("-l")


@pytest.mark.parametrize("name", sampled(["-oX", "--help", "-", "-D/tmp/evil.so"], 2))
def test_a_signing_key_named_like_an_option_is_a_file(repository: Path, name: str) -> None:
    git(repository, "config", "gpg.format", "ssh")
    git(repository, "config", "user.signingkey", name)
    environ = {"PATH": os.environ["PATH"], "HOME": str(repository.parent / "home")}
    with pytest.raises(ProjectError, match="which does not exist"):
        find_keys(project=repository, environ=environ)


def test_a_planted_repository_names_no_person_and_no_key(tmp_path: Path) -> None:
    config = "[user]\n\temail = stranger@example.com\n\tsigningkey = evil\n"
    write(tmp_path, {"HEAD": "ref: refs/heads/main\n", "objects/x": "", "refs/x": ""})
    write(tmp_path, {"config": config})
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "home")}
    assert git_setting(tmp_path, "user.email", environ) == ""
    assert git_setting(tmp_path, "user.signingkey", environ) == ""


def test_another_persons_repository_is_refused_and_names_nobody(repository: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    git(repository, "config", "user.email", "stranger@example.com")
    for path in (repository, *repository.rglob("*")):
        os.chown(path, 12345, 12345)
    assert "dubious ownership" in read_git(repository).silence
    assert git_setting(repository, "user.email", os.environ) == ""
    with pytest.raises(UsageError, match="dubious ownership"):
        BaseRevision("main").files(repository / "db")


def test_a_mark_that_leads_nowhere_is_no_repository(tmp_path: Path) -> None:
    for words in ("gitdir: nowhere\n", "nonsense", ""):
        write(tmp_path, {".git": words})
        assert git_around(tmp_path).git_dir is None
        with pytest.raises(UsageError):
            BaseRevision("main").files(tmp_path)


def test_a_repository_with_long_object_names_is_read(tmp_path: Path) -> None:
    root = tmp_path / "long"
    write(root, {"db/0001_a.sql": "SELECT 1;\n"})
    git(root, "init", "-q", "-b", "main", "--object-format=sha256")
    commit(root, "begin")
    [name] = BaseRevision("main").files(root / "db").values()
    assert len(name) == 64
    assert BaseRevision("main").text_of(root / "db" / "0001_a.sql", b"x") == b"SELECT 1;\n"
