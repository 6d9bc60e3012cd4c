"""Writes row copies back as SQL: exact literals, parents first, each statement small enough for D1.

D1 refuses statements over 100 KB, so a row whose literals are longer cannot come back this way;
such rows are counted, never left out in silence.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import apsw

from d1_preflight.core.rows.codec import decode, literal, wire
from d1_preflight.core.rows.table_copy import RowCopy
from d1_preflight.core.schema.order import parents_first
from d1_preflight.core.schema.schema import Schema, structure
from d1_preflight.core.schema.sequences import raise_sequence
from d1_preflight.core.sql.tokenizer import quote_name

INSERT_BYTES = 90_000


@dataclass(frozen=True, slots=True)
class Order:
    """The tables, parents first; those in `cycles` refer to each other in a ring."""

    tables: tuple[str, ...]
    cycles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TableSql:
    """What was written for one table; `too_long` rows exceed D1's statement and are not in it."""

    table: str
    rows: int
    statements: int
    too_long: int


@dataclass(frozen=True, slots=True)
class RestoreSql:
    """A restore file: what it holds, and what one must know before it is run."""

    path: Path
    tables: tuple[TableSql, ...]
    cautions: tuple[str, ...] = field(default_factory=tuple)


def dependency_order(schema: Schema) -> Order:
    """The order in which a schema's tables can be filled while foreign keys are on."""
    found = structure(schema)
    shapes = [s for n, s in found.tables.items() if n not in found.inner and not s.virtual]
    ordered, cycles = parents_first(shapes)
    return Order(tuple(shape.name for shape in ordered), cycles)


def write_restore(
    path: Path, copies: Sequence[RowCopy], schema: Schema, *, limit: int = INSERT_BYTES
) -> RestoreSql:
    """Write INSERTs for these copies into empty tables of `schema`, to a new private file."""
    order = dependency_order(schema)
    places = {name: n for n, name in enumerate(order.tables)}
    kept = sorted((c for c in copies if c.table in places), key=lambda c: places[c.table])
    cautions = [
        f"{c.table} belongs to a virtual table and is not written; fill that table again."
        for c in copies
        if c.table not in places
    ]
    cautions += _cautions(schema, order, [copy.table for copy in kept])
    tables = []
    path.touch(mode=0o600, exist_ok=False)
    try:
        with path.open("w", encoding="utf-8", newline="\n") as file:
            if order.cycles:
                file.write("PRAGMA defer_foreign_keys = ON;\n")
            for copy in kept:
                written = _Inserts(copy, limit)
                for statement in written:
                    file.write(statement)
                tables.append(written.told())
                if copy.sequence is not None:
                    marks = raise_sequence(copy.table, copy.sequence)
                    file.writelines(f"{statement};\n" for statement in marks)
    except BaseException:
        path.unlink(missing_ok=True)  # half of it would look like the whole
        raise
    cautions += [
        f"{t.too_long} rows of {t.table} exceed D1's 100 KB." for t in tables if t.too_long
    ]
    return RestoreSql(path, tuple(tables), tuple(cautions))


class _Inserts:
    """The INSERT statements of one copy, as many rows to each as fit."""

    def __init__(self, copy: RowCopy, limit: int) -> None:
        self._copy = copy
        names = [quote_name(name) for name in copy.columns]
        names = [copy.rowid, *names] if copy.rowid else names
        self._head = f"INSERT INTO {quote_name(copy.table)} ({', '.join(names)}) VALUES\n"
        self._room = limit - len(self._head) - 2
        self._rows = self._statements = self._too_long = 0

    def __iter__(self) -> Iterator[str]:
        batch: list[str] = []
        used = 0
        for row in self._literals():
            size = len(row.encode()) + 2
            if size > self._room:
                self._too_long += 1
                continue
            if batch and used + size > self._room:
                yield self._statement(batch)
                batch, used = [], 0
            batch.append(row)
            used += size
        if batch:
            yield self._statement(batch)

    def told(self) -> TableSql:
        """What was written, once all of it was."""
        return TableSql(self._copy.table, self._rows, self._statements, self._too_long)

    def _statement(self, batch: list[str]) -> str:
        self._rows += len(batch)
        self._statements += 1
        return self._head + ",\n".join(batch) + ";\n"

    def _literals(self) -> Iterator[str]:
        cells = ", ".join(wire(quote_name(name)) for name in self._copy.columns)
        connection = apsw.Connection(
            f"{self._copy.path.resolve().as_uri()}?mode=ro",
            apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI,
        )
        try:
            for rowid, *values in connection.execute(
                f"SELECT {self._copy.rowid or 'NULL'}, {cells} FROM rows ORDER BY rowid"
            ):
                texts = [literal(decode(None if v is None else str(v))) for v in values]
                texts = [str(rowid), *texts] if self._copy.rowid else texts
                yield f"({', '.join(texts)})"
        finally:
            connection.close()


def _cautions(schema: Schema, order: Order, tables: Sequence[str]) -> Iterator[str]:
    if order.cycles:
        names = ", ".join(order.cycles)
        yield f"{names} refer to each other: the file must run as one, foreign keys deferred."
    wanted = {name.lower() for name in tables}
    for found in schema.objects:
        if found.kind == "trigger" and found.table.lower() in wanted:
            yield f"Trigger {found.name} fires on {found.table}: drop it first, then make it again."
