"""The timeline of an emergency: what was run, when, by whom; for the post-mortem."""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from d1_preflight.core.errors import ProjectError
from d1_preflight.core.verify.timeline import (
    POSTMORTEM,
    TIMELINE,
    new_postmortem,
    new_timeline,
    next_line,
)

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
            held = self.path.read_text(encoding="utf-8") if self.path.exists() else ""
            head = "" if held else new_timeline(self.subject)
            if not held:
                self._ask()
            _append(self.path, head + next_line(held or head, self.now(), f"{by}  {words}"))
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise ProjectError(
                f"{self.path} cannot be written: {reason}.",
                hint="The command was not run. Copy it with y and run it in a shell.",
            ) from error

    def _ask(self) -> None:
        """Lay the questions for people beside it, once."""
        with suppress(FileExistsError):
            notes = self.path.with_name(POSTMORTEM)
            with notes.open("x", encoding="utf-8") as file:
                file.write(new_postmortem(self.subject))


def _append(path: Path, text: str) -> None:
    """Add to the file durably; half a line is taken off again."""
    with path.open("ab") as file:
        size = file.tell()
        try:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            with suppress(OSError):
                os.ftruncate(file.fileno(), size)
            raise
