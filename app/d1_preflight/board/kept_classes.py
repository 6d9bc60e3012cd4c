"""The classes that the board shows before it has judged: those of earlier runs."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from d1_preflight.core.findings import Analysis, Kind, Risk
from d1_preflight.core.project.migration import Migration, MigrationFile

KeptClass = tuple[Kind, Risk]
_NOT_KNOWN = (Kind.UNKNOWN, Risk.UNKNOWN)


class ClassStore(Protocol):
    """Where classes are kept between two runs."""

    def classes(self, migrations: Sequence[Migration]) -> Mapping[str, KeptClass]:
        """By the name of each; those that are not known are absent."""
        ...

    def keep(self, migrations: Sequence[Migration], judged: Mapping[str, KeptClass]) -> None:
        """Keep those that were judged."""
        ...


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
