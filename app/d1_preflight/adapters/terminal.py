"""Runs a command at the operator's terminal; one of the emergency card is noted in the timeline.

The child has the terminal to itself, so wrangler asks its own questions before it writes. The
timeline is for the post-mortem: what was run, when, by whom.
"""

import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from datetime import datetime
from pathlib import Path

from d1_preflight.adapters.processes import converse
from d1_preflight.adapters.regular_file import read_file
from d1_preflight.adapters.store import create_durably
from d1_preflight.core.errors import NotAllowed, ProjectError, WranglerUnavailable
from d1_preflight.core.verify.timeline import (
    POSTMORTEM,
    new_postmortem,
    new_timeline,
    next_line,
)
from d1_preflight.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Timeline:
    """A file that only grows; each line is on the disk before its event starts."""

    path: Path
    subject: str
    now: Callable[[], datetime]

    def note(self, by: str, words: str) -> None:
        """Add a line; raises ProjectError where it cannot be written."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            there = os.path.lexists(self.path)
            held = read_file(self.path).decode("utf-8") if there else ""
            head = "" if held else new_timeline(self.subject)
            if not held:
                self._ask()
            _append(self.path, head + next_line(held or head, self.now(), f"{by}  {words}"))
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise ProjectError(
                f"{self.path} cannot be written: {reason}.",
                hint="The command was not run. Copy it with c and run it in a shell.",
            ) from error

    def _ask(self) -> None:
        """Lay the questions for people beside it, once."""
        notes = self.path.with_name(POSTMORTEM)
        if not os.path.lexists(notes):
            with suppress(ProjectError):  # what counts is the line, which says what fails
                create_durably(notes, new_postmortem(self.subject).encode())


@dataclass(frozen=True, slots=True)
class Cockpit:
    """`programs` maps the first word of a command to what is really started."""

    programs: Mapping[str, Sequence[str]]
    root: Path
    environ: Mapping[str, str] = field(repr=False)
    timeline: Timeline
    by: str
    say: Callable[[str], object]
    wait: Callable[[], None]

    def run(self, command: str, *, noted: bool = True) -> str:
        """Run it to its end; how it ended, in words. Raises PreflightError if it cannot start."""
        name, *words = shlex.split(command)
        if name not in self.programs:
            raise NotAllowed(f"{name} is not run from here.", hint="Copy the command with c.")
        self.say(f"\n$ {command}\n")
        note = self._note if noted else lambda _words: None
        note(f"begins `{command}`")
        try:
            code = converse((*self.programs[name], *words), cwd=self.root, environ=self.environ)
        except OSError as error:
            note(f"could not start `{command}`")
            raise WranglerUnavailable(
                f"{name} could not be started: {error.strerror}.", hint="Run: preflight doctor"
            ) from error
        ended = f"exit code {code}"
        note(f"ended `{command}`: {ended}")
        self.say(f"\n{ended}; noted in {self.timeline.path}" if noted else "")
        self.wait()
        return ended

    def _note(self, words: str) -> None:
        self.timeline.note(self.by, words)


def say(words: str) -> None:
    """Write a line on the terminal, at once: the child writes there next."""
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def wait() -> None:
    """Let the person read before the screen comes back."""
    try:
        input("Enter goes back. ")
    except (EOFError, KeyboardInterrupt):
        return


def _append(path: Path, text: str) -> None:
    """Add to the file durably, never through a link; half a line is taken off again."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o644), "ab") as file:
        size = file.tell()
        try:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            with suppress(OSError):
                os.ftruncate(file.fileno(), size)
            raise
