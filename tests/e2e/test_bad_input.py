"""Bad input at the command line: a sentence, the next step, the right exit code, no traceback."""

import os
import shutil
import subprocess
import sys
from contextlib import chdir
from pathlib import Path

import pytest

from commands.real_records import CONFIG, make_checkout
from d1_preflight.project_context import open_context
from lint import running

SQL = (
    "-- Migration: 0001_create_users_table\n-- Description: users\n-- Type: Additive\n"
    "-- Rollback: DROP TABLE users\nCREATE TABLE users (id INTEGER PRIMARY KEY);\n"
)
NAME = "0001_create_users_table.sql"
Ended = subprocess.CompletedProcess[str]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "migrations").mkdir(parents=True)
    (folder / "wrangler.jsonc").write_text(CONFIG)
    (folder / "migrations" / NAME).write_text(SQL)
    return folder


@pytest.fixture(autouse=True)
def bare_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No credentials, and nothing in the home."""
    for name in os.environ:
        if not name.startswith(("PYTEST_", "PYTHONPATH", "PREFLIGHT_NO_CACHE")):
            monkeypatch.delenv(name)
    for name, value in _environ(tmp_path / "home").items():
        monkeypatch.setenv(name, value)


def preflight(folder: Path, *words: str) -> Ended:
    """The command line in this process: what a start adds, `started` shows."""
    with chdir(folder):
        ran = running.preflight(*words)
    return subprocess.CompletedProcess(words, ran.code, ran.out, ran.err)


def started(folder: Path, *words: str) -> Ended:
    """The program as another process."""
    return subprocess.run(
        (sys.executable, "-m", "d1_preflight", *words), cwd=folder, text=True, check=False,
        stdin=subprocess.DEVNULL, capture_output=True, env=_environ(folder.parent / "home"),
    )  # fmt: skip


def assert_told(ended: Ended, code: int, *words: str) -> None:
    told = ended.stdout + ended.stderr
    assert "Traceback" not in told, told
    assert ended.returncode == code, told
    assert [word for word in words if word not in told] == [], told


def write_wrangler(folder: Path, version: str) -> None:
    package = folder / "node_modules" / "wrangler"
    (package / "bin").mkdir(parents=True)
    (package / "bin" / "wrangler.js").touch()
    (package / "package.json").write_text(
        f'{{"name": "wrangler", "version": "{version}", "bin": {{"wrangler": "bin/wrangler.js"}}}}'
    )


def test_no_wrangler(project: Path) -> None:
    assert_told(preflight(project, "doctor"), 1, "wrangler was not found", "npm install")


def test_an_old_wrangler(project: Path) -> None:
    write_wrangler(project, "3.9.0")

    assert_told(preflight(project, "doctor"), 1, "3.9.0", "too old", "wrangler@latest")


def test_no_token(project: Path) -> None:
    assert_told(preflight(project, "doctor"), 1, "no API token is set", "CLOUDFLARE_API_TOKEN")


@pytest.mark.parametrize("words", [("run", "0001"), ()])
def test_no_configuration(project: Path, words: tuple[str, ...]) -> None:
    (project / "wrangler.jsonc").unlink()

    assert_told(preflight(project, *words), 2, "No wrangler configuration", "--config")


@pytest.mark.parametrize("words", [("lint",), ("new", "add users email")])
def test_what_needs_no_configuration(project: Path, words: tuple[str, ...]) -> None:
    (project / "wrangler.jsonc").unlink()
    assert_told(preflight(project, *words), 0)

    shutil.rmtree(project / "migrations")
    assert_told(preflight(project, *words), 2, "No wrangler configuration", "--config")


def test_a_configuration_that_cannot_be_read(project: Path) -> None:
    (project / "wrangler.jsonc").write_text('{"d1_databases": [')

    assert_told(preflight(project, "run", "0001"), 2, "wrangler.jsonc", "next:")


@pytest.mark.parametrize("words", [(), ("lint",), ("run", "0001")])
def test_an_unknown_database(project: Path, words: tuple[str, ...]) -> None:
    ended = preflight(project, *words, "--database", "nope")

    assert_told(ended, 2, '"nope"', "It has: marketplace-production")


def test_no_migrations(project: Path) -> None:
    (project / "migrations" / NAME).unlink()

    assert_told(preflight(project, "lint"), 2, "No migrations in", "preflight new")
    assert_told(preflight(project, "run", "0001"), 2, "no migration '0001'")


def test_two_migrations_of_one_number(project: Path) -> None:
    (project / "migrations" / "0001_create_teams_table.sql").write_text("SELECT 1;\n")

    ended = preflight(project, "run", "0001")

    assert_told(ended, 2, "0001_create_teams_table.sql, 0001_create_users_table.sql", "in full")
    assert_told(preflight(project, "lint"), 0, "warning[duplicate-number]", "next free number")


def test_a_file_that_is_not_utf_8(project: Path) -> None:
    (project / "migrations" / "0002_add_cafe_table.sql").write_bytes(b"CREATE TABLE caf\xe9 (id);")

    assert_told(preflight(project, "lint"), 1, "0002_add_cafe_table.sql", "UTF-8")


def test_a_down_file_that_wrangler_would_apply(project: Path) -> None:
    (project / "migrations" / "0002_create_users_table.down.sql").write_text("DROP TABLE users;\n")

    assert_told(preflight(project, "lint"), 1, "0002_create_users_table.down.sql", "down")


def test_no_terminal(project: Path) -> None:
    assert_told(preflight(project), 2, "terminal", "--plain")
    assert_told(preflight(project, "run", "0001"), 2, "terminal", "--plain")
    assert_told(preflight(project, "run", "0001", "--plain"), 2, "no terminal")


def test_a_damaged_record(tmp_path: Path) -> None:
    checkout = make_checkout(tmp_path / "project", tmp_path / "keys")
    (checkout.folder / "record.toml").write_text("x = [")

    assert_told(preflight(checkout.root, "verify"), 4, "damaged", "restore it from git")
    assert_told(preflight(checkout.root, "show", "0057"), 4, "damaged")


@pytest.mark.parametrize(
    ("file", "data", "code"),
    [
        ("checklists/allowed_signers", b"\xff", 4),
        ("preflight.toml", b"\xff", 2),
        ("preflight.toml", b"go_minutes = " + b"9" * 5000, 2),
        ("preflight.toml", b"x = " + b"[" * 3000, 2),
        ("checklists/marketplace-production/0057_add_team_billing/record.toml", b"\xff", 4),
        ("checklists/marketplace-production/0057_add_team_billing/record.toml",
         b"schema = " + b"9" * 5000, 4),
    ],
    ids=["signers", "settings", "a long number", "deep settings", "record", "a record's number"],
)  # fmt: skip
def test_a_file_of_the_project_that_is_no_text(
    tmp_path: Path, file: str, data: bytes, code: int
) -> None:
    checkout = make_checkout(tmp_path / "project", tmp_path / "keys")
    (checkout.root / file).write_bytes(data)

    assert_told(preflight(checkout.root, "verify"), code)
    if code == 2:
        assert_told(preflight(checkout.root, "show", "0057"), code, "next:")


def test_a_configuration_with_a_number_without_end(project: Path) -> None:
    (project / "wrangler.jsonc").write_text('{"name": ' + "9" * 5000 + "}")

    assert_told(preflight(project, "run", "0001"), 2, "a number is too long", "next:")


@pytest.mark.parametrize("file", ["preflight.toml", "wrangler.jsonc"])
def test_a_folder_in_a_files_place(project: Path, file: str) -> None:
    (project / file).unlink(missing_ok=True)
    (project / file).mkdir()

    assert_told(preflight(project, "run", "0001"), 2, "next:")


def test_a_name_that_no_file_can_have(project: Path) -> None:
    for words in (("verify", "x" * 5000), ("show", "x" * 300), ("lint", "x" * 5000)):
        assert_told(preflight(project, *words), 2, "next:")


@pytest.mark.parametrize("command", ["show", pytest.param("verify", marks=pytest.mark.matrix)])
def test_a_folder_whose_name_is_not_utf_8(tmp_path: Path, command: str) -> None:
    checkout = make_checkout(tmp_path / "project", tmp_path / "keys")
    odd = tmp_path / os.fsdecode(b"caf\xe9")
    shutil.move(checkout.folder, odd)

    assert_told(started(checkout.root, command, str(odd)), 0 if command == "show" else 4)


def test_output_that_has_no_room(tmp_path: Path) -> None:
    checkout = make_checkout(tmp_path / "project", tmp_path / "keys")
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            (sys.executable, "-m", "d1_preflight", "show", "0057"), cwd=checkout.root, text=True,
            stdout=full, stderr=subprocess.PIPE, check=False,
            env=_environ(tmp_path / "home"),
        )  # fmt: skip

    assert ended.stderr.splitlines()[-2:] == [
        "preflight: The record could not be written: No space left on device.",
        "  next: Make room, or pipe it.",
    ]
    assert ended.returncode == 2


@pytest.mark.matrix  # the suite has it below the face: adapters/test_full_disk
def test_a_lock_that_is_a_folder(project: Path) -> None:
    context = open_context(start=project, environ={})
    context.store(NAME).acquire().release()
    (lock,) = context.workspace(NAME).parent.glob("*.lock")
    lock.unlink()
    lock.mkdir()

    assert_told(_run_plain(project, "0001"), 2, "cannot be locked", "next:")


@pytest.mark.matrix  # the suite has it below the face: session/test_refusals
def test_a_record_of_another_database(tmp_path: Path) -> None:
    checkout = make_checkout(tmp_path / "project", tmp_path / "keys")
    config = checkout.root / "wrangler.jsonc"
    config.write_text(config.read_text().replace("a1b2c3d4-0000", "ffffffff-0000"))
    ended = _run_plain(checkout.root, "0057")

    assert_told(ended, 1, "another database", "a1b2c3d4-0000", "ffffffff-0000", "next:")


@pytest.mark.matrix  # the suite has it below the face: adapters/test_store
def test_a_second_operator_on_the_same_record(project: Path) -> None:
    held = open_context(start=project, environ={}).store(NAME).acquire()
    try:
        ended = _run_plain(project, "0001")
    finally:
        held.release()

    assert_told(ended, 1, "Another session", "next:")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write into every folder")
def test_a_read_only_project(project: Path) -> None:
    project.chmod(0o555)
    try:
        ended = preflight(project, "new", "add users email")
    finally:
        project.chmod(0o755)

    assert_told(ended, 2, "next:")


def _run_plain(folder: Path, name: str) -> Ended:
    """With a terminal that answers nothing: `script` lends one."""
    if shutil.which("script") is None:
        pytest.skip("script (util-linux) is not installed here")
    words = f"{sys.executable} -m d1_preflight run {name} --plain"
    environ = _environ(folder.parent / "home")
    return subprocess.run(
        ("script", "-qec", words, "/dev/null"), cwd=folder, env=environ, text=True, check=False,
        stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
    )  # fmt: skip


def _environ(home: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
    return {"HOME": str(home), "PATH": "/usr/bin:/bin", **kept}
