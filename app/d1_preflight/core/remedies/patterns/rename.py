"""Drafts a column's new name: one step, or two where the code uses the old one.

In two steps both names work in between: the first file adds the new column, fills it and keeps
both alike by triggers; the second takes it away and gives its name to the old one, so that every
constraint, index and reference of the column stays.
"""

from collections.abc import Iterator

from d1_preflight.core.errors import UsageError
from d1_preflight.core.remedies.patterns.pattern import (
    Draft,
    Wanted,
    column_of,
    free_name,
    table_of,
)
from d1_preflight.core.schema.ddl import NAMES, mentions
from d1_preflight.core.schema.schema import SchemaObject, Structure
from d1_preflight.core.schema.table import Column, Table
from d1_preflight.core.sql.tokenizer import quote_name, quote_names, tokens


def rename_drafts(wanted: Wanted, now: Structure) -> tuple[Draft, ...]:
    """One file where no code uses the old name, else the pair."""
    table = table_of(now, wanted.table)
    column = column_of(table, wanted.column)
    if not wanted.to:
        raise UsageError(f"What should {table.name}.{column.name} be called?", hint="--to NAME")
    if table.column(wanted.to):
        raise UsageError(
            f"{table.name} already has a column {wanted.to}.", hint="Name a new one: --to NAME"
        )
    if not wanted.used:
        renamed = _renamed(table, column.name, wanted.to)
        return (Draft((renamed,), (_renamed(table, wanted.to, column.name),)),)
    if column.pk or not column.holds_data:
        what = "part of the primary key" if column.pk else "generated"
        raise UsageError(
            f"{table.name}.{column.name} is {what}: no second column can hold the same values."
            f" {wanted.used}",
            hint="Rename it in the code alone (AS), or in one step with --one-step.",
        )
    return _pair(wanted, now, table, column)


def _pair(wanted: Wanted, now: Structure, table: Table, column: Column) -> tuple[Draft, Draft]:
    steps = _Steps(now, table, column, wanted.to)
    expand, back = tuple(steps.expand()), tuple(steps.back())
    forward = _renamed(table, column.name, wanted.to)
    backward = _renamed(table, wanted.to, column.name)
    both = f"{column.name} and {wanted.to}"
    first = [f"First of two: {both} hold the same values until the second file is applied."]
    first.append(wanted.used)
    if column.notnull and column.default is None:
        first.append(f"Code that inserts rows writes {both} in between: both are needed.")
    second = (f"Second of two: apply it once no running code uses {column.name}.",)
    return (
        Draft(expand, back, "expand", tuple(first)),
        Draft(
            (*back, forward),
            (backward, *expand),
            "contract",
            second,
            losses=(f"{table.name}.{wanted.to}",),
            reason=f"{column.name} holds the same values and gets its name",
            seeds=(steps.copied,),
        ),
    )


class _Steps:
    """The statements that keep two columns alike, and those that end it."""

    def __init__(self, now: Structure, table: Table, column: Column, to: str) -> None:
        self._table = table
        self._old, self._new, self._column = column.name, to, column
        self._indexes = tuple(self._copied_indexes(now))
        start = f"{table.name}_{column.name}_{to}"
        self._triggers = [
            free_name(now, f"{start}_{event}") for event in ("inserted", "old_set", "new_set")
        ]

    @property
    def copied(self) -> str:
        """Fills the new column from the old one."""
        table, old, new = map(quote_name, (self._table.name, self._old, self._new))
        return f"UPDATE {table} SET {new} = {old} WHERE {old} IS NOT NULL"

    def expand(self) -> Iterator[str]:
        """Add the column, fill it, keep both alike."""
        table, old, new = map(quote_name, (self._table.name, self._old, self._new))
        column = self._column
        collation = f" COLLATE {column.collation}" if column.collation != "BINARY" else ""
        yield f"ALTER TABLE {table} ADD COLUMN {f'{new} {column.type}'.strip()}{collation}"
        yield self.copied
        yield from (sql for _, sql in self._indexes)
        key = self._key()
        differ = f"NEW.{old} IS NOT NEW.{new} COLLATE BINARY"
        inserted, old_set, new_set = map(quote_name, self._triggers)
        yield (
            f"CREATE TRIGGER {inserted} AFTER INSERT ON {table} WHEN {differ} BEGIN\n"
            f"  UPDATE {table} SET {old} = coalesce(NEW.{new}, NEW.{old}),"
            f" {new} = coalesce(NEW.{new}, NEW.{old}) WHERE {key};\nEND"
        )
        for name, source, target in ((old_set, old, new), (new_set, new, old)):
            changed = f"NEW.{source} IS NOT OLD.{source} COLLATE BINARY"
            yield (
                f"CREATE TRIGGER {name} AFTER UPDATE OF {source} ON {table}"
                f" WHEN {changed} AND {differ} BEGIN\n"
                f"  UPDATE {table} SET {target} = NEW.{source} WHERE {key};\nEND"
            )

    def back(self) -> Iterator[str]:
        """Take away what keeps them alike, and the new column."""
        yield from (f"DROP TRIGGER {quote_name(name)}" for name in self._triggers)
        yield from (f"DROP INDEX {quote_name(name)}" for name, _ in self._indexes)
        table = quote_name(self._table.name)
        yield f"ALTER TABLE {table} DROP COLUMN {quote_name(self._new)}"

    def _key(self) -> str:
        """The row that a trigger is about."""
        if self._table.rowid:
            return f"{self._table.rowid} = NEW.{self._table.rowid}"
        return " AND ".join(f"{quote_name(c)} = NEW.{quote_name(c)}" for c in
                            self._table.primary_key)  # fmt: skip

    def _copied_indexes(self, now: Structure) -> Iterator[tuple[str, str]]:
        """The indexes and UNIQUE constraints of the old column, for the new one."""
        taken = list[str]()
        for found in now.indexes.values():
            is_its_own = found.table.lower() == self._table.name.lower()
            if is_its_own and mentions(found.sql, self._old):
                name = free_name(now, f"{found.name}_{self._new}", taken)
                taken.append(name)
                yield name, self._index_on_new(found, name)
        for columns in self._table.unique:
            if self._old.lower() in {c.lower() for c in columns}:
                mine = [self._new if c.lower() == self._old.lower() else c for c in columns]
                name = free_name(now, f"idx_{self._table.name}_{'_'.join(mine)}", taken)
                taken.append(name)
                on = f"{quote_name(self._table.name)} ({quote_names(mine)})"
                yield name, f"CREATE UNIQUE INDEX {quote_name(name)} ON {on}"

    def _index_on_new(self, found: SchemaObject, name: str) -> str:
        sql, is_named = found.sql, False
        for token in reversed(tokens(sql)):
            if token.kind not in NAMES:
                continue
            end = token.end
            if token.name.lower() == self._old.lower():
                sql = sql[: token.start] + quote_name(self._new) + sql[end:]
            elif not is_named and token.name.lower() == found.name.lower():
                sql, is_named = sql[: token.start] + quote_name(name) + sql[end:], True
        return sql


def _renamed(table: Table, old: str, new: str) -> str:
    start = f"ALTER TABLE {quote_name(table.name)} RENAME COLUMN"
    return f"{start} {quote_name(old)} TO {quote_name(new)}"
