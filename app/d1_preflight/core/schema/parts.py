"""The parts of a table as they are compared: columns, keys, constraints, options."""

from collections.abc import Callable, Mapping
from typing import Protocol

from d1_preflight.core.schema.spelling import default_spelling, module_spelling, one_spelling
from d1_preflight.core.schema.table import ForeignKey, Table
from d1_preflight.lazy_dataclass import dataclass, replace


class Keyed(Protocol):
    """A schema's tables by their names, in which a foreign key finds its parent."""

    def table(self, name: str) -> Table | None:
        """The table of that name, whatever its case."""
        ...


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a schema: its name and its text for people, and how it is compared."""

    name: str
    words: str
    means: str


Parts = Mapping[str, Part]
"""The parts by the key that they are paired by."""


def _columns(table: Table, _: Keyed) -> Parts:
    """By the name as it is written: a row that is read has its values under that name."""
    names = {name.lower() for name in table.column_names}
    return {
        c.name: Part(c.name, c.words, "\x1f".join((
            one_spelling(c.type, ()), str(bool(c.pk)), str(c.notnull), default_spelling(c.default),
            c.collation.upper(), one_spelling(c.generated, names),
        )))
        for c in table.columns
    }  # fmt: skip


def _foreign_keys(table: Table, schema: Keyed) -> Parts:
    found: dict[str, Part] = {}
    meant = sorted((_meant(key, schema), key.words, ", ".join(key.columns))
                   for key in table.foreign_keys)  # fmt: skip
    for means, words, columns in meant:
        same = sum(part.name == columns for part in found.values())
        found[f"{columns.lower()} {same or ''}"] = Part(columns, words, means)
    return found


def _meant(key: ForeignKey, schema: Keyed) -> str:
    """A key with the parent's columns said: without them its primary key is meant."""
    parent = schema.table(key.parent)
    columns = key.parent_columns or (parent.primary_key if parent else ())
    return replace(key, parent_columns=columns).words.lower()


def _checks(table: Table, _: Keyed) -> Parts:
    names = {name.lower() for name in table.column_names}
    return {one_spelling(check, names): Part(check, "CHECK", "") for check in table.checks}


def _unique(table: Table, _: Keyed) -> Parts:
    named = (", ".join(columns) for columns in table.unique)
    return {name.lower(): Part(name, "UNIQUE", "") for name in named}


def _options(table: Table, _: Keyed) -> Parts:
    found = {
        "strict": "yes" if table.strict else "no",
        "without rowid": "yes" if table.without_rowid else "no",
        "autoincrement": "yes" if table.autoincrement else "no",
    }
    if table.is_virtual:
        found["module"] = module_spelling(table.sql)
    return {name: Part(name, value, value.lower()) for name, value in found.items()}


ASPECTS: Mapping[str, Callable[[Table, Keyed], Parts]] = {
    "column": _columns,
    "foreign key": _foreign_keys,
    "unique": _unique,
    "check": _checks,
    "option": _options,
}
"""What a table is compared by, and how each is read."""
