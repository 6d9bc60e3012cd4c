"""Which migrations are applied, as the records of the base revision or of this checkout say."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from d1_preflight.adapters.configuration import config_above
from d1_preflight.adapters.git.base_revision import BaseRevision
from d1_preflight.adapters.regular_file import read_file
from d1_preflight.core.errors import RecordInvalid
from d1_preflight.core.project.project import RECORDS_NAME
from d1_preflight.core.record.apply_facts import ApplyFacts
from d1_preflight.core.record.file import load_record
from d1_preflight.core.record.record import Record, Status
from d1_preflight.core.verify.chain import RECORD_FILE

_NOT_APPLIED = (Status.FAILED, Status.PENDING)


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
        for here in sorted(top.glob(f"*/{_literal(stem)}/{RECORD_FILE}")):
            try:
                yield read_file(here)
            except OSError:
                yield b""

    def _top(self) -> Path:
        config = config_above(Path(os.path.realpath(self.folder)))
        return (config.parent if config else self.folder.parent) / RECORDS_NAME


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


def _literal(stem: str) -> str:
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in stem)
