"""Which migrations a base revision held as they read now: those alone need no judgement.

A file that was there under its name and reads differently is judged like a new one, and the edit
itself is a finding; so is a merged file that is gone. A file of a folder that the configuration of
the base did not name is a new one: it may have lain there for another purpose.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from glob import escape
from hashlib import sha256
from pathlib import Path, PurePosixPath

from d1_preflight.adapters.configuration import config_above, find_config
from d1_preflight.adapters.git.base_revision import BaseRevision, is_object
from d1_preflight.adapters.git.checkout import checkout_of
from d1_preflight.adapters.lint_sources import Ledger, Place, Sources, read_judged
from d1_preflight.adapters.regular_file import read_file
from d1_preflight.core.errors import ProjectError, RecordInvalid, UsageError
from d1_preflight.core.project.migration import DOWN_FOLDERS, Migration, ledger_key, undone_by
from d1_preflight.core.project.project import RECORDS_NAME
from d1_preflight.core.project.wrangler_config_file import parse_config
from d1_preflight.core.record.apply_facts import ApplyFacts
from d1_preflight.core.record.file import load_record
from d1_preflight.core.record.record import Record, Status
from d1_preflight.core.rules.project.merged import Change, MergedChange
from d1_preflight.core.verify.chain import RECORD_FILE

_NOT_APPLIED = (Status.FAILED, Status.PENDING)
_BEHIND = "exists at {} but not where this branch began: merge that to have it judged."


@dataclass(slots=True)
class AppliedMigrations:
    """The records of the project around a folder, read where a migration is asked for."""

    base: BaseRevision
    folder: Path
    _then: dict[str, str] | None = field(default=None, init=False)

    def holds(self, name: str) -> bool:
        """Whether a record says so of the migration; one that cannot be read may say so too."""
        stem = name.removesuffix(".sql")
        return any(_says_applied(data, name) for data in self._records(stem))

    def _records(self, stem: str) -> Iterator[bytes]:
        """A pull request can take away a record of its checkout, and none of the base."""
        top = self._top()
        end = f"/{stem}/{RECORD_FILE}"
        if self._then is None:
            self._then = dict(self.base.files(top))
        for path, object_name in self._then.items():
            if path.endswith(end):
                yield self.base.data(top, object_name)
        for here in sorted(top.glob(f"*/{escape(stem)}/{RECORD_FILE}")):
            try:
                yield read_file(here)
            except OSError:
                yield b""

    def _top(self) -> Path:
        config = config_above(Path(os.path.realpath(self.folder)))
        return (config.parent if config else self.folder.parent) / RECORDS_NAME


@dataclass(slots=True)
class Merged:
    """Takes out of ledgers what was merged at a revision.

    `by_config`: the folders are those that the wrangler configuration names.
    """

    sources: Sources
    revision: str
    by_config: bool
    _base: BaseRevision = field(init=False)

    def __post_init__(self) -> None:
        self._base = BaseRevision(self.revision)

    def left_out_of(self, ledger: Ledger) -> Ledger:
        """The ledger with only its new and its edited files wanted, and what was edited or went."""
        if ledger.unjudged and not ledger.migrations:
            return ledger
        place, folder = ledger.place, ledger.place.folder
        before = self._place_then(place) if self.by_config else place
        then = self._base.files(before.folder) if before else {}
        known = {n: o for n, o in then.items() if before and before.glob.matches(n)}
        lying = {m.name: _lying_at(m, folder) for m in ledger.migrations}
        same = {m.name for m in ledger.migrations if _is_same(m, known.get(lying[m.name], ""))}
        edited = {n for n in ledger.wanted - same if lying.get(n, n) in known}
        applied = AppliedMigrations(self._base, folder)
        lost = sorted(known.keys() - set(place.names()), key=ledger_key)
        begun = before.folder if before else folder
        behind = frozenset(lost) - self._there_at_the_fork(begun) if lost else frozenset()
        later = _BEHIND.format(self.revision)
        return replace(
            ledger,
            wanted=ledger.wanted - same,
            known=frozenset(name for name in known if "/" not in name),
            notes=(*ledger.notes, *(f"{n} {later}" for n in sorted(behind))),
            changed={
                m.name: self._edit(m, applied) for m in ledger.migrations if m.name in edited
            },
            departed=(
                *(self._removal(folder, name) for name in lost if name not in behind),
                *(self._down_edits(place, begun, then, known, applied) if self.by_config else ()),
            ),
        )  # fmt: skip

    def _edit(self, migration: Migration, applied: AppliedMigrations) -> MergedChange:
        undone = undone_by(migration.path) if migration.path else None
        if undone and undone[1] == migration.name:
            is_free = not AppliedMigrations(self._base, Path(undone[0])).holds(migration.name)
            return MergedChange(Change.DOWN_EDITED, migration, self.revision, is_free)
        if applied.holds(migration.name):
            return MergedChange(Change.APPLIED_EDITED, migration, self.revision)
        return MergedChange(Change.EDITED, migration, self.revision, may_be_declared=True)

    def _removal(self, folder: Path, name: str) -> MergedChange:
        gone = Migration(name, "", "", folder / PurePosixPath(name))
        change = Change.DOWN_EDITED if folder.name in DOWN_FOLDERS else Change.REMOVED
        return MergedChange(change, gone, self.revision)

    def _down_edits(
        self,
        place: Place,
        begun: Path,
        then: Mapping[str, str],
        known: Mapping[str, str],
        applied: AppliedMigrations,
    ) -> Iterator[MergedChange]:
        """The merged down files of merged migrations that are edited or gone."""
        for name, object_name in sorted(then.items()):
            _, up = undone_by(PurePosixPath(name)) or ("", "")
            if name in known or up not in known:
                continue
            path = place.folder / PurePosixPath(name)
            if not path.is_file():
                if name in self._there_at_the_fork(begun):
                    gone = Migration(name, "", "", path)
                    yield MergedChange(Change.DOWN_EDITED, gone, self.revision)
                continue
            down = read_judged(place, name)
            if not _is_same(down, object_name):
                is_free = not applied.holds(up)
                yield MergedChange(Change.DOWN_EDITED, down, self.revision, is_free)

    def _there_at_the_fork(self, folder: Path) -> frozenset[str]:
        """The files that this branch began with; those of the base where that is unknown."""
        fork = self._base.fork(folder) or self._base
        return frozenset(fork.files(folder))

    def _place_then(self, place: Place) -> Place | None:
        """The same folder as the base's configuration has it, or the one that it replaces.

        None where there is no such one. A configuration that is not under git (made by a deploy
        script) is no pull request's.
        """
        path = find_config(self.sources.start, self.sources.config)
        if checkout_of(path.parent) is None:
            return place
        here = read_file(path)
        if not self._base.object_of(path) and not BaseRevision("HEAD").object_of(path):
            return place
        try:
            text = self._base.text_of(path, here).decode("utf-8-sig")
            config = parse_config(path, text, self.sources.environment)
            places = self.sources.places_of(config)
        except (ProjectError, UsageError, UnicodeDecodeError):
            return None
        same = next((other for other in places if other.folder == place.folder), None)
        now = self.sources.places_of(
            parse_config(path, here.decode("utf-8-sig"), self.sources.environment)
        )
        gone = [p for p in places if p.folder not in {other.folder for other in now}]
        return same or (gone[0] if len(gone) == 1 else None)


def _lying_at(migration: Migration, folder: Path) -> str:
    """The name under which the base has the file: a down file bears that of its migration."""
    path = migration.path
    here = path is not None and path.is_relative_to(folder)
    return path.relative_to(folder).as_posix() if path is not None and here else migration.name


def _is_same(migration: Migration, name: str) -> bool:
    """Whether the file reads as it did, and as it was read to be judged."""
    path = migration.path
    if not name or path is None or path.is_symlink():
        return False
    data = read_file(path)
    return sha256(data).hexdigest() == migration.sha256 and is_object(data, name)


def _says_applied(data: bytes, name: str) -> bool:
    try:
        record = load_record(data)
    except RecordInvalid:
        return True
    return record.migration == name and _is_applied(record)


def _is_applied(record: Record) -> bool:
    """Whether an apply is not known to have done nothing."""
    attempts = [a for a in record.attempts if a.step == ApplyFacts.step]
    seen = [ApplyFacts.from_attempt(attempt) for attempt in attempts]
    ended_otherwise = any(attempt.status not in _NOT_APPLIED for attempt in attempts)
    return ended_otherwise or any(facts.observed or facts.half_way for facts in seen)
