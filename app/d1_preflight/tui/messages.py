"""What the widgets ask for; the App answers, so no widget knows it."""

from collections.abc import Callable, Mapping
from pathlib import Path

from textual.message import Message

from d1_preflight.core.checklist.checklist import Step
from d1_preflight.lazy_dataclass import dataclass


@dataclass
class OpenAsked(Message):
    """Open the wizard for this migration."""

    name: str


class AdoptAsked(Message):
    """Open the wizard for the adoption of what the database has already."""


@dataclass
class DatabaseAsked(Message):
    """Look at another of the project's databases."""

    database: str


@dataclass
class Submitted(Message):
    """Perform a step with these raw answers."""

    step: Step
    raw: Mapping[str, object]


@dataclass
class WaiveAsked(Message):
    """Answer a step by a reason instead of a proof."""

    step: Step
    reason: str


@dataclass
class NoGoAsked(Message):
    """Write down that this is not the day."""

    reason: str


@dataclass
class EditAsked(Message):
    """Open a file in the operator's editor, at a line where one is named."""

    path: Path
    line: int = 0


class HeaderAsked(Message):
    """Write the migration's header from what was found."""


class FixAsked(Message):
    """Look for the proved rewrite of the migration, and show it."""


@dataclass
class BrowseAsked(Message):
    """Open a page in the operator's browser."""

    page: str


@dataclass
class RunAsked(Message):
    """Run a command at the terminal, and report how it ended; an emergency's is `noted`."""

    command: str
    ended: Callable[[str], None]
    noted: bool = False


class StopAsked(Message):
    """Give up waiting for the running step."""
