"""Processes of this program beside this one: each answers jobs that are bytes, in their order.

They are started when the first jobs come, share no terminal with this process, import nothing from
the folder it was started in, and end with it: when their input ends, at the latest. A job that ends
its process is named, and the others go on.
"""

import json
import os
import selectors
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

import d1_preflight

_LENGTH = 4
_UP = bytes(_LENGTH)
"""What a process writes first."""
_CHUNK = 1 << 18
_MOST_PROCESSES = 8
_MOST_DEATHS = 4
_AHEAD = 8  # jobs that a process has before it: it never waits for this one
_AHEAD_BYTES = 1 << 19
_LONGEST_ANSWER = 64_000_000
_LOOK_EVERY_S = 0.5
_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from importlib import import_module; import_module(sys.argv[2]).main()"
)


def processors() -> int:
    """How many processes can work at once here."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Processes:
    """Some processes that run the `main` of a module; a context, at whose end they are gone."""

    def __init__(
        self, module: str, count: int | None = None, executable: str = "", slowest_s: float = 20.0
    ) -> None:
        self._module = module
        self._count = min(processors() if count is None else count, _MOST_PROCESSES)
        self._executable = executable or sys.executable or ""
        self._slowest_s = slowest_s
        self._running: list[_Process] = []
        self._deaths = 0

    def __enter__(self) -> Self:
        """Nothing is started yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """End them all."""
        while self._running:
            self._running.pop().end()

    @property
    def is_running(self) -> bool:
        """Whether any is there."""
        return bool(self._running)

    def start(self) -> None:
        """Start them before their jobs are known: they come up while this process works on."""
        wanted = self._count if self._count > 1 and self._executable else 0
        while len(self._running) < wanted and self._deaths < _MOST_DEATHS:
            try:
                self._running.append(_Process(self._executable, self._module, self._slowest_s))
            except (OSError, ValueError):
                self._deaths = _MOST_DEATHS  # no process can be started here

    def answers(
        self, jobs: Iterable[bytes], is_late: Callable[[], bool]
    ) -> Iterator[tuple[int, bytes | None]]:
        """The answers as they come, by the number of the job; None for one that ended its process.

        Jobs that have no answer once it `is_late`, or where no process runs, are left.
        """
        waiting = deque(enumerate(jobs))
        with selectors.DefaultSelector() as ready:
            self._join(ready)
            while self._running and (waiting or any(p.jobs for p in self._running)):
                for process in self._running:
                    process.take(waiting, ready)
                for key, events in ready.select(_LOOK_EVERY_S):
                    process = key.data
                    if events & selectors.EVENT_WRITE:
                        process.write(ready)
                    if events & selectors.EVENT_READ:
                        yield from process.read()
                for process in [p for p in self._running if p.is_gone]:
                    yield from self._bury(process, waiting, ready)
                if is_late():
                    break
            for process in self._running:
                process.leave(ready)
        for process in [p for p in self._running if p.jobs]:  # its answers would be mistaken
            self._running.remove(process)
            process.end()

    def _join(self, ready: selectors.DefaultSelector) -> None:
        self.start()
        for process in self._running:
            process.join(ready)

    def _bury(
        self,
        process: "_Process",
        waiting: deque[tuple[int, bytes]],
        ready: selectors.DefaultSelector,
    ) -> Iterator[tuple[int, bytes | None]]:
        """Put a process away that is gone; its first job is the one that ended it."""
        process.leave(ready)
        self._running.remove(process)
        process.end()
        self._deaths += 1
        if not process.is_up:  # none would come up
            self._deaths = _MOST_DEATHS
        elif process.jobs:
            yield process.jobs.popleft()[0], None
        waiting.extendleft(reversed(process.jobs))
        self._join(ready)


def _import_paths() -> list[str]:
    """Where modules of a process come from: as here, but never from the present folder."""
    home = str(Path(d1_preflight.__file__).resolve().parents[1])
    try:
        here = str(Path.cwd())
    except OSError:
        here = ""
    return [home, *(path for path in sys.path if Path(path).is_absolute() and path != here)]


class _Process:
    """One process, the jobs that it has, and what goes to and fro."""

    def __init__(self, executable: str, module: str, slowest_s: float) -> None:
        words = (executable, "-I", "-S", "-c", _PROGRAM, json.dumps(_import_paths()), module)
        self._child = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            cwd="/", start_new_session=True, bufsize=0,
        )  # fmt: skip
        assert self._child.stdin is not None  # noqa: S101 - for the type: both are pipes
        assert self._child.stdout is not None  # noqa: S101
        self._to, self._from = self._child.stdin.fileno(), self._child.stdout.fileno()
        os.set_blocking(self._to, False)
        self._out, self._in = bytearray(), bytearray()
        self._slowest_s = slowest_s
        self._since = time.monotonic()
        self.jobs: deque[tuple[int, bytes]] = deque()
        self.is_up = False
        self._ended = False

    @property
    def is_gone(self) -> bool:
        """Whether it ended, or works on one job for too long."""
        return self._ended or bool(self.jobs and time.monotonic() > self._since + self._slowest_s)

    def join(self, ready: selectors.DefaultSelector) -> None:
        """Wait for it together with the others."""
        if self._from not in ready.get_map():
            ready.register(self._from, selectors.EVENT_READ, self)

    def leave(self, ready: selectors.DefaultSelector) -> None:
        """Wait for it no longer."""
        for number in (self._from, self._to):
            with suppress(KeyError, ValueError):
                ready.unregister(number)

    def take(self, waiting: deque[tuple[int, bytes]], ready: selectors.DefaultSelector) -> None:
        """Take some of the jobs that wait."""
        was_idle = not self.jobs
        while waiting and len(self.jobs) < _AHEAD and len(self._out) < _AHEAD_BYTES:
            number, job = waiting.popleft()
            self.jobs.append((number, job))
            self._out += len(job).to_bytes(_LENGTH, "big") + job
        if self.jobs and was_idle:
            self._since = time.monotonic()
        if self._out and self._to not in ready.get_map():
            ready.register(self._to, selectors.EVENT_WRITE, self)

    def write(self, ready: selectors.DefaultSelector) -> None:
        """Write as much as its pipe takes."""
        try:
            del self._out[: os.write(self._to, self._out[:_CHUNK])]
        except BlockingIOError:
            return
        except OSError:  # it is gone: what it has answered is read to the end
            self._out.clear()
        if not self._out:
            ready.unregister(self._to)

    def read(self) -> Iterator[tuple[int, bytes]]:
        """The answers that are whole."""
        chunk = os.read(self._from, _CHUNK)
        self._in += chunk
        self._ended = self._ended or not chunk
        if not self.is_up and len(self._in) >= _LENGTH:
            self.is_up = self._in[:_LENGTH] == _UP
            self._ended = self._ended or not self.is_up
            del self._in[:_LENGTH]
        while len(self._in) >= _LENGTH and self.jobs:
            end = _LENGTH + int.from_bytes(self._in[:_LENGTH], "big")
            if end > _LONGEST_ANSWER:
                self._ended = True
            if len(self._in) < end or self._ended:
                return
            yield self.jobs.popleft()[0], bytes(self._in[_LENGTH:end])
            del self._in[:end]
            self._since = time.monotonic()

    def end(self) -> None:
        """Kill it, and wait until it is gone."""
        self._child.kill()
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        self._child.wait()
