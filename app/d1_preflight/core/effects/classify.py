"""Classes a migration by its effect: what it does to tables, columns and rows that were there.

The conventions follow the source document's table: dropped tables, columns or rows (a silent
cascade too) are destructive; renamed or rebuilt things, changed constraints, dropped indexes and
triggers, and changed rows are transformative; the rest is additive. What was not understood is
unknown unless the rest is destructive anyway.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from d1_preflight.core.effects.effects import Facts
from d1_preflight.core.effects.row_lineage import Fate, Loss, fates
from d1_preflight.core.engine.trace import Act, Run
from d1_preflight.core.findings import Effects, Kind, Reason, Risk
from d1_preflight.core.schema.schema import normal_sql


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
    facts = Facts(run, found)
    told = [*_destroyed(facts), *_transformed(facts), *_added(facts), *_unknown(facts)]
    kind = max((kind for kind, _ in told), key=_WEIGHT.index, default=Kind.NONE)
    reasons = tuple(dict.fromkeys(reason for told_kind, reason in told if told_kind is kind))
    if kind is Kind.NONE:
        reasons = (Reason("No statement leaves a change behind.", 1),)
    return Verdict(kind, reasons, facts.effects(), found)


def _destroyed(facts: Facts) -> Iterator[_Told]:
    for fate in facts.fates:
        if not fate.name:
            by = fate.dropped_by
            yield _told(Kind.DESTRUCTIVE, f'Drops table "{fate.table}".', by)
        elif not fate.kept:
            yield from _lost(fate)
        for column, act in fate.nulled if fate.name else ():
            words = f'Sets "{fate.table}.{column}" to NULL (ON DELETE SET NULL or DEFAULT).'
            yield _told(Kind.DESTRUCTIVE, words, act)
    for name, by in facts.columns_dropped():
        yield _told(Kind.DESTRUCTIVE, f'Drops column "{name}": its values go.', by)


def _lost(fate: Fate) -> Iterator[_Told]:
    for loss in fate.losses:
        words = f'Deletes rows of "{fate.table}" ({_cause(loss)}).'
        if loss.holder.lower() != fate.table.lower():
            words = f'Deletes rows of "{fate.table}" in its copy "{loss.holder}" ({_cause(loss)}).'
        yield _told(Kind.DESTRUCTIVE, words, loss.act)
    for act in fate.partial:
        words = f'Copies "{fate.table}" in a way that can leave rows out.'
        yield _told(Kind.DESTRUCTIVE, words, act)
    if not fate.losses and not fate.partial:
        words = f'Makes "{fate.table}" again without its rows.'
        yield _told(Kind.DESTRUCTIVE, words, fate.dropped_by)


def _cause(loss: Loss) -> str:
    statement = f'{loss.act.verb} "{loss.act.target}"'
    if not loss.side:
        return statement
    if loss.act.verb in ("INSERT", "UPDATE"):
        return f"{statement} with REPLACE"
    return f"{statement} reaches it by a foreign key or trigger"


def _transformed(facts: Facts) -> Iterator[_Told]:
    kind = Kind.TRANSFORMATIVE
    for fate in facts.fates:
        if fate.name and fate.rebuilt:
            yield _told(kind, f'Rebuilds table "{fate.table}".', fate.dropped_by)
        elif fate.name and fate.name.lower() != fate.table.lower():
            by = facts.first("ALTER TABLE RENAME")
            yield _told(kind, f'Renames table "{fate.table}" to "{fate.name}".', by)
    for name, act in facts.columns_renamed():
        yield _told(kind, f'Moves or renames column "{name}".', act)
    for table, by in facts.updated():
        yield _told(kind, f'Changes rows of "{table}".', by)
    for table, by in facts.inserted():
        if by.phrase.copy and by.phrase.copy.source:
            yield _told(kind, f'Fills "{table}" from other rows.', by)
        elif by.phrase.conflict == "REPLACE" or by.phrase.upsert == "UPDATE":
            yield _told(kind, f'Can overwrite rows of "{table}".', by)
    for act in facts.sequences_written():
        yield _told(kind, "Changes AUTOINCREMENT marks.", act)
    yield from _objects_changed(facts)


def _objects_changed(facts: Facts) -> Iterator[_Told]:
    old, new = facts.run.old, facts.run.new
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
                by = facts.first(f"DROP {word.upper()}", found.name)
                done = "Drops" if now is None else "Changes"
                yield _told(Kind.TRANSFORMATIVE, f'{done} {word} "{found.name}".', by)


def _added(facts: Facts) -> Iterator[_Told]:
    old, new = facts.run.old, facts.run.new
    for kind, befores, afters in (
        ("table", old.tables, new.tables),
        ("index", old.indexes, new.indexes),
        ("trigger", old.triggers, new.triggers),
        ("view", old.views, new.views),
    ):
        for name in afters:
            if name not in befores and name not in new.inner:
                by = facts.first(f"CREATE {kind.upper()}", name)
                yield _told(Kind.ADDITIVE, f'Adds {kind} "{afters[name].name}".', by)
    for name in facts.columns_added():
        by = facts.first("ALTER TABLE ADD COLUMN", column=name.partition(".")[2])
        yield _told(Kind.ADDITIVE, f'Adds column "{name}".', by)
    for table, by in facts.inserted():
        yield _told(Kind.ADDITIVE, f'Adds rows to "{table}".', by)


def _unknown(facts: Facts) -> Iterator[_Told]:
    for act in facts.run.acts:
        if act.error:
            yield _told(Kind.UNKNOWN, f"D1 refuses a statement: {act.error}.", act)
        elif act.unsure:
            yield _told(Kind.UNKNOWN, f"Not followed to its end: {act.depends}.", act)
        elif act.verb not in _KNOWN:
            yield _told(Kind.UNKNOWN, f"Not recognised: {act.verb or 'a statement'}.", act)
    if facts.run.unrecorded:
        last = facts.run.acts[-1] if facts.run.acts else None
        words = f"D1 does not record the file: {facts.run.unrecorded}."
        yield _told(Kind.UNKNOWN, words, last)


_KNOWN = (
    frozenset(
        (
            "INSERT",
            "UPDATE",
            "DELETE",
            "SELECT",
            "VALUES",
            "PRAGMA",
            "REINDEX",
            "ANALYZE",
            "EXPLAIN",
        )
    )
    | frozenset(
        f"{verb} {kind}"
        for verb in ("CREATE", "DROP")
        for kind in ("TABLE", "INDEX", "VIEW", "TRIGGER")
    )
    | frozenset(
        f"ALTER TABLE {act}" for act in ("RENAME", "RENAME COLUMN", "ADD COLUMN", "DROP COLUMN")
    )
)


def _told(kind: Kind, words: str, act: Act | None) -> _Told:
    return kind, Reason(words, act.line if act else 1)
