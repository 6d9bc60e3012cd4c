"""AUTOINCREMENT marks: the highest id that a table has ever issued, as `sqlite_sequence` holds it.

The mark outlives its row: without it the id of a deleted row is issued again. `sqlite_sequence`
exists once an AUTOINCREMENT table was created, and holds a row of it once a row was inserted.
"""

from collections.abc import Iterable, Mapping

import apsw

from d1_preflight.core.schema.table import Table
from d1_preflight.core.sql.tokenizer import quote_name, quote_text

SEQUENCE_TABLE = "sqlite_sequence"
_CHOSEN = "SELECT name, CAST(CAST(seq AS INTEGER) AS TEXT) AS seq"
SEQUENCES_QUERY = f"{_CHOSEN} FROM {SEQUENCE_TABLE} WHERE seq IS NOT NULL ORDER BY rowid DESC"
"""For a target with an AUTOINCREMENT table; as text, for JSON rounds integers beyond 2^53."""


def read_sequences(rows: Iterable[Mapping[str, object]]) -> dict[str, int]:
    """The marks by table, out of the answer to `SEQUENCES_QUERY`."""
    return {str(row["name"]): int(str(row["seq"])) for row in rows}


def local_sequences(connection: apsw.Connection, database: str = "main") -> dict[str, int]:
    """The marks of an open database by table, {} where it has none."""
    place = quote_name(database)
    known = f"SELECT 1 FROM {place}.sqlite_schema WHERE name = ?"
    if not connection.execute(known, (SEQUENCE_TABLE,)).fetchone():
        return {}
    query = SEQUENCES_QUERY.replace(f"FROM {SEQUENCE_TABLE}", f"FROM {place}.{SEQUENCE_TABLE}")
    return {str(name): int(str(mark)) for name, mark in connection.execute(query)}


def highest_issued(connection: apsw.Connection, database: str, table: Table) -> int:
    """The highest id that a table will not issue again: its mark, or its highest row."""
    highest = 0
    if table.rowid:
        place = f"{quote_name(database)}.{quote_name(table.name)}"
        query = f"SELECT coalesce(max({table.rowid}), 0) FROM {place}"
        highest = int(str(connection.execute(query).fetchall()[0][0]))
    marks = local_sequences(connection, database) if table.autoincrement else {}
    return max(highest, marks.get(table.name, 0))


def set_sequence(connection: apsw.Connection, table: str, mark: int | None) -> None:
    """Give an AUTOINCREMENT table exactly this mark; with None it has issued no id yet."""
    connection.execute(f"DELETE FROM {SEQUENCE_TABLE} WHERE name = ?", (table,))
    if mark is not None:
        insert = f"INSERT INTO {SEQUENCE_TABLE}(name, seq) VALUES (?, ?)"
        connection.execute(insert, (table, mark))


def raise_sequence(table: str, mark: int) -> tuple[str, ...]:
    """SQL that brings a mark back and never lowers one: later writes may have issued more."""
    name = quote_text(table)
    missing = f"NOT EXISTS (SELECT 1 FROM {SEQUENCE_TABLE} WHERE name = {name})"
    return (
        f"UPDATE {SEQUENCE_TABLE} SET seq = {mark} WHERE name = {name} AND seq < {mark}",
        f"INSERT INTO {SEQUENCE_TABLE} (name, seq) SELECT {name}, {mark} WHERE {missing}",
    )
