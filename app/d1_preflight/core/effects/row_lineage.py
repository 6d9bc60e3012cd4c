"""Lineage of the rows of every pre-existing table through a script.

A rebuild copies them into a new table, drops the old one and renames; a careful file parks the
children's rows and puts them back. So for each table the walk keeps which tables store all of its
rows at the moment: a cascade removes a storage table, a whole copy adds one. Only rows that a
whole copy proves to be kept count as kept.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from d1_preflight.core.effects.column_lineage import ColumnContents
from d1_preflight.core.effects.conditions import always_true
from d1_preflight.core.engine.trace import ScriptTrace, StatementTrace
from d1_preflight.core.schema.full_text import full_text, removes_entries
from d1_preflight.core.schema.schema import Structure
from d1_preflight.core.schema.table import Table
from d1_preflight.core.sql.statement import CopySource
from d1_preflight.core.sql.tokenizer import Token, tokens
from d1_preflight.lazy_dataclass import dataclass, field

_UNCHECKED = "ignore_check_constraints"  # D1 allows this PRAGMA


@dataclass(frozen=True, slots=True)
class Loss:
    """A statement that can delete rows of `table` (its name before the script).

    `storage_table` is the table it deletes from, which differs from `table` inside a rebuild.
    """

    table: str
    storage_table: str
    trace: StatementTrace
    indirect: bool  # by cascade, trigger or REPLACE, not named by the statement


@dataclass(frozen=True, slots=True)
class TableLineage:
    """Lineage of one pre-existing table."""

    table: str
    name: str | None  # its name afterwards, None where it is gone
    rebuilt: bool = False
    kept: bool = True  # whether all its rows are still under that name
    losses: tuple[Loss, ...] = ()
    partial: tuple[StatementTrace, ...] = ()  # copies that can leave rows out
    nulled: tuple[tuple[str, StatementTrace], ...] = ()
    copied_to: tuple[str, ...] = ()
    dropped_by: StatementTrace | None = None  # or renamed: what made its name free
    moved: Mapping[str, str] = field(default_factory=dict)  # column -> where its values went
    derived: tuple[str, ...] = ()  # columns whose values a copy or UPDATE made others of
    dropped: tuple[str, ...] = ()  # columns whose values are not in the table, or elsewhere
    filled_by: StatementTrace | None = None  # the copy that filled it last, once its rows were away


def row_lineage(script: ScriptTrace) -> tuple[TableLineage, ...]:
    """Lineage of every pre-existing table, in order."""
    walk = _RowWalk(script)
    for trace in script.statements:
        if not trace.error:
            walk.follow(trace)
    return tuple(walk.lineage(name) for name in walk.origins)


@lru_cache(maxsize=512)
def _tokens_of(sql: str) -> tuple[Token, ...]:
    """The tokens of an old trigger: each file of a folder asks for them again."""
    return tokens(sql)


class _RowWalk:
    """The state of the walk: which tables store whose rows now."""

    def __init__(self, script: ScriptTrace) -> None:
        self._script = script
        old = script.old
        self.origins = tuple(s.name for n, s in old.tables.items() if n not in old.inner)
        self._now: dict[str, str | None] = {name: name.lower() for name in self.origins}
        self._storage = {name: {name.lower()} for name in self.origins}
        self._partial: dict[str, dict[str, StatementTrace]] = {name: {} for name in self.origins}
        self._losses: dict[str, list[Loss]] = {name: [] for name in self.origins}
        self._restored = dict.fromkeys(self.origins, 0)  # so many losses were put back since
        self._nulled: dict[str, dict[str, StatementTrace]] = {}  # by storage table
        self._altered: set[str] = set()  # tables whose CHECKs need not hold any more
        self._emptied: set[str] = set()  # storage tables without a row: nothing in them is cleared
        self._dropped_by: dict[str, StatementTrace] = {}
        self._guards = dict[str, tuple[str, str]]()  # trigger -> what it forbids, on which table
        for trigger in old.triggers.values():
            if "RAISE" in trigger.sql.upper():
                self._note_guard(trigger.name, _tokens_of(trigger.sql))
        self._contents = ColumnContents(old, script.new)
        self._filled_by: dict[str, StatementTrace] = {}
        self._indexes = {name for name in self.origins if _content(old.tables[name.lower()])}
        self._contentless = {n for n, table in old.tables.items() if _content(table) == ""}

    def follow(self, trace: StatementTrace) -> None:
        self._delete_rows(trace)
        is_whole = trace.verb == "DELETE" and not trace.parsed.filtered
        if is_whole and _empties(trace, self._script.old):
            self._emptied.add(trace.target.lower())
            self._nulled.pop(trace.target.lower(), None)
        self._emptied -= {name.lower() for name in trace.access.inserts}
        match trace.verb:
            case "DROP TABLE":
                for name in trace.removed("table"):
                    self._gone(name.lower(), trace)
            case "ALTER TABLE RENAME":
                self._rename(trace.target.lower(), trace.parsed.new_name.lower(), trace)
            case "ALTER TABLE RENAME COLUMN" | "ALTER TABLE DROP COLUMN":
                self._contents.alter(trace)
                self._altered.add(trace.target.lower())
            case "INSERT" | "CREATE TABLE" if trace.parsed.copy:
                self._copy(trace, trace.parsed.copy)
            case "CREATE TRIGGER":
                self._note_guard(trace.target, trace.parsed.tokens)
            case "PRAGMA" if any(t.name.lower() == _UNCHECKED for t in trace.parsed.tokens):
                self._altered |= {name for name in self._now.values() if name}
            case "UPDATE":
                self._restore(trace)
                self._contents.update(trace)

    def _note_guard(self, name: str, found: Sequence[Token]) -> None:
        """A trigger that lets no row go, whichever: anything less is no guard."""
        self._guards.pop(name.lower(), None)
        words = [token.word for token in found]
        if "RAISE" not in words or "WHEN" in words or "ON" not in words:
            return
        on, place = words.index("ON"), words.index("RAISE")
        texts = [token.text.upper() for token in found[place - 2 :]]
        alone = texts[:2] == ["BEGIN", "SELECT"] and texts[texts.index(")") + 1 :][:1] == [";"]
        guarded = {"DELETE", "UPDATE"} & set(words[:on])
        if alone and texts[4] in ("ABORT", "ROLLBACK", "FAIL") and guarded:
            self._guards[name.lower()] = (min(guarded), found[on + 1].name.lower())

    def _delete_rows(self, trace: StatementTrace) -> None:
        named = trace.target.lower() if trace.verb == "DELETE" else ""
        fired = {self._guards.get(name.lower()) for name in trace.access.fired}
        for deleted_from in trace.access.deletes:
            lower = deleted_from.lower()
            dropped = trace.verb == "DROP TABLE" and lower == trace.target.lower()
            if ("DELETE", lower) not in fired and not dropped:
                self._lose(deleted_from, trace, indirect=lower != named)
        for index in self._forgotten(trace):
            self._lose(index, trace, indirect=index.lower() != trace.target.lower())
        if trace.replace_key_count > (1 if trace.verb == "INSERT" else 0):
            self._lose(trace.target, trace, indirect=True)
        for table, column in trace.access.updates:
            guarded = ("UPDATE", table.lower()) in fired or table.lower() in self._emptied
            if not guarded and self._clears(trace, table, column):
                self._nulled.setdefault(table.lower(), {})[column] = trace

    def _forgotten(self, trace: StatementTrace) -> Iterator[str]:
        """The contentless indexes that the statement, or a trigger of it, takes entries from."""
        for name in trace.access.inserts:
            if name.lower() not in self._contentless:
                continue
            own = trace.parsed.tokens if name.lower() == trace.target.lower() else ()
            fired = (self._script.old.triggers.get(one.lower()) for one in trace.access.fired)
            bodies = (tokens(one.sql, limit=len(one.sql)) for one in fired if one)
            if any(removes_entries(name, found) for found in (own, *bodies)):
                yield name

    def _clears(self, trace: StatementTrace, table: str, column: str) -> bool:
        """Whether a reported update is a foreign key's action, not the statement's own."""
        own = table.lower() == trace.target.lower()
        if trace.verb == "UPDATE":
            by = ("on_update", *(("on_delete",) * (trace.parsed.conflict == "REPLACE")))
            return not own and self._has_action(table, column, by)
        is_delete = trace.verb == "DELETE"
        return not own or (is_delete and self._has_action(table, column, ("on_delete",)))

    def _has_action(self, table: str, column: str, by: Sequence[str]) -> bool:
        known = self._script.old.table(table) or self._script.new.table(table)
        return any(
            getattr(key, when) in ("SET NULL", "SET DEFAULT")
            for key in (known.foreign_keys if known else ())
            if column.lower() in (name.lower() for name in key.columns)
            for when in by
        )

    def _restore(self, trace: StatementTrace) -> None:
        """References that were cleared come back only from a table that still has them."""
        cleared = self._nulled.get(trace.target.lower(), {})
        for column in trace.parsed.columns:
            read = {t.lower() for t, c in trace.access.reads if c.lower() == column.lower()}
            kept = {
                t for t in read - {trace.target.lower()} if column not in self._nulled.get(t, {})
            }
            if any(kept & (self._storage[o] | self._partial[o].keys()) for o in self.origins):
                for name in [n for n in cleared if n.lower() == column.lower()]:
                    del cleared[name]

    def _lose(self, deleted_from: str, trace: StatementTrace, *, indirect: bool) -> None:
        lower = deleted_from.lower()
        for origin, storage in self._storage.items():
            if lower in storage or lower in self._partial[origin]:
                storage.discard(lower)
                self._losses[origin].append(Loss(origin, deleted_from, trace, indirect=indirect))

    def _gone(self, name: str, trace: StatementTrace) -> None:
        for origin in self.origins:
            self._storage[origin].discard(name)
            self._partial[origin].pop(name, None)
            if self._now[origin] == name:
                self._now[origin] = None
                self._dropped_by[origin] = trace
        self._nulled.pop(name, None)
        self._emptied.discard(name)
        self._contents.forget(name)

    def _rename(self, old: str, new: str, trace: StatementTrace) -> None:
        for origin in self.origins:
            if old in self._storage[origin]:
                self._storage[origin] = self._storage[origin] - {old} | {new}
            if old in self._partial[origin]:
                self._partial[origin][new] = self._partial[origin].pop(old)
            if self._now[origin] == old:
                self._now[origin] = new
                self._dropped_by[origin] = trace
        self._emptied.discard(old)
        if old in self._altered:
            self._altered.add(new)
        if old in self._nulled:
            self._nulled[new] = self._nulled.pop(old)
        if old in self._filled_by:
            self._filled_by[new] = self._filled_by.pop(old)
        self._contents.rename(old, new)

    def _copy(self, trace: StatementTrace, copied: CopySource) -> None:
        target = trace.target.lower()
        sources = {copied.source.lower()} | {t.lower() for t, _ in trace.access.reads}
        sources -= {target, ""}
        fully = {name.lower() for name in copied.whole_of}
        if trace.verb == "CREATE TABLE" and not trace.made("table"):
            return
        loses = (
            trace.parsed.conflict in ("IGNORE", "REPLACE")
            or trace.parsed.upsert
            or trace.drop_reason
        )
        altered = copied.source.lower() in self._altered
        if not altered and _is_implied(self._script.old, self._now, trace, copied):
            fully = {copied.source.lower()}
        whole = bool(fully) and not loses and not trace.aborted
        adds, fresh = False, True
        for origin in self.origins:
            storage, partial = self._storage[origin], self._partial[origin]
            if target in storage:
                adds, fresh = adds or self._now[origin] == target, False
                continue  # it adds to a table that has its rows
            if whole and fully & storage:
                storage.add(target)
                if self._now[origin] == target:
                    self._restored[origin] = len(self._losses[origin])
            elif whole and fully & partial.keys():
                partial[target] = partial[min(fully & partial.keys())]
            elif sources & (storage | partial.keys()):
                partial[target] = trace
        read = fully or {copied.source.lower()}
        for source in sorted(read - {target}):
            if source in self._nulled:
                self._nulled[target] = self._nulled.get(target, {}) | self._nulled[source]
        if not adds and target not in read:
            self._contents.fill(trace, fresh=fresh)
            self._filled_by[target] = trace

    def lineage(self, origin: str) -> TableLineage:
        """The lineage of one table at the end."""
        now, rebuilt = self._now[origin], False
        after = self._script.new.tables
        if now != origin.lower() and origin.lower() in after:
            # Another table has its name now: does that one have its rows?
            now, rebuilt = origin.lower(), True
        held = self._storage[origin]
        if now and now in after and origin in self._indexes:  # its text is in another table
            held = held | {now}
            self._losses[origin], self._partial[origin] = [], {}
        current = after[now].name if now and now in after else None
        partial = self._partial[origin]
        since = 0 if now in held else self._restored[origin]
        columns = self._contents.lineage(origin, now) if now else None
        filled = rebuilt or (now in held and bool(self._losses[origin]))
        return TableLineage(
            table=origin,
            name=current,
            rebuilt=rebuilt,
            kept=now in held,
            losses=_distinct_losses(self._losses[origin][since:]),
            partial=(partial[now],) if now in partial and now not in held else (),
            nulled=tuple(self._nulled.get(now or "", {}).items()),
            copied_to=tuple(sorted((held | partial.keys()) - {now or "", origin.lower()})),
            dropped_by=self._dropped_by.get(origin),
            moved=columns.moved if columns and filled else {},
            derived=columns.derived if columns else (),
            dropped=columns.dropped(filled=filled) if columns else (),
            filled_by=self._filled_by.get(now or "") if filled else None,
        )


def _is_implied(
    old: Structure, now: Mapping[str, str | None], trace: StatementTrace, copied: CopySource
) -> bool:
    """Whether a CHECK or NOT NULL of the table that a copy reads lets every row through.

    Only the table from before the script is known to hold it, under whichever name (`now`): a copy
    of it may have no CHECK. A column that was renamed or dropped took its CHECK along.
    """
    if copied.whole or copied.why_not != "WHERE":
        return False
    tables = (old.table(origin) for origin, name in now.items() if name == copied.source.lower())
    table = next(tables, None)
    return table is not None and always_true(table, trace.parsed.tokens, copied.names)


def _empties(trace: StatementTrace, old: Structure) -> bool:
    """Whether no trigger that a DELETE of all rows fires can hold one of them back."""
    fired = [old.triggers.get(name.lower()) for name in trace.access.fired]
    return all(
        one and one.table.lower() != trace.target.lower() and "IGNORE" not in one.sql.upper()
        for one in fired
    )


def _content(table: Table) -> str | None:
    """Where a full-text index has its text, "" for nowhere; None for any other table."""
    declared = full_text(table.sql) if table.is_virtual else None
    return declared.content if declared else None


def _distinct_losses(losses: Sequence[Loss]) -> tuple[Loss, ...]:
    seen: dict[tuple[str, int], Loss] = {}
    for loss in losses:
        seen.setdefault((loss.storage_table.lower(), loss.trace.statement.start), loss)
    return tuple(seen.values())
