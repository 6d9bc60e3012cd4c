"""Objects that the file leaves behind and that no statement can use any more."""

import re
from collections.abc import Container, Iterable, Iterator

from d1_preflight.core.engine.trace import StatementTrace
from d1_preflight.core.findings import Severity
from d1_preflight.core.rules.context import (
    Match,
    Rule,
    RuleContext,
    listed,
    match_target,
    no_file_makes,
)
from d1_preflight.core.schema.ddl import trigger_head

_READ = "SELECT"
_WORD = re.compile(r"[\w$]+")


def table_unwritable(context: RuleContext) -> Iterator[Match]:
    """A table on which an INSERT, UPDATE or DELETE can no longer be prepared."""
    for name, error, statements, trace in _failing(context, context.new.tables, is_read=False):
        table = context.new.tables[name].name
        values = {"table": table, "error": error, "statements": statements}
        yield _match(context, trace, error, tables=(table,), values=values)


def view_broken(context: RuleContext) -> Iterator[Match]:
    """A view that cannot be read any more."""
    for name, error, _, trace in _failing(context, context.new.views, is_read=True):
        view = context.new.views[name].name
        yield _match(context, trace, error, values={"view": view, "error": error})


def view_unwritable(context: RuleContext) -> Iterator[Match]:
    """A view whose INSTEAD OF trigger fails."""
    for name, error, statements, trace in _failing(context, context.new.views, is_read=False):
        view = context.new.views[name].name
        values = {"view": view, "error": error, "statements": statements}
        yield match_target(trace, values=values)
    yield from _no_longer_writable(context)


def fts_content_broken(context: RuleContext) -> Iterator[Match]:
    """A full-text index whose content table, or a column of it, is gone or renamed."""
    for name, error, _, trace in _failing(context, context.new.tables, is_read=True):
        table = context.new.tables[name].name
        yield match_target(trace, tables=(table,), table=table, error=error)


def trigger_never_fires(context: RuleContext) -> Iterator[Match]:
    """A trigger on UPDATE OF a column that the table does not have: SQLite keeps it silently."""
    for name, trigger in context.new.triggers.items():
        table = context.new.table(trigger.table)
        if table is None or context.old.tables.get(trigger.table.lower()) is table:
            continue
        missing = [c for c in trigger_head(trigger.sql).columns if not table.column(c)]
        trace = _dropping_column(context, table.name, name, missing) if missing else None
        if trace:
            values = {"trigger": trigger.name, "table": table.name, "columns": listed(missing)}
            yield match_target(trace, tables=(table.name,), values=values)


RULES: tuple[Rule, ...] = (
    table_unwritable,
    view_broken,
    view_unwritable,
    fts_content_broken,
    trigger_never_fires,
)


def _match(
    context: RuleContext,
    trace: StatementTrace,
    error: str,
    *,
    values: dict[str, str],
    tables: tuple[str, ...] = (),
) -> Match:
    """What misses a table that no file makes blocks nothing: it may be made outside of them."""
    outside = context.outside(error)
    severity = Severity.WARNING if outside else None
    named = {**values, "outside": no_file_makes(outside)}
    return match_target(trace, severity=severity, tables=tables, values=named)


def _no_longer_writable(context: RuleContext) -> Iterator[Match]:
    """The views that had an INSTEAD OF trigger for an event, which DROP TRIGGER took away."""
    now = {(t.table.lower(), trigger_head(t.sql).event) for t in context.new.triggers.values()}
    for trace in context.statements_of("DROP TRIGGER"):
        trigger = context.old.triggers.get(trace.target.lower())
        head = trigger_head(trigger.sql) if trigger else None
        view = context.new.views.get(trigger.table.lower()) if trigger else None
        if head and head.instead and view and (view.name.lower(), head.event) not in now:
            error = f"cannot modify {view.name} because it is a view"
            values = {"view": view.name, "statements": head.event, "error": error}
            yield match_target(trace, severity=Severity.WARNING, values=values)


def _failing(
    context: RuleContext, names: Container[str], *, is_read: bool
) -> Iterator[tuple[str, str, str, StatementTrace]]:
    """Each object and error, the statements that end in it, and the one to point at."""
    found: dict[tuple[str, str], list[str]] = {}
    for one in context.script.unusable:
        if one.name in names and (one.statement == _READ) == is_read:
            found.setdefault((one.name, one.error), []).append(one.statement)
    for (name, error), statements in found.items():
        if trace := _culprit(context, name, error):
            yield name, error, ", ".join(statements), trace


def _culprit(context: RuleContext, name: str, error: str) -> StatementTrace | None:
    """The statement to point at: the one whose target the error or the object names."""
    changing = [a for a in context.done if a.verb.startswith(("DROP", "ALTER", "CREATE"))]
    words = set(_WORD.findall(error.lower()))
    for trace in changing:
        target = trace.target.lower()
        if target in words or (" " in target and target in error.lower()):
            return trace
    return next(
        (a for a in changing if a.target.lower() == name), changing[0] if changing else None
    )


def _dropping_column(
    context: RuleContext, table: str, trigger: str, columns: Iterable[str]
) -> StatementTrace | None:
    """The statement after which the trigger has no column to fire on."""
    wanted = {column.lower() for column in columns}
    for trace in context.done:
        drops = trace.verb == "ALTER TABLE DROP COLUMN" and trace.parsed.column.lower() in wanted
        made = trace.verb == "CREATE TRIGGER" and trace.target.lower() == trigger
        if made or (drops and trace.target.lower() == table.lower()):
            return trace
    return None
