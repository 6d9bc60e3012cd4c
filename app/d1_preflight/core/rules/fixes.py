"""Writes the SQL of the safe way with the user's own names, ready to be put into the file."""

from collections.abc import Iterable, Mapping, Sequence

from d1_preflight.core.engine.trace import StatementTrace
from d1_preflight.core.rules.context import RuleContext
from d1_preflight.core.schema.table import parents_first
from d1_preflight.core.sql.tokenizer import quote_name

_LONGEST = 400  # a statement above this is not written out again


def parked(context: RuleContext, tables: Iterable[str]) -> Mapping[str, str]:
    """Statements that copy rows aside, put them back parents first, and drop the copies."""
    known = [table for name in tables if (table := context.old.table(name))]
    park, back, tidy = list[str](), list[str](), list[str]()
    for table in parents_first(known)[0]:
        name, aside = quote_name(table.name), quote_name(f"_park_{table.name}")
        into, columns = "", "*"
        if any(column.hidden for column in table.columns):  # generated ones cannot be written
            columns = ", ".join(quote_name(c.name) for c in table.columns if not c.hidden)
            into = f" ({columns})"
        park.append(f"CREATE TABLE {aside} AS SELECT {columns} FROM {name};")
        back.append(f"INSERT INTO {name}{into} SELECT {columns} FROM {aside};")
        tidy.append(f"DROP TABLE {aside};")
    return {"park": " ".join(park), "back": " ".join(back), "tidy": " ".join(tidy)}


def references_parked(
    context: RuleContext, columns: Sequence[tuple[str, str]], action: str
) -> Mapping[str, str]:
    """Statements that note which row referred to what, and set it again.

    SET DEFAULT leaves the commit's check unsettled, so those references are cleared first.
    """
    park, back, tidy = list[str](), list[str](), list[str]()
    for table in dict.fromkeys(name for name, _ in columns):
        known = context.old.table(table)
        keys = [quote_name(key) for key in known.primary_key] if known else []
        key = ", ".join(keys) or 'rowid AS "_row"'
        name, aside = quote_name(table), quote_name(f"_refs_{table}")
        own = [quote_name(column) for of, column in columns if of == table]
        same = " AND ".join(f"p.{k} = {name}.{k}" for k in keys) or f'p."_row" = {name}.rowid'
        park.append(f"CREATE TABLE {aside} AS SELECT {key}, {', '.join(own)} FROM {name};")
        if action == "SET DEFAULT":
            park.append(f"UPDATE {name} SET {', '.join(f'{c} = NULL' for c in own)};")
        sets = ", ".join(f"{c} = (SELECT p.{c} FROM {aside} p WHERE {same})" for c in own)
        back.append(f"UPDATE {name} SET {sets};")
        tidy.append(f"DROP TABLE {aside};")
    return {"park": " ".join(park), "back": " ".join(back), "tidy": " ".join(tidy)}


def upsert(context: RuleContext, trace: StatementTrace) -> str:
    """The REPLACE as an INSERT that changes the row in place; in outline where it is long."""
    table, body = context.old.table(trace.target), trace.statement.body.rstrip().rstrip(";")
    names = trace.parsed.columns or (table.column_names if table else ())
    key = table.primary_key if table else ()
    others = [quote_name(n) for n in names if n.lower() not in {k.lower() for k in key}]
    sets = ", ".join(f"{n} = excluded.{n}" for n in others)
    clause = f" ON CONFLICT ({', '.join(map(quote_name, key))}) DO "
    clause += f"UPDATE SET {sets};" if sets else "NOTHING;"
    values = next((t for t in trace.parsed.tokens if t.word == "VALUES"), None)
    if trace.verb != "INSERT" or values is None or len(body) > _LONGEST or not key:
        return f"INSERT INTO {quote_name(trace.target)} (…) VALUES (…){clause}"
    columns = ", ".join(map(quote_name, names))
    return f"INSERT INTO {quote_name(trace.target)} ({columns}) {body[values.start :]}{clause}"
