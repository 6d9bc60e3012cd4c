"""A program on a terminal of its own: keys go in, and what it shows is waited for."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
_CURSOR_ASKED, _CURSOR_TOLD = b"\x1b[6n", b"\x1b[1;1R"


class Terminal:
    """Runs a program on a pseudo-terminal, as SSH would."""

    def __init__(self, argv: Sequence[str], cwd: Path, env: Mapping[str, str]) -> None:
        self.shown = ""
        self._seen = 0
        self._has_ended = False
        self._child, self._terminal = pty.fork()
        if self._child == 0:
            os.chdir(cwd)
            os.execvpe(argv[0], list(argv), dict(env))  # noqa: S606 - argv, on purpose
        size = struct.pack("HHHH", 24, 80, 0, 0)
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, size)

    def wait_for(self, words: str, seconds: float = 60) -> str:
        """Everything shown since the last wait, up to these words; fails after a while."""
        end = time.monotonic() + seconds
        while words not in self.shown[self._seen :]:
            left = end - time.monotonic()
            assert left > 0, f"waited for {words!r}, shown: {self.shown[-1500:]}"
            if not self._read(left):
                break
        found = self.shown.find(words, self._seen)
        assert found >= 0, f"ended without {words!r}: {self.shown[-1500:]}"
        told, self._seen = self.shown[self._seen : found], found + len(words)
        return told

    def wait_until(self, happened: Callable[[], bool], seconds: float = 60) -> None:
        """Show on until something happened elsewhere; fails after a while."""
        end = time.monotonic() + seconds
        while not happened():
            assert time.monotonic() < end, f"it did not happen, shown: {self.shown[-1500:]}"
            assert self._read(0.02), f"ended before: {self.shown[-1500:]}"

    def type(self, keys: str) -> None:
        """Press these keys."""
        os.write(self._terminal, keys.encode())

    def kill(self) -> None:
        """Take the session away at once, as kill -9 does."""
        if not self._has_ended:
            os.kill(self._child, signal.SIGKILL)
            os.waitpid(self._child, 0)
            self._has_ended = True

    def end(self, seconds: float = 30) -> int:
        """Wait until the program ends; its exit code."""
        end = time.monotonic() + seconds
        while self._read(max(0.0, end - time.monotonic())):
            assert time.monotonic() < end, f"did not end: {self.shown[-1500:]}"
        _, status = os.waitpid(self._child, 0)
        self._has_ended = True
        return os.waitstatus_to_exitcode(status)

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._terminal], [], [], seconds)
        if not ready:
            return True
        try:
            data = os.read(self._terminal, 65536)
        except OSError:  # Linux tells the end of a terminal so
            return False
        if _CURSOR_ASKED in data:
            os.write(self._terminal, _CURSOR_TOLD)
        self.shown += _ESCAPES.sub("", data.decode(errors="replace"))
        return bool(data)
