"""What the board shows of the ledger before the target has answered: what an earlier run read."""

from collections.abc import Collection
from datetime import datetime, tzinfo
from typing import Protocol

from d1_preflight.board.row import Remote
from d1_preflight.core.format import ledger_age

Ledger = tuple[datetime, frozenset[str]]


class LedgerStore(Protocol):
    """Where a database's ledger is kept between two runs."""

    def ledger(self, now: datetime) -> Ledger | None:
        """When it was read, and the names in it; None where no run has."""
        ...

    def keep(self, at: datetime, names: Collection[str]) -> None:
        """Keep what was read."""
        ...


class KeptLedger:
    """The ledger as an earlier run read it, shown with its age; without a store there is none."""

    def __init__(self, store: LedgerStore | None) -> None:
        self._store = store
        self._known: Ledger | None = None

    def read(self, now: datetime) -> None:
        """Look for it."""
        self._known = self._store.ledger(now) if self._store else None

    def renew(self, at: datetime, names: Collection[str]) -> None:
        """The target has answered: keep that for the next start, and show no older one."""
        self._known = None
        if self._store:
            self._store.keep(at, names)

    def of(self, name: str) -> Remote:
        """What it said of a file; unknown without it."""
        if self._known is None:
            return Remote.UNKNOWN
        return Remote.APPLIED if name in self._known[1] else Remote.PENDING

    def age(self, zone: tzinfo, now: datetime) -> str:
        """When it was read, in words; "" without it."""
        return ledger_age(self._known[0], zone, now) if self._known else ""
