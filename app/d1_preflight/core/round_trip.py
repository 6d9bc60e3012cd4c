"""Judges up, then down, then compare: whether the way back leads to where one came from."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import apsw

from d1_preflight.core.account import Account, account
from d1_preflight.core.schema import Change, Schema, diff


class Outcome(StrEnum):
    """What a down migration brought back."""

    RESTORED = "schema and data restored"
    SCHEMA_ONLY = "schema only"
    DIFFERS = "differs"


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """The outcome, with the schema's remaining differences and the account of the rows."""

    outcome: Outcome
    changes: tuple[Change, ...]
    account: Account

    @property
    def rows_affected(self) -> int:
        """The rows that are gone, hold other values, or were not there before."""
        return sum(t.lost + t.changed + t.added for t in self.account.tables)

    @property
    def words(self) -> str:
        """The verdict in one line, for people."""
        match self.outcome:
            case Outcome.RESTORED:
                return "schema and data restored"
            case Outcome.SCHEMA_ONLY:
                told = "; ".join(_words(self.account)) or "row counts differ"
                return f"schema restored, data not: {told}"
            case Outcome.DIFFERS:
                first = self.changes[0].words
                more = f" and {len(self.changes) - 1} more" if len(self.changes) > 1 else ""
                return f"the schema differs: {first}{more}"


def verdict(before: Path, after_down: Path, *, ledger: str = "d1_migrations") -> RoundTrip:
    """Compare the database as it was with the one that went up and down again."""
    changes = diff(_schema(before).without(ledger), _schema(after_down).without(ledger))
    counted = account(before, after_down, ignore=(ledger,))
    if changes:
        outcome = Outcome.DIFFERS
    elif all(table.is_untouched for table in counted.tables):
        outcome = Outcome.RESTORED
    else:
        outcome = Outcome.SCHEMA_ONLY
    return RoundTrip(outcome, changes, counted)


def _words(found: Account) -> list[str]:
    told = []
    for table in found.tables:
        parts = [
            f"{count:,} {what}"
            for count, what in (
                (table.lost, "lost"),
                (table.changed, "changed"),
                (table.added, "added"),
            )
            if count
        ]
        if parts:
            told.append(f"{table.table}: {', '.join(parts)}")
    return told


def _schema(path: Path) -> Schema:
    connection = apsw.Connection(
        f"{path.resolve().as_uri()}?mode=ro", apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    )
    try:
        return Schema.from_connection(connection)
    finally:
        connection.close()
