"""Builds a migration's effects from its trace: what happens to tables, columns and rows."""

from collections.abc import Iterator

from d1_preflight.core.effects.outside import outside_changes
from d1_preflight.core.effects.row_lineage import TableLineage
from d1_preflight.core.engine.trace import ScriptTrace, StatementTrace
from d1_preflight.core.findings import Effects
from d1_preflight.core.schema.sequences import SEQUENCE_TABLE
from d1_preflight.core.schema.table import Table


class EffectsBuilder:
    """What a script did to the pre-existing tables."""

    def __init__(self, script: ScriptTrace, lineages: tuple[TableLineage, ...]) -> None:
        self.script = script
        self.lineages = lineages
        self.outside = outside_changes(script)
        self._accepted = tuple(trace for trace in script.statements if not trace.error)
        self._alters_columns = tuple(t for t in self._accepted if t.verb in _COLUMNS)
        self._reshaped = self._not_as_before()
        self._names = self._names_over_time()
        self._by_target: dict[tuple[str, str], list[StatementTrace]] = {}
        for trace in self._accepted:
            self._by_target.setdefault((trace.verb, trace.target.lower()), []).append(trace)

    def effects(self) -> Effects:
        """All effects, tables by their names before the script."""
        old, new = self.script.old, self.script.new
        living = [lineage for lineage in self.lineages if lineage.name]
        outside = {c.name: c.kind == "rows" or c.remade for c in self.outside if c.loses_rows}
        deleted = (
            *(lineage.table for lineage in living if not lineage.kept),
            *(name for name, is_there in outside.items() if is_there),
        )
        nulled = tuple(f"{f.table}.{column}" for f in living for column, _ in f.nulled)
        gone = (
            *(lineage.table for lineage in self.lineages if not lineage.name),
            *(name for name, is_there in outside.items() if not is_there),
        )
        known = {(f.name or "").lower() for f in living} | new.inner
        updated = tuple(dict.fromkeys(table for table, _ in self.updated()))
        inserted = tuple(dict.fromkeys(table for table, _ in self.inserted()))
        dropped = tuple(name for name, _ in self.columns_dropped())
        renamed = tuple(name for name, _ in self.columns_renamed())
        added = tuple(self.columns_added())
        rebuilt = tuple(lineage.table for lineage in living if lineage.rebuilt)
        by_column = (name.split(".")[0] for name in (*added, *dropped, *renamed, *nulled))
        touched = dict.fromkeys((*deleted, *gone, *updated, *inserted, *rebuilt, *by_column))
        read = dict.fromkeys(self._read())
        return Effects(
            rows_deleted_in=deleted,
            references_nulled_in=nulled,
            rows_updated_in=updated,
            rows_inserted_in=inserted,
            tables_created=tuple(s.name for n, s in new.tables.items() if n not in known),
            tables_dropped=gone,
            tables_rebuilt=rebuilt,
            columns_added=added,
            columns_dropped=dropped,
            columns_renamed=renamed,
            tables_touched=tuple(name for name in touched if old.table(name)),
            tables_read=tuple(n for n in read if n not in touched and old.table(n)),
            objects_dropped=tuple(self._objects_dropped()),
            sequences_written=any(self.sequences_written()),
        )

    def sequences_written(self) -> Iterator[StatementTrace]:
        """The statements that write AUTOINCREMENT marks by name."""
        writes = ("INSERT", "UPDATE", "DELETE")
        for trace in self.script.statements:
            if trace.verb in writes and trace.target.lower() == SEQUENCE_TABLE and not trace.error:
                yield trace

    def updated(self) -> Iterator[tuple[str, StatementTrace]]:
        """The pre-existing tables whose rows are changed, each with the statement that does it."""
        for trace in self._accepted:
            for table in _written(trace):
                origin = self._origin(trace, table)
                if origin:
                    yield origin, trace
        for lineage in self.lineages:
            new = self.script.new.table(lineage.name or "")
            swapped = new and any(new.column(c) for c in lineage.moved)
            if lineage.filled_by and lineage.name and (lineage.derived or swapped):
                yield lineage.table, lineage.filled_by

    def inserted(self) -> Iterator[tuple[str, StatementTrace]]:
        """The pre-existing tables that get rows, each with the statement that adds them."""
        putting_back = {
            lineage.table: lineage.filled_by
            for lineage in self.lineages
            if lineage.kept and lineage.losses
        }
        for trace in self._accepted:
            for table in trace.access.inserts:
                origin = self._origin(trace, table)
                if origin and putting_back.get(origin) is not trace:
                    yield origin, trace
        for lineage in self.lineages:
            filled = lineage.filled_by.parsed.copy if lineage.filled_by and lineage.name else None
            if lineage.filled_by and filled and filled.adds:
                yield lineage.table, lineage.filled_by

    def _read(self) -> Iterator[str]:
        """The pre-existing tables that its queries read: their rows decide what is written."""
        for trace in self._accepted:
            for table in sorted({table for table, _ in trace.access.reads}):
                found = self._origin(trace, table) if trace.verb in _WRITES_ROWS else None
                if found and _is_named(self.script, trace, table):
                    yield found

    def _objects_dropped(self) -> Iterator[str]:
        for trace in self._accepted:
            if trace.verb in ("DROP INDEX", "DROP TRIGGER", "DROP VIEW"):
                held = self.script.old.of(trace.verb.partition(" ")[2].lower())
                if found := held.get(trace.target.lower()):
                    yield found.name

    def columns_added(self) -> Iterator[str]:
        """The columns added to pre-existing tables."""
        for lineage, old, new in self._reshaped:
            renamed = {to.partition(".")[2].lower() for to in self._renames(lineage.table)}
            for column in new.columns:
                if not old.column(column.name) and column.name.lower() not in renamed:
                    yield f"{lineage.table}.{column.name}"

    def columns_dropped(self) -> Iterator[tuple[str, StatementTrace | None]]:
        """The pre-existing columns whose values are gone, each with the statement that did it."""
        for lineage in self.lineages:
            if lineage.filled_by:
                yield from self._dropped_by_copy(lineage)
            else:
                yield from self._dropped_in_place(lineage)

    def columns_renamed(self) -> Iterator[tuple[str, StatementTrace | None]]:
        """The pre-existing columns that have another name now."""
        for lineage, old, new in self._reshaped:
            for pair in self._renames(lineage.table):
                column, _, _ = pair.partition(".")
                if old.column(column):
                    yield f"{lineage.table}.{column}", self.first("ALTER TABLE RENAME COLUMN")
            for column in lineage.moved if lineage.rebuilt else ():
                if not new.column(column):
                    yield f"{lineage.table}.{column}", lineage.dropped_by

    def first(self, verb: str, target: str = "", column: str = "") -> StatementTrace | None:
        """The first accepted statement of a verb, on a target or a column where one is named."""
        of_verb = (trace for trace in self._accepted if trace.verb == verb)
        found = self._by_target.get((verb, target.lower()), ()) if target else of_verb
        return next((a for a in found if not column or a.parsed.column == column), None)

    def _not_as_before(self) -> tuple[tuple[TableLineage, Table, Table], ...]:
        """The pre-existing tables that are still there and are not as they were, on both sides."""
        old, new = self.script.old, self.script.new
        both = ((f, old.table(f.table), new.table(f.name or "")) for f in self.lineages)
        return tuple((f, was, now) for f, was, now in both if was and now and was is not now)

    def _renames(self, table: str) -> Iterator[str]:
        for trace in self._alters_columns:
            is_rename = trace.verb == "ALTER TABLE RENAME COLUMN"
            if is_rename and self._origin(trace, trace.target) == table:
                yield f"{trace.parsed.column}.{trace.parsed.new_name}"

    def _dropped_by_copy(
        self, lineage: TableLineage
    ) -> Iterator[tuple[str, StatementTrace | None]]:
        new = self.script.new.table(lineage.name or "")
        for column in lineage.dropped if new and (lineage.kept or lineage.partial) else ():
            if lineage.kept or (new and not new.column(column)):
                yield f"{lineage.table}.{column}", lineage.dropped_by or lineage.filled_by

    def _dropped_in_place(
        self, lineage: TableLineage
    ) -> Iterator[tuple[str, StatementTrace | None]]:
        if not self._alters_columns:
            return
        old, new = self.script.old.table(lineage.table), self.script.new.table(lineage.name or "")
        if not old or not new:
            return
        originals = {column.name.lower(): column.name for column in old.columns}
        for trace in self._alters_columns:
            if self._origin(trace, trace.target) != lineage.table:
                continue
            column = originals.pop(trace.parsed.column.lower(), "")
            if trace.verb == "ALTER TABLE RENAME COLUMN":
                originals[trace.parsed.new_name.lower()] = column
            elif column and (column in lineage.dropped or not new.column(column)):
                yield f"{lineage.table}.{column}", trace

    def _names_over_time(self) -> dict[int, dict[str, str]]:
        """Before each statement: the tables by their present name, and their original name."""
        now = {lineage.table.lower(): lineage.table for lineage in self.lineages}
        found: dict[int, dict[str, str]] = {}
        for trace in self._accepted:
            found[trace.statement.start] = dict(now) if trace.verb in _ROWS else now
            if trace.verb == "ALTER TABLE RENAME" and trace.target.lower() in now:
                now = dict(now)
                now[trace.parsed.new_name.lower()] = now.pop(trace.target.lower())
            elif trace.verb == "DROP TABLE":
                gone = {name.lower() for name in trace.removed("table")}
                now = {name: origin for name, origin in now.items() if name not in gone}
        return found

    def _origin(self, trace: StatementTrace, table: str) -> str | None:
        return self._names[trace.statement.start].get(table.lower())


def _written(trace: StatementTrace) -> Iterator[str]:
    """The tables in which a statement changes rows: its own, and those its triggers write."""
    for table, _ in trace.access.updates:
        upsert = trace.verb == "INSERT" and table.lower() == trace.target.lower()
        if trace.verb == "UPDATE" or upsert:
            yield table
    if trace.verb == "INSERT" and trace.replace_key_count:
        yield trace.target  # REPLACE writes the row anew
    yield from (table for table, _ in trace.access.trigger_updates)


def _is_named(script: ScriptTrace, trace: StatementTrace, table: str) -> bool:
    """Whether a query names it; else SQLite reads it to check a foreign key, or refuses."""
    names = {table.lower().replace(mark, written) for mark, written in _AS_WRITTEN}
    return any(
        text is None or any(name in text.lower() for name in names)
        for text in _texts(script, trace)
    )


def _texts(script: ScriptTrace, trace: StatementTrace) -> Iterator[str | None]:
    """The statement and the triggers and views through which it reads; None for one not known."""
    yield trace.statement.text
    for through in trace.access.fired:
        lower, sides = through.lower(), (script.old, script.new)
        found = [side.triggers.get(lower) or side.views.get(lower) for side in sides]
        yield None if found == [None, None] else " ".join(one.sql for one in found if one)


_COLUMNS = frozenset({"ALTER TABLE RENAME COLUMN", "ALTER TABLE DROP COLUMN"})
_ROWS = frozenset({"INSERT", "UPDATE", "DELETE", "ALTER TABLE DROP COLUMN"})
_WRITES_ROWS = frozenset({"INSERT", "UPDATE", "DELETE", "CREATE TABLE"})
_AS_WRITTEN = (("\0", "\0"), *((mark, mark * 2) for mark in "\"'`"))
"""How a name stands in SQL: as it is, or with the quote that it is written in doubled."""
