"""The timeline of an emergency: what was run, when, by whom; for the post-mortem."""

import os
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from d1_preflight.adapters.regular_file import read_file
from d1_preflight.adapters.store import create_durably
from d1_preflight.core.errors import ProjectError
from d1_preflight.core.verify.timeline import (
    POSTMORTEM,
    TIMELINE,
    new_postmortem,
    new_timeline,
    next_line,
)
from d1_preflight.lazy_dataclass import dataclass

__all__ = ["TIMELINE", "Timeline"]


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
