"""The rows that are painted before the screen is loaded: whole, harmless, and wiped again."""

import os
import pty
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from adapters.test_class_cache import laid_down
from d1_preflight.tui.first_paint import printable

PROGRAM = """
import sys
from d1_preflight.tui.first_paint import FirstPaint
rows = [(name, "additive" if "add" in name else "", "applied") for name in sys.argv[1:]]
painted = FirstPaint("shop", rows, "ledger as of 14:05 UTC")
painted.{end}()
assert not any(name.startswith("textual") for name in sys.modules)
"""


def painted(end: str, *names: str) -> tuple[str, bool]:
    """What a terminal was sent, and whether it echoes and reads lines again afterwards."""
    master, slave = pty.openpty()
    program = (sys.executable, "-c", PROGRAM.format(end=end), *names)
    try:
        subprocess.run(program, stdin=slave, stdout=slave, stderr=slave, check=True, timeout=30)
        modes = termios.tcgetattr(slave)[3]
        sent = os.read(master, 65536).decode()
    finally:
        os.close(slave)
        os.close(master)
    return sent, bool(modes & termios.ECHO and modes & termios.ICANON)


@pytest.mark.parametrize(("end", "left"), [("wipe", "\x1b[?1049l"), ("hand_over", "")])
def test_the_rows_are_painted_and_the_terminal_is_given_back(end: str, left: str) -> None:
    sent, is_as_before = painted(end, "0001_add_users.sql", "0002_drop_old.sql")

    assert "preflight   shop" in sent
    assert "ledger as of 14:05 UTC" in sent
    assert sent.count("applied") == 2
    assert "0001" in sent
    assert "add_users additive" in sent
    assert "drop_old  …" in sent
    assert ("\x1b[?1049l" in sent) is bool(left)
    assert is_as_before


def test_a_name_that_holds_escapes_moves_nothing() -> None:
    sent, _ = painted("hand_over", "0001_\x1b]0;owned\x07\x1b[2J\r\nx.sql")

    rows = sent.split("reading the files", 1)[1]
    assert "\x1b" not in rows
    assert "\x07" not in rows
    assert "owned" in rows


@pytest.mark.parametrize("hostile", ["\x1b[31m", "\x9b2J", "\u202e", "a\tb\r\n", "\x00"])
def test_only_what_can_be_printed_is_left(hostile: str) -> None:
    assert printable(f"a{hostile}b").isprintable()


PROJECT = """
import argparse, os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from d1_preflight.adapters.first_paint_cache import open_ledger_cache
from d1_preflight.adapters.project_files import open_surroundings
from d1_preflight.commands.faces import first_paint

project = open_surroundings(Path.cwd()).project
read_at = datetime.now(UTC) - timedelta(minutes=1)
open_ledger_cache(os.environ, project, "remote").keep(read_at, {"0001_make_a.sql"})
first_paint(argparse.Namespace(config=None, env=None, database="")).wipe()
"""


def test_the_files_of_a_project_are_painted_with_its_kept_ledger(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TERM": "xterm"}
    try:
        subprocess.run(
            (sys.executable, "-c", PROJECT), stdin=slave, stdout=slave, stderr=slave,
            cwd=laid_down(tmp_path / "project"), env=environ, check=True, timeout=30,
        )  # fmt: skip
        sent = os.read(master, 65536).decode()
    finally:
        os.close(slave)
        os.close(master)

    assert "ledger as of" in sent
    first, second = sent.split("\x1b[?1049l")[0].split("\r\n")[2:4]
    assert (first.split()[-1], second.split()[-1]) == ("applied", "pending")
