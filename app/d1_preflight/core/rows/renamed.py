"""A schema under new names: what a rename alone makes of it, with all that refers to the names."""

from collections.abc import Iterator
from contextlib import closing

from d1_preflight.core.engine.sandbox import Sandbox
from d1_preflight.core.rows.row_diff import Renames
from d1_preflight.core.schema.schema import Schema
from d1_preflight.core.sql.tokenizer import quote_name


def renamed(prior: Schema, renames: Renames) -> Schema:
    """The schema after these renames alone, as SQLite itself writes it.

    One that SQLite refuses (two columns that swap their names) is left out: what it would have
    explained then counts as a change.
    """
    with closing(Sandbox(prior)) as sandbox:
        for statement in _statements(renames):
            sandbox.run(statement, keep=True)
        return sandbox.schema


def _statements(renames: Renames) -> Iterator[str]:
    for place, new in renames.columns.items():
        table, _, column = place.partition(".")
        names = (quote_name(name) for name in (table, column, new))
        yield "ALTER TABLE {} RENAME COLUMN {} TO {}".format(*names)
    for old, new in renames.tables.items():
        yield f"ALTER TABLE {quote_name(old)} RENAME TO {quote_name(new)}"
