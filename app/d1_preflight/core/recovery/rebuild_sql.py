"""Writes the SQL that changes one table's shape on D1 without losing a row of another.

D1 keeps foreign keys on, so a table that others refer to cannot simply be dropped: the rows of
every descendant are parked first, taken out leaf first, and put back parent first. All SQL is
our own text around the schema's own; nothing comes out of a generator.
"""

from collections.abc import Iterator, Mapping
from itertools import pairwise

from d1_preflight.core.schema.schema import Structure
from d1_preflight.core.schema.table import Table
from d1_preflight.core.sql.tokenizer import quote_name, quote_names, quote_text, tokens

_KEPT = "preflight_old_"
_PARKED = "preflight_parked_"


def rebuild(old: Table, columns: Mapping[str, str], now: Structure) -> Iterator[str]:
    """Give a table its `old` shape; `columns` maps its columns to their present names.

    Triggers and views that mention the table, and triggers of its descendants, must be gone
    before, and be made again after.
    """
    table = old.name
    descendants = now.descendants_of(table)
    yield "PRAGMA defer_foreign_keys = ON"
    for child in descendants:
        names = quote_names(child.data_columns)
        yield f"CREATE TABLE {_parked(child)} AS SELECT {names} FROM {quote_name(child.name)}"
    for child in reversed(descendants):
        yield f"DELETE FROM {quote_name(child.name)}"
    kept = quote_name(_KEPT + table)
    targets, sources = quote_names(columns), quote_names(columns.values())
    yield _under_name(old.sql, table, _KEPT + table)
    yield f"INSERT INTO {kept} ({targets}) SELECT {sources} FROM {quote_name(table)}"
    if old.autoincrement:
        yield from _carry_sequence(table)
    yield f"DROP TABLE {quote_name(table)}"
    yield f"ALTER TABLE {kept} RENAME TO {quote_name(table)}"
    for child in descendants:
        names = quote_names(child.data_columns)
        yield f"INSERT INTO {quote_name(child.name)} ({names}) SELECT {names} FROM {_parked(child)}"
    for child in descendants:
        yield f"DROP TABLE {_parked(child)}"


def _under_name(sql: str, table: str, name: str) -> str:
    """The CREATE TABLE with another name; a reference to itself follows the new name."""
    found = tokens(sql, limit=len(sql))
    first = next(n for n, token in enumerate(found) if token.text == "(")
    places = [found[first - 1]]
    places += [
        token
        for before, token in pairwise(found)
        if before.word == "REFERENCES" and token.name.lower() == table.lower()
    ]
    for token in reversed(places):
        sql = sql[: token.start] + quote_name(name) + sql[token.end :]
    return sql


def _carry_sequence(table: str) -> Iterator[str]:
    """Keep the high-water mark, so that no deleted id is given out again."""
    old, new = quote_text(table), quote_text(_KEPT + table)
    yield f"DELETE FROM sqlite_sequence WHERE name = {new}"
    yield (
        f"INSERT INTO sqlite_sequence (name, seq)"
        f" SELECT {new}, seq FROM sqlite_sequence WHERE name = {old}"
    )


def _parked(table: Table) -> str:
    return quote_name(_PARKED + table.name)
