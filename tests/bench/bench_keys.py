"""Prints what a walk asks of a person: keys, typed characters, and seconds, in the real program.

Run: python tests/bench/bench_keys.py [0057] [0060] [0061] [0062] [steps]; all where none is named,
and `steps` walks them step by step. The program runs in a tmux of 100x30 against the practice
stand-in, with the real wrangler. A key is every press that is not text; 0061 is fixed by the key of
the proved rewrite. What fails because of the hour (the window) is waived; its keys count, and are
named: the made-up users live where it is night. For 0060 the Worker is deployed after the apply.
"""

# ruff: noqa: E402 - it runs as a script, beside the tests' own packages

import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from d1_preflight.adapters.own_cache import user_cache
from d1_preflight.adapters.wrangler.toolchain import install
from e2e.by_keys import footer
from e2e.terminal import Tmux, on_terminal

PROGRAM = str(Path(sys.executable).with_name("preflight"))
NAMES = {
    "0057": "0057_add_team_billing_columns",
    "0060": "0060_rename_workflow_runs_old_name",
    "0061": "0061_rebuild_teams_remove_deprecated",
    "0062": "0062_migrate_role_format",
}
AIMS = {"0057": 12, "0061": 20}
SAID = (
    ("Why is each acceptable", "nobody reads it"),
    ("Why keep", "the Worker is stopped"),
    ("did anyone notice", "nobody noticed"),
    ("Why is this acceptable today", "quiet enough"),
    ("Why is this acceptable?", "meant so"),
)
_TYPED = re.compile(r"Type the [^:]+: (\S+)")
_LONGEST, _LOOK, _STILL = 900.0, 0.25, 8


@dataclass
class Person:
    """Reads the screen and presses what it asks for; counts every press."""

    tmux: Tmux
    step_by_step: bool = False
    keys: int = 0
    for_the_hour: int = 0
    typed: int = 0
    watched: float = 0.0
    asked: str = ""
    deploy: Callable[[], None] | None = None
    tried: set[str] = field(default_factory=set)
    pressed: list[str] = field(default_factory=list)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.tmux.press(key)
            self.keys += 1
            self.pressed.append(f"{key}[{self.asked}]")

    def type(self, words: str) -> None:
        self.tmux.type(words)
        self.typed += len(words)
        self.pressed.append(f"“{words}”")

    def walk(self) -> None:
        """Until the record is closed."""
        begun = time.monotonic()
        self.tmux.until("Enter ", seconds=_LONGEST)
        if self.step_by_step:
            self.press("s")
        while "Enter back to the board" not in footer(screen := self._steady()):
            if time.monotonic() - begun > _LONGEST:
                raise TimeoutError(screen)
            self._answer(screen)
            self.tmux.until_not(screen)

    def _steady(self) -> str:
        """The screen once it asks for a key and no longer changes."""
        last, since, still = "", time.monotonic(), 0
        while True:
            screen = self.tmux.screen
            watching = "running: errors" in screen
            time.sleep(_LOOK)
            self.watched += _LOOK if watching else 0.0
            moved = screen != last
            last, since = screen, time.monotonic() if moved else since
            still = 0 if moved or "!" not in footer(screen) else still + 1
            asks = "◐ running" not in screen or "Esc other keys" in footer(screen)
            if "◐" not in footer(screen) and asks and still >= _STILL:
                return screen
            assert not self.tmux.is_over, screen
            assert time.monotonic() - since < _LONGEST, screen

    def _answer(self, screen: str) -> None:
        keys = footer(screen)
        self.asked = " ".join(keys.split("   ")[0].split()[:5])
        if "G sign GO" in keys:
            self.press("G")
        elif keys.startswith("A "):
            self.press("A")
        elif "Enter answer   Esc back" in screen:
            self._say(screen)
        elif "✗ failed" in screen and self._mends():
            self.press("Enter")  # again
        elif "✗ failed" in screen and "w waive" in keys:
            self.press("w")
            self.for_the_hour += 2 * ("window" in self.asked)  # Enter follows the reason
        elif keys.startswith("y "):
            self.press("y")
        elif "Space mark" in keys:
            self._mark(screen)
        elif "↑↓ choose" in keys and "│ ▸" not in _panel(screen):
            self.press("1")  # nothing is chosen beforehand
        elif "Esc other keys" in keys and "│ ▸" not in _panel(screen):
            self._say(screen)
        else:
            self.press("Enter")

    def _mends(self) -> bool:
        """Whether the new Worker was missing: it is deployed once, and each step tried again."""
        if self.deploy is None or not self.is_applied or self.asked in self.tried:
            return False
        if not self.tried:
            self.deploy()
        self.tried.add(self.asked)
        return True

    @property
    def is_applied(self) -> bool:
        """Whether the apply lies behind."""
        return any(press.startswith("A[") for press in self.pressed)

    def _mark(self, screen: str) -> None:
        for number, _ in enumerate(re.findall(r"\[ \] ", screen)):
            self.press(*(("Down",) if number else ()), "Space")
        self.press("Enter")

    def _say(self, screen: str) -> None:
        wanted = _TYPED.search(screen)
        shown = " ".join(line.rpartition("│")[2].strip() for line in screen.splitlines())
        said = [words for asked, words in SAID if asked in shown]
        if any(words in _panel(screen) for _, words in SAID) or (said and said[0] in screen):
            pass  # it is offered: the same cause has its reason
        elif wanted:
            self.type(wanted[1].replace(",", ""))
        elif said:
            self.type(said[0])
        self.press("Enter")  # what is offered is kept


def _panel(screen: str) -> str:
    """The question's part of the screen: what is above it may point at a line of its own."""
    return screen.rpartition("│──")[2]


def deployed(project: Path) -> None:
    """Deploy the Worker as its folder has it, in a second terminal."""
    command = ". .practice/env && exec wrangler deploy"
    subprocess.run(("sh", "-c", command), cwd=project, check=True, stdout=subprocess.DEVNULL)


def walked(number: str, folder: Path, *, step_by_step: bool) -> None:
    """Walk one migration of the sample project from the open wizard to the close, and print."""
    home = folder / "home"
    home.mkdir(parents=True)
    toolchain = asyncio.run(install(lambda _line: None))
    node = [str(toolchain.node.parent)] if toolchain.node else []
    environ = {
        "HOME": str(home), "LANG": "C.UTF-8", "XDG_CACHE_HOME": str(user_cache().parent),
        "PATH": os.pathsep.join([*node, os.environ["PATH"]]),
    }  # fmt: skip
    (home / ".gitconfig").write_text("[user]\n\tname = Ana\n\temail = ana@example.com\n")
    argv = (PROGRAM, "practice", str(folder / "project"), "--next", number)
    with on_terminal(argv, folder=folder, environ=environ, size=(100, 30)) as tmux:
        tmux.until(number, seconds=_LONGEST)
        if number == "0060":  # the new code is written before the day, and deployed after the apply
            source = folder / "project" / "src" / "index.ts"
            source.write_text(source.read_text("utf-8").replace("r.old_name", "r.new_name"))
        tmux.until("remote read", seconds=120)
        begun = time.monotonic()
        project = folder / "project"
        person = Person(tmux, step_by_step=step_by_step)
        if number == "0060":
            person.deploy = partial(deployed, project)
        person.press("Enter")
        tmux.until("Classification")
        if number == "0061":  # its rows would go: the safe way first, by the wizard's own key
            person.press("p")
            tmux.until("y write it", seconds=120)
            person.press("y")
            tmux.until("drop-column")
        try:
            person.walk()
        finally:
            whole = time.monotonic() - begun
            aim = f" (aim {AIMS[number]})" if number in AIMS and not step_by_step else ""
            hour = f", {person.for_the_hour} for the hour" if person.for_the_hour else ""
            pace = "step by step" if step_by_step else "by itself"
            print(
                f"{number} {pace:<12}  keys {person.keys:3}{aim}{hour}  typed {person.typed:3}"
                f"  seconds {whole:5.0f}, without the watch {whole - person.watched:5.0f}",
                flush=True,
            )
            print(f"     {' '.join(person.pressed)}", flush=True)


def main() -> None:
    """Walk those that are named."""
    wanted = [word for word in sys.argv[1:] if word in NAMES] or list(NAMES)
    for number in wanted:
        with tempfile.TemporaryDirectory() as folder:
            walked(number, Path(folder), step_by_step="steps" in sys.argv)


if __name__ == "__main__":
    main()
