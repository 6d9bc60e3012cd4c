"""Runs a command at the operator's terminal; one of the emergency card is noted in the timeline.

The child has the terminal to itself, so wrangler asks its own questions before it writes.
"""

import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from pathlib import Path

from d1_preflight.adapters.processes import converse
from d1_preflight.adapters.timeline import Timeline
from d1_preflight.core.errors import NotAllowed, WranglerUnavailable
from d1_preflight.lazy_dataclass import dataclass


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
