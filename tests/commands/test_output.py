"""A reader that left, closed streams and narrow encodings change no exit code of any command."""

import json
import os
import subprocess
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from commands.real_records import Checkout, make_checkout
from d1_preflight.cli import main
from d1_preflight.commands.output import clean
from lint.running import preflight

COMMANDS = {
    "verify": 4, "show 0057": 0, "explain": 0, "doctor": 1, "lint": 1,
    "review 0057 --approve": 4, "init": 2, "run 0057": 2, "new add_users_email": 0,
    "verify --format json": 4,
}  # fmt: skip


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A project whose one record is invalid, and whose migration blocks."""
    made = make_checkout(tmp_path / "project – ü", tmp_path / "keys")
    (made.folder / "evidence" / "001-named.out").write_text("another")
    (made.root / "migrations" / "0057_add_team_billing.sql").write_text("DROP TABLE zzz; -- ü—\n")
    return made


def ended(
    checkout: Checkout, words: str, more: str = "", **environ: str
) -> "subprocess.CompletedProcess[str]":
    line = f'"{sys.executable}" -m d1_preflight {words} {more}; exit ${{PIPESTATUS[0]}}'
    path = os.environ.get("PYTHONPATH", "")
    home = str(checkout.root.parent)
    return subprocess.run(
        ("bash", "-c", line),
        cwd=checkout.root,
        env={"PATH": os.environ["PATH"], "HOME": home, "PYTHONPATH": path, **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


STREAMS = {
    "| true": "explain", "2>&1 | true": "", "<&-": "", ">&-": "new add_users_email",
    "2>&-": "", "<&- >&- 2>&-": "review 0057 --approve",
}  # fmt: skip
"""What is done to the streams, and the command that the suite tries it with, if any."""
ENCODINGS = ("ascii", "latin-1")


def each_once() -> list[ParameterSet]:
    """Every command with all that is done to streams; most of it is matrix."""
    return [
        pytest.param(words, more, marks=() if words == quick else pytest.mark.matrix)
        for words in COMMANDS
        for more, quick in STREAMS.items()
    ]


def in_turn(others: tuple[str, ...]) -> list[ParameterSet]:
    """Every command with one of the others in turn; the rest is matrix."""
    return [
        pytest.param(words, other, marks=() if n % len(others) == m else pytest.mark.matrix)
        for n, words in enumerate(COMMANDS)
        for m, other in enumerate(others)
    ]


@pytest.mark.parametrize(("words", "more"), each_once())
def test_no_stream_changes_the_exit_code(checkout: Checkout, words: str, more: str) -> None:
    ran = ended(checkout, words, more)

    assert (ran.returncode, "Traceback" in ran.stderr) == (COMMANDS[words], False), ran.stderr


@pytest.mark.parametrize(("words", "encoding"), in_turn(ENCODINGS))
def test_no_encoding_changes_the_exit_code(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch, words: str, encoding: str
) -> None:
    monkeypatch.chdir(checkout.root)
    monkeypatch.setenv("HOME", str(checkout.root.parent))
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, TextIOWrapper(BytesIO(), encoding=encoding))

    assert main(words.split()) == COMMANDS[words]


@pytest.mark.matrix  # the suite has the encodings within, above; and one of both, below
def test_the_encoding_of_the_environment_changes_no_exit_code(checkout: Checkout) -> None:
    ran = ended(checkout, "show 0057", PYTHONIOENCODING="ascii")

    assert (ran.returncode, "Traceback" in ran.stderr) == (0, False), ran.stderr
    assert "\\u2717 not verified" in ran.stdout  # a sign that it does not have


def test_narration_never_comes_among_the_data(checkout: Checkout) -> None:
    json.loads(ended(checkout, "verify --format json", "2>&-", PYTHONIOENCODING="ascii").stdout)


def test_words_from_files_cannot_drive_a_terminal() -> None:
    assert clean("a\x1b[31mb\rc\x9b\u202ed\n– ü") == "a [31mb c  d\n– ü"


def test_without_a_terminal_no_face_is_offered_that_needs_one(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(checkout.root)
    told = preflight("run", "0057").err

    assert "stdin and stdout and stderr are none; --plain also needs one" in told
    assert "next: Run it in a terminal. For scripts: preflight lint, preflight verify." in told
