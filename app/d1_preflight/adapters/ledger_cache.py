"""Keeps what each database's ledger named, for the board's first paint: never as a proof.

It lies in the user's own cache, where nothing under judgement can put a file, and is shown with
its age until the target has answered. One project's stand-in is not another's, though they share a
uuid: the place that answered is a part of the key.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from d1_preflight.adapters.own_cache import entries_of_mine, write_mine
from d1_preflight.adapters.ssh.verdicts import open_verdicts
from d1_preflight.core.project.project import Project

KeptLedger = tuple[datetime, frozenset[str]]

_FORM = "d1-preflight ledgers, 1"
_FILE = "ledgers.json"
_DATABASES, _NAMES, _LONGEST = 50, 5_000, 255
_LARGEST = 4_000_000


class LedgerCache:
    """What the ledger of one database named when it was last read; without a file, nothing."""

    def __init__(self, file: Path | None, key: str) -> None:
        self._file, self._key = file, key

    def ledger(self, now: datetime) -> KeptLedger | None:
        """When it was read, and the names in it; None where no run has."""
        found = _kept_in(self._file).get(self._key) if self._file else None
        return found if found is not None and found[0] <= now else None  # no clock was moved

    def keep(self, at: datetime, names: Collection[str]) -> None:
        """Keep what was read; where that fails, the next start shows less."""
        fits = len(names) <= _NAMES and all(0 < len(name) <= _LONGEST for name in names)
        if self._file is None or not fits:
            return
        whole = {key: kept for key, kept in _kept_in(self._file).items() if key != self._key}
        whole[self._key] = (at, frozenset(names))
        newest = list(whole.items())[-_DATABASES:]
        held = {key: [at.astimezone(UTC).isoformat(), sorted(had)] for key, (at, had) in newest}
        with suppress(OSError, ValueError):
            text = json.dumps({"form": _FORM, "ledgers": held}, separators=(",", ":"))
            if len(text) <= _LARGEST:
                write_mine(self._file, text)


def open_ledger_cache(environ: Mapping[str, str], project: Project, target: str) -> LedgerCache:
    """The kept ledger of a project's database, where kept verdicts may be believed too."""
    beside = open_verdicts(environ, (Path.cwd(), project.root)).file
    uuid = project.database.id
    where = json.dumps([uuid, target, str(project.root.resolve())])
    # A database that is found by its name has no uuid yet.
    file = beside.with_name(_FILE) if beside and uuid else None
    return LedgerCache(file, sha256(where.encode()).hexdigest())


def _kept_in(file: Path) -> dict[str, KeptLedger]:
    return dict(_read(entries_of_mine(file, _LARGEST, _FORM, "ledgers")))


def _read(ledgers: Mapping[str, object]) -> Iterator[tuple[str, KeptLedger]]:
    for key, entry in list(ledgers.items())[-_DATABASES:]:
        match entry:
            case [str(when), [*names]] if len(names) <= _NAMES:
                with suppress(ValueError):
                    at = datetime.fromisoformat(when)
                    had = frozenset(name for name in names if isinstance(name, str))
                    if at.tzinfo is not None:
                        yield key, (at, had)
