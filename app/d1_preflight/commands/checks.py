"""What `preflight doctor` finds: one check is a state, what was seen, and the fix."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from d1_preflight.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from d1_preflight.adapters.wrangler.dotenv import CommandEnvironment
    from d1_preflight.core.project.project import Project
    from d1_preflight.core.record.record import Status


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its state, what it found, and the fix."""

    status: "Status"
    title: str
    words: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where we look: the folder, the environment, and the project if one could be opened."""

    start: Path
    environ: Mapping[str, str]
    project: "Project | None" = None
    command: "CommandEnvironment | None" = None  # what wrangler would find in its environment

    @property
    def opened(self) -> "Project":
        """The project, which must be open at this point."""
        if self.project is None:
            raise AssertionError("checked before the project was opened")
        return self.project

    @property
    def of_wrangler(self) -> "CommandEnvironment":
        """What wrangler would find in its environment; read by the newest's rules if not yet."""
        from d1_preflight.adapters.wrangler.dotenv import read_environment

        return self.command or read_environment(self.start, self.environ)


Look = Callable[[Surroundings], Iterator[Check]]


def good(title: str, words: str) -> Check:
    """All is well with it."""
    from d1_preflight.core.record.record import Status

    return Check(Status.PROVED, title, words)


def failed(title: str, words: str, fix: str) -> Check:
    """It is wrong; `fix` mends it."""
    from d1_preflight.core.record.record import Status

    return Check(Status.FAILED, title, words, fix)


def unknown(title: str, words: str, fix: str) -> Check:
    """The result is unknown, or left open."""
    from d1_preflight.core.record.record import Status

    return Check(Status.UNKNOWN, title, words, fix)
