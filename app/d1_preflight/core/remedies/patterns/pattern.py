"""What a person asks a new migration for, and what is drafted: statements up and down."""

from collections.abc import Sequence
from enum import StrEnum

from d1_preflight.core.errors import UsageError
from d1_preflight.core.format import first
from d1_preflight.core.schema.schema import Structure
from d1_preflight.core.schema.table import Column, Table, TableKind
from d1_preflight.core.sql.tokenizer import statements, tokens
from d1_preflight.lazy_dataclass import dataclass

_MOST_SHOWN = 12
_MOST_PLACES = 3


class Pattern(StrEnum):
    """The five patterns of the source document."""

    COLUMN = "column"
    TABLE = "table"
    RENAME = "rename"
    REBUILD = "rebuild"
    DATA = "data"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the new migration is to do; which fields count depends on the pattern.

    `columns` are definitions as in a CREATE TABLE; `code` are the places of the Worker's code that
    use the column which is renamed, `unseen` why others could.
    """

    pattern: Pattern
    table: str
    columns: tuple[str, ...] = ()
    column: str = ""
    to: str = ""
    drop: tuple[str, ...] = ()
    index: tuple[str, ...] = ()
    expression: str = ""
    where: str = ""
    pairs: tuple[tuple[str, str], ...] = ()
    reason: str = ""
    code: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()

    @property
    def used(self) -> str:
        """Which code uses the column, in a sentence; "" where none does."""
        if self.code:
            return f"The code uses {self.column}: {first(self.code, _MOST_PLACES)}."
        why = "; ".join(self.unseen)
        return f"It is unknown whether the code uses {self.column}: {why}." if why else ""


@dataclass(frozen=True, slots=True)
class Draft:
    """One file: its statements, and those of its down file.

    `suffix` ends its name where there are several files. `losses` are the columns whose values it
    gives up, `changes` those whose values a down file cannot restore, both as `table.column`;
    `seeds` put values into invented rows that the file then changes. Without `down`, the down file
    is drafted from what the file does.
    """

    up: tuple[str, ...]
    down: tuple[str, ...] | None = ()
    suffix: str = ""
    notes: tuple[str, ...] = ()
    losses: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    reason: str = ""
    gaps: tuple[str, ...] = ()
    seeds: tuple[str, ...] = ()
    made_safe: bool = False  # a plain rebuild, which the remedies make safe


def table_of(now: Structure, name: str) -> Table:
    """The table of that name; raises UsageError where there is none whose rows are its own."""
    table = now.table(name)
    if table is None or table.kind is not TableKind.ORDINARY or name.lower() in now.inner:
        known = sorted(t.name for t in now.tables.values() if t.kind is TableKind.ORDINARY)
        more = ", …" if len(known) > _MOST_SHOWN else ""
        raise UsageError(
            f"No migration creates a table {name!r}." if name else "Which table?",
            hint=f"Tables: {', '.join(known[:_MOST_SHOWN]) or 'none'}{more}. Name one: --table "
            "NAME",
        )
    return table


def column_of(table: Table, name: str) -> Column:
    """The column of that name; raises UsageError where there is none."""
    column = table.column(name)
    if column is None:
        raise UsageError(
            f"{table.name} has no column {name!r}." if name else f"Which column of {table.name}?",
            hint=f"It has: {', '.join(table.column_names)}. Name one: --column NAME",
        )
    return column


def free_name(now: Structure, wanted: str, taken: Sequence[str] = ()) -> str:
    """A name for a new object, with a number where it is taken."""
    groups = (now.tables, now.indexes, now.triggers, now.views)
    used = {name for group in groups for name in group} | {name.lower() for name in taken}
    number, name = 1, wanted
    while name.lower() in used:
        number += 1
        name = f"{wanted}_{number}"
    return name


def name_in(definition: str) -> str:
    """The column that a definition names; raises UsageError where it is none."""
    found = tokens(definition)
    if not found or not found[0].name or len(statements(f"SELECT {definition}")) != 1:
        raise UsageError(
            f"{definition!r} is not a column definition.",
            hint='As in a CREATE TABLE: "last_login_at INTEGER"',
        )
    return found[0].name
