"""What a rebuild forgets: everything of the old table that the new one does not have."""

from collections.abc import Callable, Iterable, Iterator

from d1_preflight.core.effects.row_lineage import Fate
from d1_preflight.core.rules.context import Case, Find, Hit, at, listed, target_token
from d1_preflight.core.schema.table import Column, Table

_Pair = tuple[Fate, Table, Table]


def index_forgotten(case: Case) -> Iterator[Hit]:
    """An index of a rebuilt table that is not made again."""
    for fate in case.rebuilt:
        for name, index in case.old.indexes.items():
            if index.table.lower() == fate.table.lower() and name not in case.new.indexes:
                early = any(a.target.lower() == name for a in case.acts_of("CREATE INDEX"))
                named = any(a.target.lower() == name for a in case.acts_of("DROP INDEX"))
                if not early and not named and not _covered(case, fate, index.sql):
                    yield _hit(fate, index=index.name)


def index_made_too_early(case: Case) -> Iterator[Hit]:
    """A CREATE INDEX IF NOT EXISTS that stands before the drop, finds the old one, and is lost."""
    for act in case.acts_of("CREATE INDEX"):
        name = act.target.lower()
        if act.phrase.lenient and name in case.old.indexes and name not in case.new.indexes:
            yield at(act, target_token(act), index=act.target)


def trigger_forgotten(case: Case) -> Iterator[Hit]:
    """A trigger of a rebuilt table that is not made again."""
    for fate in case.rebuilt:
        for name, trigger in case.old.triggers.items():
            own = trigger.table.lower() == fate.table.lower()
            named = any(a.target.lower() == name for a in case.acts_of("DROP TRIGGER"))
            if own and name not in case.new.triggers and not named:
                yield _hit(fate, trigger=trigger.name)


def check_forgotten(case: Case) -> Iterator[Hit]:
    """Fewer CHECK constraints than before."""
    for fate, old, new in _pairs(case):
        if len(new.checks) < len(old.checks):
            gone = [check for check in old.checks if check not in new.checks]
            yield _hit(fate, check=gone[0] if gone else old.checks[0])


def unique_forgotten(case: Case) -> Iterator[Hit]:
    """A UNIQUE constraint that neither a constraint nor a unique index replaces."""
    for fate, old, new in _pairs(case):
        now = {tuple(n.lower() for n in u) for u in new.unique}
        now |= set(_unique_indexes(case, fate.table))
        now.add(tuple(n.lower() for n in new.primary_key))
        for unique in old.unique:
            if tuple(name.lower() for name in unique) not in now:
                yield _hit(fate, columns=listed(unique))


def not_null_forgotten(case: Case) -> Iterator[Hit]:
    """A NOT NULL that the new table does not have."""
    yield from _columns(case, lambda old, new: old.notnull and not (new.notnull or new.pk))


def default_forgotten(case: Case) -> Iterator[Hit]:
    """A DEFAULT that the new table does not have."""
    yield from _columns(case, lambda old, new: old.default is not None and new.default is None)


def collation_forgotten(case: Case) -> Iterator[Hit]:
    """A COLLATE that the new table does not have."""
    yield from _columns(case, lambda old, new: old.collation != "BINARY" == new.collation)


def generated_forgotten(case: Case) -> Iterator[Hit]:
    """A generated column that has become a plain one."""
    yield from _columns(case, lambda old, new: old.hidden in _GENERATED and not new.hidden)


def strict_forgotten(case: Case) -> Iterator[Hit]:
    """STRICT gone."""
    yield from _tables(case, lambda old, new: old.strict and not new.strict)


def without_rowid_forgotten(case: Case) -> Iterator[Hit]:
    """WITHOUT ROWID gone."""
    yield from _tables(case, lambda old, new: old.without_rowid and not new.without_rowid)


def autoincrement_forgotten(case: Case) -> Iterator[Hit]:
    """AUTOINCREMENT gone: numbers of deleted rows are given out again."""
    yield from _tables(case, lambda old, new: old.autoincrement and not new.autoincrement)


def sequence_reset(case: Case) -> Iterator[Hit]:
    """AUTOINCREMENT kept, its high-water mark not carried over."""
    if "sqlite_sequence" not in case.text.lower():
        yield from _tables(case, lambda old, new: old.autoincrement and new.autoincrement)


def primary_key_forgotten(case: Case) -> Iterator[Hit]:
    """The primary key gone."""
    yield from _tables(case, lambda old, new: bool(old.primary_key) and not new.primary_key)


def foreign_key_forgotten(case: Case) -> Iterator[Hit]:
    """A foreign key that the new table does not have."""
    for fate, old, new in _pairs(case):
        now = {(k.columns, k.parent.lower()) for k in new.foreign_keys}
        for key in old.foreign_keys:
            kept = all(new.column(name) for name in key.columns)
            if kept and (key.columns, key.parent.lower()) not in now:
                values = {"columns": ", ".join(key.columns), "parent": key.parent}
                yield _hit(fate, **values)


def foreign_key_action_changed(case: Case) -> Iterator[Hit]:
    """A foreign key whose ON DELETE says something else afterwards."""
    for fate, old, new in _pairs(case):
        now = {(k.columns, k.parent.lower()): k for k in new.foreign_keys}
        for key in old.foreign_keys:
            other = now.get((key.columns, key.parent.lower()))
            if other and other.on_delete != key.on_delete:
                values = {"columns": ", ".join(key.columns), "parent": key.parent}
                yield _hit(fate, before=key.on_delete, after=other.on_delete, **values)


def create_as_select(case: Case) -> Iterator[Hit]:
    """A lasting table made by CREATE TABLE … AS SELECT: names only, no keys, no constraints."""
    lasting = {name.lower() for name in case.new.tables}
    lasting |= {act.target.lower() for act in case.acts_of("ALTER TABLE RENAME")}
    for act in case.acts_of("CREATE TABLE"):
        if act.phrase.copy and act.target.lower() in lasting:
            yield at(act, target_token(act), table=act.target)


def affinity_change(case: Case) -> Iterator[Hit]:
    """A column whose new type converts stored values on the way."""
    for fate, old, new in _pairs(case):
        for column in old.columns:
            now = new.column(column.name)
            if now and affinity(column.type) in ("TEXT", "BLOB", "INTEGER"):
                before, after = affinity(column.type), affinity(now.type)
                if (before, after) in _CONVERTING:
                    values = {"column": column.name, "before": column.type, "after": now.type}
                    yield _hit(fate, **values)


def not_null_added(case: Case) -> Iterator[Hit]:
    """A NOT NULL that rows with NULL will break at the copy."""
    yield from _columns(case, lambda old, new: new.notnull and not (old.notnull or old.pk))


def check_added(case: Case) -> Iterator[Hit]:
    """A CHECK that old rows may break at the copy."""
    for fate, old, new in _pairs(case):
        fresh = [check for check in new.checks if check not in old.checks]
        if fresh and len(new.checks) >= len(old.checks):
            yield _hit(fate, check=fresh[0])


def strict_added(case: Case) -> Iterator[Hit]:
    """A table that becomes STRICT: values of another type stop the copy."""
    yield from _tables(case, lambda old, new: new.strict and not old.strict)


RULES: tuple[Find, ...] = (
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
    strict_added,
)
_GENERATED = (2, 3)
_CONVERTING = frozenset(
    {("TEXT", "INTEGER"), ("TEXT", "NUMERIC"), ("TEXT", "REAL"), ("INTEGER", "REAL")}
    | {("BLOB", "INTEGER"), ("BLOB", "NUMERIC"), ("BLOB", "REAL")}
)


def affinity(declared: str) -> str:
    """SQLite's affinity of a declared type, by its own five rules in order."""
    upper = declared.upper()
    if "INT" in upper:
        return "INTEGER"
    if any(part in upper for part in ("CHAR", "CLOB", "TEXT")):
        return "TEXT"
    if "BLOB" in upper or not upper:
        return "BLOB"
    if any(part in upper for part in ("REAL", "FLOA", "DOUB")):
        return "REAL"
    return "NUMERIC"


def _hit(fate: Fate, **values: str) -> Hit:
    act = fate.dropped_by
    if act is None:
        return Hit(1, 1, 1, 1, {"table": fate.table, **values}, (fate.table,))
    return at(act, target_token(act), tables=(fate.table,), table=fate.table, values=values)


def _pairs(case: Case) -> Iterator[_Pair]:
    for fate in case.rebuilt:
        old, new = case.old.table(fate.table), case.new.table(fate.name or "")
        if old and new and not old.is_virtual and not new.is_virtual:
            yield fate, old, new


def _columns(case: Case, is_forgotten: Callable[[Column, Column], bool]) -> Iterator[Hit]:
    for fate, old, new in _pairs(case):
        for column in old.columns:
            now = new.column(column.name)
            if now and is_forgotten(column, now):
                yield _hit(fate, column=column.name, before=column.words, after=now.words)


def _tables(case: Case, is_forgotten: Callable[[Table, Table], bool]) -> Iterator[Hit]:
    for fate, old, new in _pairs(case):
        if is_forgotten(old, new):
            yield _hit(fate)


def _unique_indexes(case: Case, table: str) -> Iterable[tuple[str, ...]]:
    for index in case.new.indexes.values():
        if index.table.lower() == table.lower() and "UNIQUE" in index.sql[:20].upper():
            inside = index.sql.partition("(")[2].partition(")")[0]
            yield tuple(part.strip(' `"[]').lower() for part in inside.split(","))


def _covered(case: Case, fate: Fate, sql: str) -> bool:
    """Whether an index on the same columns exists under another name."""
    inside = _normal(sql.partition("(")[2])
    return any(
        index.table.lower() == (fate.name or "").lower()
        and _normal(index.sql.partition("(")[2]) == inside
        for index in case.new.indexes.values()
    )


def _normal(text: str) -> str:
    return "".join(text.split()).translate({ord(mark): None for mark in '`"[];'}).lower()
