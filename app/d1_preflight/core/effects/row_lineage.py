"""Follows the rows of every table that was there before through a script.

A rebuild copies them into a new table, drops the old one and renames; a careful file parks the
children's rows and puts them back. So for each table the walk keeps which tables hold all of its
rows at the moment: a cascade strikes a holder out, a whole copy adds one. Only what a whole copy
proves is kept counts as kept.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from d1_preflight.core.effects.column_lineage import Contents
from d1_preflight.core.engine.trace import Act, Run
from d1_preflight.core.sql.statement import CopySource
from d1_preflight.core.sql.tokenizer import Token, tokens


@dataclass(frozen=True, slots=True)
class Loss:
    """A moment at which rows of `table` (its name before the script) could go.

    `holder` is the table that was struck, which differs from `table` inside a rebuild.
    """

    table: str
    holder: str
    act: Act
    side: bool  # by cascade, trigger or REPLACE, not named by the statement


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one table that was there before."""

    table: str
    name: str | None  # its name afterwards, None where it is gone
    rebuilt: bool = False
    kept: bool = True  # whether all its rows are still under that name
    losses: tuple[Loss, ...] = ()
    partial: tuple[Act, ...] = ()  # copies that can leave rows out
    nulled: tuple[tuple[str, Act], ...] = ()
    copied_to: tuple[str, ...] = ()
    dropped_by: Act | None = None  # or renamed: the act after which its name was free
    moved: Mapping[str, str] = field(default_factory=dict)  # column -> where its values went
    worked_out: tuple[str, ...] = ()  # columns whose values a copy or UPDATE made others of
    left_behind: tuple[str, ...] = ()  # columns whose values are not in the table, or elsewhere
    filled_by: Act | None = None  # the copy that filled it last, once its rows were away


def fates(run: Run) -> tuple[Fate, ...]:
    """What became of every table of before, in order."""
    walk = _Walk(run)
    for act in run.acts:
        if not act.error:
            walk.follow(act)
    return tuple(walk.fate(name) for name in walk.origins)


class _Walk:
    """The state of the walk: who holds whose rows now."""

    def __init__(self, run: Run) -> None:
        self._run = run
        old = run.old
        self.origins = tuple(s.name for n, s in old.tables.items() if n not in old.inner)
        self._now: dict[str, str | None] = {name: name.lower() for name in self.origins}
        self._holders = {name: {name.lower()} for name in self.origins}
        self._partial: dict[str, dict[str, Act]] = {name: {} for name in self.origins}
        self._losses: dict[str, list[Loss]] = {name: [] for name in self.origins}
        self._nulled: dict[str, dict[str, Act]] = {}  # by holder
        self._dropped_by: dict[str, Act] = {}
        self._guards: dict[
            str, tuple[str, str]
        ] = {}  # trigger -> what it forbids, and on which table
        for trigger in old.triggers.values():
            if "RAISE" in trigger.sql.upper():
                self._note_guard(trigger.name, tokens(trigger.sql))
        self._contents = Contents(old, run.new)
        self._filled_by: dict[str, Act] = {}

    def follow(self, act: Act) -> None:
        self._strike(act)
        match act.verb:
            case "DROP TABLE":
                for name in act.removed("table"):
                    self._gone(name.lower(), act)
            case "ALTER TABLE RENAME":
                self._rename(act.target.lower(), act.phrase.new_name.lower(), act)
            case "ALTER TABLE RENAME COLUMN" | "ALTER TABLE DROP COLUMN":
                self._contents.alter(act)
            case "INSERT" | "CREATE TABLE" if act.phrase.copy:
                self._copy(act, act.phrase.copy)
            case "CREATE TRIGGER":
                self._note_guard(act.target, act.phrase.tokens)
            case "UPDATE":
                self._restore(act)
                self._contents.update(act)

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

    def _strike(self, act: Act) -> None:
        named = act.target.lower() if act.verb == "DELETE" else ""
        fired = {self._guards.get(name.lower()) for name in act.heard.fired}
        for struck in act.heard.deletes:
            lower = struck.lower()
            dropped = act.verb == "DROP TABLE" and lower == act.target.lower()
            if ("DELETE", lower) not in fired and not dropped:
                self._lose(struck, act, side=lower != named)
        if act.keys > (1 if act.verb == "INSERT" else 0):
            self._lose(act.target, act, side=True)
        for table, column in act.heard.updates:
            if ("UPDATE", table.lower()) not in fired and self._clears(act, table, column):
                self._nulled.setdefault(table.lower(), {})[column] = act

    def _clears(self, act: Act, table: str, column: str) -> bool:
        """Whether an update that was heard is a foreign key's action, not the statement's own."""
        own = table.lower() == act.target.lower()
        if act.verb == "UPDATE":
            by = ("on_update", "on_delete") if act.phrase.conflict == "REPLACE" else ("on_update",)
            return not own and self._has_action(table, column, by)
        return not own or (act.verb == "DELETE" and self._has_action(table, column, ("on_delete",)))

    def _has_action(self, table: str, column: str, by: Sequence[str]) -> bool:
        known = self._run.old.table(table) or self._run.new.table(table)
        return any(
            getattr(key, when) in ("SET NULL", "SET DEFAULT")
            for key in (known.foreign_keys if known else ())
            if column.lower() in (name.lower() for name in key.columns)
            for when in by
        )

    def _restore(self, act: Act) -> None:
        """References that were cleared come back only from a table that still has them."""
        cleared = self._nulled.get(act.target.lower(), {})
        for column in act.phrase.columns:
            read = {t.lower() for t, c in act.heard.reads if c.lower() == column.lower()}
            kept = {t for t in read - {act.target.lower()} if column not in self._nulled.get(t, {})}
            if any(kept & (self._holders[o] | self._partial[o].keys()) for o in self.origins):
                for name in [n for n in cleared if n.lower() == column.lower()]:
                    del cleared[name]

    def _lose(self, struck: str, act: Act, *, side: bool) -> None:
        lower = struck.lower()
        for origin, holders in self._holders.items():
            if lower in holders or lower in self._partial[origin]:
                holders.discard(lower)
                self._losses[origin].append(Loss(origin, struck, act, side=side))

    def _gone(self, name: str, act: Act) -> None:
        for origin in self.origins:
            self._holders[origin].discard(name)
            self._partial[origin].pop(name, None)
            if self._now[origin] == name:
                self._now[origin] = None
                self._dropped_by[origin] = act
        self._nulled.pop(name, None)
        self._contents.forget(name)

    def _rename(self, old: str, new: str, act: Act) -> None:
        for origin in self.origins:
            if old in self._holders[origin]:
                self._holders[origin] = self._holders[origin] - {old} | {new}
            if old in self._partial[origin]:
                self._partial[origin][new] = self._partial[origin].pop(old)
            if self._now[origin] == old:
                self._now[origin] = new
                self._dropped_by[origin] = act
        if old in self._nulled:
            self._nulled[new] = self._nulled.pop(old)
        if old in self._filled_by:
            self._filled_by[new] = self._filled_by.pop(old)
        self._contents.rename(old, new)

    def _copy(self, act: Act, copied: CopySource) -> None:
        target = act.target.lower()
        sources = {copied.source.lower()} | {t.lower() for t, _ in act.heard.reads}
        sources -= {target, ""}
        fully = {name.lower() for name in copied.whole_of}
        if act.verb == "CREATE TABLE" and not act.made("table"):
            return
        loses = act.phrase.conflict in ("IGNORE", "REPLACE") or act.phrase.upsert or act.lossy
        whole = copied.whole and not loses and not act.unsure
        adds, fresh = False, True
        for origin in self.origins:
            holders, partial = self._holders[origin], self._partial[origin]
            if target in holders:
                adds, fresh = adds or self._now[origin] == target, False
                continue  # it adds to a table that has its rows
            if whole and fully & holders:
                holders.add(target)
            elif whole and fully & partial.keys():
                partial[target] = partial[min(fully & partial.keys())]
            elif sources & (holders | partial.keys()):
                partial[target] = act
        read = fully or {copied.source.lower()}
        for source in sorted(read - {target}):
            if source in self._nulled:
                self._nulled[target] = self._nulled.get(target, {}) | self._nulled[source]
        if not adds and target not in read:
            self._contents.fill(act, fresh=fresh)
            self._filled_by[target] = act

    def fate(self, origin: str) -> Fate:
        """The end of one table's story."""
        now, rebuilt = self._now[origin], False
        after = self._run.new.tables
        if now != origin.lower() and origin.lower() in after:
            # Another table has its name now: does that one have its rows?
            now, rebuilt = origin.lower(), True
        held = self._holders[origin]
        current = after[now].name if now and now in after else None
        partial = self._partial[origin]
        homes = self._contents.homes(origin, now) if now else None
        filled = rebuilt or (now in held and bool(self._losses[origin]))
        return Fate(
            table=origin,
            name=current,
            rebuilt=rebuilt,
            kept=now in held,
            losses=_struck_for_good(self._losses[origin]),
            partial=(partial[now],) if now in partial and now not in held else (),
            nulled=tuple(self._nulled.get(now or "", {}).items()),
            copied_to=tuple(sorted((held | partial.keys()) - {now or "", origin.lower()})),
            dropped_by=self._dropped_by.get(origin),
            moved=homes.moved if homes and filled else {},
            worked_out=homes.changed if homes else (),
            left_behind=homes.left_behind(filled=filled) if homes else (),
            filled_by=self._filled_by.get(now or "") if filled else None,
        )


def _struck_for_good(losses: Sequence[Loss]) -> tuple[Loss, ...]:
    seen: dict[tuple[str, int], Loss] = {}
    for loss in losses:
        seen.setdefault((loss.holder.lower(), loss.act.statement.start), loss)
    return tuple(seen.values())


def tables_of(found: Iterable[Fate]) -> tuple[str, ...]:
    """The names (of before) of some fates."""
    return tuple(fate.table for fate in found)
