"""Compares a full-text index with the table whose text it holds.

An external-content FTS5 table has no rows of its own: SELECT reads those of its content, whatever
the index knows. Its entries are counted in its own `_docsize` table.
"""

from dataclasses import dataclass

import apsw

from d1_preflight.core.schema.full_text import full_text
from d1_preflight.core.schema.table import Table
from d1_preflight.core.sql.tokenizer import quote_name


@dataclass(frozen=True, slots=True)
class IndexState:
    """An index's entries, and how many of them have no row, or rows no entry."""

    content: str
    entries: int
    gap: int


def index_state(connection: apsw.Connection, database: str, table: Table) -> IndexState | None:
    """The state of an external-content index; None for any other table, or where none can be told.

    Without `_docsize` (columnsize=0), or without its content, there is nothing to count.
    """
    declared = full_text(table.sql)
    if declared is None or not declared.content:
        return None
    place = quote_name(database)
    entries = f"SELECT id FROM {place}.{quote_name(f'{table.name}_docsize')}"
    rowid = quote_name(declared.content_rowid)
    rows = f"SELECT {rowid} FROM {place}.{quote_name(declared.content)}"
    gap = (
        f"SELECT (SELECT count(*) FROM ({entries})),"
        f" (SELECT count(*) FROM ({entries} EXCEPT {rows}))"
        f" + (SELECT count(*) FROM ({rows} EXCEPT {entries}))"
    )
    try:
        found = connection.execute(gap).fetchall()[0]
    except apsw.SQLError:
        return None
    return IndexState(declared.content, int(str(found[0])), int(str(found[1])))
