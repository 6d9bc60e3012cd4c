"""Fills a scratch database with invented rows that every constraint takes, parents first.

Rows differ in every column, refer to each other, and leave out what may be NULL in some of them;
so what a migration loses, empties or swaps is seen.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from functools import lru_cache
from itertools import count as numbers
from itertools import product

import apsw

from d1_preflight.core import d1
from d1_preflight.core.rows.codec import copy_cells
from d1_preflight.core.schema.full_text import full_text
from d1_preflight.core.schema.schema import Schema, StructureReader
from d1_preflight.core.schema.sequences import set_sequence
from d1_preflight.core.schema.table import (
    Column,
    ForeignKey,
    Table,
    TableKind,
    is_virtual,
    parents_first,
)
from d1_preflight.core.sql.tokenizer import TokenKind, quote_name, tokens

Row = dict[str, object]
_LARGEST = 2**63 - 1
_STEP = 0x1_0001_0001_0001
_ROWS = 3
_MARK = 1000
_COMBINATIONS = 3000
_SHAPES = (0, 1, 2, 10, "{}", "[]", "a", "ab", "abcd", "a" * 8, "a" * 16, "a" * 32, "a" * 64)
_DATES = ("2024-01-01", "2024-01-01T00:00:00Z", "2024-01-01 00:00:00", "a@b.co", "https://a.co")
_TRIED = (*_SHAPES, *_DATES)


def filled_database(
    schema: Schema,
    *,
    gaps: bool,
    later: Sequence[Table] = (),
    brought: apsw.Connection | None = None,
    alike: bool = False,
) -> tuple[apsw.Connection, frozenset[str]]:
    """A database of the schema with rows, and the tables that stay empty, in lower case.

    With `gaps` some rows hold NULL where they may. The rows pass the CHECKs and foreign keys that
    `later` tables of the same names have, as far as can be. The rows of `brought` come first.
    The text keys of two tables differ, for a file may put both into one, unless they are `alike`.
    """
    connection = apsw.Connection(":memory:", statementcachesize=0)
    connection.execute("PRAGMA foreign_keys = OFF")
    for found in sorted(schema.objects, key=lambda o: not is_virtual(o.sql)):
        if found.kind == "table":
            _tried(connection, found.sql)
    made = Schema.from_connection(connection)
    structure = StructureReader(connection).read(made)
    tables = [t for t in structure.tables.values() if t.kind is TableKind.ORDINARY]
    coming = {table.name.lower(): table for table in later}
    for table in tables:
        columns, place = list(map(quote_name, table.data_columns)), quote_name(table.name)
        with suppress(apsw.Error):  # a table that its files make otherwise
            if brought is not None:
                copy_cells(brought, place, connection, place, columns)
    known = {table.name.lower(): table for table in tables}
    filler = _Filler(connection, known, coming, gaps=gaps, alike=alike)
    for name in _order([_with_later_keys(table, coming) for table in tables]):
        filler.fill(name)
    _settle(connection, tables)
    _make_rest(connection, schema)
    rows = {t.name.lower(): f"SELECT 1 FROM {quote_name(t.name)} LIMIT 1" for t in tables}
    return connection, frozenset(n for n, sql in rows.items() if not connection.execute(sql).get)


def _order(tables: Sequence[Table]) -> tuple[Table, ...]:
    """Parents first; in a circle those first that no NOT NULL key holds back."""
    ordered, in_circle = parents_first(tables)
    if not in_circle:
        return ordered
    known = {table.name: table for table in tables}
    loose = [replace(known[name], foreign_keys=_hard_keys(known[name])) for name in in_circle]
    tail = tuple(known[table.name] for table in parents_first(loose)[0])
    return (*(t for t in ordered if t.name not in in_circle), *tail)


def _with_later_keys(table: Table, coming: Mapping[str, Table]) -> Table:
    """The table with the foreign keys too that it gets, for columns that have none yet."""
    later = coming.get(table.name.lower())
    taken = {name.lower() for key in table.foreign_keys for name in key.columns}
    added = tuple(
        key
        for key in (later.foreign_keys if later else ())
        if all(table.column(n) and n.lower() not in taken for n in key.columns)
    )
    return replace(table, foreign_keys=(*table.foreign_keys, *added)) if added else table


def _hard_keys(table: Table) -> tuple[ForeignKey, ...]:
    """The keys that no row can leave NULL."""
    needed = {c.name.lower() for c in table.columns if c.notnull or c.pk}
    return tuple(k for k in table.foreign_keys if {n.lower() for n in k.columns} <= needed)


class _Filler:
    """Writes rows, and remembers them for the tables that refer to them."""

    def __init__(
        self,
        connection: apsw.Connection,
        tables: Mapping[str, Table],
        coming: Mapping[str, Table],
        *,
        gaps: bool,
        alike: bool,
    ) -> None:
        self._connection = connection
        self._tables = tables
        self._coming = coming
        self._gaps = gaps
        self._alike = alike
        self._rows: dict[str, list[Row]] = {name: [] for name in tables}

    def fill(self, table: Table) -> None:
        """Put rows into one table, whose parents have theirs."""
        made = self._rows[table.name.lower()]
        for number in range(1, _ROWS + 1):
            later = self._coming.get(table.name.lower())
            row = _checked(table, self._row(table, number), later.checks if later else ())
            names, marks = ", ".join(map(quote_name, row)), ", ".join("?" * len(row))
            text = f"INSERT INTO {quote_name(table.name)} ({names}) VALUES ({marks})"
            try:
                self._connection.execute(text, _bound(row))
            except apsw.Error:
                continue
            made.append(row)
        if table.autoincrement and made:
            set_sequence(self._connection, table.name, _MARK)

    def _row(self, table: Table, number: int) -> Row:
        keys = {name.lower(): key for key in table.foreign_keys for name in key.columns}
        row: Row = {}
        for column in (c for c in table.columns if c.holds_data):
            may_be_null = not column.notnull and not column.pk
            key = keys.get(column.name.lower())
            is_gap = self._gaps and may_be_null and number == (_ROWS if key else _ROWS - 1)
            value = None if is_gap else self._value(table, column, number)
            if key and not is_gap:
                whose = number + _earlier_keys(table, key)
                value = self._referred(key, column, whose, None if may_be_null else value)
            row[column.name] = value
        return row

    def _value(self, table: Table, column: Column, number: int) -> object:
        value = _value(column, number)
        is_name = column.pk and isinstance(value, str) and not self._alike
        return f"{table.name} {value}" if is_name else value

    def _referred(self, key: ForeignKey, column: Column, number: int, otherwise: object) -> object:
        """The value of the parent's row that this row refers to."""
        parent, rows = self._tables.get(key.parent.lower()), self._rows.get(key.parent.lower())
        place = [name.lower() for name in key.columns].index(column.name.lower())
        names = key.parent_columns or (parent.primary_key if parent else ())
        there = parent.column(names[place]) if parent and place < len(names) else None
        if there is None or parent is None:
            return otherwise
        if not rows:  # of a circle: what it will have
            return self._value(parent, there, (number - 1) % _ROWS + 1)
        known = {name.lower(): value for name, value in rows[(number - 1) % len(rows)].items()}
        return known.get(there.name.lower(), otherwise)


def _bound(row: Row) -> tuple[str | int | float | bytes | None, ...]:
    """The values as the driver takes them: text, numbers, bytes or None."""
    return tuple(v if isinstance(v, str | int | float | bytes) else None for v in row.values())


def _earlier_keys(table: Table, key: ForeignKey) -> int:
    """How many keys to the same parent come before: a row refers to another one with each."""
    if any(
        other is not key and set(other.columns) & set(key.columns) for other in table.foreign_keys
    ):
        return 0
    same = [k for k in table.foreign_keys if k.parent.lower() == key.parent.lower()]
    return same.index(key)


def _value(column: Column, number: int) -> object:
    match column.affinity:
        case "INTEGER":
            return number * 10
        case "REAL":
            return number + 0.5
        case "NUMERIC":
            return number
        case "BLOB" if column.type:
            return f"{column.name} {number}".encode()
    if "json" in column.name.lower():  # which a file may read as such
        return f'{{"{column.name}": {number}}}'
    return f"{column.name} {number}"


def _checked(table: Table, row: Row, later: tuple[str, ...]) -> Row:
    """The row with values that pass the table's CHECKs, as far as some are found."""
    checks = tuple(dict.fromkeys((*later, *table.checks)))  # the present ones have the last word
    if not checks:
        return row
    with closing(apsw.Connection(":memory:")) as connection:
        columns = ", ".join(f"{quote_name(c.name)} {c.type}" for c in table.columns)
        connection.execute(f"CREATE TABLE one ({columns})")
        for check in (*checks, *checks):  # one may spoil another
            with suppress(apsw.Error):  # it names a column that is not there yet
                row = _passing(connection, table, row, check)
    return row


def _passing(connection: apsw.Connection, table: Table, row: Row, check: str) -> Row:
    named = {token.name.lower() for token in tokens(check, limit=len(check))}
    columns = [name for name in row if name.lower() in named][:3]
    literals = [_literal(t.text) for t in tokens(check, limit=len(check)) if t.kind in _LITERAL]
    choices = [(row[name], *literals, *_TRIED, None) for name in columns]
    for count, values in enumerate(product(*choices)):
        tried = {**row, **dict(zip(columns, values, strict=True))}
        nulls = [c for c in table.columns if c.notnull and tried.get(c.name, 0) is None]
        if not nulls and _passes(connection, tried, check):
            return tried
        if count > _COMBINATIONS:
            break
    return row


_LITERAL = (TokenKind.STRING, TokenKind.NUMBER)


def _literal(text: str) -> object:
    if text[:1] == "'":
        return text[1:-1].replace("''", "'")
    return int(text) if re.fullmatch(r"\d{1,15}", text) else 0


def _passes(connection: apsw.Connection, row: Row, check: str) -> bool:
    names, marks = ", ".join(map(quote_name, row)), ", ".join("?" * len(row))
    connection.execute("DELETE FROM one")
    connection.execute(f"INSERT INTO one ({names}) VALUES ({marks})", _bound(row))
    [(answer,)] = connection.execute(f"SELECT ({check}) IS NOT FALSE FROM one").fetchall()
    return bool(answer)


def _settle(connection: apsw.Connection, tables: Sequence[Table]) -> None:
    """Take out the rows that refer to none, until every one of them does."""
    known = {table.name: table for table in tables}
    for _ in range(len(tables) + _ROWS):
        try:
            found = connection.execute("PRAGMA foreign_key_check").fetchall()
        except apsw.Error:
            return
        if not found:
            return
        for name, rowid, _parent, number in found:
            table = known.get(str(name))
            if table:
                _untie(connection, table, rowid, int(str(number)))


def _untie(connection: apsw.Connection, table: Table, rowid: object, number: int) -> None:
    """Empty one row's reference where it may be NULL, else take the row out."""
    where = f" WHERE {table.rowid} = {rowid}" if table.rowid and rowid is not None else ""
    info = connection.execute(f"PRAGMA foreign_key_list({quote_name(table.name)})")
    names = [str(row[3]) for row in info if row[0] == number]
    free = [n for n in names if (c := table.column(n)) and not c.notnull and not c.pk]
    name = quote_name(table.name)
    if free and _tried(connection, f"UPDATE {name} SET {quote_name(free[0])} = NULL{where}"):
        return
    connection.execute(f"DELETE FROM {name}{where}")


def _make_rest(connection: apsw.Connection, schema: Schema) -> None:
    """Indexes, views and triggers; rows that a unique index does not take are left out."""
    order = {"index": 1, "view": 2, "trigger": 3}
    rest = sorted((o for o in schema.objects if o.kind in order), key=lambda o: order[o.kind])
    for found in rest:
        if not _tried(connection, found.sql) and found.kind == "index":
            connection.execute(f"DELETE FROM {quote_name(found.table)} WHERE rowid > 10")
            _tried(connection, found.sql)
    for found in schema.objects:
        declared = full_text(found.sql) if found.kind == "table" else None
        if declared and declared.is_external:
            name = quote_name(found.name)
            _tried(connection, f"INSERT INTO {name}({name}) VALUES ('rebuild')")


def _tried(connection: apsw.Connection, sql: str) -> bool:
    try:
        connection.execute(sql).fetchall()
    except apsw.Error:
        return False
    return True


@lru_cache(maxsize=8)
def empty_bytes(schema: Schema) -> bytes:
    """A database of the schema without a row, and with an empty ledger."""
    with closing(apsw.Connection(":memory:")) as connection:
        schema.build(connection)
        connection.execute(f"CREATE TABLE IF NOT EXISTS {d1.LEDGER}{d1.LEDGER_COLUMNS}")
        return connection.serialize("main")


def opened_copy(data: bytes) -> apsw.Connection:
    """A database of its own, in which chance gives both files the same values."""
    connection = apsw.Connection(":memory:", statementcachesize=0)
    connection.deserialize("main", data)
    given = numbers(1)

    def number(*_nothing: object) -> int:
        return next(given) * _STEP % _LARGEST

    def blob(*size: object) -> bytes:
        return number().to_bytes(8) * (max(int(str(size[0])), 8) // 8)

    connection.create_scalar_function("random", number, 0)
    connection.create_scalar_function("randomblob", blob, 1)
    return connection
