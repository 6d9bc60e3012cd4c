"""Classes a migration by its effect: what it does to tables, columns and rows that were there.

The conventions follow the source document's table: dropped tables, columns or rows (a silent
cascade too) are destructive; renamed or rebuilt things, changed constraints, dropped indexes and
triggers, and changed rows are transformative; the rest is additive. What was not understood is
unknown unless the rest is destructive anyway.
"""

from collections.abc import Iterator

from d1_preflight.core.effects.effects import EffectsBuilder
from d1_preflight.core.effects.row_lineage import Loss, TableLineage, row_lineage
from d1_preflight.core.engine.trace import ScriptTrace, StatementTrace
from d1_preflight.core.findings import Effects, Kind, Reason, Risk
from d1_preflight.core.schema.schema import normal_sql
from d1_preflight.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """The class, and everything it was drawn from."""

    kind: Kind
    reasons: tuple[Reason, ...]
    effects: Effects
    lineages: tuple[TableLineage, ...]

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
_KindReason = tuple[Kind, Reason]


def classify(script: ScriptTrace) -> Verdict:
    """Class a script by its effects, with the reasons of the class it came to."""
    lineages = row_lineage(script)
    builder = EffectsBuilder(script, lineages)
    found = [*_destroyed(builder), *_transformed(builder), *_added(builder), *_unknown(builder)]
    kind = max((kind for kind, _ in found), key=_WEIGHT.index, default=Kind.NONE)
    reasons = tuple(dict.fromkeys(reason for of_kind, reason in found if of_kind is kind))
    if kind is Kind.NONE:
        reasons = (Reason("No statement leaves a change behind.", 1),)
    return Verdict(kind, reasons, builder.effects(), lineages)


def _destroyed(builder: EffectsBuilder) -> Iterator[_KindReason]:
    for lineage in builder.lineages:
        if not lineage.name:
            by = lineage.dropped_by
            yield _reason(Kind.DESTRUCTIVE, f'Drops table "{lineage.table}".', by)
        elif not lineage.kept:
            yield from _lost(lineage)
        for column, trace in lineage.nulled if lineage.name else ():
            words = f'Sets "{lineage.table}.{column}" to NULL (ON DELETE SET NULL or DEFAULT).'
            yield _reason(Kind.DESTRUCTIVE, words, trace)
    for name, by in builder.columns_dropped():
        yield _reason(Kind.DESTRUCTIVE, f'Drops column "{name}" and its values.', by)
    for change in builder.outside:
        if change.loses:
            yield _reason(Kind.DESTRUCTIVE, change.words, change.trace)


def _lost(lineage: TableLineage) -> Iterator[_KindReason]:
    for loss in lineage.losses:
        words = f'Deletes rows of "{lineage.table}" ({_cause(loss)}).'
        if loss.storage_table.lower() != lineage.table.lower():
            copy = loss.storage_table
            words = f'Deletes rows of "{lineage.table}" in its copy "{copy}" ({_cause(loss)}).'
        yield _reason(Kind.DESTRUCTIVE, words, loss.trace)
    for trace in lineage.partial:
        words = f'Copies "{lineage.table}" in a way that can skip rows.'
        yield _reason(Kind.DESTRUCTIVE, words, trace)
    if not lineage.losses and not lineage.partial:
        words = f'Recreates "{lineage.table}" without its rows.'
        yield _reason(Kind.DESTRUCTIVE, words, lineage.dropped_by)


def _cause(loss: Loss) -> str:
    statement = f'{loss.trace.verb} "{loss.trace.target}"'
    if not loss.indirect:
        return statement
    if loss.trace.verb in ("INSERT", "UPDATE"):
        return f"{statement} with REPLACE"
    return f"{statement} reaches it by a foreign key or trigger"


def _transformed(builder: EffectsBuilder) -> Iterator[_KindReason]:
    kind = Kind.TRANSFORMATIVE
    for lineage in builder.lineages:
        if lineage.name and lineage.rebuilt:
            yield _reason(kind, f'Rebuilds table "{lineage.table}".', lineage.dropped_by)
        elif lineage.name and lineage.name.lower() != lineage.table.lower():
            by = builder.first("ALTER TABLE RENAME")
            yield _reason(kind, f'Renames table "{lineage.table}" to "{lineage.name}".', by)
    for name, trace in builder.columns_renamed():
        yield _reason(kind, f'Moves or renames column "{name}".', trace)
    for table, by in builder.updated():
        yield _reason(kind, f'Changes rows of "{table}".', by)
    for table, by in builder.inserted():
        if by.parsed.copy and by.parsed.copy.source:
            yield _reason(kind, f'Fills "{table}" from other rows.', by)
        elif by.parsed.conflict == "REPLACE" or by.parsed.upsert == "UPDATE":
            yield _reason(kind, f'Can overwrite rows of "{table}".', by)
    for trace in builder.sequences_written():
        yield _reason(kind, "Changes AUTOINCREMENT counters.", trace)
    for change in builder.outside:
        if change.kind in ("view", "index", "trigger", "values") and not change.remade:
            yield _reason(kind, change.words, change.trace)
    yield from _objects_changed(builder)


def _objects_changed(builder: EffectsBuilder) -> Iterator[_KindReason]:
    for word in ("index", "trigger", "view"):
        afters = builder.script.new.of(word)
        for name, found in builder.script.old.of(word).items():
            now = afters.get(name)
            if now is found or (now and now.sql == found.sql):
                continue
            if now is None or normal_sql(now.sql) != normal_sql(found.sql):
                by = builder.first(f"DROP {word.upper()}", found.name)
                done = "Drops" if now is None else "Changes"
                yield _reason(Kind.TRANSFORMATIVE, f'{done} {word} "{found.name}".', by)


def _added(builder: EffectsBuilder) -> Iterator[_KindReason]:
    old, new = builder.script.old, builder.script.new
    for kind in ("table", "index", "trigger", "view"):
        befores = old.tables if kind == "table" else old.of(kind)
        for name, made in (new.tables if kind == "table" else new.of(kind)).items():
            if name not in befores and name not in new.inner:
                by = builder.first(f"CREATE {kind.upper()}", name)
                yield _reason(Kind.ADDITIVE, f'Adds {kind} "{made.name}".', by)
    for name in builder.columns_added():
        by = builder.first("ALTER TABLE ADD COLUMN", column=name.partition(".")[2])
        yield _reason(Kind.ADDITIVE, f'Adds column "{name}".', by)
    for table, by in builder.inserted():
        yield _reason(Kind.ADDITIVE, f'Adds rows to "{table}".', by)


def _unknown(builder: EffectsBuilder) -> Iterator[_KindReason]:
    for trace in builder.script.statements:
        if missing := builder.script.missing(trace):
            yield _reason(Kind.UNKNOWN, no_file_makes(missing), trace)
        elif trace.error:
            yield _reason(Kind.UNKNOWN, f"D1 refuses a statement: {trace.error}.", trace)
        elif trace.aborted:
            words = f"Not followed to its end: {trace.data_dependent_error}."
            yield _reason(Kind.UNKNOWN, words, trace)
        elif trace.verb not in _KNOWN:
            yield _reason(Kind.UNKNOWN, f"Not recognised: {trace.verb or 'a statement'}.", trace)
    if builder.script.unrecorded:
        last = builder.script.statements[-1] if builder.script.statements else None
        words = f"D1 does not record the file: {builder.script.unrecorded}."
        yield _reason(Kind.UNKNOWN, words, last)


_ROWS_OR_NONE = ("INSERT", "UPDATE", "DELETE", "SELECT", "VALUES", "PRAGMA", "REINDEX", "ANALYZE")
_OBJECTS = ("TABLE", "INDEX", "VIEW", "TRIGGER")
_ALTERS = ("RENAME", "RENAME COLUMN", "ADD COLUMN", "DROP COLUMN")
_KNOWN = frozenset({*_ROWS_OR_NONE, "EXPLAIN"}).union(
    (f"{verb} {kind}" for verb in ("CREATE", "DROP") for kind in _OBJECTS),
    (f"ALTER TABLE {act}" for act in _ALTERS),
)


def no_file_makes(name: str) -> str:
    """Why the effect of a statement on an object that no file makes is not known."""
    return f'No file makes "{name}": what this statement does to it is not known.'


def _reason(kind: Kind, words: str, trace: StatementTrace | None) -> _KindReason:
    return kind, Reason(words, trace.line if trace else 1)
