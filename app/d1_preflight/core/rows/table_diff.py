"""What an account of rows says: how many of each table are gone, nulled, changed or new."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

Cells = tuple[tuple[str, int], ...]


class Pairing(StrEnum):
    """How the rows of one table were paired."""

    KEY = "primary key"
    ROWID = "rowid"
    CONTENT = "whole rows"  # a changed row counts as one lost and one added
    NONE = "nothing to pair"


@dataclass(frozen=True, slots=True)
class Renames:
    """New names: of tables by their old ones, of columns by `table.column` as they were."""

    tables: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TableAccount:
    """What became of one table; `before` or `after` is None where the table is not there.

    `nulled`, `altered` and `dropped` count cells by column (names as before): values that became
    NULL, cells that hold another value now (a filled NULL too), values that went with their
    column. `changed` counts the rows with any of these. Of an AUTOINCREMENT table `issued_before`
    and `issued_after` are the highest ids that will not be issued again.
    """

    table: str
    before: int | None
    after: int | None
    lost: int = 0
    added: int = 0
    changed: int = 0
    nulled: Cells = ()
    altered: Cells = ()
    dropped: Cells = ()
    columns_gone: tuple[str, ...] = ()
    pairing: Pairing = Pairing.NONE
    issued_before: int | None = None
    issued_after: int | None = None

    @property
    def reissues(self) -> bool:
        """Whether ids of rows that were deleted before will be issued again."""
        before, after = self.issued_before, self.issued_after
        return before is not None and after is not None and after < before

    @property
    def is_untouched(self) -> bool:
        """Whether every row and every value is still there and none is new."""
        moved = self.lost or self.added or self.changed or self.columns_gone or self.reissues
        return not moved and (self.before is not None and self.after is not None)

    @property
    def loses(self) -> bool:
        """Whether a row or a value is gone."""
        return bool(self.lost or self.nulled or self.dropped)


@dataclass(frozen=True, slots=True)
class Account:
    """All tables that hold rows, by name; a virtual table's rows are counted, not paired."""

    tables: tuple[TableAccount, ...]

    @property
    def lost(self) -> int:
        """The rows that are gone, of all tables."""
        return sum(table.lost for table in self.tables)

    @property
    def loses(self) -> bool:
        """Whether any table lost a row or a value."""
        return any(table.loses for table in self.tables)

    def table(self, name: str) -> TableAccount | None:
        """The account of one table, by its name before (after, for a new one)."""
        return next((t for t in self.tables if t.table.lower() == name.lower()), None)
