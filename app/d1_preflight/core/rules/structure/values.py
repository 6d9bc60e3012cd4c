"""Values that a statement writes and that the table's own constraints refuse."""

from collections.abc import Iterator
from contextlib import closing, suppress

import apsw

from d1_preflight.core.engine.trace import StatementTrace
from d1_preflight.core.findings import Severity
from d1_preflight.core.rules.context import Match, Rule, RuleContext, match_target
from d1_preflight.core.schema.ddl import names_in
from d1_preflight.core.schema.table import Table
from d1_preflight.core.sql.tokenizer import Token, TokenKind, quote_name

_BYTES = 1_000_000
_LITERALS = frozenset({"NULL", "TRUE", "FALSE"})


def update_breaks_check(context: RuleContext) -> Iterator[Match]:
    """An UPDATE that a CHECK refuses, or may refuse: it passes on empty tables only."""
    for trace in context.statements_of("UPDATE"):
        table = _table_then(context, trace)
        if table is None or trace.parsed.conflict == "IGNORE":
            continue
        checks = (*table.checks, *_nulled(trace, table))
        found = {check: _verdict(trace, table, check) for check in checks}
        refusing = next((check for check, verdict in found.items() if verdict), "")
        check = refusing or next((c for c, verdict in found.items() if verdict is not None), "")
        if check:
            severity = Severity.BLOCKING if refusing else Severity.NOTE
            says = "refuses" if refusing else "may refuse"
            values = {"table": table.name, "check": check, "says": says}
            yield match_target(trace, severity=severity, tables=(table.name,), values=values)


RULES: tuple[Rule, ...] = (update_breaks_check,)


def _table_then(context: RuleContext, trace: StatementTrace) -> Table | None:
    """The table as the statement meets it, where it may hold rows."""
    for lineage in context.verdict.lineages:
        names = {lineage.table.lower(), (lineage.name or "").lower()}
        if trace.target.lower() in names:
            by = lineage.dropped_by
            earlier = by is None or trace.statement.start < by.statement.start
            new = context.new.table(lineage.name or "")
            return context.old.table(lineage.table) if earlier and lineage.rebuilt else new
    return None


def _nulled(trace: StatementTrace, table: Table) -> Iterator[str]:
    """The NOT NULL columns that are set to NULL, each as the condition that this breaks."""
    for column, value in trace.parsed.sets:
        known = table.column(column)
        if known and known.notnull and [token.word for token in value] == ["NULL"]:
            yield f"({quote_name(known.name)} IS NOT NULL)"


def _verdict(trace: StatementTrace, table: Table, check: str) -> bool | None:
    """True where a CHECK refuses the values, False where rows decide, None where it is content."""
    named = names_in(check) & {name.lower() for name in table.column_names}
    written = {column.lower(): value for column, value in trace.parsed.sets}
    if not named & written.keys():
        return None
    known = {name: written[name] for name in named & written.keys()}
    if named == known.keys() and all(_is_literal(value) for value in known.values()):
        return True if _is_false(table, check, known) else None
    return False


def _is_literal(value: tuple[Token, ...]) -> bool:
    found = value[1:] if value and value[0].text in ("+", "-") else value
    kinds = (TokenKind.STRING, TokenKind.NUMBER)
    return len(found) == 1 and (found[0].kind in kinds or found[0].word in _LITERALS)


def _is_false(table: Table, check: str, values: dict[str, tuple[Token, ...]]) -> bool:
    """Whether SQLite finds the condition false with these values; NULL lets a row pass."""
    columns = [column for column in table.columns if column.name.lower() in values]
    declared = ", ".join(f"{quote_name(c.name)} {c.type} COLLATE {c.collation}" for c in columns)
    row = ", ".join("".join(t.text for t in values[c.name.lower()]) for c in columns)
    with closing(apsw.Connection(":memory:")) as connection, suppress(apsw.Error):
        connection.limit(apsw.SQLITE_LIMIT_LENGTH, _BYTES)
        connection.execute(f"CREATE TABLE one ({declared}); INSERT INTO one VALUES ({row})")
        return connection.execute(f"SELECT ({check}) IS 0 FROM one").fetchall() == [(1,)]
    return False
