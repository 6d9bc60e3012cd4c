"""What the target's tables hold beside what a local database holds, table by table."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import field

from d1_preflight.core.errors import RemoteFailed
from d1_preflight.core.format import count, plural
from d1_preflight.core.rows.fingerprint import Fingerprint, FingerprintQuery
from d1_preflight.lazy_dataclass import dataclass

Answer = Sequence[Mapping[str, object]]
"""The rows that one statement answered."""


@dataclass(frozen=True, slots=True)
class Values:
    """The fingerprints of the target's tables beside those of a local database.

    `unsure` names the tables of which no query can tell: a row of theirs is too long.
    """

    found: Mapping[str, Fingerprint]
    local: Mapping[str, Fingerprint]
    unsure: tuple[str, ...] = ()

    @property
    def moved(self) -> tuple[str, ...]:
        """The tables that certainly do not hold the same values."""
        return tuple(t for t, found in self.found.items() if found != self.local.get(t))

    @property
    def rows(self) -> Mapping[str, int]:
        """The row counts that came with the fingerprints."""
        return {table: found.rows for table, found in self.found.items()}

    def words(self, tables: Collection[str]) -> str:
        """How these tables moved, in words: never a value."""
        return ", ".join(self._words(table) for table in tables)

    def _words(self, table: str) -> str:
        now, then = self.found.get(table), self.local.get(table)
        if now is None or then is None or now.rows == then.rows:
            return f"{table} (other values)"
        return f"{table} ({plural(then.rows, 'row')} then, {count(now.rows)} now)"


@dataclass(frozen=True, slots=True)
class ValueQuestion:
    """The fingerprints that the target is asked for, and those of a local database."""

    queries: tuple[FingerprintQuery, ...] = ()
    local: Mapping[str, Fingerprint] = field(default_factory=dict)
    unsure: tuple[str, ...] = ()

    @property
    def statements(self) -> tuple[str, ...]:
        """What is asked of the target, beside the ledger and the schema."""
        return tuple(statement for query in self.queries for statement in query.statements())

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables whose rows the answers count."""
        return tuple(query.table.name for query in self.queries)

    def read(self, answers: Sequence[Answer]) -> Values:
        """Hold the target's answers against the local ones; raises RemoteFailed."""
        rest = iter(answers)
        taken = {query.table.name: _read(query, rest) for query in self.queries}
        found = {table: value for table, value in taken.items() if value is not None}
        unsure = (*self.unsure, *(table for table in taken if table not in found))
        return Values(found, self.local, unsure)


def _read(query: FingerprintQuery, answers: Iterator[Answer]) -> Fingerprint | None:
    try:
        return query.read([next(answers) for _ in query.conditions])
    except (KeyError, TypeError, ValueError, StopIteration) as error:
        raise RemoteFailed(
            "The answer about the tables' values could not be read.",
            hint="Nothing was changed. Try again; if it fails again, run: preflight doctor",
        ) from error
