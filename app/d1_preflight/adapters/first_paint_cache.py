"""Keeps for the board's first paint what an earlier run saw: each file's class, and the ledger.

It lies in the user's own cache, where nothing under judgement can put a file. It is no proof: a
class stands until the files are judged, a moment later, and a walk judges itself; the ledger is
shown with its age until the target has answered.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from d1_preflight.adapters.own_cache import KeptEntries, program_mark
from d1_preflight.adapters.ssh.verdicts import open_verdicts
from d1_preflight.core.findings import Kind, Risk
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.project.project import Project

KeptClass = tuple[Kind, Risk]
KeptLedger = tuple[datetime, frozenset[str]]

_CLASSES = KeptEntries("d1-preflight classes, 1", "classes", most=5_000, largest=4_000_000)
_LEDGERS = KeptEntries("d1-preflight ledgers, 1", "ledgers", most=50, largest=4_000_000)
_NAMES, _LONGEST = 5_000, 255


class ClassCache:
    """The classes of earlier runs, each under a hash of its file, all before it, and the program.

    Without a file it holds nothing.
    """

    def __init__(self, file: Path | None, program: str = "") -> None:
        self._file, self._program = file, program
        self._kept: dict[str, KeptClass] | None = None

    def classes(self, migrations: Sequence[Migration]) -> Mapping[str, KeptClass]:
        """The kept classes of files in the ledger's order, by the name of each."""
        kept = self._read()
        if not kept:
            return {}
        known = ((migration, kept.get(key)) for key, migration in self._keyed(migrations))
        return {migration.name: found for migration, found in known if found is not None}

    def keep(self, migrations: Sequence[Migration], judged: Mapping[str, KeptClass]) -> None:
        """Keep what was judged, by the name of each; where that fails, the next start is slower."""
        if self._file is None:
            return
        before = self._read()
        fresh = {k: judged[m.name] for k, m in self._keyed(migrations) if m.name in judged}
        if all(before.get(key) == found for key, found in fresh.items()):
            return
        older = {key: found for key, found in before.items() if key not in fresh}
        self._kept = {**older, **fresh}
        held = {key: [kind.value, risk.value] for key, (kind, risk) in self._kept.items()}
        _CLASSES.write(self._file, held)

    def _keyed(self, migrations: Sequence[Migration]) -> Iterator[tuple[str, Migration]]:
        self._program = self._program or program_mark()
        key = self._program
        for migration in migrations:
            name = migration.name.encode("utf-8", "surrogateescape")
            key = sha256(b"%s %s %s" % (key.encode(), migration.sha256.encode(), name)).hexdigest()
            yield key, migration

    def _read(self) -> dict[str, KeptClass]:
        if self._kept is None:
            self._kept = dict(_classes_in(self._file)) if self._file else {}
        return self._kept


class LedgerCache:
    """What the ledger of one database named when it was last read; without a file, nothing."""

    def __init__(self, file: Path | None, key: str) -> None:
        self._file, self._key = file, key

    def ledger(self, now: datetime) -> KeptLedger | None:
        """When it was read, and the names in it; None where no run has."""
        found = dict(_ledgers_in(self._file)).get(self._key) if self._file else None
        return found if found is not None and found[0] <= now else None  # no clock was moved

    def keep(self, at: datetime, names: Collection[str]) -> None:
        """Keep what was read; where that fails, the next start shows less."""
        fits = len(names) <= _NAMES and all(0 < len(name) <= _LONGEST for name in names)
        if self._file is None or not fits:
            return
        whole = {key: kept for key, kept in _ledgers_in(self._file) if key != self._key}
        whole[self._key] = (at, frozenset(names))
        held = {
            key: [t.astimezone(UTC).isoformat(), sorted(had)] for key, (t, had) in whole.items()
        }
        _LEDGERS.write(self._file, held)


def open_class_cache(environ: Mapping[str, str], project: Path) -> ClassCache:
    """The classes of earlier runs, where the verdicts of earlier runs may be believed too."""
    beside = open_verdicts(environ, (Path.cwd(), project)).file
    return ClassCache(beside and beside.with_name("classes.json"))


def open_ledger_cache(environ: Mapping[str, str], project: Project, target: str) -> LedgerCache:
    """The kept ledger of a project's database, where kept verdicts may be believed too.

    One project's stand-in is not another's, though they share a uuid: the place that answered is a
    part of the key.
    """
    beside = open_verdicts(environ, (Path.cwd(), project.root)).file
    uuid = project.database.id
    where = json.dumps([uuid, target, str(project.root.resolve())])
    # A database that is found by its name has no uuid yet.
    file = beside.with_name("ledgers.json") if beside and uuid else None
    return LedgerCache(file, sha256(where.encode()).hexdigest())


def _classes_in(file: Path) -> Iterator[tuple[str, KeptClass]]:
    for key, entry in _CLASSES.read(file).items():
        with suppress(ValueError, TypeError):
            kind, risk = entry
            yield key, (Kind(kind), Risk(risk))


def _ledgers_in(file: Path) -> Iterator[tuple[str, KeptLedger]]:
    for key, entry in _LEDGERS.read(file).items():
        match entry:
            case [str(when), [*names]] if len(names) <= _NAMES:
                with suppress(ValueError):
                    at = datetime.fromisoformat(when)
                    had = frozenset(name for name in names if isinstance(name, str))
                    if at.tzinfo is not None:
                        yield key, (at, had)
