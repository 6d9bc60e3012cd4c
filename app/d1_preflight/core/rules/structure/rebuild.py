"""What a rebuild forgets: everything of the old table that the new one does not have."""

from collections.abc import Callable, Iterable, Iterator

from d1_preflight.core.effects.row_lineage import TableLineage
from d1_preflight.core.findings import Severity
from d1_preflight.core.rules.context import Match, Rule, RuleContext, listed, match_target
from d1_preflight.core.schema.schema import Structure
from d1_preflight.core.schema.table import Column, ForeignKey, Table
from d1_preflight.lazy_dataclass import replace

_Pair = tuple[TableLineage, Table, Table]


def index_forgotten(context: RuleContext) -> Iterator[Match]:
    """An index of a rebuilt table that is not made again."""
    for lineage in context.rebuilt:
        for name, index in context.old.indexes.items():
            if index.table.lower() == lineage.table.lower() and name not in context.new.indexes:
                early = any(a.target.lower() == name for a in context.statements_of("CREATE INDEX"))
                named = any(a.target.lower() == name for a in context.statements_of("DROP INDEX"))
                if not early and not named and not _covered(context, lineage, index.sql):
                    yield _match(lineage, index=index.name)


def index_made_too_early(context: RuleContext) -> Iterator[Match]:
    """A CREATE INDEX IF NOT EXISTS that stands before the drop, finds the old one, and is lost."""
    for trace in context.statements_of("CREATE INDEX"):
        name = trace.target.lower()
        if trace.parsed.lenient and name in context.old.indexes and name not in context.new.indexes:
            yield match_target(trace, index=trace.target)


def trigger_forgotten(context: RuleContext) -> Iterator[Match]:
    """A trigger of a rebuilt table that is not made again."""
    for lineage in context.rebuilt:
        for name, trigger in context.old.triggers.items():
            own = trigger.table.lower() == lineage.table.lower()
            named = any(a.target.lower() == name for a in context.statements_of("DROP TRIGGER"))
            if own and name not in context.new.triggers and not named:
                yield _match(lineage, trigger=trigger.name)
    yield from _triggers_of_views(context)


def check_forgotten(context: RuleContext) -> Iterator[Match]:
    """Fewer CHECK constraints than before."""
    for lineage, old, new in _pairs(context):
        if len(new.checks) < len(old.checks):
            gone = [check for check in old.checks if check not in new.checks]
            yield _match(lineage, check=gone[0] if gone else old.checks[0])


def unique_forgotten(context: RuleContext) -> Iterator[Match]:
    """A UNIQUE constraint that neither a constraint nor a unique index replaces."""
    for lineage, old, new in _pairs(context):
        now = {tuple(n.lower() for n in u) for u in new.unique}
        now |= set(_unique_indexes(context.new, lineage.table))
        now.add(tuple(n.lower() for n in new.primary_key))
        for unique in old.unique:
            if tuple(name.lower() for name in unique) not in now:
                yield _match(lineage, columns=listed(unique))


def not_null_forgotten(context: RuleContext) -> Iterator[Match]:
    """A NOT NULL that the new table does not have."""
    yield from _columns(context, lambda old, new: old.notnull and not (new.notnull or new.pk))


def default_forgotten(context: RuleContext) -> Iterator[Match]:
    """A DEFAULT that the new table does not have."""
    yield from _columns(context, lambda old, new: old.default is not None and new.default is None)


def collation_forgotten(context: RuleContext) -> Iterator[Match]:
    """A COLLATE that the new table does not have."""
    yield from _columns(context, lambda old, new: old.collation != "BINARY" == new.collation)


def generated_forgotten(context: RuleContext) -> Iterator[Match]:
    """A generated column that has become a plain one."""
    yield from _columns(context, lambda old, new: old.hidden in _GENERATED and not new.hidden)


def strict_forgotten(context: RuleContext) -> Iterator[Match]:
    """STRICT gone."""
    yield from _tables(context, lambda old, new: old.strict and not new.strict)


def without_rowid_forgotten(context: RuleContext) -> Iterator[Match]:
    """WITHOUT ROWID gone."""
    yield from _tables(context, lambda old, new: old.without_rowid and not new.without_rowid)


def autoincrement_forgotten(context: RuleContext) -> Iterator[Match]:
    """AUTOINCREMENT gone: numbers of deleted rows are given out again."""
    yield from _tables(context, lambda old, new: old.autoincrement and not new.autoincrement)


def sequence_reset(context: RuleContext) -> Iterator[Match]:
    """AUTOINCREMENT kept, its high-water mark not carried over."""
    if "sqlite_sequence" not in context.text.lower():
        yield from _tables(context, lambda old, new: old.autoincrement and new.autoincrement)


def primary_key_forgotten(context: RuleContext) -> Iterator[Match]:
    """The primary key gone."""
    yield from _tables(context, lambda old, new: bool(old.primary_key) and not new.primary_key)


def foreign_key_forgotten(context: RuleContext) -> Iterator[Match]:
    """A foreign key that the new table does not have, nor another one in its place."""
    for lineage, old, new in _pairs(context):
        columns = {k.columns for k in new.foreign_keys}
        for key in old.foreign_keys:
            kept = all(new.column(name) for name in key.columns)
            moved = key.columns in columns  # which foreign-key-added says
            if kept and not moved:
                values = {"columns": ", ".join(key.columns), "parent": key.parent}
                yield _match(lineage, **values)


def foreign_key_action_changed(context: RuleContext) -> Iterator[Match]:
    """A foreign key whose ON DELETE says something else afterwards."""
    for lineage, old, new in _pairs(context):
        now = {(k.columns, k.parent.lower()): k for k in new.foreign_keys}
        for key in old.foreign_keys:
            other = now.get((key.columns, key.parent.lower()))
            if other and other.on_delete != key.on_delete:
                values = {"columns": ", ".join(key.columns), "parent": key.parent}
                yield _match(lineage, before=key.on_delete, after=other.on_delete, **values)


def create_as_select(context: RuleContext) -> Iterator[Match]:
    """A lasting table made by CREATE TABLE … AS SELECT: names only, no keys, no constraints."""
    lasting = {name.lower() for name in context.new.tables}
    lasting |= {trace.target.lower() for trace in context.statements_of("ALTER TABLE RENAME")}
    for trace in context.statements_of("CREATE TABLE"):
        if trace.parsed.copy and trace.target.lower() in lasting:
            yield match_target(trace, table=trace.target)


def affinity_change(context: RuleContext) -> Iterator[Match]:
    """A column whose new type converts stored values on the way."""
    for lineage, old, new in _pairs(context):
        for column in old.columns:
            now = new.column(column.name)
            if now and column.affinity in ("TEXT", "BLOB", "INTEGER"):
                before, after = column.affinity, now.affinity
                if (before, after) in _CONVERTING:
                    values = {"column": column.name, "before": column.type, "after": now.type}
                    yield _match(lineage, **values)


def not_null_added(context: RuleContext) -> Iterator[Match]:
    """A NOT NULL that rows with NULL will break at the copy."""
    yield from _columns(context, lambda old, new: new.notnull and not (old.notnull or old.pk))


def check_added(context: RuleContext) -> Iterator[Match]:
    """A CHECK that old rows may break at the copy."""
    for lineage, old, new in _pairs(context):
        fresh = [check for check in new.checks if check not in old.checks]
        if fresh and len(new.checks) >= len(old.checks):
            yield _match(lineage, check=fresh[0])


def foreign_key_added(context: RuleContext) -> Iterator[Match]:
    """A foreign key that old rows may break at the copy; it blocks where the parent is empty."""
    for lineage, old, new in _pairs(context):
        known = {_key_words(context.old, key) for key in old.foreign_keys}
        filled = _filled_columns(lineage, new)
        for key in new.foreign_keys:
            own = [new.column(name) for name in key.columns]
            copied = {name.lower() for name in key.columns} <= filled
            if _key_words(context.new, key) not in known and copied:
                needed = all(column and column.notnull for column in own)
                empty = needed and _is_made_empty(context, key.parent)
                values = {"columns": ", ".join(key.columns), "parent": key.parent}
                severity = Severity.BLOCKING if empty else None
                yield replace(_match(lineage, **values), severity=severity)


def unique_added(context: RuleContext) -> Iterator[Match]:
    """A UNIQUE or primary key that old rows may break at the copy."""
    for lineage, old, new in _pairs(context):
        known = {_lowered(unique) for unique in (*old.unique, old.primary_key)}
        known |= set(_unique_indexes(context.old, lineage.table))
        filled = _filled_columns(lineage, new)
        for unique in dict.fromkeys((*new.unique, new.primary_key)):
            fresh = unique and not any(set(key) <= set(_lowered(unique)) for key in known if key)
            if fresh and set(_lowered(unique)) <= filled:
                yield _match(lineage, columns=listed(unique))


def strict_added(context: RuleContext) -> Iterator[Match]:
    """A table that becomes STRICT: values of another type stop the copy."""
    yield from _tables(context, lambda old, new: new.strict and not old.strict)


RULES: tuple[Rule, ...] = (
    index_forgotten,
    index_made_too_early,
    trigger_forgotten,
    check_forgotten,
    unique_forgotten,
    not_null_forgotten,
    default_forgotten,
    collation_forgotten,
    generated_forgotten,
    strict_forgotten,
    without_rowid_forgotten,
    autoincrement_forgotten,
    sequence_reset,
    primary_key_forgotten,
    foreign_key_forgotten,
    foreign_key_action_changed,
    create_as_select,
    affinity_change,
    not_null_added,
    check_added,
    foreign_key_added,
    unique_added,
    strict_added,
)
_GENERATED = (2, 3)
_CONVERTING = frozenset(
    {("TEXT", "INTEGER"), ("TEXT", "NUMERIC"), ("TEXT", "REAL"), ("INTEGER", "REAL")}
    | {("BLOB", "INTEGER"), ("BLOB", "NUMERIC"), ("BLOB", "REAL")}
)


def _match(lineage: TableLineage, **values: str) -> Match:
    trace = lineage.dropped_by
    if trace is None:
        return Match(1, 1, 1, 1, {"table": lineage.table, **values}, (lineage.table,))
    return match_target(trace, tables=(lineage.table,), table=lineage.table, values=values)


def _pairs(context: RuleContext) -> Iterator[_Pair]:
    for lineage in context.rebuilt:
        old, new = context.old.table(lineage.table), context.new.table(lineage.name or "")
        if old and new and not old.is_virtual and not new.is_virtual:
            yield lineage, old, new


def _columns(
    context: RuleContext, is_forgotten: Callable[[Column, Column], bool]
) -> Iterator[Match]:
    for lineage, old, new in _pairs(context):
        for column in old.columns:
            now = new.column(column.name)
            if now and is_forgotten(column, now):
                yield _match(lineage, column=column.name, before=column.words, after=now.words)


def _tables(context: RuleContext, is_forgotten: Callable[[Table, Table], bool]) -> Iterator[Match]:
    for lineage, old, new in _pairs(context):
        if is_forgotten(old, new):
            yield _match(lineage)


def _unique_indexes(structure: Structure, table: str) -> Iterable[tuple[str, ...]]:
    for index in structure.indexes.values():
        if index.table.lower() == table.lower() and "UNIQUE" in index.sql[:20].upper():
            inside = index.sql.partition("(")[2].partition(")")[0]
            yield tuple(part.strip(' `"[]').lower() for part in inside.split(","))


def _triggers_of_views(context: RuleContext) -> Iterator[Match]:
    """DROP VIEW takes the view's INSTEAD OF triggers along; CREATE VIEW brings none back."""
    gone = {name: t for name, t in context.old.triggers.items() if name not in context.new.triggers}
    for trace in context.statements_of("DROP VIEW") if gone else ():
        for trigger in gone.values():
            view = trigger.table.lower()
            if trace.target.lower() == view and view in context.new.views:
                values = {"table": trigger.table, "trigger": trigger.name}
                yield match_target(trace, tables=(trigger.table,), values=values)


def _lowered(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name.lower() for name in names)


def _key_words(
    structure: Structure, key: ForeignKey
) -> tuple[tuple[str, ...], str, tuple[str, ...]]:
    """What a key refers to; without columns it is the parent's primary key."""
    parent = structure.table(key.parent)
    columns = key.parent_columns or (parent.primary_key if parent else ())
    return _lowered(key.columns), key.parent.lower(), _lowered(columns)


def _filled_columns(lineage: TableLineage, new: Table) -> frozenset[str]:
    """The columns of the new table that the copy writes, in lower case."""
    copy = lineage.filled_by
    return frozenset(_lowered((copy.parsed.columns or new.column_names) if copy else ()))


def _is_made_empty(context: RuleContext, table: str) -> bool:
    """Whether the file makes a table and puts no row into it."""
    names = {table.lower(), *context.earlier_names(table)}
    fills = {trace.target.lower() for trace in context.statements_of("INSERT")}
    return not context.old.table(table) and not names & fills


def _covered(context: RuleContext, lineage: TableLineage, sql: str) -> bool:
    """Whether an index on the same columns exists under another name."""
    inside = _normal(sql.partition("(")[2])
    return any(
        index.table.lower() == (lineage.name or "").lower()
        and _normal(index.sql.partition("(")[2]) == inside
        for index in context.new.indexes.values()
    )


def _normal(text: str) -> str:
    return "".join(text.split()).translate({ord(mark): None for mark in '`"[];'}).lower()
