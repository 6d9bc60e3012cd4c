"""Statements that D1 accepts and that do not do what they seem to."""

from collections.abc import Iterator
from contextlib import closing, suppress

import apsw

from d1_preflight.core import d1
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
from d1_preflight.core.schema.table import Table, read_table


def foreign_keys_off(context: RuleContext) -> Iterator[Match]:
    """PRAGMA foreign_keys = OFF, which D1 accepts and ignores."""
    for trace in _pragmas(context, "foreign_keys"):
        if _value(trace) in _OFF:
            yield match_at(trace)


def defer_off(context: RuleContext) -> Iterator[Match]:
    """PRAGMA defer_foreign_keys = OFF after ON: violations held back are never looked at."""
    switched_on = False
    for trace in _pragmas(context, "defer_foreign_keys"):
        if _value(trace) in _OFF and switched_on:
            yield match_at(trace)
        switched_on = switched_on or _value(trace) in _ON


def pragma_leaks(context: RuleContext) -> Iterator[Match]:
    """A PRAGMA that stays on for the connection after the file."""
    for name in ("legacy_alter_table", "ignore_check_constraints", "recursive_triggers"):
        traces = list(_pragmas(context, name))
        if traces and _value(traces[-1]) in _ON:
            yield match_at(traces[-1], pragma=name)


def foreign_key_check_only_reports(context: RuleContext) -> Iterator[Match]:
    """PRAGMA foreign_key_check inside a file: its rows go nowhere."""
    for trace in _pragmas(context, "foreign_key_check"):
        yield match_at(trace)


def ledger_touched(context: RuleContext) -> Iterator[Match]:
    """A statement that drops or writes wrangler's ledger."""
    for trace in context.done:
        touched = (
            *trace.access.deletes,
            *trace.access.inserts,
            *(t for t, _ in trace.access.updates),
        )
        own = trace.verb.startswith(("DROP TABLE", "ALTER TABLE")) and trace.target == d1.LEDGER
        if own or d1.LEDGER in touched:
            yield match_target(trace, table=d1.LEDGER)


def if_not_exists_ignored(context: RuleContext) -> Iterator[Match]:
    """CREATE TABLE IF NOT EXISTS of a table that is there: nothing happens, even if it differs."""
    for trace in context.statements_of("CREATE TABLE"):
        known = context.old.table(trace.target)
        if trace.parsed.lenient and known and not trace.made("table") and not trace.parsed.copy:
            shape = _shape_of(trace)
            wanted = [name.lower() for name in shape.column_names] if shape else []
            same = wanted == [name.lower() for name in known.column_names]
            missing = [n for n in (shape.column_names if shape else ()) if not known.column(n)]
            what = f'column "{missing[0]}" is not added' if missing else "its columns stay as is"
            what = "it is identical" if same else what
            severity = Severity.NOTE if same else None
            yield match_target(trace, severity=severity, table=trace.target, what=what)


def stale_new_table(context: RuleContext) -> Iterator[Match]:
    """A rebuild that starts from CREATE TABLE IF NOT EXISTS: rows of an old attempt stay in it."""
    renamed = {trace.target.lower() for trace in context.statements_of("ALTER TABLE RENAME")}
    for trace in context.statements_of("CREATE TABLE"):
        if trace.parsed.lenient and trace.target.lower() in renamed:
            yield match_at(trace, word_token(trace, "IF"), table=trace.target)


def foreign_key_twice(context: RuleContext) -> Iterator[Match]:
    """The same foreign key declared twice."""
    for trace, table in _made(context):
        keys = [(key.columns, key.parent.lower()) for key in table.foreign_keys]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice:
            values = {"columns": ", ".join(twice[0]), "parent": twice[1]}
            yield match_target(trace, table=table.name, values=values)


def primary_key_nullable(context: RuleContext) -> Iterator[Match]:
    """Primary keys that accept NULL: TEXT, INT and the like without NOT NULL; once a file."""
    found = [(trace, name) for trace, table in _made(context) for name in _nullable_keys(table)]
    if found:
        yield match_target(found[0][0], columns=listed(name for _, name in found))


def length_not_enforced(context: RuleContext) -> Iterator[Match]:
    """VARCHAR(n): the length means nothing to SQLite."""
    for trace, table in _made(context):
        for column in table.columns:
            if "CHAR" in column.type.upper() and "(" in column.type:
                values = {"table": table.name, "column": column.name, "type": column.type}
                yield match_target(trace, values=values)
                break


def auto_number_ignored(context: RuleContext) -> Iterator[Match]:
    """SERIAL or AUTO_INCREMENT: accepted as a type name, numbers nothing."""
    for trace, table in _made(context):
        for column in table.columns:
            kind = column.type.upper()
            if "SERIAL" in kind or "AUTO_INCREMENT" in kind or "IDENTITY" in kind:
                values = {"table": table.name, "column": column.name, "type": column.type}
                yield match_at(
                    trace, word_token(trace, "AUTO_INCREMENT", "SERIAL", "BIGSERIAL"), values=values
                )


RULES: tuple[Rule, ...] = (
    foreign_keys_off,
    defer_off,
    pragma_leaks,
    foreign_key_check_only_reports,
    ledger_touched,
    if_not_exists_ignored,
    stale_new_table,
    foreign_key_twice,
    primary_key_nullable,
    length_not_enforced,
    auto_number_ignored,
)
_OFF = frozenset({"OFF", "0", "FALSE", "NO"})
_ON = frozenset({"ON", "1", "TRUE", "YES"})


def _pragmas(context: RuleContext, name: str) -> Iterator[StatementTrace]:
    return (trace for trace in context.statements_of("PRAGMA") if trace.target == name)


def _value(trace: StatementTrace) -> str:
    values = [t.text.strip("'\"").upper() for t in trace.parsed.tokens[2:]]
    return next((value for value in values if value in _OFF | _ON), "")


def _made(context: RuleContext) -> Iterator[tuple[StatementTrace, Table]]:
    """The tables that the file makes, by the name they end up with."""
    names = {
        a.target.lower(): a.parsed.new_name for a in context.statements_of("ALTER TABLE RENAME")
    }
    for trace in context.statements_of("CREATE TABLE"):
        table = context.new.table(names.get(trace.target.lower(), trace.target))
        if table and trace.made("table") and not trace.parsed.copy:
            yield trace, table


def _nullable_keys(table: Table) -> Iterator[str]:
    if table.strict or table.without_rowid:
        return
    for column in table.columns:
        alias = column.type.upper() == "INTEGER" and len(table.primary_key) == 1
        if column.pk and not column.notnull and not alias:
            yield f"{table.name}.{column.name}"


def _shape_of(trace: StatementTrace) -> Table | None:
    with closing(apsw.Connection(":memory:")) as connection, suppress(apsw.Error):
        connection.execute(trace.statement.body)
        return read_table(connection, trace.target, trace.statement.body)
    return None
