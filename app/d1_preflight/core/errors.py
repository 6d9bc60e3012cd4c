"""The one family of errors: each says what happened, to what, and the next step.

Exit codes of the command line: 1 findings or open steps, 2 usage, 3 wrangler or network,
4 a record that is invalid or whose signature is bad, 70 our own bug.
"""

from pathlib import Path
from typing import ClassVar


class PreflightError(Exception):
    """What happened (`message`) and what to do next (`hint`), both for people."""

    exit_code: ClassVar[int] = 2

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(PreflightError):
    """The caller named something that is not there or is ambiguous."""


class Undecided(UsageError):
    """Several things may be meant; a face lets a person choose, a command names its `option`.

    A choice of a configuration is remembered in the folder `home`.
    """

    def __init__(
        self, message: str, *, hint: str, option: str, choices: tuple[str, ...], home: Path
    ) -> None:
        super().__init__(message, hint=hint)
        self.option = option
        self.choices = choices
        self.home = home


class ProjectError(PreflightError):
    """The Wrangler project, its configuration or its settings cannot be used as they are."""


class NoConfiguration(ProjectError):
    """No wrangler configuration lies here, above or below."""


class MigrationUnreadable(PreflightError):
    """A migration file is missing or is not UTF-8 text."""


class NotJudged(PreflightError):
    """Judging a migration takes more time or memory than it may."""


class ChecklistInvalid(PreflightError):
    """The checklist definition names something unknown or contradicts itself."""


class Rejected(PreflightError):
    """An answer to a prompt was refused; nothing was started."""


class NotAllowed(PreflightError):
    """The session refuses an act in the present state, for example GO with open steps."""

    exit_code = 1


class WranglerUnavailable(PreflightError):
    """Wrangler (or the Node that runs it) was not found or is too old."""

    exit_code = 3


class RemoteFailed(PreflightError):
    """Cloudflare's API answered with an error or could not be reached."""

    exit_code = 3


class NoAnalytics(RemoteFailed):
    """There is no token to ask analytics with: wrangler is logged in, and nothing else is known."""


class RecordInvalid(PreflightError):
    """A saved record cannot be read as one."""

    exit_code = 4


class BadSignature(PreflightError):
    """A signature is missing, does not fit the bytes, or its signer is not allowed."""

    exit_code = 4


class RecordBusy(PreflightError):
    """Another session (or an apply that outlived one) holds the record's lock."""

    exit_code = 1
