"""Rows and values that a statement deletes, overwrites or leaves out of a copy."""

from collections.abc import Iterator

from d1_preflight.core.engine.trace import StatementTrace
from d1_preflight.core.findings import Severity
from d1_preflight.core.rules.context import (
    Match,
    Rule,
    RuleContext,
    listed,
    match_at,
    match_target,
    word_token,
)
from d1_preflight.core.sql.tokenizer import Token, TokenKind
from d1_preflight.lazy_dataclass import replace


def delete_without_where(context: RuleContext) -> Iterator[Match]:
    """A DELETE that empties a table that was there before."""
    for trace in context.statements_of("DELETE"):
        if not trace.parsed.filtered and _lost(context, trace):
            yield match_target(trace, tables=(trace.target,), table=trace.target)


def delete_rows(context: RuleContext) -> Iterator[Match]:
    """A DELETE of chosen rows of a table that was there before."""
    for trace in context.statements_of("DELETE"):
        if trace.parsed.filtered and _lost(context, trace):
            yield match_target(trace, tables=(trace.target,), table=trace.target)


def update_without_where(context: RuleContext) -> Iterator[Match]:
    """An UPDATE of every row, which overwrites values that were there."""
    for trace in _updates(context):
        columns = _old_columns(context, trace)
        if not trace.parsed.filtered and columns:
            values = {"table": trace.target, "columns": listed(columns)}
            yield match_target(trace, tables=(trace.target,), values=values)


def update_not_invertible(context: RuleContext) -> Iterator[Match]:
    """An UPDATE that maps several values to one, so that no UPDATE can undo it."""
    for trace in _updates(context):
        tokens = trace.parsed.tokens
        for column in _old_columns(context, trace) if trace.parsed.filtered else ():
            for n, token in enumerate(tokens[:-2]):
                is_set = token.name.lower() == column.lower() and tokens[n + 1].text == "="
                literal = tokens[n + 2].kind in (TokenKind.STRING, TokenKind.NUMBER)
                if is_set and literal and not any(t.word == "WHERE" for t in tokens[:n]):
                    values = {"table": trace.target, "column": column, "value": tokens[n + 2].text}
                    yield match_at(trace, token, tables=(trace.target,), values=values)
                    break


def drop_table(context: RuleContext) -> Iterator[Match]:
    """A table that is gone afterwards."""
    for lineage in context.verdict.lineages:
        if not lineage.name and lineage.dropped_by:
            trace, to = lineage.dropped_by, listed(lineage.copied_to)
            kept = f" (rows were copied to {to})" if to else ""
            yield match_target(trace, tables=(lineage.table,), table=lineage.table, kept=kept)


def rebuild_without_copy(context: RuleContext) -> Iterator[Match]:
    """A table that is dropped and made again, its rows copied nowhere."""
    for lineage in context.rebuilt:
        if not lineage.kept and not lineage.partial and not lineage.losses and lineage.dropped_by:
            trace = lineage.dropped_by
            yield match_target(trace, tables=(lineage.table,), table=lineage.table)


def copy_filtered(context: RuleContext) -> Iterator[Match]:
    """A rebuild whose copy can leave rows out by its SELECT."""
    for table, trace in _partial(context):
        copied, upsert = trace.parsed.copy, trace.parsed.upsert
        if copied and not upsert and trace.parsed.conflict not in ("IGNORE", "REPLACE"):
            why = copied.why_not or trace.drop_reason or "a shape that is not recognised"
            token = word_token(trace, why)
            yield match_at(trace, token, tables=(table,), table=table, why=why, copy=trace.target)


def copy_or_ignore(context: RuleContext) -> Iterator[Match]:
    """A rebuild that copies with INSERT OR IGNORE, which skips rows without a word."""
    for table, trace in _partial(context):
        if trace.parsed.conflict == "IGNORE" or trace.parsed.upsert == "NOTHING":
            yield match_at(
                trace, word_token(trace, "IGNORE", "NOTHING"), tables=(table,), table=table
            )


def copy_or_replace(context: RuleContext) -> Iterator[Match]:
    """A rebuild that copies with INSERT OR REPLACE, which merges rows without a word."""
    for table, trace in _partial(context):
        if trace.parsed.conflict == "REPLACE" or trace.parsed.upsert == "UPDATE":
            yield match_at(
                trace, word_token(trace, "REPLACE", "UPDATE"), tables=(table,), table=table
            )


def copy_by_position(context: RuleContext) -> Iterator[Match]:
    """A copy that pairs columns by their place; it blocks where the names do not line up."""
    for trace in context.statements_of("INSERT"):
        copied = trace.parsed.copy
        if copied is None or not copied.star or not copied.source:
            continue
        source, target = _columns_now(context, copied.source), _columns_now(context, trace.target)
        pairs = zip(source, trace.parsed.columns or target, strict=False)
        swapped = [f"{a} into {b}" for a, b in pairs if a.lower() != b.lower()]
        values = {"source": copied.source, "table": trace.target, "swapped": ""}
        if swapped:
            values["swapped"] = f": here {swapped[0]}"
        severity = Severity.BLOCKING if swapped else None
        yield match_at(trace, word_token(trace, "SELECT"), severity=severity, values=values)


def column_not_copied(context: RuleContext) -> Iterator[Match]:
    """A column that stays by name while the copy puts other values, or none, into it."""
    for lineage in context.verdict.lineages:
        new, trace = context.new.table(lineage.name or ""), lineage.filled_by
        for column in (*lineage.dropped, *lineage.moved) if trace and lineage.kept else ():
            if trace and new and new.column(column):
                values = {"table": lineage.table, "column": column}
                match = match_target(trace, tables=(lineage.table,), values=values)
                yield replace(match, columns=((lineage.table, column),))


def replace_drops_rows(context: RuleContext) -> Iterator[Match]:
    """A REPLACE on a table with several unique keys: it can delete rows and put none in place."""
    for lineage in context.verdict.lineages:
        for loss in lineage.losses if lineage.name and not lineage.kept else ():
            own = loss.storage_table.lower() == loss.trace.target.lower()
            if own and loss.indirect and loss.trace.verb in ("INSERT", "UPDATE"):
                token = word_token(loss.trace, "REPLACE")
                yield match_at(loss.trace, token, tables=(lineage.table,), table=lineage.table)


def replace_rows(context: RuleContext) -> Iterator[Match]:
    """An INSERT OR REPLACE into a table that may hold the row already."""
    for trace in context.statements_of("INSERT"):
        if trace.parsed.conflict == "REPLACE" and context.old.table(trace.target):
            yield match_at(
                trace, word_token(trace, "REPLACE"), tables=(trace.target,), table=trace.target
            )


def quoted_name_is_text(context: RuleContext) -> Iterator[Match]:
    """A name in double quotes that no column has: SQLite stores it as text."""
    for trace in context.done:
        if not trace.dqs_error or trace.verb.startswith("ALTER TABLE"):
            continue
        names = [t for t in trace.parsed.tokens if t.text[:1] == '"']
        wrong = next((t for t in names if f'"{t.name}"' in trace.dqs_error), None)
        if wrong is None:
            wrong = next((t for t in names if trace.dqs_error.endswith(f": {t.name}")), None)
        copies = trace.parsed.copy is not None and _is_a_column(context, trace, wrong)
        severity = None if copies or trace.verb.startswith("CREATE INDEX") else Severity.WARNING
        name = wrong.name if wrong else "?"
        yield match_at(trace, wrong, severity=severity, name=name, table=trace.target)


def cast_loses(context: RuleContext) -> Iterator[Match]:
    """A CAST of stored text to a number, which takes what it can read and drops the rest."""
    for trace in context.statements_of("INSERT", "UPDATE", "CREATE TABLE"):
        if trace.verb == "CREATE TABLE" and not trace.parsed.copy:
            continue
        found = trace.parsed.tokens
        for n, token in enumerate(found):
            if token.word == "CAST":
                words = [t.word for t in found[n : n + 12]]
                kind = next((word for word in words if word in _NUMBERS), "")
                if kind and "AS" in words:
                    yield match_at(trace, token, table=trace.target, type=kind)
                    break


RULES: tuple[Rule, ...] = (
    delete_without_where,
    delete_rows,
    update_without_where,
    update_not_invertible,
    drop_table,
    rebuild_without_copy,
    copy_filtered,
    copy_or_ignore,
    copy_or_replace,
    copy_by_position,
    column_not_copied,
    replace_drops_rows,
    replace_rows,
    quoted_name_is_text,
    cast_loses,
)
_NUMBERS = frozenset({"INTEGER", "INT", "REAL", "NUMERIC", "BIGINT", "DECIMAL"})


def _lost(context: RuleContext, trace: StatementTrace) -> bool:
    """Whether the statement's own target loses rows for good by it."""
    return any(
        loss.trace is trace and not loss.indirect
        for lineage in context.verdict.lineages
        if not lineage.kept
        for loss in lineage.losses
    )


def _updates(context: RuleContext) -> Iterator[StatementTrace]:
    updated = {name.lower() for name in context.verdict.effects.rows_updated_in}
    return (trace for trace in context.statements_of("UPDATE") if trace.target.lower() in updated)


def _old_columns(context: RuleContext, trace: StatementTrace) -> tuple[str, ...]:
    """The SET columns that existed before; a fresh column loses nothing."""
    table = context.old.table(trace.target)
    return tuple(c for c in trace.parsed.columns if table and table.column(c))


def _partial(context: RuleContext) -> Iterator[tuple[str, StatementTrace]]:
    for lineage in context.verdict.lineages:
        for trace in lineage.partial:
            yield lineage.table, trace


def _columns_now(context: RuleContext, name: str) -> tuple[str, ...]:
    """The columns of a table before or after, or of one that the file made meanwhile."""
    table = context.old.table(name) or context.new.table(name)
    if table is None:
        renames = context.statements_of("ALTER TABLE RENAME")
        new = (t.parsed.new_name for t in renames if t.target.lower() == name.lower())
        table = context.new.table(next(new, ""))
    return tuple(c.name for c in table.columns if not c.hidden) if table else ()


def _is_a_column(context: RuleContext, trace: StatementTrace, token: Token | None) -> bool:
    names = {name.lower() for name in (*_columns_now(context, trace.target), *trace.parsed.columns)}
    return token is not None and token.name.lower() in names
