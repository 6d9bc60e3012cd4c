"""Proves that a database equals a row copy, or names the first difference.

A row is named by the hash of its key: the values themselves never leave the database.
"""

from collections.abc import Sequence
from hashlib import sha256

import apsw

from d1_preflight.core.errors import ProjectError
from d1_preflight.core.rows.codec import row_text, wire
from d1_preflight.core.rows.table_copy import RowCopy, content_digest
from d1_preflight.core.schema.sequences import local_sequences
from d1_preflight.core.schema.table import Table, read_tables
from d1_preflight.core.sql.tokenizer import quote_name
from d1_preflight.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Difference:
    """The first difference: in which table, what is wrong, in which row (hash) and column."""

    table: str
    problem: str
    row: str = ""
    column: str = ""

    @property
    def words(self) -> str:
        """The difference in one line, for people."""
        where = f" in column {self.column}" if self.column else ""
        row = f" (row {self.row})" if self.row else ""
        return f"{self.table}: {self.problem}{where}{row}"


def first_difference(connection: apsw.Connection, copy: RowCopy) -> Difference | None:
    """Compare type and exact value of every cell; None where nothing differs.

    The copy's file is attached as `copy`, the database as `restored`.
    """
    try:
        return _difference(connection, copy)
    except apsw.Error as error:  # its words may quote a row
        raise ProjectError(
            f"{copy.table} cannot be compared with its copy ({type(error).__name__}).",
            hint="Restore it again, then compare again.",
        ) from error


def _difference(connection: apsw.Connection, copy: RowCopy) -> Difference | None:
    tables = {table.name: table for table in read_tables(connection, "restored")}
    table = tables.get(copy.table)
    if table is None:
        return Difference(copy.table, "the table is missing")
    missing = [name for name in copy.columns if name not in table.data_columns]
    if missing:
        return Difference(copy.table, "the column is missing", column=missing[0])
    place = f"restored.{quote_name(copy.table)}"
    if content_digest(connection, place, copy.columns) != (copy.rows, copy.digest):
        return _located(connection, copy, table)
    mark = local_sequences(connection, "restored").get(copy.table)
    if copy.sequence is not None and mark != copy.sequence:
        return Difference(copy.table, "the AUTOINCREMENT counter is not the one that was read")
    return None


def _located(connection: apsw.Connection, copy: RowCopy, table: Table) -> Difference:
    key = [quote_name(name) for name in table.primary_key]
    if not key and copy.rowid:
        key = [copy.rowid]
    if not key:
        key = [quote_name(name) for name in copy.columns]
    restored = f"restored.{quote_name(table.name)}"
    missing = _first_without_partner(connection, "copy.rows", restored, key)
    if missing:
        return Difference(copy.table, "a row is missing", row=missing)
    extra = _first_without_partner(connection, restored, "copy.rows", key)
    if extra:
        return Difference(copy.table, "there is a row that the copy does not have", row=extra)
    return _first_other_cell(connection, copy, key)


def _first_without_partner(
    connection: apsw.Connection, here: str, there: str, key: Sequence[str]
) -> str:
    text = row_text(key)
    row = connection.execute(
        f"SELECT {text} FROM {here} EXCEPT SELECT {text} FROM {there} LIMIT 1"
    ).fetchone()
    return _hash(row[0]) if row else ""


def _first_other_cell(connection: apsw.Connection, copy: RowCopy, key: Sequence[str]) -> Difference:
    text = row_text(key)
    for name in copy.columns:
        cell = f"coalesce({wire(quote_name(name))}, 'n')"
        row = connection.execute(
            f"SELECT key FROM (SELECT {text} AS key, {cell} AS cell FROM copy.rows"
            f" EXCEPT SELECT {text}, {cell} FROM restored.{quote_name(copy.table)}) LIMIT 1"
        ).fetchone()
        if row:
            return Difference(copy.table, "a value differs", row=_hash(row[0]), column=name)
    return Difference(copy.table, "rows are repeated a different number of times")


def _hash(key: object) -> str:
    return sha256(str(key).encode()).hexdigest()[:12]
