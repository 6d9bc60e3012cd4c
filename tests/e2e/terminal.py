"""A terminal for the tests: tmux on a socket of its own, read by polling."""

import shlex
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_CONFIG = "set -g status off\nset -g default-terminal {term}\n"
# tmux itself does not always learn how the program ended (3.3a), so the shell around it notes it.
_NOTED = """
sh -c 'echo $$ >"$0/pid"; exec "$@"' {notes} {program}
echo $? >{notes}/part; mv {notes}/part {notes}/exit; exec sleep 600
"""
_LOOK_EVERY = 0.05


@dataclass(frozen=True, slots=True)
class Tmux:
    """One window of 80x24 (or as asked) with one program in it."""

    socket: str
    notes: Path

    def press(self, *keys: str) -> None:
        """Send keys by tmux's names: `Enter`, `Escape`, `j`."""
        self._tell("send-keys", "-t", "0", *keys)

    def type(self, words: str) -> None:
        """Send words as they are."""
        self._tell("send-keys", "-t", "0", "-l", words)

    @property
    def screen(self) -> str:
        """What the terminal shows now."""
        return self._tell("capture-pane", "-p", "-t", "0")

    @property
    def history(self) -> str:
        """What it shows and what has scrolled away, long lines joined."""
        return self._tell("capture-pane", "-p", "-J", "-S", "-", "-t", "0")

    @property
    def is_over(self) -> bool:
        """Whether the program has ended."""
        return (self.notes / "exit").exists()

    @property
    def exit_code(self) -> int:
        """The program's exit code, once it is over: a shell's, so 137 for kill -9."""
        return int((self.notes / "exit").read_text("ascii"))

    @property
    def pid(self) -> int:
        """The program's process."""
        return int((self.notes / "pid").read_text("ascii"))

    def until(self, *words: str, seconds: float = 30.0) -> str:
        """Look until one of the words is on the screen; the screen, or an AssertionError."""
        end = time.monotonic() + seconds
        while not any(word in (screen := self.screen) for word in words):
            assert time.monotonic() < end, f"none of {words} came:\n{screen}"
            time.sleep(_LOOK_EVERY)
        return screen

    def until_gone(self, words: str, seconds: float = 30.0) -> str:
        """Look until the words are off the screen."""
        end = time.monotonic() + seconds
        while words in (screen := self.screen):
            assert time.monotonic() < end, f"{words!r} stayed:\n{screen}"
            time.sleep(_LOOK_EVERY)
        return screen

    def until_not(self, before: str, seconds: float = 30.0) -> None:
        """Look until the screen is another one."""
        end = time.monotonic() + seconds
        while self.screen == before:
            assert time.monotonic() < end, f"it stays:\n{before}"
            time.sleep(_LOOK_EVERY)

    def until_over(self, seconds: float = 30.0) -> str:
        """Wait for the program's end; everything it wrote."""
        end = time.monotonic() + seconds
        while not self.is_over:
            assert time.monotonic() < end, f"it goes on:\n{self.screen}"
            time.sleep(_LOOK_EVERY)
        return self.history

    def _tell(self, *words: str) -> str:
        argv = ("tmux", "-L", self.socket, *words)
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


@contextmanager
def on_terminal(
    argv: Sequence[str],
    *,
    folder: Path,
    environ: Mapping[str, str],
    size: tuple[int, int] = (80, 24),
    term: str = "tmux-256color",
) -> Iterator[Tmux]:
    """Run a program in a terminal of its own; the terminal is gone afterwards."""
    notes = Path(tempfile.mkdtemp(prefix="terminal-", dir=folder))
    tmux = Tmux(notes.name, notes)
    config = notes / "tmux.conf"
    config.write_text(_CONFIG.format(term=term), "utf-8")
    columns, lines = size
    program = _NOTED.format(program=shlex.join(argv), notes=shlex.quote(str(notes)))
    subprocess.run(
        ("tmux", "-L", tmux.socket, "-f", str(config), "new-session", "-d",
         "-x", str(columns), "-y", str(lines), "-c", str(folder), program),
        check=True, env=dict(environ),
    )  # fmt: skip
    try:
        yield tmux
    finally:
        told = ("tmux", "-L", tmux.socket, "display-message", "-p", "#{socket_path}")
        left = subprocess.run(told, check=False, capture_output=True, text=True).stdout.strip()
        subprocess.run(("tmux", "-L", tmux.socket, "kill-server"), check=False)
        if left:
            Path(left).unlink(missing_ok=True)
