"""Keeps the class of each migration for the board's first paint: never for a walk, which judges.

It lies in the user's own cache, where nothing under judgement can put a file, and what it says
stands until the files are judged, a moment later.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from d1_preflight.adapters.own_cache import entries_of_mine, program_mark, write_mine
from d1_preflight.adapters.ssh.verdicts import open_verdicts
from d1_preflight.core.findings import Kind, Risk
from d1_preflight.core.project.migration import Migration

KeptClass = tuple[Kind, Risk]

_FORM = "d1-preflight classes, 1"
_FILE = "classes.json"
_MOST = 5_000
_LARGEST = 4_000_000


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
        self._kept = dict(list({**older, **fresh}.items())[-_MOST:])
        held = {key: [kind.value, risk.value] for key, (kind, risk) in self._kept.items()}
        with suppress(OSError):
            text = json.dumps({"form": _FORM, "classes": held}, separators=(",", ":"))
            write_mine(self._file, text)

    def _keyed(self, migrations: Sequence[Migration]) -> Iterator[tuple[str, Migration]]:
        self._program = self._program or program_mark()
        key = self._program
        for migration in migrations:
            name = migration.name.encode("utf-8", "surrogateescape")
            key = sha256(b"%s %s %s" % (key.encode(), migration.sha256.encode(), name)).hexdigest()
            yield key, migration

    def _read(self) -> dict[str, KeptClass]:
        if self._kept is None:
            self._kept = dict(_kept_in(self._file)) if self._file else {}
        return self._kept


def open_class_cache(environ: Mapping[str, str], project: Path) -> ClassCache:
    """The classes of earlier runs, where the verdicts of earlier runs may be believed too."""
    beside = open_verdicts(environ, (Path.cwd(), project)).file
    return ClassCache(beside and beside.with_name(_FILE))


def _kept_in(file: Path) -> Iterator[tuple[str, KeptClass]]:
    for key, entry in entries_of_mine(file, _LARGEST, _FORM, "classes").items():
        with suppress(ValueError, TypeError):
            kind, risk = entry
            yield key, (Kind(kind), Risk(risk))
