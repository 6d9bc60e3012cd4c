"""Writes the SQL that repairs a migrated database: what a backup holds and the migration removed.

Two states are attached: `before`, the restored backup, and `after`, the rehearsal. What the one
has and the other lacks is written out, by keys: tables that went, rows that went, columns that
went with their values, values that became others. What cannot be repaired is named, never left
out in silence. Exact literals; each statement small enough for D1.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import field
from itertools import chain

import apsw

from d1_preflight.core.errors import ProjectError
from d1_preflight.core.recovery.index_repair import IndexRepair
from d1_preflight.core.recovery.lost_objects import lost_objects
from d1_preflight.core.recovery.restore_sql import INSERT_BYTES, dependency_order, too_long_words
from d1_preflight.core.rows.codec import Packer, differs, row_text, wire
from d1_preflight.core.schema.ddl import addable, column_definition
from d1_preflight.core.schema.full_text import full_text
from d1_preflight.core.schema.schema import Schema, SchemaObject
from d1_preflight.core.schema.sequences import local_sequences, raise_sequence
from d1_preflight.core.schema.table import Table, TableKind, read_tables
from d1_preflight.core.sql.tokenizer import quote_name
from d1_preflight.lazy_dataclass import dataclass

_COLUMNS_AT_ONCE = 40


@dataclass(frozen=True, slots=True)
class TableRepairResult:
    """The repair of one table; `problems` lists what it does not restore."""

    table: str
    rows: int = 0
    updated: int = 0
    problems: tuple[str, ...] = ()
    sequence: int | None = None  # the AUTOINCREMENT mark that is restored

    @property
    def is_empty(self) -> bool:
        """Whether the table needs no repair."""
        return not (self.rows or self.updated or self.problems or self.sequence is not None)


@dataclass(frozen=True, slots=True)
class RepairScript:
    """A script of SQL: what it repairs, table by table, and the objects it makes again."""

    tables: tuple[TableRepairResult, ...]
    objects: tuple[SchemaObject, ...] = ()
    objects_missing: tuple[str, ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        """Everything that the script does not repair."""
        found = tuple(f"{t.table}: {words}" for t in self.tables for words in t.problems)
        return found + self.objects_missing

    @property
    def rows(self) -> int:
        """The rows that are written or have values written into them."""
        return sum(t.rows + t.updated for t in self.tables)


def write_repair_sql(
    write: Callable[[str], object],
    connection: apsw.Connection,
    schema: Schema,
    *,
    rebuilt: Collection[str] = (),
    only: Collection[str] = (),
    limit: int = INSERT_BYTES,
) -> RepairScript:
    """Write the SQL for every table of `before`.

    `schema` is the target's before the migration; `rebuilt` names tables whose rowids mean
    nothing; `only` these tables, where any are named.
    """
    try:
        lower = {name.lower() for name in rebuilt}
        repairs = _table_repairs(connection, schema, lower, only, limit)
        indexes = _index_repairs(connection, schema, only, limit)
        write("PRAGMA defer_foreign_keys = ON;\n")
        definitions = [s for repair in repairs for s in repair.definition()]
        definitions += [s for index in indexes for s in index.definition()]
        found = lost_objects(schema, Schema.from_connection(connection, "after"), definitions, only)
        made = [o.sql.rstrip().rstrip(";") for o in found.made]
        marks = (statement for repair in repairs for statement in repair.sequence_update())
        parts = (definitions, _rows(repairs), _fills(repairs, indexes), made, marks)
        for statement in chain.from_iterable(parts):  # never all of them in memory
            write(f"{statement};\n")
        results = tuple(repair.result() for repair in repairs)
        results += tuple(
            TableRepairResult(index.old.name, index.rows, problems=tuple(index.problems))
            for index in indexes
        )
        return RepairScript(results, found.made, found.missing)
    except apsw.Error as error:  # its words may quote a row
        raise ProjectError(
            f"The rows that the migration loses cannot be identified ({type(error).__name__}).",
            hint="Restore with Time Travel; the backup itself is complete.",
        ) from error


def _table_repairs(
    connection: apsw.Connection,
    schema: Schema,
    rebuilt: Collection[str],
    only: Collection[str],
    limit: int,
) -> "list[TableRepair]":
    """The tables of `before` in their two states, parents first."""
    news = {t.name.lower(): t for t in read_tables(connection, "after")}
    olds = {t.name: t for t in read_tables(connection, "before") if t.kind is TableKind.ORDINARY}
    ordered = [name for name in dependency_order(schema).tables if name in olds]
    return [
        TableRepair(connection, schema, olds[name], news.get(name.lower()), rebuilt, limit)
        for name in dict.fromkeys((*ordered, *olds))
        if not only or name in only
    ]


def _index_repairs(
    connection: apsw.Connection, schema: Schema, only: Collection[str], limit: int
) -> list[IndexRepair]:
    """The virtual tables of `before` in their two states."""
    news = {t.name.lower(): t for t in read_tables(connection, "after")}
    olds = (t for t in read_tables(connection, "before") if t.is_virtual)
    return [
        IndexRepair(connection, schema, old, news.get(old.name.lower()), limit)
        for old in olds
        if not only or _is_meant(old, only)
    ]


def _rows(repairs: "Sequence[TableRepair]") -> Iterator[str]:
    for part in (TableRepair.inserts, TableRepair.updates):
        for repair in repairs:
            yield from part(repair)


def _fills(repairs: "Sequence[TableRepair]", indexes: Sequence[IndexRepair]) -> Iterator[str]:
    """What fills the full-text indexes, once the rows of all tables are written."""
    repaired = {one.old.name.lower() for one in repairs if one.rows or one.updated}
    for index in indexes:
        yield from index.fill(repaired)


def _is_meant(index: Table, only: Collection[str]) -> bool:
    """Whether a virtual table or its content is among the tables that are named."""
    declared = full_text(index.sql)
    return index.name in only or bool(declared and declared.content in only)


@dataclass(slots=True)
class TableRepair:
    """One table in its two states, and what was written for it so far.

    Each method that gives statements notes what it writes; they run in the order of the methods.
    """

    connection: apsw.Connection
    schema: Schema
    old: Table
    new: Table | None
    rebuilt: Collection[str]
    limit: int
    rows: int = 0
    updated: int = 0
    problems: list[str] = field(default_factory=list)
    unaddable: list[str] = field(default_factory=list)
    sequence: int | None = None

    def result(self) -> TableRepairResult:
        """What was written, once all of it was."""
        problems = tuple(self.problems)
        return TableRepairResult(self.old.name, self.rows, self.updated, problems, self.sequence)

    def definition(self) -> Iterator[str]:
        """CREATE TABLE of a dropped table, ADD COLUMN for the dropped columns."""
        if self.new is None:
            yield self._sql
        else:
            for column in self._gone:
                text, weaker = addable(column_definition(self._sql, column))
                if not text:
                    self.unaddable.append(column)
                    self.problems.append(f"column {column} cannot be added again")
                    continue
                if weaker:
                    self.problems.append(f"column {column} comes back without NOT NULL")
                yield f"ALTER TABLE {quote_name(self.old.name)} ADD COLUMN {text}"

    def inserts(self) -> Iterator[str]:
        """INSERTs of the rows that went."""
        where = ""
        if self.new is not None and self._key:
            self._check_shared_keys()
            there = f"SELECT 1 FROM after.{quote_name(self.new.name)} AS a WHERE {self._on}"
            where = f" WHERE NOT EXISTS ({there})"
        elif self.new is not None:
            # Rows without a key cannot be told apart: any difference is reported, none is written.
            if self._gone or self._lacks_rows():
                self.problems.append("its rows have no key, so they cannot be restored one by one")
            return
        names = [quote_name(name) for name in self._columns]
        cells = [wire(f"b.{name}") for name in names]
        if self.old.rowid and not self.old.primary_key:
            names, cells = [self.old.rowid, *names], [f"'i'||b.{self.old.rowid}", *cells]
        query = f"SELECT {', '.join(cells)} FROM before.{quote_name(self.old.name)} AS b{where}"
        head = f"INSERT INTO {quote_name(self.old.name)} ({', '.join(names)}) VALUES\n"
        for batch in self._batches(query, len(head)):
            self.rows += len(batch)
            yield head + ",\n".join(batch)

    def updates(self) -> Iterator[str]:
        """UPDATEs of the values that went or changed, in rows that are still there."""
        if self.new is None or not self._key:
            return
        columns = [c for c in self._columns if self._differs(c)]
        touched = 0
        for start in range(0, len(columns), _COLUMNS_AT_ONCE):
            some = columns[start : start + _COLUMNS_AT_ONCE]
            number = 0
            for statement, rows in self._updates(some):
                number += rows
                yield statement
            touched = max(touched, number)
        self.updated = touched

    def sequence_update(self) -> Iterator[str]:
        """SQL that raises the AUTOINCREMENT mark, where it fell."""
        mark = local_sequences(self.connection, "before").get(self.old.name)
        if mark is None or not self.old.autoincrement:
            return
        if self.new is not None and not self.new.autoincrement:
            self.problems.append("its AUTOINCREMENT is gone, and with it the highest id it issued")
        elif local_sequences(self.connection, "after").get(self.old.name, 0) < mark:
            self.sequence = mark
            yield from raise_sequence(self.old.name, mark)

    def _updates(self, columns: Sequence[str]) -> Iterator[tuple[str, int]]:
        assert self.new is not None  # noqa: S101 - updates asks first
        keys = [wire(f"b.{k}") for k in self._key]
        cells = [wire(f"b.{quote_name(c)}") for c in columns]
        changed = " OR ".join(self._difference(c) for c in columns)
        query = (
            f"SELECT {', '.join([*keys, *cells])} FROM before.{quote_name(self.old.name)} AS b"
            f" JOIN after.{quote_name(self.new.name)} AS a ON {self._on} WHERE {changed}"
        )
        table, count = quote_name(self.old.name), len(self._key)
        sets = ", ".join(f"{quote_name(c)} = v.column{count + n}" for n, c in enumerate(columns, 1))
        on = " AND ".join(f"{table}.{k} = v.column{n}" for n, k in enumerate(self._key, 1))
        head, tail = f"UPDATE {table} SET {sets} FROM (VALUES\n", f") AS v WHERE {on}"
        for batch in self._batches(query, len(head) + len(tail)):
            yield head + ",\n".join(batch) + tail, len(batch)

    def _differs(self, column: str) -> bool:
        assert self.new is not None  # noqa: S101 - updates asks first
        query = (
            f"SELECT EXISTS (SELECT 1 FROM before.{quote_name(self.old.name)} AS b"
            f" JOIN after.{quote_name(self.new.name)} AS a ON {self._on}"
            f" WHERE {self._difference(column)})"
        )
        return bool(self.connection.execute(query).fetchall()[0][0])

    def _difference(self, column: str) -> str:
        name = quote_name(column)
        if column in self._gone:
            return f"b.{name} IS NOT NULL"
        return differs(f"b.{name}", f"a.{name}")

    def _check_shared_keys(self) -> None:
        """Rows that another type or collation gives one key cannot be put back beside another."""
        assert self.new is not None  # noqa: S101 - inserts asks first
        key = ", ".join(f"a.{k}" for k in self._key)
        query = (
            "SELECT coalesce(sum(n - 1), 0) FROM (SELECT count(*) AS n"
            f" FROM before.{quote_name(self.old.name)} AS b"
            f" JOIN after.{quote_name(self.new.name)} AS a ON {self._on} GROUP BY {key})"
        )
        if number := self.connection.execute(query).fetchall()[0][0]:
            self.problems.append(
                f"several rows have the same key now, so {number} cannot be restored"
            )

    def _lacks_rows(self) -> bool:
        """Whether a row of before has no equal after; equal rows are counted, not taken as one."""
        assert self.new is not None  # noqa: S101 - inserts asks first
        content = row_text(quote_name(c) for c in self.old.data_columns)
        sides = (("before", self.old, 1), ("after", self.new, -1))
        both = " UNION ALL ".join(
            f"SELECT {content} AS content, {one} AS one FROM {side}.{quote_name(table.name)}"
            for side, table, one in sides
        )
        query = f"SELECT EXISTS (SELECT 1 FROM ({both}) GROUP BY content HAVING sum(one) > 0)"
        return bool(self.connection.execute(query).fetchall()[0][0])

    @property
    def _sql(self) -> str:
        sql = next(
            o.sql for o in self.schema.objects if o.kind == "table" and o.name == self.old.name
        )
        return sql.rstrip().rstrip(";")

    @property
    def _gone(self) -> tuple[str, ...]:
        if self.new is None:
            return ()
        there = {name.lower() for name in self.new.data_columns}
        return tuple(c for c in self.old.data_columns if c.lower() not in there)

    @property
    def _columns(self) -> tuple[str, ...]:
        """The columns that are written: those that exist once the structure is restored."""
        return tuple(c for c in self.old.data_columns if c not in self.unaddable)

    @property
    def _key(self) -> tuple[str, ...]:
        """What names a row on both sides: the primary key, or a rowid that can be trusted."""
        if self.new is None:
            return ()
        there = {name.lower() for name in self.new.data_columns}
        key = self.old.primary_key
        if key and all(name.lower() in there for name in key):
            return tuple(quote_name(name) for name in key)
        if self.old.rowid and self.new.rowid and self.old.name.lower() not in self.rebuilt:
            return (self.old.rowid,)
        return ()

    @property
    def _on(self) -> str:
        return " AND ".join(f"a.{k} = b.{k}" for k in self._key)

    def _batches(self, query: str, used: int) -> Iterator[tuple[str, ...]]:
        packer = Packer(self.limit - used - 4)
        yield from packer.batches(self.connection, query)
        if packer.too_long:
            self.problems.append(too_long_words(packer.too_long))
