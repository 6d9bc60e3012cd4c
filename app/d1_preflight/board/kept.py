"""What the board shows before it has judged, and before the target has answered: what was kept."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Protocol

from d1_preflight.board.row import Remote
from d1_preflight.core.findings import Analysis, Kind, Risk
from d1_preflight.core.format import ledger_age
from d1_preflight.core.project.migration import Migration, MigrationFile

KeptClass = tuple[Kind, Risk]
Ledger = tuple[datetime, frozenset[str]]
_NOT_KNOWN = (Kind.UNKNOWN, Risk.UNKNOWN)


class ClassStore(Protocol):
    """Where classes are kept between two runs."""

    def classes(self, migrations: Sequence[Migration]) -> Mapping[str, KeptClass]:
        """By the name of each; those that are not known are absent."""

    def keep(self, migrations: Sequence[Migration], judged: Mapping[str, KeptClass]) -> None:
        """Keep those that were judged."""


class KeptClasses:
    """The classes of earlier runs; without a store there are none."""

    def __init__(self, store: ClassStore | None) -> None:
        self._store = store
        self._known: Mapping[str, KeptClass] = {}

    def read(self, files: Sequence[MigrationFile]) -> None:
        """Look for the classes of these files."""
        if self._store:
            readable = [file for file in files if isinstance(file, Migration)]
            self._known = self._store.classes(readable)

    def of(self, name: str) -> KeptClass:
        """The class of a file; unknown where no earlier run judged it."""
        return self._known.get(name, _NOT_KNOWN)

    def keep(self, migrations: Sequence[Migration], judged: Mapping[str, Analysis]) -> None:
        """Keep what was judged for the next start."""
        if self._store:
            found = {name: (one.kind, one.risk) for name, one in judged.items()}
            self._store.keep(migrations, found)


class LedgerStore(Protocol):
    """Where a database's ledger is kept between two runs."""

    def ledger(self, now: datetime) -> Ledger | None:
        """When it was read, and the names in it; None where no run has."""

    def keep(self, at: datetime, names: Collection[str]) -> None:
        """Keep what was read."""


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
