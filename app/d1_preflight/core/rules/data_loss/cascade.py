"""Rows that go, or references that are cleared, although no statement names them."""

from collections.abc import Iterator

from d1_preflight.core.effects.row_lineage import Loss
from d1_preflight.core.engine.trace import StatementTrace
from d1_preflight.core.findings import Severity
from d1_preflight.core.rules.context import (
    Match,
    Rule,
    RuleContext,
    listed,
    match_at,
    match_target,
    no_file_makes,
    word_token,
)
from d1_preflight.core.rules.fixes import parked, references_parked, upsert
from d1_preflight.core.schema.table import ForeignKey, Table
from d1_preflight.core.sql.tokenizer import quote_name
from d1_preflight.lazy_dataclass import replace


def cascade_delete(context: RuleContext) -> Iterator[Match]:
    """A DROP TABLE that deletes the rows of tables that refer to it."""
    for trace, children in _cascading(context, "DROP TABLE"):
        values = {"parent": trace.target, "children": listed(children), **parked(context, children)}
        yield match_target(trace, tables=children, values=values)


def self_reference_rebuild(context: RuleContext) -> Iterator[Match]:
    """A rebuilt table whose new copy refers to the old one, so the drop empties the copy."""
    for lineage in context.verdict.lineages:
        for loss in lineage.losses:
            if not lineage.kept and _is_own_copy(loss):
                table = context.old.table(lineage.table)
                key = quote_name(next(iter(table.primary_key if table else ()), "id"))
                values = {"table": lineage.table, "copy": loss.storage_table, "key": key}
                yield match_target(loss.trace, tables=(lineage.table,), values=values)


def delete_cascades(context: RuleContext) -> Iterator[Match]:
    """A DELETE that takes the rows of other tables along."""
    for trace, children in _cascading(context, "DELETE"):
        values = {"table": trace.target, "children": listed(children)}
        yield match_target(trace, tables=children, values=values)
    for trace in context.statements_of("DELETE"):
        table = context.old.table(trace.target)
        keys = table.foreign_keys if table and trace.parsed.filtered else ()
        own = [k for k in keys if k.parent.lower() == trace.target.lower()]
        if trace.access.deletes and any(key.on_delete == "CASCADE" for key in own):
            values = {"table": trace.target, "children": listed([trace.target])}
            yield match_target(trace, tables=(trace.target,), values=values)


def replace_cascades(context: RuleContext) -> Iterator[Match]:
    """An INSERT OR REPLACE that deletes the children of the rows it replaces."""
    for trace, children in _cascading(context, "INSERT", "UPDATE"):
        values = {"table": trace.target, "children": listed(children)}
        values["upsert"] = upsert(context, trace)
        yield match_at(trace, word_token(trace, "REPLACE"), tables=children, values=values)


def references_nulled(context: RuleContext) -> Iterator[Match]:
    """A statement whose ON DELETE SET NULL clears references that survive it."""
    yield from _cleared(context, "SET NULL")


def references_moved(context: RuleContext) -> Iterator[Match]:
    """A statement whose ON DELETE SET DEFAULT moves children to the default parent."""
    yield from _cleared(context, "SET DEFAULT")


def trigger_deletes(context: RuleContext) -> Iterator[Match]:
    """A change of rows that fires a trigger which deletes rows elsewhere."""
    for trace, tables in _indirect_losses(context):
        fired = [name for name in tables if not _descends(context, name, trace.target)]
        if fired and trace.access.fired:
            triggers = listed(trace.access.fired)
            yield match_at(trace, tables=tuple(fired), children=listed(fired), triggers=triggers)


def cascade_parked(context: RuleContext) -> Iterator[Match]:
    """A cascade whose victims were copied aside before and put back after."""
    for lineage in context.verdict.lineages:
        if lineage.name and lineage.kept:
            for loss in lineage.losses:
                if loss.indirect:
                    values = {"parent": loss.trace.target, "table": lineage.table}
                    yield match_target(loss.trace, tables=(lineage.table,), values=values)


def parent_in_use(context: RuleContext) -> Iterator[Match]:
    """A parent whose DROP fails once a child with RESTRICT or NO ACTION has a row."""
    gone: set[str] = set()
    for trace in context.done:
        if not trace.parsed.filtered and (trace.verb == "DELETE" or _nulls(trace)):
            gone.add(trace.target.lower())
        if trace.verb != "DROP TABLE":
            continue
        keys = [
            child.name
            for child, key in _keys_to(context, trace.target)
            if key.on_delete in ("NO ACTION", "RESTRICT") and child.name.lower() not in gone
        ]
        gone.add(trace.target.lower())
        if keys and context.old.table(trace.target) and not _is_deferred(context, trace):
            values = {"parent": trace.target, "children": listed(keys)}
            yield match_target(trace, tables=tuple(keys), values=values)


def foreign_key_dangling(context: RuleContext) -> Iterator[Match]:
    """A foreign key that had its parent before and points to nothing afterwards."""
    for child, key in _orphaned(context):
        known = context.old.table(child.name)
        before = {k.parent.lower() for k in known.foreign_keys} if known else set()
        trace = _dropping(context, key.parent)
        if trace is None and not all(parent in context.new.tables for parent in before):
            trace = _dropping(context, "")
        if trace:
            yield match_target(trace, tables=(child.name,), values=_named(child, key))


def foreign_key_missing_parent(context: RuleContext) -> Iterator[Match]:
    """A new foreign key to a table that is not there."""
    for child, key in _orphaned(context):
        if _dropping(context, key.parent):
            continue
        for trace in context.statements_of("CREATE TABLE", "ALTER TABLE ADD COLUMN"):
            tokens = [t for t in trace.parsed.tokens if t.name.lower() == key.parent.lower()]
            known = {child.name.lower(), *context.earlier_names(child.name)}
            if tokens and trace.target.lower() in known:
                outside = context.outside(f"no such table: {key.parent}")
                yield match_at(
                    trace,
                    tokens[-1],
                    severity=Severity.WARNING if outside else None,
                    tables=(child.name,),
                    values={**_named(child, key), "outside": no_file_makes(outside)},
                )


def unindexed_child_key(context: RuleContext) -> Iterator[Match]:
    """A parent whose rows go while a child must be searched whole for each of them."""
    gone: set[str] = set()
    for trace in context.statements_of("DROP TABLE", "DELETE"):
        bare = [
            f"{child.name}.{key.columns[0]}"
            for child, key in _keys_to(context, trace.target)
            if child.name.lower() not in gone and not _has_index(context, child, key)
        ]
        gone.add(trace.target.lower())
        if bare and context.old.table(trace.target):
            yield match_target(trace, parent=trace.target, columns=listed(bare))


RULES: tuple[Rule, ...] = (
    cascade_delete,
    self_reference_rebuild,
    delete_cascades,
    replace_cascades,
    references_nulled,
    references_moved,
    trigger_deletes,
    cascade_parked,
    parent_in_use,
    foreign_key_dangling,
    foreign_key_missing_parent,
    unindexed_child_key,
)


def _is_own_copy(loss: Loss) -> bool:
    table, target = loss.table.lower(), loss.trace.target.lower()
    is_drop = loss.trace.verb == "DROP TABLE" and target == table
    return is_drop and loss.storage_table.lower() != table


def _indirect_losses(context: RuleContext) -> Iterator[tuple[StatementTrace, tuple[str, ...]]]:
    """Each statement with the surviving tables whose rows it takes on the side, for good."""
    found: dict[int, tuple[StatementTrace, list[str]]] = {}
    for lineage in context.verdict.lineages:
        for loss in lineage.losses if lineage.name and not lineage.kept else ():
            own = loss.trace.target.lower() == loss.storage_table.lower()
            replaced = loss.trace.verb != "DROP TABLE" and own
            if loss.indirect and not replaced and not _is_own_copy(loss):
                entry = found.setdefault(loss.trace.statement.start, (loss.trace, []))
                entry[1].append(lineage.table)
    return ((trace, tuple(dict.fromkeys(names))) for trace, names in found.values())


def _cascading(
    context: RuleContext, *verbs: str
) -> Iterator[tuple[StatementTrace, tuple[str, ...]]]:
    for trace, names in _indirect_losses(context):
        children = tuple(n for n in names if _descends(context, n, trace.target))
        if trace.verb in verbs and (children or not trace.access.fired):
            yield trace, children or names


def _descends(context: RuleContext, child: str, parent: str) -> bool:
    """Whether deletions can come down from `parent` to `child` by foreign keys."""
    seen, waiting = {parent.lower()}, [parent]
    while waiting:
        name = waiting.pop()
        for structure in (context.old, context.new):
            for table in structure.children_of(name):
                if table.name.lower() == child.lower():
                    return True
                if table.name.lower() not in seen:
                    seen.add(table.name.lower())
                    waiting.append(table.name)
    return False


def _cleared(context: RuleContext, action: str) -> Iterator[Match]:
    found: dict[int, tuple[StatementTrace, list[tuple[str, str]]]] = {}
    for lineage in context.verdict.lineages:
        known = context.old.table(lineage.table)
        for column, trace in lineage.nulled if lineage.name and known else ():
            if known and _action_of(known, column) == action:
                entry = found.setdefault(trace.statement.start, (trace, []))
                entry[1].append((lineage.table, column))
    for trace, columns in found.values():
        tables = tuple(dict.fromkeys(table for table, _ in columns))
        values = {
            "parent": trace.target,
            "columns": listed(f"{table}.{column}" for table, column in columns),
            "table": columns[0][0],
            "column": columns[0][1],
            **references_parked(context, columns, action),
        }
        match = match_target(trace, tables=tables, values=values)
        yield replace(match, columns=tuple(columns))


def _action_of(table: Table, column: str) -> str:
    for key in table.foreign_keys:
        cleared = key.on_delete in ("SET NULL", "SET DEFAULT")
        if cleared and column.lower() in (name.lower() for name in key.columns):
            return key.on_delete
    return "SET NULL"


def _keys_to(context: RuleContext, parent: str) -> Iterator[tuple[Table, ForeignKey]]:
    for table in context.old.children_of(parent):
        if table.name.lower() != parent.lower():
            for key in table.foreign_keys:
                if key.parent.lower() == parent.lower():
                    yield table, key


def _nulls(trace: StatementTrace) -> bool:
    """Whether an UPDATE sets columns to NULL in every row."""
    values = [value for _, value in trace.parsed.sets]
    return trace.verb == "UPDATE" and any([t.word for t in v] == ["NULL"] for v in values)


def _is_deferred(context: RuleContext, drop: StatementTrace) -> bool:
    """Whether the drop's violations are held back, and settled or forgotten by the commit.

    SQLite counts them: only rows put into a new parent of that name, or defer_foreign_keys = off,
    bring the count down. A rename does not.
    """
    before, settled = False, False
    for trace in context.done:
        earlier = trace.statement.start < drop.statement.start
        if trace.verb == "PRAGMA" and trace.target == "defer_foreign_keys":
            is_on = "ON" in trace.parsed.words() or "1" in {t.text for t in trace.parsed.tokens}
            before = is_on if earlier else before
            settled = settled or not (earlier or is_on)
        same = trace.target.lower() == drop.target.lower()
        settled = settled or (not earlier and trace.verb == "INSERT" and same)
    return before and settled


def _orphaned(context: RuleContext) -> Iterator[tuple[Table, ForeignKey]]:
    dropping = any(context.statements_of("DROP TABLE", "ALTER TABLE RENAME"))
    for name, table in context.new.tables.items():
        if not table.parents or (context.old.tables.get(name) is table and not dropping):
            continue
        known = context.old.table(name)
        for key in table.foreign_keys:
            if key.parent.lower() in context.new.tables:
                continue
            was_there = key.parent.lower() in context.old.tables
            if was_there or known is None or key not in known.foreign_keys:
                yield table, key


def _dropping(context: RuleContext, table: str) -> StatementTrace | None:
    drops = context.statements_of("DROP TABLE")
    return next((t for t in drops if not table or t.target.lower() == table.lower()), None)


def _named(child: Table, key: ForeignKey) -> dict[str, str]:
    return {"child": child.name, "columns": ", ".join(key.columns), "parent": key.parent}


def _has_index(context: RuleContext, child: Table, key: ForeignKey) -> bool:
    first = key.columns[0].lower()
    leading = [u[0].lower() for u in child.unique]
    leading += [name.lower() for name in child.primary_key[:1]]
    for index in context.old.indexes.values():
        if index.table.lower() == child.name.lower():
            inside = index.sql.partition("(")[2]
            leading.append(inside.split(",")[0].split(")")[0].strip(' `"[]').lower())
    return first in leading
