"""The one door to git: it is asked what it knows, and runs nothing that a repository names.

A repository may be hostile: its configuration names commands (fsmonitor, hooks, filters, textconv,
pagers, transports), and plain files of a pull request can look like a bare repository. So the
repository is always named, nothing of the environment steers git, whatever could start a command
is switched off, and only plumbing is asked.
"""

import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import field
from pathlib import Path

from d1_preflight.adapters.git.checkout import GIT_NAME, checkout_of, path_outside, program_outside
from d1_preflight.adapters.processes import MISSING, TOO_SLOW, Answer
from d1_preflight.core.format import count
from d1_preflight.lazy_dataclass import dataclass

_LONGEST_GIT_FILE = 4096
TOO_LONG = 125
_CHUNK = 1 << 16
_OVERRIDES = (
    "safe.bareRepository=explicit",
    "core.fsmonitor=false",
    f"core.hooksPath={os.devnull}",
    f"core.attributesFile={os.devnull}",
    "core.commitGraph=false",  # a cache that can name another tree for a commit
    "core.warnAmbiguousRefs=true",
    "core.quotePath=false",
    "core.sshCommand=false",
    "core.gitProxy=false",
    "core.askPass=",
    "credential.helper=",
    "protocol.allow=never",
    "diff.external=",
    "gc.auto=0",
    "maintenance.auto=false",
    "init.templateDir=",
    "status.submoduleSummary=false",
    "submodule.recurse=false",
)
_OWN = {
    "LC_ALL": "C",
    "GIT_ALLOW_PROTOCOL": "",  # stronger than protocol.*.allow of the repository
    "GIT_ASKPASS": "",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_EDITOR": "false",
    "GIT_GRAFT_FILE": os.devnull,
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_PAGER": "cat",
    "GIT_TERMINAL_PROMPT": "0",
}
_PERSONS = ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM")
"""The person's own configuration folder: kept, unless it is in the checkout."""
_DROPPED = ("SSH_ASKPASS", "PAGER", "EDITOR", "VISUAL")


@dataclass(frozen=True, slots=True)
class Git:
    """The repository around a folder; `git_dir` is None where there is none to ask.

    `root` is the folder that holds `.git`, written as it was reached; without one, the folder.
    """

    root: Path
    git_dir: Path | None
    environ: Mapping[str, str]
    _refusals: list[Answer | None] = field(default_factory=list, repr=False, compare=False)

    def ask(self, *words: str, stdin: bytes = b"", timeout: float = 10.0) -> Answer:
        """Ask git about this repository and no other one; without one, only configuration."""
        where = [f"--git-dir={self.git_dir or os.devnull}"]
        if self.git_dir is not None:
            where.append(f"--work-tree={os.path.realpath(self.root)}")
        return self.run((*where, *words), stdin, timeout)

    def refusal(self, timeout: float = 10.0) -> Answer | None:
        """What git says against this repository, such as that it is another person's; or None.

        Git looks at the owner only of a repository that it finds by itself.
        """
        if self.git_dir is None:
            return None
        if not self._refusals:
            self._refusals.append(self._refused(timeout))
        return self._refusals[0]

    def _refused(self, timeout: float) -> Answer | None:
        found = self.run(("rev-parse", "--absolute-git-dir"), b"", timeout)
        if found.exit_code != 0:
            return found
        same = os.path.realpath(os.fsdecode(found.out.rstrip(b"\n"))) == str(self.git_dir)
        return None if same else Answer(1, b"", f"{self.root / GIT_NAME} is damaged".encode())

    def run(self, words: tuple[str, ...], stdin: bytes, timeout: float) -> Answer:
        """Run git in the root without naming a repository."""
        program = program_outside("git", self.environ, self.root)
        if program is None:
            return Answer(MISSING, b"", b"git was not found on PATH")
        rules = tuple(word for rule in _OVERRIDES for word in ("-c", rule))
        return ask_bounded(
            str(program), "--no-pager", *rules, *words,
            stdin=stdin, cwd=self.root, environ=self._environment(), timeout=timeout,
        )  # fmt: skip

    def _environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in self.environ.items()
            if not name.startswith("GIT_") and name not in _DROPPED
        }
        persons = {n: self.environ[n] for n in _PERSONS if self._is_the_persons(n)}
        return kept | persons | _OWN | {"PATH": path_outside(self.environ, self.root)}

    def _is_the_persons(self, name: str) -> bool:
        value = self.environ.get(name)
        if value is None or self.git_dir is None or name == "GIT_CONFIG_NOSYSTEM":
            return value is not None
        path = Path(os.path.realpath(value))
        return os.path.isabs(value) and not path.is_relative_to(os.path.realpath(self.root))  # noqa: PTH117


class _TooLongError(Exception):
    """It wrote more than it may."""


def ask_bounded(
    *argv: str,
    cwd: Path,
    environ: Mapping[str, str],
    stdin: bytes = b"",
    timeout: float = 10.0,
    most: int = 1 << 26,
) -> Answer:
    """Run a command and wait for it; never raises.

    One that is missing, too slow or writes more than `most` bytes answers with exit code 127, 124
    or 125; its whole group ends with it.
    """
    with tempfile.TemporaryFile() as given:
        given.write(stdin)
        given.seek(0)
        try:
            child = subprocess.Popen(
                argv,
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=cwd,
                env=dict(environ),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:  # ValueError: a NUL among the words
            return Answer(MISSING, b"", str(error).encode())
    with child:
        try:
            out, err = _read(child, time.monotonic() + timeout, most)
        except BaseException as error:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
            if isinstance(error, TimeoutError):
                return Answer(TOO_SLOW, b"", f"no answer within {timeout:g} s".encode())
            if isinstance(error, _TooLongError):
                return Answer(TOO_LONG, b"", f"more than {count(most)} bytes".encode())
            raise
    return Answer(child.returncode, out, err)


def _read(child: "subprocess.Popen[bytes]", deadline: float, most: int) -> tuple[bytes, bytes]:
    found = {pipe.fileno(): bytearray() for pipe in (child.stdout, child.stderr) if pipe}
    out, err = found.values()
    with selectors.DefaultSelector() as waiting:
        for number in found:
            waiting.register(number, selectors.EVENT_READ)
        while waiting.get_map():
            ready = waiting.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError
            for key, _ in ready:
                chunk = os.read(key.fd, _CHUNK)
                found[key.fd] += chunk
                if not chunk:
                    waiting.unregister(key.fd)
                if len(out) + len(err) > most:
                    raise _TooLongError
    try:
        child.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired as error:
        raise TimeoutError from error
    return bytes(out), bytes(err)


def git_around(folder: Path, environ: Mapping[str, str] | None = None) -> Git:
    """The repository of the nearest `.git` at or above this folder."""
    env = os.environ if environ is None else environ
    root = checkout_of(folder)
    if root is None:
        there = next(p for p in (folder, *folder.parents) if p.is_dir())
        return Git(there, None, env)
    return Git(root, _git_dir(root / GIT_NAME), env)


def ask_git(words: tuple[str, ...], folder: Path) -> Answer:
    """Ask git in a folder that is, or with `init` becomes, a repository of its own."""
    git = Git(folder, None if words[0] == "init" else folder / GIT_NAME, os.environ)
    return git.run(words, b"", 10.0) if git.git_dir is None else git.ask(*words)


def _git_dir(mark: Path) -> Path | None:
    """What `.git` is or names: a folder, or the file of a worktree or submodule."""
    real = Path(os.path.realpath(mark))
    if real.is_dir():
        return real
    if not real.is_file():
        return None
    with real.open("rb") as file:
        words = os.fsdecode(file.read(_LONGEST_GIT_FILE))
    if not words.startswith("gitdir:"):
        return None
    named = Path(os.path.realpath(mark.parent / words.removeprefix("gitdir:").strip()))
    return named if named.is_dir() else None
