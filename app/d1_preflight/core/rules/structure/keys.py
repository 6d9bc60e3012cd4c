"""Unique keys that go, and with them the upserts that name them."""

from collections.abc import Iterator

from d1_preflight.core.rules.context import Match, Rule, RuleContext, listed, match_at, target_token
from d1_preflight.core.schema.schema import SchemaObject, Structure
from d1_preflight.core.schema.table import Table
from d1_preflight.core.sql.tokenizer import closing, parted, tokens

_Target = tuple[tuple[str, ...], str]
"""The columns that ON CONFLICT names, in any order, and the index's WHERE."""


def conflict_target_gone(context: RuleContext) -> Iterator[Match]:
    """A unique index that is dropped, or a primary key that a rebuild changes."""
    for lineage in context.verdict.lineages:
        old, new = context.old.table(lineage.table), context.new.table(lineage.name or "")
        if old is None or new is None or old.is_virtual or new.is_virtual:
            continue
        targets = set(_targets(context.new, new))
        for trace in context.statements_of("DROP INDEX"):
            index = context.old.indexes.get(trace.target.lower())
            target = _index_target(index) if index else None
            own = index and index.table.lower() == lineage.table.lower()
            if own and target and target not in targets and _has(new, target):
                values = {"table": new.name, "columns": listed(target[0])}
                yield match_at(trace, target_token(trace), tables=(new.name,), values=values)
        key = _ordered(old.primary_key)
        by = lineage.dropped_by
        changed = key and new.primary_key and (key, "") not in targets
        if lineage.rebuilt and by and changed and _has(new, (key, "")):
            values = {"table": new.name, "columns": listed(old.primary_key)}
            yield match_at(by, target_token(by), tables=(new.name,), values=values)


RULES: tuple[Rule, ...] = (conflict_target_gone,)


def _targets(structure: Structure, table: Table) -> Iterator[_Target]:
    yield from ((_ordered(unique), "") for unique in (*table.unique, table.primary_key))
    for index in structure.indexes.values():
        target = _index_target(index) if index.table.lower() == table.name.lower() else None
        if target:
            yield target


def _index_target(index: SchemaObject) -> _Target | None:
    """What ON CONFLICT must say to mean a unique index; None for one that is not unique."""
    found = tokens(index.sql, limit=len(index.sql))
    opening = next((n for n, token in enumerate(found) if token.text == "("), None)
    if opening is None or found[1].word != "UNIQUE":
        return None
    end = closing(found, opening)
    columns = tuple(part[0].name for part in parted(found[opening + 1 : end]) if part)
    where = " ".join(token.name.lower() for token in found[end + 1 :] if token.text != ";")
    return _ordered(columns), where


def _ordered(columns: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(name.lower() for name in columns))


def _has(table: Table, target: _Target) -> bool:
    return all(table.column(name) for name in target[0])
