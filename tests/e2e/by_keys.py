"""An agreeable operator: reads the screen, answers what it asks, and presses the key it names."""

import re
import time
from collections.abc import Callable

from e2e.terminal import Tmux

WORDS = "checked, and acceptable here"
_TYPED = re.compile(r"Type the [^:]+: (\S+)")
_PATIENCE, _WATCH = 20.0, 100.0
_STEADY, _HALF_DRAWN = 0.2, 2.0
_FIELD, _TAKEN = 8, 6.0
_MOST = 90


def footer(screen: str) -> str:
    """The line that names the keys; its first words are what Enter does."""
    return next(iter(screen.strip().splitlines()[::-1]), "").strip()


def walk(tmux: Tmux, *, until: Callable[[str], bool]) -> str:
    """Go on until the screen is as wanted; a screen that no key changes is an AssertionError."""
    screen = _steady(tmux, before="")
    for _ in range(_MOST):
        if until(screen):
            return screen
        _answer(tmux, screen)
        screen = _steady(tmux, before=screen)
    raise AssertionError(f"{_MOST} answers led nowhere:\n{screen}")


def _answer(tmux: Tmux, screen: str) -> None:
    keys = footer(screen)
    if "G sign GO" in keys:
        tmux.press("G")
    elif keys.startswith(("A ", "y ")):
        tmux.press(keys[0])
    elif "Waive" in screen:
        tmux.type(WORDS)
        tmux.press("Enter")
    elif "✗ failed" in screen and "w waive" in keys:
        tmux.press("w")
    elif any(words in keys for words in ("Space mark", "Esc other keys", "last question")):
        _fill(tmux, screen, keys)
    else:
        tmux.press("Enter")


def _fill(tmux: Tmux, screen: str, keys: str) -> None:
    if "Space mark" in keys:
        marks = re.findall(r"\[[ x✓]\] ", screen)
        for mark in marks:
            tmux.press(*(("Space",) if mark == "[ ] " else ()), "Down")
        tmux.press("Enter")
    elif "│ ▸" in screen.rpartition("│───")[2]:  # a list above has a mark of its own
        tmux.press("Enter")
    elif "↑↓ choose" in keys:  # nothing is preselected
        tmux.press("Down", "Enter")
    else:
        wanted = _TYPED.search(screen)
        tmux.type(wanted.group(1) if wanted else WORDS)
        tmux.press("Enter")


def _holds(screen: str) -> bool:
    """Whether a field still shows what was typed: it has not been answered yet."""
    bottom = screen.splitlines()[-_FIELD:]
    wanted = _TYPED.search("\n".join(bottom))
    typed = {WORDS, wanted.group(1)} if wanted else {WORDS}
    return any(line.partition("│")[2].strip() in typed for line in bottom)


def _steady(tmux: Tmux, before: str) -> str:
    """The next screen on which nothing runs, once it is drawn whole.

    The keys are drawn last: where they are still those of `before`, a busy machine may be in the
    middle of it, and a key pressed now would go to a step that the screen does not show yet.
    """
    begun = moved = time.monotonic()
    last = ""
    while True:
        screen, now = tmux.screen, time.monotonic()
        assert not tmux.is_over, f"the program ended:\n{screen}"
        runs = "◐" in footer(screen) or (_holds(screen) and now - moved < _TAKEN)
        runs |= footer(screen) == footer(before) and now - moved < _HALF_DRAWN
        if screen == last and screen != before and not runs:
            return screen
        if "◐" in footer(screen) or screen != last:
            moved = now
        stuck = now - moved > _PATIENCE or now - begun > _WATCH
        assert not stuck, f"no key changes it:\n{screen}"
        last = screen
        time.sleep(_STEADY)
