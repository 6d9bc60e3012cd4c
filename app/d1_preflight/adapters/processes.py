"""Runs child processes: argv tuples only, detached from the terminal, their output in files.

A child writes straight into its files and the parent only follows them, so it finishes and keeps
its log when the parent is killed. `subprocess.Popen` is used on purpose: asyncio's own transport
kills a child that is still running when it is collected, and a protected child must never be.
"""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import FileIO
from pathlib import Path

from d1_preflight.core.ports import Emit, Stream, silent
from d1_preflight.lazy_dataclass import dataclass, field

LONGEST_SHOWN_LINE = 4000
MISSING = 127
TOO_SLOW = 124
_LOOK_EVERY = 0.02
_LEFTOVERS_GRACE = 1.0
_CHUNK = 1 << 18

_ESCAPES = re.compile(
    r"\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\|(?=\n)|$)"  # OSC: titles, links
    r"|\x1b[PX^_][^\x1b\n]*(?:\x1b\\|(?=\n)|$)"  # DCS, SOS, PM, APC
    r"|\x1b\[[0-?]*[ -/]*[@-~]?"  # CSI: colours, cursor
    r"|\x1b[ -/]*[0-~]?"  # two-byte escapes
)
_CONTROLS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]"
)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended: `exit_code` is None when it was left running (protected)."""

    exit_code: int | None
    milliseconds: int
    timed_out: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """What to start and under which rules.

    `protect`: never killed; when we stop waiting (cancelled, timed out) it goes on by itself.
    `grace`: how many seconds an interrupted child may take to roll back before it is killed.
    `pass_fds`: descriptors the child inherits, so that a lock outlives us while the child lives.
    """

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str] = field(repr=False)
    timeout: float | None = None
    protect: bool = False
    grace: float = 6.0
    pass_fds: tuple[int, ...] = ()


async def run(command: Command, out: FileIO, err: FileIO, emit: Emit = silent) -> Ended:
    """Run a child to its end, following its two output files; OSError when it cannot start."""
    import asyncio  # late: most who ask a program run no loop

    started = time.monotonic()
    child = _start(command, out, err)
    tails = (_Tail(out, "out", emit), _Tail(err, "err", emit))
    try:
        timed_out = await _follow(child, tails, command.timeout)
    except asyncio.CancelledError:
        if not command.protect:
            await _end_group(child, command.grace)
        raise
    if timed_out and not command.protect:
        await _end_group(child, command.grace)
    for tail in tails:
        while tail.read():  # noqa: ASYNC110 - lets the loop run between chunks
            await asyncio.sleep(0)
        tail.end()
    return Ended(child.poll(), round((time.monotonic() - started) * 1000), timed_out)


def clean(line: str) -> str:
    """Strip escape sequences, control characters and direction overrides from one line."""
    if line.isprintable():
        return line
    shown = line.rstrip("\r\n").rsplit("\r", 1)[-1]
    return _CONTROLS.sub("", strip_escapes(shown).replace("\t", "    "))


def strip_escapes(text: str) -> str:
    """Strip terminal sequences only; JSON never holds one, so data stays as it is."""
    return _ESCAPES.sub("", text)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a short command answered."""

    exit_code: int
    out: bytes
    err: bytes

    @property
    def text(self) -> str:
        """Its standard output as text, without the final newline."""
        return self.out.decode("utf-8", "replace").rstrip("\r\n")

    @property
    def reason(self) -> str:
        """Its standard error as one cleaned line."""
        lines = self.err.decode("utf-8", "replace").splitlines()
        return "; ".join(text for line in lines if (text := clean(line).strip()))


def ask(
    *argv: str,
    stdin: bytes = b"",
    cwd: Path | None = None,
    timeout: float = 10.0,
    at_terminal: bool = False,
    environ: Mapping[str, str] | None = None,
) -> Answer:
    """Run a short command (git, ssh-keygen, node --version) and wait for it; never raises.

    A command that is missing or too slow answers with exit code 127 or 124; with a slow one ends
    its whole group. `at_terminal` lets it speak to the person (a passphrase, a touch), with all the
    time that takes.
    """
    env = {**(os.environ if environ is None else environ), "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}
    try:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if at_terminal else subprocess.PIPE,
            cwd=cwd,
            env=env,
            start_new_session=not at_terminal,
        )
    except OSError as error:
        return Answer(MISSING, b"", str(error).encode())
    with child:
        try:
            out, err = child.communicate(stdin, timeout=None if at_terminal else timeout)
        except subprocess.TimeoutExpired:
            _signal_group(child.pid, signal.SIGKILL)
            return Answer(TOO_SLOW, b"", f"no answer within {timeout:g} s".encode())
        except BaseException:
            if at_terminal:  # it shares our group
                child.kill()
            else:
                _signal_group(child.pid, signal.SIGKILL)
            raise
    return Answer(child.returncode, out, err or b"")


class TimeoutCache:
    """Remembers, for this process, the questions that no program answered in time.

    A hanging program would otherwise cost its whole limit at each draw of a screen.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], Answer] = {}

    def ask(self, key: tuple[str, ...], question: Callable[[], Answer]) -> Answer:
        """Ask, unless the same key timed out before: then that is the answer again."""
        if known := self._known.get(key):
            return known
        answer = question()
        if answer.exit_code == TOO_SLOW:
            self._known[key] = answer
        return answer


TIMED_OUT = TimeoutCache()


def ask_version(program: Path, timeout: float, path: str = "") -> Answer:
    """What a program answers to --version; after a timeout it is asked again once replaced.

    `path` is the PATH that it is asked with; "" for our own.
    """
    environ = {**os.environ, "PATH": path} if path else None
    there = program.stat() if program.exists() else None
    key = (str(program), *((str(there.st_mtime_ns), str(there.st_ino)) if there else ()))
    # At the root: a version manager's shim would read which version a checkout asks for.
    return TIMED_OUT.ask(
        key,
        lambda: ask(str(program), "--version", cwd=Path("/"), timeout=timeout, environ=environ),
    )


def converse(
    argv: Sequence[str], *, cwd: Path | None = None, environ: Mapping[str, str] | None = None
) -> int:
    """Run a program that takes over the terminal, such as an editor; its exit code. OSError.

    Ctrl-C is the child's alone meanwhile: it must not end us while the child still works.
    """
    before = signal.signal(signal.SIGINT, lambda _number, _frame: None)
    try:
        env = None if environ is None else dict(environ)
        return subprocess.run(tuple(argv), cwd=cwd, env=env, check=False).returncode
    finally:
        signal.signal(signal.SIGINT, before)


def launch(*argv: str) -> bool:
    """Start a program that goes its own way (a browser); whether it could be started."""
    try:
        subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return False
    return True


def on_path(name: str, environ: Mapping[str, str]) -> Iterator[Path]:
    """Every executable file of that name on PATH, in order."""
    for folder in environ.get("PATH", os.defpath).split(os.pathsep):
        path = Path(folder) / name
        if folder and path.is_file() and os.access(path, os.X_OK):
            yield path


@dataclass(slots=True)
class _Tail:
    """Reads what a child has added to its file and hands on whole lines."""

    file: FileIO
    stream: Stream
    emit: Emit
    offset: int = 0
    rest: bytearray = field(default_factory=bytearray)

    def read(self) -> bool:
        """Emit the lines that have become whole; True when more is waiting to be read."""
        chunk = os.pread(self.file.fileno(), _CHUNK, self.offset)
        self.offset += len(chunk)
        self.rest += chunk
        self._hand_on()
        return len(chunk) == _CHUNK

    def end(self) -> None:
        """Emit a last line that was never finished."""
        if self.rest:
            self._show(bytes(self.rest))
            self.rest.clear()

    def _hand_on(self) -> None:
        if b"\n" not in self.rest:
            return
        *lines, rest = bytes(self.rest).split(b"\n")
        self.rest = bytearray(rest)
        for line in lines:
            self._show(line)

    def _show(self, line: bytes) -> None:
        text = clean(line.decode("utf-8", "replace"))
        more = len(text) - LONGEST_SHOWN_LINE
        if more > 0:
            text = f"{text[:LONGEST_SHOWN_LINE]} … ({more} more characters)"
        self.emit(text, self.stream)


def _start(command: Command, out: FileIO, err: FileIO) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command.argv,
        cwd=command.cwd,
        env=dict(command.env),
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=err,
        start_new_session=True,
        pass_fds=command.pass_fds,
    )


async def _follow(
    child: subprocess.Popen[bytes], tails: tuple[_Tail, _Tail], limit: float | None
) -> bool:
    """Follow until the child ends; True when the time was up first."""
    import asyncio

    deadline = None if limit is None else time.monotonic() + limit
    while child.poll() is None:
        waiting = [tail.read() for tail in tails]
        if deadline is not None and time.monotonic() >= deadline:
            return True
        await asyncio.sleep(0 if any(waiting) else _LOOK_EVERY)
    return False


async def _end_group(child: subprocess.Popen[bytes], grace: float) -> None:
    """Interrupt the whole group (a local apply rolls back), wait, then kill what is left.

    The group, not the leader: wrangler's children go on applying when only the leader dies.
    """
    import asyncio

    try:
        _signal_group(child.pid, signal.SIGINT)
        deadline = time.monotonic() + grace
        while _group_lives(child) and time.monotonic() < deadline:
            await asyncio.sleep(_LOOK_EVERY)
            if child.returncode is not None:  # what it left behind may be dead but not reaped
                deadline = min(deadline, time.monotonic() + _LEFTOVERS_GRACE)
    finally:
        _signal_group(child.pid, signal.SIGKILL)
        child.wait()


def _group_lives(child: subprocess.Popen[bytes]) -> bool:
    child.poll()
    return _signal_group(child.pid, 0)


def _signal_group(group: int, number: int) -> bool:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True
