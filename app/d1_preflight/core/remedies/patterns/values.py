"""Drafts other values for a column: the old ones are kept, so that the down file is exact."""

from collections.abc import Iterator

from d1_preflight.core.errors import UsageError
from d1_preflight.core.remedies.patterns.pattern import (
    Draft,
    Wanted,
    column_of,
    free_name,
    table_of,
)
from d1_preflight.core.schema.schema import Structure
from d1_preflight.core.schema.table import Table
from d1_preflight.core.sql.statement import read_statement
from d1_preflight.core.sql.tokenizer import (
    TokenKind,
    quote_name,
    quote_names,
    quote_text,
    statements,
    tokens,
)


def data_draft(wanted: Wanted, now: Structure) -> Draft:
    """Keep the old values by the key of their rows, then write the new ones."""
    table = table_of(now, wanted.table)
    column = column_of(table, wanted.column)
    if not column.holds_data:
        raise UsageError(
            f"{table.name}.{column.name} is a generated column: it cannot be written.",
            hint="Change the columns that it is computed from.",
        )
    name, value = quote_name(column.name), _value(wanted, column.name)
    _refuse_more_than_one(f"UPDATE t SET c = ({value}\n) WHERE ({wanted.where or '1'}\n)", value)
    key = _key(table)
    kept = free_name(now, f"_old_{table.name}_{column.name}")
    where = _condition(wanted, name, value)
    own, old = quote_name(table.name), quote_name(kept)
    on = " AND ".join(f"{own}.{part} = {old}.{quote_name(alias)}" for part, alias in key)
    chosen = ", ".join((*(_as(part, alias) for part, alias in key), name))
    columns = quote_names(alias for _, alias in key)
    declared = ", ".join(f"{quote_name(alias)} NOT NULL" for _, alias in key)
    copied = f"SELECT {chosen} FROM {own} WHERE {where}"
    up = (
        f"CREATE TABLE {old} ({declared}, {name}, PRIMARY KEY ({columns}))",
        f"INSERT INTO {old} ({columns}, {name}) {copied}",
        f"UPDATE {own} SET {name} = {value} WHERE {where}",
    )
    down = (
        f"UPDATE {own} SET {name} = {old}.{name} FROM {old} WHERE {on}",
        f"DROP TABLE {old}",
    )
    notes = (
        f"The old values stay in {kept}; a later migration drops it once they are not needed.",
    )
    gap = f"Rows of {table.name} that were changed again since then get their earlier value back."
    seeds = tuple(_seeds(table, wanted, name))
    return Draft(up, down, notes=notes, gaps=(gap,), seeds=seeds)


def _value(wanted: Wanted, column: str) -> str:
    if wanted.pairs:
        parts = (f"WHEN {quote_text(old)} THEN {quote_text(new)}" for old, new in wanted.pairs)
        return f"CASE {quote_name(column)} {' '.join(parts)} END"
    if not wanted.expression:
        raise UsageError(
            f"Which value should {wanted.table}.{column} get?",
            hint='--set "lower(role)", or --value OWNER=owner for each value',
        )
    return wanted.expression


def _condition(wanted: Wanted, name: str, value: str) -> str:
    """The rows whose value becomes another one."""
    parts = [f"({wanted.where})"] if wanted.where else []
    if wanted.pairs:
        parts.append(f"{name} IN ({', '.join(quote_text(old) for old, _ in wanted.pairs)})")
    else:
        parts.append(f"{name} IS NOT ({value}) COLLATE BINARY")
    return " AND ".join(parts)


def _key(table: Table) -> tuple[tuple[str, str], ...]:
    """What tells the rows apart, each part with its name in the table of the old values."""
    columns = [table.column(name) for name in table.primary_key]
    is_rowid = table.rowid_column
    if columns and (is_rowid or table.without_rowid or all(c and c.notnull for c in columns)):
        return tuple((quote_name(c.name), c.name) for c in columns if c)
    if not table.rowid:
        raise UsageError(
            f"{table.name} has no key that identifies its rows.",
            hint="Write the file by hand: leave --pattern out.",
        )
    return ((table.rowid, "_row"),)


def _as(part: str, alias: str) -> str:
    return part if part == quote_name(alias) else f"{part} AS {quote_name(alias)}"


def _refuse_more_than_one(sql: str, value: str) -> None:
    found = statements(sql)
    if len(found) != 1 or read_statement(found[0].body).verb != "UPDATE":
        hint = "One value, as behind SET column ="
        raise UsageError(f"{value!r} is not an SQL expression.", hint=hint)


def _seeds(table: Table, wanted: Wanted, name: str) -> Iterator[str]:
    """Each text that the file names, put into one of the invented rows."""
    texts = [quote_text(old) for old, _ in wanted.pairs]
    for part in (wanted.expression, wanted.where):
        texts += [t.text for t in tokens(part) if t.kind in (TokenKind.STRING, TokenKind.NUMBER)]
    texts += [f"upper({name})", f"lower({name})"]
    place = quote_name(table.name)
    order = quote_names(table.primary_key) or table.rowid
    for n, text in enumerate(dict.fromkeys(texts)):
        key = table.rowid or quote_name(table.primary_key[0])
        row = f"SELECT {key} FROM {place} ORDER BY {order} LIMIT 1 OFFSET {n % 3}"
        yield f"UPDATE OR IGNORE {place} SET {name} = {text} WHERE {key} = ({row})"
