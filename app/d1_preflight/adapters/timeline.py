"""The timeline of an emergency: what was run, when, by whom; for the post-mortem."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from d1_preflight.core.errors import ProjectError

TIMELINE = "timeline.md"
_HEAD = """\
# Timeline of an emergency: {subject}

Post-mortem, to be filled in: What did users notice, and from when to when? Why did the rehearsal
not show it? What is changed so that it is seen next time?

Times are UTC. Each command is noted before it runs and after it has ended.

"""


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
            head = "" if self.path.exists() else _HEAD.format(subject=self.subject)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(f"{head}- {self.now():%Y-%m-%d %H:%M:%S}  {by}  {words}\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise ProjectError(
                f"{self.path} cannot be written: {error.strerror}.",
                hint="The command was not run. Copy it with y and run it in a shell.",
            ) from error
