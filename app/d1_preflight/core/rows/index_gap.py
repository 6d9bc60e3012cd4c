"""Compares a full-text index with the text it holds: FTS5's own check, and its entries counted.

An external-content FTS5 table has no rows of its own: SELECT reads those of its content, whatever
the index knows. Its entries are counted in its own `_docsize` table.
"""

from collections.abc import Mapping

import apsw

from d1_preflight.core.engine.execution import run_to_end
from d1_preflight.core.schema.full_text import FullText, full_text
from d1_preflight.core.schema.table import Table, read_tables
from d1_preflight.core.sql.tokenizer import quote_name
from d1_preflight.lazy_dataclass import dataclass

_VOCABULARY = "preflight_vocabulary"
_FOUND_ROWS = 100


@dataclass(frozen=True, slots=True)
class IndexState:
    """An index's entries and rows: how many entries have no row (ghosts), and rows no entry.

    `content` is the table or view with the text, "" where the index keeps none at all. What
    cannot be counted is 0: without `_docsize` (columnsize=0), or without the content.
    """

    content: str
    entries: int
    rows: int = 0
    ghosts: int = 0
    unindexed: int = 0


def index_state(connection: apsw.Connection, database: str, table: Table) -> IndexState | None:
    """The state of an index whose text is elsewhere or nowhere; None for any other table."""
    declared = full_text(table.sql)
    if declared is None or declared.content is None:
        return None
    entries = f"SELECT id FROM {quote_name(database)}.{quote_name(f'{table.name}_docsize')}"
    rows = _rows(database, declared) if declared.content else ""
    held, there = _number(connection, entries), _number(connection, rows)
    if held is None or there is None:
        return IndexState(declared.content, (there if held is None else held) or 0)
    return IndexState(
        declared.content,
        held,
        there,
        _number(connection, f"{entries} EXCEPT {rows}") or 0,
        _number(connection, f"{rows} EXCEPT {entries}") or 0,
    )


def failing_indexes(connection: apsw.Connection) -> Mapping[str, str]:
    """The full-text indexes, in lower case, that fail FTS5's integrity check or a search, and why.

    The check compares every word with the content. It is an INSERT that writes nothing, so it
    needs a connection that may write.
    """
    found = {}
    for table in read_tables(connection):
        declared = full_text(table.sql) if table.is_virtual else None
        if declared and (words := _failure(connection, table.name, declared)):
            found[table.name.lower()] = words
    return found


def _failure(connection: apsw.Connection, name: str, declared: FullText) -> str:
    index = quote_name(name)
    text = declared.content or "its text"
    try:
        connection.execute(f"INSERT INTO main.{index}({index}, rank) VALUES ('integrity-check', 1)")
        _search(connection, name)
    except apsw.CorruptError:
        return f"its words do not match {text}"
    except apsw.SQLError:
        return f"it cannot read {text}"
    return ""


def _search(connection: apsw.Connection, name: str) -> None:
    """Search the most frequent word and read what is found: a row that is missing is an error."""
    connection.execute(
        f"CREATE VIRTUAL TABLE temp.{_VOCABULARY}"
        f" USING fts5vocab('main', {quote_name(name)}, 'row')"
    )
    try:
        phrase = """hex('"' || replace(term, '"', '""') || '"')"""
        frequent = f"SELECT {phrase} FROM temp.{_VOCABULARY} ORDER BY doc DESC LIMIT 1"
        for (words,) in connection.execute(frequent).fetchall():
            found = f"main.{quote_name(name)}(CAST(X'{words}' AS TEXT))"
            run_to_end(connection, f"SELECT * FROM {found} LIMIT {_FOUND_ROWS}")
    finally:
        connection.execute(f"DROP TABLE temp.{_VOCABULARY}")


def _rows(database: str, declared: FullText) -> str:
    rowid = quote_name(declared.content_rowid)
    return f"SELECT {rowid} FROM {quote_name(database)}.{quote_name(declared.content or '')}"


def _number(connection: apsw.Connection, query: str) -> int | None:
    """How many rows a query gives; None where it cannot be asked."""
    if not query:
        return None
    try:
        return int(str(connection.execute(f"SELECT count(*) FROM ({query})").fetchall()[0][0]))
    except apsw.SQLError:
        return None
