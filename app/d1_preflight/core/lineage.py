"""Follows the rows of every table that was there before through a script.

A rebuild copies them into a new table, drops the old one and renames; a careful file parks the
children's rows and puts them back. So for each table the walk keeps which tables hold all of its
rows at the moment: a cascade strikes a holder out, a whole copy adds one. Only what a whole copy
proves is kept counts as kept.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from d1_preflight.core.act import Act, Run
from d1_preflight.core.phrase import Copy
from d1_preflight.core.sql import Token, tokens


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
    dropped_by: Act | None = None
    moved: Mapping[str, str] = field(default_factory=dict)  # column -> where its values went
    converted: Mapping[str, str] = field(default_factory=dict)  # the same, by an UPDATE
    left_behind: tuple[tuple[str, Act], ...] = ()  # columns kept in name, values not copied


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
        self._guards: dict[str, str] = {}  # trigger -> the table whose rows it will not let go
        for trigger in old.triggers.values():
            if "RAISE" not in trigger.sql.upper():
                continue
            self._note_guard(trigger.name, tokens(trigger.sql))
        self._moved: dict[str, dict[str, str]] = {name: {} for name in self.origins}
        self._converted: dict[str, dict[str, str]] = {name: {} for name in self.origins}
        self._left: dict[str, dict[str, Act]] = {}  # by holder: columns whose values stayed behind

    def follow(self, act: Act) -> None:
        self._strike(act)
        match act.verb:
            case "DROP TABLE":
                for name in act.removed("table"):
                    self._gone(name.lower(), act)
            case "ALTER TABLE RENAME":
                self._rename(act.target.lower(), act.phrase.new_name.lower())
            case "INSERT" | "CREATE TABLE" if act.phrase.copy:
                self._copy(act, act.phrase.copy)
            case "CREATE TRIGGER":
                self._note_guard(act.target, act.phrase.tokens)
            case "UPDATE":
                self._note_moves(act)

    def _note_guard(self, name: str, found: Sequence[Token]) -> None:
        words = [token.word for token in found]
        if "RAISE" not in words or "WHEN" in words or "ON" not in words:
            return
        act = found[min(words.index("RAISE") + 2, len(found) - 1)].word
        on = words.index("ON")
        if act in ("ABORT", "ROLLBACK", "FAIL") and "DELETE" in words[:on]:
            self._guards[name.lower()] = found[on + 1].name.lower()

    def _strike(self, act: Act) -> None:
        named = act.target.lower() if act.verb == "DELETE" else ""
        guarded = {self._guards.get(name.lower(), "") for name in act.heard.fired}
        for struck in act.heard.deletes:
            lower = struck.lower()
            if lower in guarded:
                continue
            if act.verb == "DROP TABLE" and lower == act.target.lower():
                continue
            self._lose(struck, act, side=lower != named)
        if self._replaces(act):
            self._lose(act.target, act, side=True)
        for table, column in act.heard.updates:
            place = (table.lower(), column.lower())
            if table.lower() != act.target.lower() and act.verb != "UPDATE":
                self._nulled.setdefault(place[0], {})[column] = act
            elif act.verb == "UPDATE":
                self._nulled.get(place[0], {}).pop(column, None)

    def _lose(self, struck: str, act: Act, *, side: bool) -> None:
        lower = struck.lower()
        for origin, holders in self._holders.items():
            if lower in holders or lower in self._partial[origin]:
                holders.discard(lower)
                self._losses[origin].append(Loss(origin, struck, act, side=side))

    def _replaces(self, act: Act) -> bool:
        """Whether REPLACE can delete rows that no new row takes the place of: by a second key."""
        shape = self._run.old.table(act.target)
        if shape is None or act.verb not in ("INSERT", "UPDATE"):
            return False
        by_table = "ON CONFLICT REPLACE" in " ".join(shape.sql.upper().split())
        if act.phrase.conflict != "REPLACE" and not by_table:
            return False
        unique = [
            i for i in self._run.old.indexes.values() if i.table.lower() == shape.name.lower()
        ]
        indexes = sum("UNIQUE" in index.sql[:20].upper() for index in unique)
        keys = len(shape.unique) + indexes + bool(shape.primary_key)
        return keys > (1 if act.verb == "INSERT" else 0)

    def _gone(self, name: str, act: Act) -> None:
        for origin in self.origins:
            self._holders[origin].discard(name)
            self._partial[origin].pop(name, None)
            if self._now[origin] == name:
                self._now[origin] = None
                self._dropped_by[origin] = act
        self._nulled.pop(name, None)
        self._left.pop(name, None)

    def _rename(self, old: str, new: str) -> None:
        for origin in self.origins:
            if old in self._holders[origin]:
                self._holders[origin] = self._holders[origin] - {old} | {new}
            if old in self._partial[origin]:
                self._partial[origin][new] = self._partial[origin].pop(old)
            if self._now[origin] == old:
                self._now[origin] = new
        for side in (self._nulled, self._left):
            if old in side:
                side[new] = side.pop(old)

    def _copy(self, act: Act, copied: Copy) -> None:
        target = act.target.lower()
        sources = {copied.source.lower()} | {t.lower() for t, _ in act.heard.reads}
        sources -= {target, ""}
        if act.verb == "CREATE TABLE" and not act.made("table"):
            return
        loses = act.phrase.conflict in ("IGNORE", "REPLACE") or act.phrase.upsert
        whole = copied.whole and not loses and not act.unsure
        for origin in self.origins:
            holders, partial = self._holders[origin], self._partial[origin]
            if target == self._now[origin] and origin.lower() == target and target in holders:
                continue  # it adds to a table that has its rows
            if whole and copied.source.lower() in holders:
                holders.add(target)
            elif sources & (holders | partial.keys()):
                partial[target] = act
        self._carry(act, copied, target)

    def _carry(self, act: Act, copied: Copy, target: str) -> None:
        source = copied.source.lower()
        if source == target:
            return
        if source in self._nulled:
            self._nulled[target] = dict(self._nulled[source])
        for origin in self.origins:
            if source in self._holders[origin] | self._partial[origin].keys():
                self._note_columns(origin, act, copied, target)

    def _note_columns(self, origin: str, act: Act, copied: Copy, target: str) -> None:
        shape = self._run.old.table(origin)
        if shape is None:
            return
        for name, expression in copied.columns:
            for token in expression:
                column = shape.column(token.name)
                if name and column and column.name.lower() != name.lower():
                    self._moved[origin].setdefault(column.name, name)
        named = {name.lower() for name, _ in copied.columns}
        if act.phrase.columns and not copied.star:
            missed = {c.name: act for c in shape.columns if c.name.lower() not in named}
            self._left[target] = missed

    def _note_moves(self, act: Act) -> None:
        for origin in self.origins:
            if act.target.lower() == self._now[origin]:
                read = {c for t, c in act.heard.reads if t.lower() == act.target.lower()}
                for column in read:
                    for name in act.phrase.columns:
                        if name.lower() != column.lower():
                            self._converted[origin].setdefault(column, name)

    def fate(self, origin: str) -> Fate:
        """The end of one table's story."""
        now, rebuilt = self._now[origin], False
        after = self._run.new.tables
        if now is None and origin.lower() in after:
            now, rebuilt = origin.lower(), True
        held = self._holders[origin]
        current = after[now].name if now and now in after else None
        partial = self._partial[origin]
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
            moved=self._moved[origin],
            converted=self._converted[origin],
            left_behind=tuple(self._left.get(now or "", {}).items()) if rebuilt else (),
        )


def _struck_for_good(losses: Sequence[Loss]) -> tuple[Loss, ...]:
    seen: dict[tuple[str, int], Loss] = {}
    for loss in losses:
        seen.setdefault((loss.holder.lower(), loss.act.statement.start), loss)
    return tuple(seen.values())


def tables_of(found: Iterable[Fate]) -> tuple[str, ...]:
    """The names (of before) of some fates."""
    return tuple(fate.table for fate in found)
