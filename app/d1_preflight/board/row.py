"""A line of the board."""

from enum import StrEnum

from d1_preflight.core.findings import Finding, Kind, Risk
from d1_preflight.lazy_dataclass import dataclass

NOT_STARTED = "not started"
"""The board's text for a migration without a record."""


class Remote(StrEnum):
    """Whether the target's ledger has a migration; unknown until the target has answered."""

    APPLIED = "applied"
    PENDING = "pending"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class BoardRow:
    """One migration: `record` says the state of its record, `mark` says it in one character.

    `remembered` is what an earlier run read of the ledger, shown until `remote` is known.
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
    is_judged: bool = True  # False while nobody has looked at its SQL
    record_of: str = ""  # the migration whose record it opens, where that is another one
    remembered: Remote = Remote.UNKNOWN
