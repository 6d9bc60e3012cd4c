"""What the board shows: one row a migration, and how much is known of the remote ledger."""

from dataclasses import dataclass
from enum import StrEnum

from d1_preflight.core.findings import Finding, Kind, Risk

NOT_STARTED = "not started"
"""What the board says of a migration that has no record."""


class Remote(StrEnum):
    """Whether the target's ledger has a migration; unknown until the target has answered."""

    APPLIED = "applied"
    PENDING = "pending"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class BoardRow:
    """One migration: `record` says the state of its record, `mark` says it in one character.

    `opens` is False for what the wizard cannot walk (an applied migration without a record).
    """

    name: str
    number: str
    words: str
    kind: Kind
    risk: Risk
    remote: Remote
    mark: str = "·"
    record: str = NOT_STARTED
    preview: str = ""
    findings: tuple[Finding, ...] = ()
    opens: bool = True


@dataclass(frozen=True, slots=True)
class BoardState:
    """The rows after the target was asked; `words` say when it was read, or why it was not."""

    rows: tuple[BoardRow, ...]
    words: str
    hint: str = ""
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """The board's header: `wrangler` names its version.

    `target` is remote, practice, or the host that answers as Cloudflare's API; `environment` is
    "" at the top level, and `chosen_by` says what chose it.
    """

    database: str
    target: str
    wrangler: str
    databases: tuple[str, ...] = ()
    environment: str = ""
    chosen_by: str = ""

    @property
    def label(self) -> str:
        """The database's name, and the environment where there is one."""
        return f"{self.database} · {self.environment}" if self.environment else self.database
