"""Whether a table already holds what a migration does: somebody may have run it by hand.

Three states of one table are compared: `copy` (as it was read), `rehearsed` (after the migration,
here) and `now` (as the target holds it at present), attached under these names.
"""

from collections.abc import Sequence

import apsw

from d1_preflight.core.rows.codec import differs
from d1_preflight.core.schema.table import Table, read_tables
from d1_preflight.core.sql.tokenizer import quote_name
from d1_preflight.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Carried:
    """Of the rows that the migration changes in one table: how many hold the result, how many not.

    A row that holds neither was written by somebody else meanwhile, and tells nothing.
    """

    table: str
    done: int = 0
    left: int = 0


def carried_rows(connection: apsw.Connection, tables: Sequence[str]) -> tuple[Carried, ...]:
    """Compare the tables that all three states have, by primary key or rowid."""
    states = [
        {t.name.lower(): t for t in read_tables(connection, name)}
        for name in ("copy", "rehearsed", "now")
    ]
    found = []
    for name in dict.fromkeys(table.lower() for table in tables):
        held = [state[name] for state in states if name in state]
        if len(held) == len(states) and (keys := _keys(held)):
            found.append(_carried(connection, held[0], keys, _common(held)))
    return tuple(found)


def _carried(
    connection: apsw.Connection, table: Table, keys: Sequence[str], columns: Sequence[str]
) -> Carried:
    name = quote_name(table.name)
    places = {state: f"{state}.{name}" for state in ("copy", "rehearsed", "now")}
    on = {
        pair: " AND ".join(f"{pair[0]}.{key} IS {pair[1]}.{key}" for key in keys)
        for pair in ("cr", "nc", "nr")
    }
    changed, like_result, like_copy = (
        _differ(columns, *pair) for pair in (("c", "r"), ("n", "r"), ("n", "c"))
    )
    updated = (
        f"FROM {places['copy']} c JOIN {places['rehearsed']} r ON {on['cr']}"
        f" JOIN {places['now']} n ON {on['nc']} WHERE ({changed})"
    )
    added = (
        f"FROM {places['rehearsed']} r WHERE NOT EXISTS"
        f" (SELECT 1 FROM {places['copy']} c WHERE {on['cr']})"
    )
    deleted = (
        f"FROM {places['copy']} c WHERE NOT EXISTS"
        f" (SELECT 1 FROM {places['rehearsed']} r WHERE {on['cr']})"
    )
    is_added = f"EXISTS (SELECT 1 FROM {places['now']} n WHERE {on['nr']} AND NOT ({like_result}))"
    is_there = f"EXISTS (SELECT 1 FROM {places['now']} n WHERE {on['nc']})"
    done = (
        _count(connection, f"{updated} AND NOT ({like_result})"),
        _count(connection, f"{added} AND {is_added}"),
        _count(connection, f"{deleted} AND NOT {is_there}"),
    )
    left = (
        _count(connection, f"{updated} AND NOT ({like_copy})"),
        _count(connection, f"{added} AND NOT {is_added}"),
        _count(connection, f"{deleted} AND {is_there}"),
    )
    return Carried(table.name, sum(done), sum(left))


def _keys(states: Sequence[Table]) -> tuple[str, ...]:
    """What names a row in all three states; () where nothing does."""
    keys = {tuple(name.lower() for name in table.primary_key) for table in states}
    if len(keys) == 1 and (key := keys.pop()):
        return tuple(quote_name(name) for name in key)  # a rebuild may number the rows anew
    rowids = {table.rowid for table in states}
    return tuple(rowids) if len(rowids) == 1 and "" not in rowids else ()


def _common(states: Sequence[Table]) -> tuple[str, ...]:
    """The columns that hold values in all three states."""
    others = [{name.lower() for name in table.data_columns} for table in states[1:]]
    return tuple(c for c in states[0].data_columns if all(c.lower() in o for o in others))


def _differ(columns: Sequence[str], one: str, other: str) -> str:
    """Whether two rows differ in any of these columns."""
    names = [quote_name(column) for column in columns]
    return " OR ".join(f"({differs(f'{one}.{n}', f'{other}.{n}')})" for n in names) or "0"


def _count(connection: apsw.Connection, rest: str) -> int:
    row = connection.execute(f"SELECT count(*) {rest}").fetchone()
    return int(str(row[0])) if row else 0
