"""The installed program in a real terminal: whole flow, kill and resume, and the keys anywhere."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from d1_preflight.adapters.own_cache import user_cache
from d1_preflight.adapters.wrangler.toolchain import Toolchain
from e2e.by_keys import footer, walk
from e2e.terminal import Tmux, on_terminal

pytestmark = [
    pytest.mark.tmux,
    pytest.mark.wrangler,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed here"),
]
BILLING = "0057_add_team_billing_columns"
PROGRAM = str(Path(sys.executable).with_name("preflight"))


@pytest.fixture
def environ(tmp_path: Path, wrangler_command: Toolchain) -> dict[str, str]:
    """A home of the test's own; the wrangler of this user's cache."""
    home = tmp_path / "home"
    home.mkdir()
    node = wrangler_command.node
    folders = [str(node.parent)] if node else []
    return {
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PATH": os.pathsep.join([*folders, os.environ["PATH"]]),
        "XDG_CACHE_HOME": str(user_cache().parent),
    }


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return tmp_path / "project"


@contextmanager
def practising(
    project: Path, environ: dict[str, str], next_one: str, *more: str, term: str = "tmux-256color"
) -> Iterator[Tmux]:
    argv = (PROGRAM, "practice", str(project), "--next", next_one, *more)
    with on_terminal(argv, folder=project.parent, environ=environ, term=term) as tmux:
        yield tmux


def record_of(project: Path, stem: str) -> str:
    (found,) = project.glob(f"*/**/{stem}/record.toml")
    return found.read_text("utf-8")


def run(project: Path, environ: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (PROGRAM, *words), cwd=project, env=environ, capture_output=True, text=True, check=False
    )


def test_an_additive_migration_goes_from_the_board_to_a_closed_record_by_keys_alone(
    project: Path, environ: dict[str, str]
) -> None:
    with practising(project, environ, "0057") as tmux:
        board = tmux.until("remote read")
        assert "PRACTICE" in board
        assert all(len(line) <= 80 for line in board.splitlines())
        tmux.until("▸ 0057")
        tmux.press("Enter")
        tmux.until("Enter check the name")

        gate = walk(tmux, until=lambda screen: "G sign GO" in footer(screen))
        assert "only this file" in gate
        tmux.press("Enter")  # the cursor is on Hold: Enter never signs
        held = tmux.until("Enter decide GO / NO-GO")
        assert "GO by" not in held
        closed = walk(tmux, until=lambda screen: "Enter back" in footer(screen))
        assert "PRACTICE" in closed
        tmux.press("Enter")
        tmux.until("✓ closed")
        tmux.press("q")
        tmux.until_over()
        assert tmux.exit_code == 0

    verified = run(project, environ, "verify", "0057")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "✓ good" in verified.stdout


def test_a_killed_program_goes_on_where_it_was_and_says_interrupted(
    project: Path, environ: dict[str, str]
) -> None:
    stem = "0061_rebuild_teams_remove_deprecated"
    with practising(project, environ, "0061", "--fault", "slow") as tmux:
        tmux.until("▸ 0061")
        tmux.press("Enter")
        tmux.until("Enter check the name")
        tmux.press("s")  # step by step
        walk(tmux, until=lambda screen: "Enter copy the target" in footer(screen))
        tmux.press("Enter")
        tmux.until("running: copy")
        os.kill(tmux.pid, signal.SIGKILL)
        tmux.until_over()
        assert tmux.exit_code == 128 + signal.SIGKILL
    assert "copied" in record_of(project, stem)

    with practising(project, environ, "0061", "--open", "0061") as tmux:
        again = tmux.until("▸2 !")
        assert footer(again).startswith("Enter copy the target")
        assert "! interrupted" in again
        tmux.press("s")
        walk(tmux, until=lambda screen: "Enter count every table" in footer(screen))
        tmux.press("Escape")
        tmux.until("◐ open at 3")
    assert 'status = "interrupted"' in record_of(project, stem)


def test_leaving_while_a_step_runs_asks_first(project: Path, environ: dict[str, str]) -> None:
    with practising(project, environ, "0057", "--fault", "slow", "--open", "0057") as tmux:
        tmux.until("Enter check the name")
        tmux.press("s")  # step by step
        walk(tmux, until=lambda screen: "Enter copy the target" in footer(screen))
        tmux.press("Enter")
        tmux.until("running: copy")

        tmux.press("q")

        asked = tmux.until("is still running")
        assert "stay" in asked
        tmux.press("Enter")  # the first choice is to stay
        tmux.until_gone("is still running")
        assert not tmux.is_over
        tmux.press("q")
        tmux.until("is still running")
        tmux.press("Down", "Enter")
        tmux.until_over()
        assert tmux.exit_code == 0
    assert 'status = "interrupted"' in record_of(project, BILLING)


def test_after_stop_waiting_the_step_is_interrupted_and_enter_tries_it_again(
    project: Path, environ: dict[str, str]
) -> None:
    with practising(project, environ, "0057", "--fault", "slow", "--open", "0057") as tmux:
        tmux.until("Enter check the name")
        tmux.press("s")  # step by step
        walk(tmux, until=lambda screen: "Enter copy the target" in footer(screen))
        tmux.press("Enter")
        tmux.until("running: copy")
        tmux.press("x")
        tmux.until("is still running")
        tmux.press("Down", "Enter")

        left = tmux.until("! interrupted")
        assert "Enter copy the target again" in footer(left)
        tmux.press("Enter")
        tmux.until("running: copy")


def test_an_editor_that_cannot_be_started_gives_the_screen_back(
    project: Path, environ: dict[str, str]
) -> None:
    with practising(project, environ | {"EDITOR": "/nonexistent"}, "0057") as tmux:
        tmux.until("▸ 0057")
        tmux.press("Enter")
        tmux.until("Enter check the name")
        tmux.press("e")
        tmux.until("/nonexistent could not be started")
        tmux.press("Enter")
        tmux.until_gone("could not be started")
        tmux.press("Enter")
        tmux.until("✓ proved")


def test_the_emergency_card_and_help_are_one_key_away_from_everywhere(
    project: Path, environ: dict[str, str]
) -> None:
    with practising(project, environ, "0061") as tmux:
        tmux.until("remote read")
        for opened in ("", "Enter"):
            if opened:
                tmux.until("▸ 0061")
                tmux.press(opened)
                tmux.until("1 Classification", "check the name")
            tmux.type("!")
            card = tmux.until("EMERGENCY")
            assert "marketplace-production" in card
            tmux.press("Escape")
            tmux.until_gone("EMERGENCY")
            tmux.type("?")
            tmux.until("Esc back")
            tmux.press("Escape")
            tmux.until_gone("Esc back")
        assert not tmux.is_over


@pytest.mark.parametrize(
    ("fault", "words", "hint"),
    [
        ("unauthorized", "refused the login", "CLOUDFLARE_API_TOKEN"),
        ("forbidden", "refused the login", "CLOUDFLARE_API_TOKEN"),
        ("api-down", "could not be reached", "Check the network"),
        ("rate-limited", "request rate", "Try again in"),
    ],
)
def test_a_target_that_cannot_be_read_leaves_the_board_and_says_what_to_do(
    project: Path, environ: dict[str, str], fault: str, words: str, hint: str
) -> None:
    with practising(project, environ, "0061", "--fault", fault) as tmux:
        board = tmux.until(words)
        assert hint in board
        assert "? unknown" in board
        tmux.press("q")
        assert "Traceback" not in tmux.until_over()


@pytest.mark.parametrize(
    ("term", "more"),
    [("tmux-256color", {"NO_COLOR": "1"}), ("vt100", {})],
    ids=["no-colour", "vt100"],
)
def test_a_poor_terminal_still_shows_the_board(
    project: Path, environ: dict[str, str], term: str, more: dict[str, str]
) -> None:
    with practising(project, environ | more, "0061", term=term) as tmux:
        board = tmux.until("remote read")
        assert "rebuild_teams_remove_deprecated" in board
        assert "pending" in board
        tmux.press("q")
        over = tmux.until_over()
    assert "Traceback" not in over


def test_a_dumb_terminal_is_asked_line_by_line(project: Path, environ: dict[str, str]) -> None:
    with practising(project, environ, "0061", term="dumb") as tmux:
        told = tmux.until("A number, 1")
        assert "Plain mode: TERM is dumb." in told
        quits = next(line for line in told.splitlines() if ") quit" in line)
        tmux.type(quits.split(")")[0].strip())
        tmux.press("Enter")
        over = tmux.until_over()
    assert "Traceback" not in over


def test_the_plain_face_asks_the_first_section_on_a_terminal(
    project: Path, environ: dict[str, str]
) -> None:
    gain = "What will users gain"
    with practising(project, environ, "0057", "--plain") as tmux:
        told = tmux.until("step by step")
        paces = next(line for line in told.splitlines() if ") step by step" in line)
        tmux.type(paces.split(")")[0].strip(" »"))
        tmux.press("Enter")
        tmux.until_not(told)
        while gain not in (before := tmux.until("(Use shortcuts)", gain)):
            tmux.press("Enter")
            tmux.until_not(before)
        tmux.press("Enter")  # what the header offers
        tmux.until("✎ attested")
        tmux.press("C-c")
        over = tmux.until_over()
    assert "Traceback" not in over
    assert "Add Stripe billing columns" in record_of(project, BILLING)


def test_ctrl_z_in_the_middle_of_a_step_gives_the_shell_and_fg_the_screen_and_the_step_back(
    project: Path, environ: dict[str, str]
) -> None:
    shell = ("bash", "--norc", "--noprofile", "-i")
    with on_terminal(shell, folder=project.parent, environ=environ) as tmux:
        tmux.type("PS1='shell''> '")  # a prompt that is not what was typed
        tmux.press("Enter")
        tmux.until("shell>")
        tmux.type(shlex.join((PROGRAM, "practice", str(project), "--next", "0057", "--open", "0057",
                              "--fault", "slow")))  # fmt: skip
        tmux.press("Enter")
        tmux.until("Enter check the name")
        tmux.press("s")  # step by step
        walk(tmux, until=lambda screen: "Enter copy the target" in footer(screen))
        tmux.press("Enter")
        before = tmux.until("running: copy")

        tmux.press("C-z")

        shown = tmux.until("Stopped")
        assert "running: copy" not in shown
        tmux.type("echo $((6 * 7)) is typed here")
        tmux.press("Enter")
        tmux.until("42 is typed here")
        tmux.type("fg")
        tmux.press("Enter")
        tmux.until("running: copy", "rows in 13 tables")
        again = tmux.until("PRACTICE")  # the top is painted, too
        assert again.splitlines()[0].split()[-3:] == before.splitlines()[0].split()[-3:]
        assert "typed here" not in again
        done = walk(tmux, until=lambda screen: "Enter check the SQL" in footer(screen))
        assert "✓✓✓" in done
        tmux.press("q")
        tmux.until("shell>")
    assert re.findall(r'step = "copied"|"interrupted"', record_of(project, BILLING)) == [
        'step = "copied"'
    ]
