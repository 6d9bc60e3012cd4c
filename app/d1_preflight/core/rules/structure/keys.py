"""Unique keys that go, and with them the upserts that name them."""

from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache

from d1_preflight.core.engine.trace import StatementTrace
from d1_preflight.core.rules.context import Match, Rule, RuleContext, listed, match_target
from d1_preflight.core.schema.schema import Structure
from d1_preflight.core.schema.table import Table
from d1_preflight.core.sql.tokenizer import closing, parted, tokens

_Target = tuple[tuple[str, ...], str]
"""The columns that ON CONFLICT names, in any order, and the index's WHERE."""


def conflict_target_gone(context: RuleContext) -> Iterator[Match]:
    """A unique index that is dropped, or a primary key that a rebuild changes."""
    dropped = tuple(_dropped_indexes(context))
    targets = _targets(context.new) if dropped or context.rebuilt else {}
    for trace, table, target in dropped:
        yield from _gone(trace, table, target, targets)
    for lineage in context.rebuilt:
        old, new = context.old.table(lineage.table), context.new.table(lineage.name or "")
        if old and new and new.primary_key and not new.is_virtual:
            yield from _gone(lineage.dropped_by, new, (_ordered(old.primary_key), ""), targets)


RULES: tuple[Rule, ...] = (conflict_target_gone,)


def _dropped_indexes(context: RuleContext) -> Iterator[tuple[StatementTrace, Table, _Target]]:
    """The unique indexes that the file drops by name, with their tables as they are afterwards."""
    indexes = context.old.indexes
    drops = [t for t in context.statements_of("DROP INDEX") if t.target.lower() in indexes]
    names = {f.table.lower(): f.name or "" for f in context.verdict.lineages} if drops else {}
    for trace in drops:
        index = indexes[trace.target.lower()]
        new = context.new.table(names.get(index.table.lower(), ""))
        target = _unique_target(index.sql)
        if new and target:
            yield trace, new, target


def _gone(
    trace: StatementTrace | None,
    table: Table,
    target: _Target,
    targets: Mapping[str, Collection[_Target]],
) -> Iterator[Match]:
    """The match, where the table still has the columns and no key on them."""
    columns = target[0]
    whole = columns and all(table.column(name) for name in columns)
    if trace and whole and target not in targets.get(table.name.lower(), ()):
        values = {"table": table.name, "columns": listed(columns)}
        yield match_target(trace, tables=(table.name,), values=values)


def _targets(structure: Structure) -> Mapping[str, Collection[_Target]]:
    """For each table what ON CONFLICT can name."""
    found = {
        name: {(_ordered(unique), "") for unique in (*table.unique, table.primary_key)}
        for name, table in structure.tables.items()
    }
    for index in structure.indexes.values():
        if target := _unique_target(index.sql):
            found.setdefault(index.table.lower(), set()).add(target)
    return found


@lru_cache(maxsize=4096)
def _unique_target(sql: str) -> _Target | None:
    """What ON CONFLICT must say to mean a unique index; None for one that is not unique."""
    found = tokens(sql, limit=len(sql))
    opening = next((n for n, token in enumerate(found) if token.text == "("), None)
    if opening is None or found[1].word != "UNIQUE":
        return None
    end = closing(found, opening)
    columns = tuple(part[0].name for part in parted(found[opening + 1 : end]) if part)
    where = " ".join(token.name.lower() for token in found[end + 1 :] if token.text != ";")
    return _ordered(columns), where


def _ordered(columns: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(name.lower() for name in columns))
