"""Draws a migration's effects out of its run: what happens to tables, columns and rows."""

from collections.abc import Iterator

from d1_preflight.core.effects.row_lineage import Fate
from d1_preflight.core.engine.trace import Act, Run
from d1_preflight.core.findings import Effects
from d1_preflight.core.schema.sequences import SEQUENCE_TABLE


class Facts:
    """What a run did to the tables that were there before."""

    def __init__(self, run: Run, found: tuple[Fate, ...]) -> None:
        self.run = run
        self.fates = found
        self._acts = tuple(act for act in run.acts if not act.error)
        self._names = self._names_over_time()
        self._by_target: dict[tuple[str, str], list[Act]] = {}
        for act in self._acts:
            self._by_target.setdefault((act.verb, act.target.lower()), []).append(act)

    def effects(self) -> Effects:
        """All effects, tables by their names of before."""
        old, new = self.run.old, self.run.new
        living = [fate for fate in self.fates if fate.name]
        deleted = tuple(fate.table for fate in living if not fate.kept)
        nulled = tuple(f"{f.table}.{column}" for f in living for column, _ in f.nulled)
        gone = tuple(fate.table for fate in self.fates if not fate.name)
        known = {(f.name or "").lower() for f in living} | new.inner
        updated = tuple(dict.fromkeys(table for table, _ in self.updated()))
        inserted = tuple(dict.fromkeys(table for table, _ in self.inserted()))
        dropped = tuple(name for name, _ in self.columns_dropped())
        renamed = tuple(name for name, _ in self.columns_renamed())
        added = tuple(self.columns_added())
        rebuilt = tuple(fate.table for fate in living if fate.rebuilt)
        shaped = tuple(name.split(".")[0] for name in (*added, *dropped, *renamed))
        touched = (*deleted, *gone, *updated, *inserted, *rebuilt, *shaped)
        nulled_tables = tuple(name.split(".")[0] for name in nulled)
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
            tables_touched=tuple(
                n for n in dict.fromkeys((*touched, *nulled_tables)) if old.table(n)
            ),
            sequences_written=any(self.sequences_written()),
        )

    def sequences_written(self) -> Iterator[Act]:
        """The acts that write AUTOINCREMENT marks by name."""
        writes = ("INSERT", "UPDATE", "DELETE")
        for act in self.run.acts:
            if act.verb in writes and act.target.lower() == SEQUENCE_TABLE and not act.error:
                yield act

    def updated(self) -> Iterator[tuple[str, Act]]:
        """The tables of before whose rows are changed, each with the act that does it."""
        for act in self._acts:
            for table in _written(act):
                origin = self._origin(act, table)
                if origin:
                    yield origin, act
        for fate in self.fates:
            new = self.run.new.table(fate.name or "")
            swapped = new and any(new.column(c) for c in fate.moved)
            if fate.filled_by and fate.name and (fate.worked_out or swapped):
                yield fate.table, fate.filled_by

    def inserted(self) -> Iterator[tuple[str, Act]]:
        """The tables of before that get rows, each with the act that does it."""
        putting_back = {
            loss.act.statement.start for fate in self.fates if fate.kept for loss in fate.losses
        }
        for act in self._acts:
            for table in act.heard.inserts:
                origin = self._origin(act, table)
                if origin and not (putting_back and act.phrase.copy and act.phrase.copy.whole):
                    yield origin, act
        for fate in self.fates:
            filled = fate.filled_by.phrase.copy if fate.filled_by and fate.name else None
            if fate.filled_by and filled and filled.adds:
                yield fate.table, fate.filled_by

    def columns_added(self) -> Iterator[str]:
        """The columns added to tables of before."""
        for fate in self.fates:
            old, new = self.run.old.table(fate.table), self.run.new.table(fate.name or "")
            if old and new and old is not new:
                renamed = {to.partition(".")[2].lower() for to in self._renames(fate.table)}
                for column in new.columns:
                    if not old.column(column.name) and column.name.lower() not in renamed:
                        yield f"{fate.table}.{column.name}"

    def columns_dropped(self) -> Iterator[tuple[str, Act | None]]:
        """The columns of before whose values are gone, each with the act that did it."""
        for fate in self.fates:
            if fate.filled_by:
                yield from self._left_out(fate)
            new = self.run.new.table(fate.name or "")
            if new and not fate.filled_by and new is not self.run.old.table(fate.table):
                yield from self._dropped_in_place(fate)

    def columns_renamed(self) -> Iterator[tuple[str, Act | None]]:
        """The columns of before that live on under another name."""
        for fate in self.fates:
            old, new = self.run.old.table(fate.table), self.run.new.table(fate.name or "")
            if not old or not new or old is new:
                continue
            for pair in self._renames(fate.table):
                column, _, _ = pair.partition(".")
                if old.column(column):
                    yield f"{fate.table}.{column}", self.first("ALTER TABLE RENAME COLUMN")
            for column in fate.moved if fate.rebuilt else ():
                if not new.column(column):
                    yield f"{fate.table}.{column}", fate.dropped_by

    def first(self, verb: str, target: str = "", column: str = "") -> Act | None:
        """The first accepted act of a verb, on a target or a column where one is named."""
        found = self._by_target.get((verb, target.lower()), ()) if target else self._by_verb(verb)
        return next((a for a in found if not column or a.phrase.column == column), None)

    def _by_verb(self, verb: str) -> Iterator[Act]:
        return (act for act in self._acts if act.verb == verb)

    def _renames(self, table: str) -> Iterator[str]:
        for act in self._acts:
            if act.verb == "ALTER TABLE RENAME COLUMN" and self._origin(act, act.target) == table:
                yield f"{act.phrase.column}.{act.phrase.new_name}"

    def _left_out(self, fate: Fate) -> Iterator[tuple[str, Act | None]]:
        new = self.run.new.table(fate.name or "")
        for column in fate.left_behind if new and (fate.kept or fate.partial) else ():
            if fate.kept or (new and not new.column(column)):
                yield f"{fate.table}.{column}", fate.dropped_by or fate.filled_by

    def _dropped_in_place(self, fate: Fate) -> Iterator[tuple[str, Act | None]]:
        old, new = self.run.old.table(fate.table), self.run.new.table(fate.name or "")
        for act in self._acts:
            if act.verb == "ALTER TABLE DROP COLUMN" and old and new:
                origin = self._origin(act, act.target)
                column = old.column(act.phrase.column)
                if origin != fate.table or column is None:
                    continue
                if column.name in fate.left_behind or not new.column(column.name):
                    yield f"{fate.table}.{column.name}", act

    def _names_over_time(self) -> dict[int, dict[str, str]]:
        """Before each act: the tables by their present name, and their name of before."""
        now = {fate.table.lower(): fate.table for fate in self.fates}
        found: dict[int, dict[str, str]] = {}
        for act in self._acts:
            found[act.statement.start] = dict(now) if act.verb in _ROWS else now
            if act.verb == "ALTER TABLE RENAME" and act.target.lower() in now:
                now = dict(now)
                now[act.phrase.new_name.lower()] = now.pop(act.target.lower())
            elif act.verb == "DROP TABLE":
                now = {k: v for k, v in now.items() if k not in _lowered(act.removed("table"))}
        return found

    def _origin(self, act: Act, table: str) -> str | None:
        return self._names[act.statement.start].get(table.lower())


def _written(act: Act) -> Iterator[str]:
    """The tables in which an act changes rows: its own, and those its triggers write."""
    for table, _ in act.heard.updates:
        upsert = act.verb == "INSERT" and table.lower() == act.target.lower()
        if act.verb == "UPDATE" or upsert:
            yield table
    if act.verb == "INSERT" and act.keys:
        yield act.target  # REPLACE writes the row anew
    yield from (table for table, _ in act.heard.trigger_updates)


_ROWS = frozenset({"INSERT", "UPDATE", "DELETE", "ALTER TABLE DROP COLUMN"})


def _lowered(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(name.lower() for name in names)
