"""Bounds what a judgement may take: processor time and memory, in whatever code it is spent.

A timer counts this process's own processor time, so that a slow disk or a busy machine refuses
nothing. SQLite's progress handler and authorizer are Python: the timer is heard inside of it too.
"""

import resource
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType

from d1_preflight.core.errors import NotJudged

SECONDS = 4.0
SECONDS_A_FILE = 0.02
MEGABYTES = 240
_BETWEEN_LOOKS = 0.05
_STATUS = Path("/proc/self/status")
_UNITS_PER_MEGABYTE = 1024 * 1024 if sys.platform == "darwin" else 1024


class TooMuchWork(BaseException):
    """The limit was reached; `words` say which."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


@contextmanager
def work_limit(seconds: float = SECONDS, megabytes: float = MEGABYTES) -> Iterator[None]:
    """Raise TooMuchWork in the body once it has taken more than this.

    Signals reach the main thread alone: in another one there is no limit.
    """
    end, most = time.process_time() + seconds, _peak() + megabytes

    def look(_number: int, _frame: FrameType | None) -> None:
        if time.process_time() > end:
            raise TooMuchWork(f"more than {seconds:g} seconds of processor time")
        if _peak() > most:
            raise TooMuchWork(f"more than {megabytes:g} MB of memory")

    with ExitStack() as undone:
        with suppress(ValueError):  # another thread; threading is not imported only to ask
            undone.callback(signal.signal, signal.SIGPROF, signal.signal(signal.SIGPROF, look))
            signal.setitimer(signal.ITIMER_PROF, _BETWEEN_LOOKS, _BETWEEN_LOOKS)
            undone.callback(signal.setitimer, signal.ITIMER_PROF, 0)
        yield


@contextmanager
def judging_limit(files: int = 1) -> Iterator[None]:
    """Raise NotJudged where judging that many files takes too much."""
    try:
        with work_limit(SECONDS + SECONDS_A_FILE * files):
            yield
    except TooMuchWork as stopped:
        raise NotJudged(
            f"Judging it takes {stopped.words}.",
            hint="Split the file. Migrations change the schema; bring rows in with "
            "wrangler d1 execute --file.",
        ) from None


def _peak() -> float:
    """The most megabytes this program has had; elsewhere than on Linux also what came before it.

    `ru_maxrss` starts with what the parent held when it started this program, see getrusage(2):
    beside a large parent a limit would be reached too late.
    """
    with suppress(OSError, StopIteration):
        lines = _STATUS.read_bytes().splitlines()
        most = next(line for line in lines if line.startswith(b"VmHWM:"))
        return int(most.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _UNITS_PER_MEGABYTE
