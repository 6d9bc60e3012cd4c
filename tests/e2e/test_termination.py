"""SIGTERM ends a face as Ctrl-C does: the terminal is given back, and the exit code says it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands.real_records import CONFIG
from plain.terminal import Terminal

# The shell around the program tells how it ended, and how it left the terminal.
AROUND = (
    """sh -c 'echo $$ >pid; exec "$0" -m d1_preflight "$@"' "$0" "$@"; echo "code $?"; stty -a"""
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "wrangler.jsonc").write_text(CONFIG)
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "0001_add_users.sql").write_text("CREATE TABLE users(id INTEGER);\n")
    return tmp_path


@pytest.fixture
def opened() -> Iterator[list[Terminal]]:
    terminals: list[Terminal] = []
    yield terminals
    for terminal in terminals:
        terminal.kill()


@pytest.mark.parametrize(
    ("words", "seen", "key"),
    [((), "0001", "?"),  # the others end as the board does
     pytest.param(("run", "0001", "--plain"), "quit", "j", marks=pytest.mark.matrix),
     pytest.param(("init",), "What is the team called?", "x", marks=pytest.mark.matrix),  # as plain
     pytest.param(("run", "0001"), "0001", "?", marks=pytest.mark.matrix)],  # the board's own app
)  # fmt: skip
def test_sigterm_leaves_the_terminal_sane(
    project: Path,
    opened: list[Terminal],
    words: tuple[str, ...],
    seen: str,
    key: str,
) -> None:
    home = {"HOME": str(project / "home"), "TERM": "xterm", "LANG": "C.UTF-8"}
    env = {k: os.environ[k] for k in ("PATH", "PYTHONPATH") if k in os.environ} | home
    terminal = Terminal(("sh", "-c", AROUND, sys.executable, *words), project, env)
    opened.append(terminal)
    terminal.wait_for(seen)
    before = len(terminal.shown)
    terminal.type(key)  # what answers a key is within its loop
    if key == "?":
        terminal.wait_for("Esc back")
    else:
        terminal.wait_until(lambda: len(terminal.shown) > before)

    os.kill(int((project / "pid").read_text()), signal.SIGTERM)

    terminal.wait_for("code 143")
    terminal.end()
    left = terminal.shown.rpartition("code 143")[2].split()
    assert {"icanon", "echo", "isig"} <= set(left)
    assert "Traceback" not in terminal.shown


def test_sigterm_ends_a_command_without_a_traceback(project: Path) -> None:
    words = (sys.executable, "-m", "d1_preflight", "lint", "-")
    with subprocess.Popen(
        words, cwd=project, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as lint:
        assert lint.stdin
        lint.stdin.write("-- a line\n" * 20_000)  # more than a pipe holds: it reads by now
        lint.stdin.flush()
        lint.terminate()
        try:
            assert lint.wait(timeout=60) == 143
        except subprocess.TimeoutExpired:
            lint.kill()
            raise
        assert lint.stderr
        told = lint.stderr.read()
    assert told == "Terminated.\n"
