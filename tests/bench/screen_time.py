"""A program in a terminal of its own (a pty): when does it show what, and what does it cost."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

LONGEST = 60.0


class OnTerminal:
    """A running program; what it writes is read here, with the time at which it came."""

    def __init__(
        self, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], lines: int = 24
    ) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, 80, 0, 0))
        self.started = time.perf_counter()
        self._child = subprocess.Popen(
            argv, cwd=cwd, env={**env, "TERM": "xterm-256color"},
            stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
        )  # fmt: skip
        os.close(slave)

    @property
    def pid(self) -> int:
        """The program's process."""
        return self._child.pid

    @property
    def cpu_seconds(self) -> float:
        """What all its threads have used of the processors."""
        tasks = Path(f"/proc/{self.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    def press(self, keys: str) -> None:
        """Send keys."""
        os.write(self._master, keys.encode())

    def seconds_until(self, words: str) -> float:
        """Read on until the words are written; how long that took."""
        begun, heard = time.perf_counter(), b""
        while words.encode() not in heard:
            if time.perf_counter() - begun > LONGEST:
                raise TimeoutError(f"{words!r} was not written; the last: {heard[-600:]!r}")
            try:
                heard += self._read(0.5)
            except EOFError as ended:
                raise EOFError(f"{ended}; the last: {heard[-600:]!r}") from ended
        return time.perf_counter() - begun

    def be_quiet(self, seconds: float) -> None:
        """Read until nothing has been written for so long."""
        while self._read(seconds):
            pass

    def read_for(self, seconds: float) -> bytes:
        """What is written in that time."""
        until, heard = time.perf_counter() + seconds, b""
        while (left := until - time.perf_counter()) > 0:
            heard += self._read(left)
        return heard

    def _read(self, wait: float) -> bytes:
        ready, _, _ = select.select([self._master], [], [], wait)
        try:
            return os.read(self._master, 1 << 16) if ready else b""
        except OSError as error:  # Linux says so where the program has ended
            raise EOFError("the program has ended") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._child.kill()
        self._child.wait()
        os.close(self._master)
