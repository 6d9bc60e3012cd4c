"""Columns and names that are added, dropped or renamed in place."""

from collections.abc import Iterator

from d1_preflight.core.engine.trace import StatementTrace
from d1_preflight.core.rules.context import (
    Match,
    Rule,
    RuleContext,
    match_at,
    match_target,
    target_token,
    word_token,
)
from d1_preflight.core.schema.table import Column
from d1_preflight.core.sql.tokenizer import Token, TokenKind
from d1_preflight.lazy_dataclass import replace


def add_column_not_null(context: RuleContext) -> Iterator[Match]:
    """ADD COLUMN … NOT NULL without a default: fails as soon as the table has a row."""
    for trace, column in _added(context):
        token = word_token(trace, "NOT")  # a later rebuild may add it
        if token and column.notnull and column.default in (None, "NULL") and not column.hidden:
            yield _match(trace, column, token)


def add_column_moving_default(context: RuleContext) -> Iterator[Match]:
    """ADD COLUMN with a default that is worked out: fails as soon as the table has a row."""
    for trace, column in _added(context):
        token = word_token(trace, "DEFAULT")
        if token and column.default and not column.hidden and not _is_constant(trace, token):
            yield _match(trace, column, token, default=column.default)


def add_column_reference_default(context: RuleContext) -> Iterator[Match]:
    """ADD COLUMN … REFERENCES with a default: fails as soon as the table has a row."""
    for trace, column in _added(context):
        token = word_token(trace, "REFERENCES")
        if token and column.default not in (None, "NULL"):
            yield _match(trace, column, token)


def add_column_stored(context: RuleContext) -> Iterator[Match]:
    """ADD COLUMN … STORED: fails as soon as the table has a row."""
    for trace, column in _added(context):
        if column.hidden == _STORED:
            yield _match(trace, column, word_token(trace, "STORED"))


def add_column_check(context: RuleContext) -> Iterator[Match]:
    """ADD COLUMN with a CHECK: SQLite tests every old row against it."""
    for trace, column in _added(context):
        token = word_token(trace, "CHECK")
        if token:
            yield _match(trace, column, token)


def drop_column(context: RuleContext) -> Iterator[Match]:
    """A column whose values are gone afterwards."""
    dropped = {name.lower() for name in context.verdict.effects.columns_dropped}
    for trace in context.statements_of("ALTER TABLE DROP COLUMN"):
        if f"{trace.target}.{trace.parsed.column}".lower() in dropped:
            token = _naming(trace, trace.parsed.column)
            yield _dropped(trace, token, trace.target, trace.parsed.column)
    for lineage in context.rebuilt:
        new = context.new.table(lineage.name or "")
        for name in context.verdict.effects.columns_dropped:
            table, _, column = name.partition(".")
            gone = table == lineage.table and new and not new.column(column)
            if gone and lineage.dropped_by:
                token = target_token(lineage.dropped_by)
                yield _dropped(lineage.dropped_by, token, table, column)


def rename_column(context: RuleContext) -> Iterator[Match]:
    """A renamed column that running code still knows by its old name."""
    for trace in context.statements_of("ALTER TABLE RENAME COLUMN"):
        table = context.old.table(trace.target)
        if table and table.column(trace.parsed.column):
            values = {"table": trace.target, "column": trace.parsed.column}
            token = _naming(trace, trace.parsed.column)
            yield match_at(
                trace, token, tables=(trace.target,), new=trace.parsed.new_name, values=values
            )


def rename_table(context: RuleContext) -> Iterator[Match]:
    """A renamed table that running code still knows by its old name."""
    for lineage in context.verdict.lineages:
        if lineage.name and lineage.name.lower() != lineage.table.lower():
            for trace in context.statements_of("ALTER TABLE RENAME"):
                if trace.target.lower() == lineage.table.lower():
                    yield match_target(trace, table=lineage.table, new=lineage.name)


def drop_view(context: RuleContext) -> Iterator[Match]:
    """A view that is gone, though running code may still read it."""
    for trace in context.statements_of("DROP VIEW"):
        name = trace.target.lower()
        if name in context.old.views and name not in {*context.new.views, *context.new.tables}:
            yield match_target(trace, view=context.old.views[name].name)


RULES: tuple[Rule, ...] = (
    add_column_not_null,
    add_column_moving_default,
    add_column_reference_default,
    add_column_stored,
    add_column_check,
    drop_column,
    rename_column,
    rename_table,
    drop_view,
)
_STORED = 3
_NOW = frozenset({"CURRENT_TIMESTAMP", "CURRENT_DATE", "CURRENT_TIME"})


def _added(context: RuleContext) -> Iterator[tuple[StatementTrace, Column]]:
    """The columns added to tables that were there before, and so can have rows."""
    for trace in context.statements_of("ALTER TABLE ADD COLUMN"):
        old, new = context.old.table(trace.target), context.new.table(trace.target)
        column = new.column(trace.parsed.column) if new else None
        if old and column and old.column(trace.parsed.column) is None:
            yield trace, column


def _match(trace: StatementTrace, column: Column, token: Token | None, **values: str) -> Match:
    named = {"table": trace.target, "column": column.name, **values}
    return match_at(trace, token, tables=(trace.target,), values=named)


def _dropped(trace: StatementTrace, token: Token | None, table: str, column: str) -> Match:
    match = match_at(trace, token, tables=(table,), table=table, column=column)
    return replace(match, columns=((table, column),))


def _naming(trace: StatementTrace, name: str) -> Token | None:
    return next((t for t in trace.parsed.tokens[3:] if t.name.lower() == name.lower()), None)


def _is_constant(trace: StatementTrace, default: Token) -> bool:
    """Whether the default is a literal, a signed one or one in parentheses."""
    after = [token for token in trace.parsed.tokens if token.start > default.start]
    inside = [token for token in after[:4] if token.text not in ("(", "+", "-")]
    if not inside or inside[0].word in _NOW:
        return False
    if after[0].text != "(":
        return True
    literal = inside[0].kind in (TokenKind.STRING, TokenKind.NUMBER) or inside[0].word in _LITERALS
    return literal and inside[1:2] != [] and inside[1].text == ")"


_LITERALS = frozenset({"NULL", "TRUE", "FALSE"})
