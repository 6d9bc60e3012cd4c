"""Prepares single queries on a schema without running them, and keeps what SQLite answers.

The database is empty and has D1's limits. A query that D1 itself refuses (a function that it
lacks) prepares here: it is refused on every schema alike.
"""

import re
from contextlib import suppress
from dataclasses import dataclass

import apsw

from d1_preflight.core import d1
from d1_preflight.core.engine.execution import prepare
from d1_preflight.core.engine.trace import ColumnRef
from d1_preflight.core.schema.schema import Schema, Structure, StructureReader
from d1_preflight.core.sql.tokenizer import quote_name

_EMPTY_STATEMENT = "it is empty"
_BINDINGS = re.compile(r"has (\d+) bindings")
_PAGES = 65_536  # 256 MiB: what the code defines cannot fill the machine's memory
_WORK = 2_000_000


@dataclass(frozen=True, slots=True)
class Prepared:
    """One query on one schema: SQLite's error, "" where it prepares, and what it would touch."""

    error: str = ""
    reads: frozenset[ColumnRef] = frozenset()
    writes: frozenset[ColumnRef] = frozenset()
    inserts: frozenset[str] = frozenset()
    columns: tuple[str, ...] = ()


class PreparedSchema:
    """A schema on which queries are prepared; each text once."""

    def __init__(self, schema: Schema) -> None:
        self._connection = apsw.Connection(":memory:", statementcachesize=0)
        self._connection.execute(f"PRAGMA max_page_count = {_PAGES}")
        self._connection.set_progress_handler(lambda: True, _WORK)
        self.problems = schema.build(self._connection)
        for limit, value in d1.LIMITS:
            self._connection.limit(limit, value)
        self._errors: dict[str, str] = {}
        self._structure: Structure | None = None

    @property
    def schema(self) -> Schema:
        """The schema as it stands, with what was defined."""
        return Schema.from_connection(self._connection)

    @property
    def structure(self) -> Structure:
        """The schema in detail."""
        if self._structure is None:
            reader = StructureReader(self._connection)
            self._structure = reader.read(self.schema)
        return self._structure

    def close(self) -> None:
        """Give the memory back."""
        self._connection.close()

    def define(self, sql: str) -> bool:
        """Make an object that the code makes by itself; whether it could be made."""
        try:
            self._connection.execute(sql)
        except (apsw.Error, ValueError):
            return False
        self._errors.clear()
        self._structure = None
        return True

    def touched(self, sql: str) -> frozenset[str]:
        """The tables that a query reads or writes, in lower case."""
        found = self.prepared(sql)
        names = {table for table, _ in found.reads | found.writes} | found.inserts
        return frozenset(name.lower() for name in names)

    def error(self, sql: str) -> str:
        """Why a query does not prepare; "" where it does."""
        if sql not in self._errors:
            self._errors[sql] = self._prepare(sql).error
        return self._errors[sql]

    def quoted_error(self, sql: str) -> str:
        """Why a query does not prepare where a name in double quotes is never taken for text."""
        self._connection.config(apsw.SQLITE_DBCONFIG_DQS_DML, 0)
        try:
            return self._prepare(sql).error
        finally:
            self._connection.config(apsw.SQLITE_DBCONFIG_DQS_DML, 1)

    def prepared(self, sql: str) -> Prepared:
        """The same with what the query touches."""
        reads, writes = set[ColumnRef](), set[ColumnRef]()
        inserts = set[str]()

        def note(
            action: int, first: str | None, second: str | None, _of: str | None, by: str | None
        ) -> int:
            if action == apsw.SQLITE_READ:
                reads.add((first or "", second or ""))
            elif action == apsw.SQLITE_UPDATE and not by:
                writes.add((first or "", second or ""))
            elif action == apsw.SQLITE_INSERT and not by:
                inserts.add(first or "")
            return apsw.SQLITE_OK

        self._connection.authorizer = note
        try:
            found = self._prepare(sql)
        finally:
            self._connection.authorizer = None
        return Prepared(
            found.error, frozenset(reads), frozenset(writes), frozenset(inserts), found.columns
        )

    def unique_keys(self, table: str) -> frozenset[tuple[str, ...]]:
        """The keys of a table that no two rows share, the primary key too, in lower case."""
        found = set[tuple[str, ...]]()
        for row in self._connection.execute(f"PRAGMA index_list({quote_name(table)})").fetchall():
            info = self._connection.execute(f"PRAGMA index_info({quote_name(str(row[1]))})")
            if row[2]:
                found.add(tuple(sorted(str(part[2]).lower() for part in info)))
        shape = self.structure.table(table)
        if shape is not None and shape.primary_key:
            found.add(tuple(sorted(name.lower() for name in shape.primary_key)))
        return frozenset(found)

    def value(self, sql: str) -> object:
        """The one value of a query of ours over constants; None where it cannot be computed."""
        try:
            row = self._connection.execute(sql).fetchone()
        except (apsw.Error, ValueError):
            return None
        return row[0] if row else None

    def _prepare(self, sql: str) -> Prepared:
        columns: list[str] = []

        def look(cursor: apsw.Cursor) -> None:
            columns.extend(str(column[0]) for column in cursor.get_description())

        try:
            is_prepared = prepare(self._connection, sql, look)
        except apsw.BindingsError as missed:  # it was prepared before they were missed
            count = _BINDINGS.search(str(missed))
            with suppress(apsw.Error, ValueError):
                prepare(self._connection, sql, look, (None,) * int(count[1] if count else 0))
            return Prepared(columns=tuple(columns))
        except (apsw.Error, ValueError, OverflowError, TypeError) as error:
            return Prepared(str(error) or type(error).__name__)
        return Prepared(columns=tuple(columns)) if is_prepared else Prepared(_EMPTY_STATEMENT)
