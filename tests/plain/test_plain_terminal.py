"""The plain face on a real terminal: whole at 80 columns, resumed after quit and after kill -9."""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from d1_preflight.adapters.own_cache import user_cache
from plain.terminal import Terminal

pytestmark = pytest.mark.wrangler
MENU = "quit (everything is saved)"
Open = Callable[[], Terminal]


@pytest.fixture
def practice(tmp_path: Path, quiet_environ: dict[str, str]) -> Iterator[Open]:
    words = (sys.executable, "-m", "d1_preflight", "practice", "--plain", "--next", "0057")
    cache = {"XDG_CACHE_HOME": str(user_cache().parent)}
    env = quiet_environ | cache | {"TERM": "xterm", "LANG": "C.UTF-8", "NO_COLOR": "1"}
    opened: list[Terminal] = []

    def run() -> Terminal:
        opened.append(Terminal(words, tmp_path, env))
        return opened[-1]

    yield run
    for terminal in opened:
        terminal.kill()


def number_of(terminal: Terminal, words: str) -> str:
    """The number of a choice in the menu that was shown last."""
    return str(re.findall(rf"(\d+)\) {re.escape(words)}", terminal.shown)[-1])


def test_a_walk_is_left_and_gone_on_with(practice: Open) -> None:
    first = practice()
    told = first.wait_for(MENU)
    assert "marketplace-production · PRACTICE" in told
    first.type("1\r")
    first.wait_for("✓ proved: 0057_add_team_billing_columns.sql")
    first.wait_for(MENU)  # what needs no person went by itself
    first.type(f"{number_of(first, MENU)}\r")
    assert first.end() == 1
    assert "Open: " in first.shown

    second = practice()
    assert "Resuming: " in second.wait_for(MENU)


def has_begun(folder: Path, step: str) -> bool:
    """Whether the record on the disk says that a step runs."""
    records = (path.read_text("utf-8") for path in folder.rglob("record.toml"))
    return any(f'step = "{step}"\nstatus = "running"' in text for text in records)


def test_a_session_that_was_killed_while_a_step_ran_goes_on_there(
    practice: Open, tmp_path: Path
) -> None:
    first = practice()
    first.wait_for(MENU)
    first.type("1\r")
    first.wait_for("The target is copied")
    first.wait_until(lambda: has_begun(tmp_path, "copied"))
    first.kill()

    second = practice()
    told = second.wait_for(MENU)
    assert "! interrupted: copied" in told
    assert "Resuming: " in told
