"""What the core and the actions need of the world; adapters and test fakes satisfy these."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

from d1_preflight.lazy_dataclass import dataclass, field

Stream = Literal["out", "err"]
Emit = Callable[[str, Stream], None]
"""Takes one line of a child's output, already cleaned of control bytes."""


def silent(_line: str, _stream: Stream) -> None:
    """An `Emit` that shows nothing."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One command that ran: what was run, how it ended, how long, and the hashes of its output.

    `argv` is as shown to people (secrets never stand in it); `files` maps the path of a saved
    output, relative to the record's folder, to its sha256. `exit_code` is None when the process
    was lost (killed with us, or left to itself). `stdout` is what was printed, byte for byte, for
    reading data; words for people are drawn from `shown` and `stderr`, in which secrets are masked.
    None of the three is recorded. `timed_out`: we stopped waiting before it ended.
    """

    argv: tuple[str, ...]
    exit_code: int | None
    milliseconds: int
    files: Mapping[str, str] = field(default_factory=dict)
    stdout: str = field(default="", repr=False)  # rows and secrets: no traceback shows them
    stderr: str = ""
    timed_out: bool = False
    shown: str = ""


class Wrangler(Protocol):
    """The real wrangler. `run` never raises on an exit code; WranglerUnavailable if it can't start.

    `args` come without the program's name, e.g. ("d1", "execute", "db", "--remote", …).
    `keep` names the evidence files, e.g. "03-apply" (None: nothing is kept, as for row copies).
    `timeout` is in seconds; None waits for ever. `protect` is for remote writes: the command is
    never killed, and when the wait is given up (cancelled, timed out) it goes on by itself and
    holds the record's lock until it ends.
    """

    @property
    def version(self) -> str:
        """The version that would run now; raises WranglerUnavailable."""
        ...

    async def run(
        self,
        args: Sequence[str],
        *,
        cwd: Path,
        emit: Emit = silent,
        keep: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the adapter ends the child itself
        protect: bool = False,
    ) -> Evidence:
        """Run one command to its end and return what happened."""
        ...

    def is_writing(self) -> bool:
        """Whether a protected command that was left is still at work."""
        ...

    def recover(self, step: str) -> tuple[Evidence, ...]:
        """Evidence of a step's commands whose end nobody saw, from the logs they left."""
        ...


class Clock(Protocol):
    """The time; UTC, to the second where it is recorded."""

    def now(self) -> datetime:
        """Tell the present moment, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Tell seconds that only grow, for measuring how long something took."""
        ...

    def boot(self) -> str:
        """Name the time through which `monotonic` grows; another name, and it began anew."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let this much time pass; for watching, never for ordering."""
        ...
