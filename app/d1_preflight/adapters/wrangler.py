"""Runs the real wrangler and keeps what it printed as evidence, cleaned of secrets.

The raw output lies in a private folder while the command runs, so a command that outlives us
keeps its log; `recover` turns such a log into evidence later. Output that is not to be kept goes
into files that have no name at all.
"""

import asyncio
import errno
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path

from d1_preflight.adapters.processes import Command, Ended, clean, run, strip_escapes
from d1_preflight.adapters.redaction import Redactor
from d1_preflight.adapters.toolchain import Toolchain
from d1_preflight.core.errors import PreflightError, UsageError, WranglerUnavailable
from d1_preflight.core.ports import Emit, Evidence, Stream, silent

_NOISY = frozenset({"WRANGLER_LOG", "FORCE_COLOR"})
_STREAMS: tuple[Stream, Stream] = ("out", "err")


@dataclass(frozen=True, slots=True)
class RealWrangler:
    """The wrangler of a toolchain, with a folder for evidence and a private one for raw output.

    `environ` is what the command inherits (credentials among it); `secrets` are further texts
    that must never be seen, such as the webhook's address. Below `root` paths are told relative to
    it, so that a record means the same on every machine. `lock_fds` names the descriptors that
    a protected command inherits, so that an orphan keeps the record locked.
    """

    toolchain: Toolchain
    evidence: Path
    private: Path
    environ: Mapping[str, str] = field(repr=False)  # a traceback must not show credentials
    secrets: tuple[str, ...] = field(default=(), repr=False)
    lock_fds: Callable[[], tuple[int, ...]] = tuple
    root: Path | None = None
    _redactor: Redactor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_redactor", Redactor.of(self.environ, self.secrets))

    @property
    def version(self) -> str:
        """The version of wrangler, for the record."""
        return self.toolchain.wrangler_version

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
        """Run one command to its end; nothing is raised for an exit code."""
        command = Command(
            argv=(*self.toolchain.argv, *args),
            cwd=cwd,
            env=command_environment(self.environ, self.toolchain),
            timeout=timeout,
            protect=protect,
            pass_fds=self.lock_fds() if protect else (),
        )
        with ExitStack() as stack:
            out, err = (stack.enter_context(self._open(keep, name)) for name in _STREAMS)
            ended = await self._start(command, out, err, emit, keep)
            stdout = self._redactor.exact(strip_escapes(_text(out)))
            stderr = "\n".join(self._safe(line) for line in _text(err).split("\n"))
        return Evidence(
            argv=self._shown(args),
            exit_code=ended.exit_code,
            milliseconds=ended.milliseconds,
            files=self._keep(keep) if keep and ended.exit_code is not None else {},
            stdout=stdout,
            stderr=stderr,
            timed_out=ended.timed_out,
        )

    def recover(self, keep: str) -> Mapping[str, str]:
        """Turn the raw log of a command that outlived us into evidence: path to sha256."""
        return self._keep(keep)

    async def _start(
        self, command: Command, out: FileIO, err: FileIO, emit: Emit, keep: str | None
    ) -> Ended:
        def shown(line: str, stream: Stream) -> None:
            emit(self._redactor.line(line), stream)

        try:
            return await run(command, out, err, shown)
        except asyncio.CancelledError:
            if keep and not command.protect:
                self._keep(keep)
            raise
        except OSError as error:
            if keep:
                self._drop(keep)
            raise _cannot_start(command, error) from error

    def _shown(self, args: Sequence[str]) -> tuple[str, ...]:
        return ("wrangler", *(self._placed(self._redactor.exact(word)) for word in args))

    def _placed(self, text: str) -> str:
        if self.root is None:
            return text
        return text.replace(f"{self.root}/", "").replace(str(self.root), ".")

    def _safe(self, line: str) -> str:
        """A line for people: cleaned first, for escapes may split a secret."""
        return self._redactor.line(clean(line))

    def _open(self, keep: str | None, stream: Stream) -> FileIO:
        """A raw output file that only we can read; without a name when nothing is kept."""
        self.private.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.private.chmod(0o700)
        if keep is None:
            return _unnamed(self.private)
        path = self._raw(keep, stream)
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        return os.fdopen(os.open(path, flags, 0o600), "r+b", buffering=0)

    def _raw(self, keep: str, stream: Stream) -> Path:
        if not keep or Path(keep).name != keep:
            raise UsageError(f'"{keep}" cannot name an evidence file.')
        return self.private / f"{keep}.{stream}"

    def _keep(self, keep: str) -> Mapping[str, str]:
        """Write the redacted copies, drop the raw ones, and tell their hashes."""
        kept: dict[str, str] = {}
        self.evidence.mkdir(parents=True, exist_ok=True)
        for stream in _STREAMS:
            raw = self._raw(keep, stream)
            if raw.exists():
                kept[f"{self.evidence.name}/{raw.name}"] = self._write_redacted(raw)
                raw.unlink()
        return kept

    def _drop(self, keep: str) -> None:
        for stream in _STREAMS:
            self._raw(keep, stream).unlink(missing_ok=True)

    def _write_redacted(self, raw: Path) -> str:
        target = self.evidence / raw.name
        partial = target.with_name(f".{target.name}.partial")
        digest = hashlib.sha256()
        with partial.open("wb") as file:
            for line in _lines(raw):
                saved = f"{self._placed(self._safe(line))}\n".encode()
                digest.update(saved)
                file.write(saved)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
        return digest.hexdigest()


def command_environment(environ: Mapping[str, str], toolchain: Toolchain) -> dict[str, str]:
    """The environment wrangler runs in: quiet, without prompts, with the chosen Node first.

    WRANGLER_LOG must go: with `error` the JSON itself is not printed and the exit code is 0.
    """
    env = {name: value for name, value in environ.items() if name not in _NOISY}
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


def _unnamed(folder: Path) -> FileIO:
    descriptor, name = tempfile.mkstemp(dir=folder)
    Path(name).unlink()
    return os.fdopen(descriptor, "r+b", buffering=0)


def _text(file: FileIO) -> str:
    size = os.fstat(file.fileno()).st_size
    return os.pread(file.fileno(), size, 0).decode("utf-8", "replace")


def _lines(path: Path) -> Iterator[str]:
    with path.open("rb") as file:
        for line in file:
            yield line.decode("utf-8", "replace").rstrip("\n")
