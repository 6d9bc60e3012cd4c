"""Classes a migration by its effect: what it does to tables, columns and rows that were there.

The conventions follow the source document's table: dropped tables, columns or rows (a silent
cascade too) are destructive; renamed or rebuilt things, changed constraints, dropped indexes and
triggers, and changed rows are transformative; the rest is additive. What was not understood is
unknown unless the rest is destructive anyway.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from d1_preflight.core.findings import Effects, Kind, Reason, Risk
from d1_preflight.core.lineage import Fate, fates
from d1_preflight.core.oracle import Act, Run
from d1_preflight.core.schema import normal_sql


@dataclass(frozen=True, slots=True)
class Verdict:
    """The class, and everything it was drawn from."""

    kind: Kind
    reasons: tuple[Reason, ...]
    effects: Effects
    fates: tuple[Fate, ...]

    @property
    def risk(self) -> Risk:
        """The source document's risk level of the class."""
        return _RISKS[self.kind]

    @property
    def rollback(self) -> str:
        """The source document's rollback complexity of the class."""
        return _ROLLBACKS[self.kind]


_RISKS = {
    Kind.NONE: Risk.LOW,
    Kind.ADDITIVE: Risk.LOW,
    Kind.TRANSFORMATIVE: Risk.MEDIUM,
    Kind.DESTRUCTIVE: Risk.HIGH,
    Kind.UNKNOWN: Risk.UNKNOWN,
}
_ROLLBACKS = {
    Kind.NONE: "low",
    Kind.ADDITIVE: "low",
    Kind.TRANSFORMATIVE: "medium",
    Kind.DESTRUCTIVE: "irreversible",
    Kind.UNKNOWN: "irreversible",
}
_WEIGHT = (Kind.NONE, Kind.ADDITIVE, Kind.TRANSFORMATIVE, Kind.UNKNOWN, Kind.DESTRUCTIVE)
_Told = tuple[Kind, Reason]


def classify(run: Run) -> Verdict:
    """Class a run by its effects, with the reasons of the class it came to."""
    found = fates(run)
    facts = _Facts(run, found)
    told = [*facts.destroyed(), *facts.transformed(), *facts.added(), *facts.unknown()]
    kind = max((kind for kind, _ in told), key=_WEIGHT.index, default=Kind.NONE)
    reasons = tuple(dict.fromkeys(reason for told_kind, reason in told if told_kind is kind))
    if kind is Kind.NONE:
        reasons = (Reason("No statement leaves a change behind.", 1),)
    return Verdict(kind, reasons, facts.effects(), found)


class _Facts:
    """Draws effects and reasons out of a run."""

    def __init__(self, run: Run, found: tuple[Fate, ...]) -> None:
        self._run = run
        self._fates = found
        self._acts = tuple(act for act in run.acts if not act.error)
        self._names = self._names_over_time()

    def effects(self) -> Effects:
        old, new = self._run.old, self._run.new
        living = [fate for fate in self._fates if fate.name]
        deleted = tuple(fate.table for fate in living if not fate.kept)
        nulled = tuple(f"{f.table}.{column}" for f in living for column, _ in f.nulled)
        gone = tuple(fate.table for fate in self._fates if not fate.name)
        known = {(f.name or "").lower() for f in living} | new.inner
        updated = tuple(dict.fromkeys(table for table, _ in self._updated()))
        inserted = tuple(dict.fromkeys(table for table, _ in self._inserted()))
        dropped = tuple(name for name, _ in self._columns_dropped())
        renamed = tuple(name for name, _ in self._columns_renamed())
        added = tuple(self._columns_added())
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
        )

    def destroyed(self) -> Iterator[_Told]:
        for fate in self._fates:
            if not fate.name:
                by = fate.dropped_by
                yield _told(Kind.DESTRUCTIVE, f'Drops table "{fate.table}".', by)
            elif not fate.kept:
                yield from self._lost(fate)
            for column, act in fate.nulled if fate.name else ():
                words = f'Sets "{fate.table}.{column}" to NULL (ON DELETE SET NULL or DEFAULT).'
                yield _told(Kind.DESTRUCTIVE, words, act)
        for name, by in self._columns_dropped():
            yield _told(Kind.DESTRUCTIVE, f'Drops column "{name}": its values go.', by)

    def _lost(self, fate: Fate) -> Iterator[_Told]:
        for loss in fate.losses:
            how = "by cascade or trigger" if loss.side else "itself"
            words = f'Deletes rows of "{fate.table}" ({how}).'
            if loss.holder.lower() != fate.table.lower():
                words = f'Deletes rows of "{fate.table}" out of its copy "{loss.holder}" ({how}).'
            yield _told(Kind.DESTRUCTIVE, words, loss.act)
        for act in fate.partial:
            words = f'Copies "{fate.table}" in a way that can leave rows out.'
            yield _told(Kind.DESTRUCTIVE, words, act)
        if not fate.losses and not fate.partial:
            words = f'Drops and makes "{fate.table}" again without its rows.'
            yield _told(Kind.DESTRUCTIVE, words, fate.dropped_by)

    def transformed(self) -> Iterator[_Told]:
        kind = Kind.TRANSFORMATIVE
        for fate in self._fates:
            if fate.name and fate.rebuilt:
                yield _told(kind, f'Rebuilds table "{fate.table}".', fate.dropped_by)
            elif fate.name and fate.name.lower() != fate.table.lower():
                by = self._first("ALTER TABLE RENAME")
                yield _told(kind, f'Renames table "{fate.table}" to "{fate.name}".', by)
        for name, act in self._columns_renamed():
            yield _told(kind, f'Moves or renames column "{name}".', act)
        for table, by in self._updated():
            yield _told(kind, f'Changes rows of "{table}".', by)
        for table, by in self._inserted():
            if by.phrase.copy and by.phrase.copy.source:
                yield _told(kind, f'Fills "{table}" from other rows.', by)
            elif by.phrase.conflict == "REPLACE" or by.phrase.upsert == "UPDATE":
                yield _told(kind, f'Can overwrite rows of "{table}".', by)
        yield from self._objects_changed()

    def _objects_changed(self) -> Iterator[_Told]:
        old, new = self._run.old, self._run.new
        pairs = (
            ("index", old.indexes, new.indexes),
            ("trigger", old.triggers, new.triggers),
            ("view", old.views, new.views),
        )
        for word, befores, afters in pairs:
            for name, found in befores.items():
                now = afters.get(name)
                if now is found or (now and now.sql == found.sql):
                    continue
                if now is None or normal_sql(now.sql) != normal_sql(found.sql):
                    by = self._first(f"DROP {word.upper()}", found.name)
                    done = "Drops" if now is None else "Changes"
                    yield _told(Kind.TRANSFORMATIVE, f'{done} {word} "{found.name}".', by)

    def added(self) -> Iterator[_Told]:
        old, new = self._run.old, self._run.new
        for kind, befores, afters in (
            ("table", old.tables, new.tables),
            ("index", old.indexes, new.indexes),
            ("trigger", old.triggers, new.triggers),
            ("view", old.views, new.views),
        ):
            for name in afters:
                if name not in befores and name not in new.inner:
                    by = self._first(f"CREATE {kind.upper()}", name)
                    yield _told(Kind.ADDITIVE, f'Adds {kind} "{afters[name].name}".', by)
        for name in self._columns_added():
            by = self._first("ALTER TABLE ADD COLUMN", column=name.partition(".")[2])
            yield _told(Kind.ADDITIVE, f'Adds column "{name}".', by)
        for table, by in self._inserted():
            yield _told(Kind.ADDITIVE, f'Adds rows to "{table}".', by)

    def unknown(self) -> Iterator[_Told]:
        for act in self._run.acts:
            if act.error:
                yield _told(Kind.UNKNOWN, f"D1 refuses a statement: {act.error}.", act)
            elif act.unsure:
                yield _told(Kind.UNKNOWN, f"Not followed to its end: {act.depends}.", act)
            elif act.verb not in _KNOWN:
                yield _told(Kind.UNKNOWN, f"Not recognised: {act.verb or 'a statement'}.", act)

    def _names_over_time(self) -> dict[int, dict[str, str]]:
        """Before each act: the tables by their present name, and their name of before."""
        now = {fate.table.lower(): fate.table for fate in self._fates}
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

    def _updated(self) -> Iterator[tuple[str, Act]]:
        for act in self._acts:
            own = act.heard.updates if act.verb == "UPDATE" or act.phrase.upsert else ()
            for table, _ in (*own, *act.heard.trigger_updates):
                origin = self._origin(act, table)
                if origin:
                    yield origin, act

    def _inserted(self) -> Iterator[tuple[str, Act]]:
        putting_back = {
            loss.act.statement.start for fate in self._fates if fate.kept for loss in fate.losses
        }
        for act in self._acts:
            for table in act.heard.inserts:
                origin = self._origin(act, table)
                if origin and not (putting_back and act.phrase.copy and act.phrase.copy.whole):
                    yield origin, act

    def _columns_added(self) -> Iterator[str]:
        for fate in self._fates:
            old, new = self._run.old.table(fate.table), self._run.new.table(fate.name or "")
            if old and new and old is not new:
                renamed = {to.partition(".")[2].lower() for to in self._renames(fate.table)}
                for column in new.columns:
                    if not old.column(column.name) and column.name.lower() not in renamed:
                        yield f"{fate.table}.{column.name}"

    def _renames(self, table: str) -> Iterator[str]:
        for act in self._acts:
            if act.verb == "ALTER TABLE RENAME COLUMN" and self._origin(act, act.target) == table:
                yield f"{act.phrase.column}.{act.phrase.new_name}"

    def _columns_dropped(self) -> Iterator[tuple[str, Act | None]]:
        for fate in self._fates:
            new = self._run.new.table(fate.name or "")
            if new is None or new is self._run.old.table(fate.table):
                continue
            if fate.rebuilt:
                yield from self._left_out(fate)
                continue
            yield from self._dropped_in_place(fate)

    def _left_out(self, fate: Fate) -> Iterator[tuple[str, Act | None]]:
        old, new = self._run.old.table(fate.table), self._run.new.table(fate.name or "")
        left = {name.lower() for name, _ in fate.left_behind}
        for column in old.columns if old and new and (fate.kept or fate.partial) else ():
            stays = new is not None and new.column(column.name) is not None
            if column.hidden or column.name in fate.moved:
                continue
            if not stays or column.name.lower() in left:
                yield f"{fate.table}.{column.name}", fate.dropped_by

    def _dropped_in_place(self, fate: Fate) -> Iterator[tuple[str, Act | None]]:
        old, new = self._run.old.table(fate.table), self._run.new.table(fate.name or "")
        for act in self._acts:
            if act.verb == "ALTER TABLE DROP COLUMN" and old and new:
                origin = self._origin(act, act.target)
                column = old.column(act.phrase.column)
                if origin != fate.table or column is None:
                    continue
                returns = new.column(column.name) and column.name in fate.converted
                if not returns:
                    yield f"{fate.table}.{column.name}", act

    def _columns_renamed(self) -> Iterator[tuple[str, Act | None]]:
        for fate in self._fates:
            old, new = self._run.old.table(fate.table), self._run.new.table(fate.name or "")
            if not old or not new or old is new:
                continue
            for pair in self._renames(fate.table):
                column, _, _ = pair.partition(".")
                if old.column(column):
                    yield f"{fate.table}.{column}", self._first("ALTER TABLE RENAME COLUMN")
            for column in fate.moved if fate.rebuilt else ():
                if not new.column(column):
                    yield f"{fate.table}.{column}", fate.dropped_by

    def _first(self, verb: str, target: str = "", column: str = "") -> Act | None:
        for act in self._acts:
            same = not target or act.target.lower() == target.lower()
            if act.verb == verb and same and (not column or act.phrase.column == column):
                return act
        return None


_ROWS = frozenset({"INSERT", "UPDATE", "DELETE", "ALTER TABLE DROP COLUMN"})
_KNOWN = (
    frozenset("INSERT UPDATE DELETE SELECT VALUES PRAGMA REINDEX ANALYZE EXPLAIN".split())
    | frozenset(
        f"{verb} {kind}"
        for verb in ("CREATE", "DROP")
        for kind in ("TABLE", "INDEX", "VIEW", "TRIGGER")
    )
    | frozenset(
        f"ALTER TABLE {act}" for act in ("RENAME", "RENAME COLUMN", "ADD COLUMN", "DROP COLUMN")
    )
)


def _lowered(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(name.lower() for name in names)


def _told(kind: Kind, words: str, act: Act | None) -> _Told:
    return kind, Reason(words, act.line if act else 1)
