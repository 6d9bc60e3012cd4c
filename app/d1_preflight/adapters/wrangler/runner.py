"""Runs the real wrangler, observably: its output is followed, masked, and kept as evidence."""

import asyncio
import errno
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import field
from io import FileIO
from pathlib import Path

from d1_preflight.adapters.locks import Lock
from d1_preflight.adapters.processes import Command, Ended, run, strip_escapes
from d1_preflight.adapters.wrangler.dotenv import ENVIRONMENT
from d1_preflight.adapters.wrangler.evidence import STREAMS, EvidenceFolder
from d1_preflight.adapters.wrangler.redaction import Redactor
from d1_preflight.adapters.wrangler.toolchain import Toolchain
from d1_preflight.core.errors import (
    NotAllowed,
    PreflightError,
    ProjectError,
    UsageError,
    WranglerUnavailable,
)
from d1_preflight.core.ports import Emit, Evidence, Stream, silent
from d1_preflight.lazy_dataclass import dataclass

_DROPPED = frozenset({"WRANGLER_LOG", "FORCE_COLOR", ENVIRONMENT})


@dataclass(frozen=True, slots=True)
class RealWrangler:
    """Wrangler, looked for when its first command runs: the board paints without it.

    `toolchain` finds it once, `find` anew, for it may have been replaced. There is a folder for
    `evidence`, and a `private` one for the raw output of what runs now. `environ` is what the
    command inherits (credentials among it); `secrets` are further texts that must never be seen,
    such as the webhook's address. `lock` is the descriptor that a protected command inherits, so
    that an orphan keeps the record locked.
    """

    toolchain: Callable[[], Toolchain]
    evidence: Path
    private: Path
    environ: Mapping[str, str] = field(repr=False)  # a traceback must not show credentials
    secrets: tuple[str, ...] = field(default=(), repr=False)
    lock: Callable[[], int | None] = lambda: None
    root: Path | None = None
    find: Callable[[], Toolchain] | None = None
    _kept: EvidenceFolder = field(init=False, repr=False)

    def __post_init__(self) -> None:
        redactor = Redactor.of(self.environ, self.secrets)
        kept = EvidenceFolder(self.evidence, self.private, redactor, self.root)
        object.__setattr__(self, "_kept", kept)

    @property
    def version(self) -> str:
        """The version that would run now, for the record."""
        return (self.find or self.toolchain)().wrangler_version

    async def run(
        self,
        args: Sequence[str],
        *,
        cwd: Path,
        emit: Emit = silent,
        keep: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the child is ended by its own rules
        protect: bool = False,
    ) -> Evidence:
        """Run one command to its end; nothing is raised for an exit code.

        Raises WranglerUnavailable; NotAllowed for a protected command while another is at work.
        """
        toolchain = self.toolchain()
        with ExitStack() as stack:
            out, err = (stack.enter_context(self._kept.open(keep, name)) for name in STREAMS)
            command = Command(
                argv=(*toolchain.argv, *args),
                cwd=cwd,
                env=command_environment(self.environ, toolchain),
                timeout=timeout,
                protect=protect,
                pass_fds=self._inherited(stack) if protect else (),
            )
            if keep:
                self._kept.note(keep, self._kept.shown(args))
            ended = await self._start(command, out, err, emit, keep)
            stdout = strip_escapes(_text(out))
            stderr = "\n".join(self._kept.safe(line) for line in _text(err).split("\n"))
        return Evidence(
            argv=self._kept.shown(args),
            exit_code=ended.exit_code,
            milliseconds=ended.milliseconds,
            files=self._saved(keep, emit, protect=protect) if ended.exit_code is not None else {},
            stdout=stdout,
            shown=self._kept.redactor.exact(stdout),
            stderr=stderr,
            timed_out=ended.timed_out,
        )

    def is_writing(self) -> bool:
        """Whether a protected command that was left is still at work."""
        return is_writing(self.private)

    def recover(self, step: str) -> tuple[Evidence, ...]:
        """Evidence of a step's commands whose end was not observed."""
        return self._kept.recover(step)

    def _inherited(self, stack: ExitStack) -> tuple[int, ...]:
        """The locks that the child alone holds once it runs: only its own end frees them."""
        busy = NotAllowed(
            "An earlier wrangler is still writing to the target.",
            hint="Wait until it ends, then look at what it did.",
        )
        alone, record = stack.enter_context(Lock(_writing_lock(self.private), busy)), self.lock()
        return (alone,) if record is None else (record, alone)

    def _saved(self, keep: str | None, emit: Emit, *, protect: bool) -> Mapping[str, str]:
        """The evidence; of a remote write, what it did is more than its output."""
        try:
            return self._kept.keep(keep) if keep else {}
        except ProjectError as error:
            if not protect:
                raise
            emit(f"{error.message} {error.hint}", "err")
            return {}

    async def _start(
        self, command: Command, out: FileIO, err: FileIO, emit: Emit, keep: str | None
    ) -> Ended:
        def shown(line: str, stream: Stream) -> None:
            emit(self._kept.redactor.line(line), stream)

        try:
            return await run(command, out, err, shown)
        except asyncio.CancelledError:
            if keep and not command.protect:
                self._kept.keep(keep)
            raise
        except OSError as error:
            if keep:
                self._kept.drop(keep)
            raise _cannot_start(command, error) from error


def is_writing(private: Path) -> bool:
    """Whether a protected command with this private folder is still at work."""
    return Lock.is_held(_writing_lock(private))


def _writing_lock(private: Path) -> Path:
    return private / "writing.lock"


def terminal_environment(environ: Mapping[str, str], toolchain: Toolchain) -> dict[str, str]:
    """The environment of a wrangler that speaks to a person: it may ask, in colour."""
    quiet = command_environment(environ, toolchain)
    return {name: value for name, value in quiet.items() if name not in ("CI", "NO_COLOR")}


def command_environment(environ: Mapping[str, str], toolchain: Toolchain) -> dict[str, str]:
    """The environment wrangler runs in: quiet, without prompts, with the chosen Node first.

    WRANGLER_LOG must go: with `error` the JSON itself is not printed and the exit code is 0.
    CLOUDFLARE_ENV must go: the database is chosen once, by its uuid.
    """
    env = {name: value for name, value in environ.items() if name not in _DROPPED}
    env |= {
        "CI": "1",
        "NO_COLOR": "1",
        "WRANGLER_SEND_METRICS": "false",
        "WRANGLER_HIDE_BANNER": "true",  # exactly this word: 1 is a fatal error
        "WRANGLER_WRITE_LOGS": "false",
        "WRANGLER_NO_SKILLS_UPDATE_PROMPTS": "true",
        "NODE_COMPILE_CACHE": str(toolchain.compile_cache),
    }
    if toolchain.node is not None:
        env["PATH"] = os.pathsep.join((str(toolchain.node.parent), env.get("PATH", os.defpath)))
    return env


def _cannot_start(command: Command, error: OSError) -> PreflightError:
    if not command.cwd.is_dir():
        return UsageError(f"The folder {command.cwd} does not exist.")
    if error.errno == errno.E2BIG:
        return UsageError(
            "The SQL is too long for one command of this system.",
            hint="Put it into a file, or ask in several commands.",
        )
    return WranglerUnavailable(
        f"wrangler could not be started: {error.strerror or error}",
        hint="Run: preflight doctor",
    )


def _text(file: FileIO) -> str:
    size = os.fstat(file.fileno()).st_size
    return os.pread(file.fileno(), size, 0).decode("utf-8", "replace")
