"""Writes row copies back as SQL: exact literals, parents first, each statement small enough for D1.

D1 refuses statements over 100 KB, so a row whose literals are longer cannot come back this way;
such rows are counted, never left out in silence.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import field, replace

import apsw

from d1_preflight.core.format import noun_for, plural
from d1_preflight.core.rows.codec import Packer, copy_cells, wire
from d1_preflight.core.rows.table_copy import RowCopy
from d1_preflight.core.schema.full_text import full_text
from d1_preflight.core.schema.schema import Schema, structure, tables_of
from d1_preflight.core.schema.sequences import raise_sequence
from d1_preflight.core.schema.table import Table, parents_first, shadows_of
from d1_preflight.core.sql.tokenizer import quote_name
from d1_preflight.lazy_dataclass import dataclass

INSERT_BYTES = 90_000
Opened = Callable[[RowCopy], AbstractContextManager[apsw.Connection]]
Scratch = Callable[[], AbstractContextManager[apsw.Connection]]


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
class RestoreScript:
    """A restore script: what it holds, and what one must know before it is run."""

    tables: tuple[TableSql, ...]
    cautions: tuple[str, ...] = field(default_factory=tuple)


def dependency_order(schema: Schema) -> Order:
    """The order in which a schema's tables can be filled while foreign keys are on."""
    found = structure(schema)
    tables = [s for n, s in found.tables.items() if n not in found.inner and not s.is_virtual]
    ordered, cycles = parents_first(tables)
    return Order(tuple(table.name for table in ordered), cycles)


def write_restore_sql(
    write: Callable[[str], object],
    copies: Sequence[RowCopy],
    schema: Schema,
    opened: Opened,
    scratch: Scratch,
    *,
    limit: int = INSERT_BYTES,
) -> RestoreScript:
    """Write INSERTs for these copies into empty tables of `schema`.

    `opened` opens a copy; `scratch` opens an empty database for the rows of an R*Tree.
    """
    order = dependency_order(schema)
    places = {name: n for n, name in enumerate(order.tables)}
    kept = sorted((c for c in copies if c.table in places), key=lambda c: places[c.table])
    indexes, trees = _indexes(schema, copies), _trees(schema, copies)
    filled = {name for index in indexes for name in index.shadows}
    filled |= {copy.table for tree in trees for copy in tree.nodes}
    cautions = [
        f"{c.table} belongs to a virtual table and is not restored; fill that table again."
        for c in copies
        if c.table not in places and c.table not in filled
    ]
    cautions += _cautions(schema, order, [copy.table for copy in kept])
    tables = []
    if order.cycles:
        write("PRAGMA defer_foreign_keys = ON;\n")
    for copy in kept:
        with opened(copy) as connection:
            tables.append(_write_inserts(write, copy, connection, limit))
        if copy.sequence is not None:
            for statement in raise_sequence(copy.table, copy.sequence):
                write(f"{statement};\n")
    tables += list(_write_indexes(write, indexes, opened, limit))
    for tree in trees:
        with opened_tree(tree.table, tree.nodes, opened, scratch) as connection:
            tables.append(_write_tree(write, tree, connection, limit))
    cautions += [f"{t.table}: {too_long_words(t.too_long)}." for t in tables if t.too_long]
    return RestoreScript(tuple(tables), tuple(cautions))


@dataclass(frozen=True, slots=True)
class _Index:
    """A full-text index that is filled through FTS5: from its content, or from its own text."""

    name: str
    columns: tuple[str, ...]
    shadows: tuple[str, ...]
    text: RowCopy | None = None


def _indexes(schema: Schema, copies: Sequence[RowCopy]) -> tuple[_Index, ...]:
    """The indexes whose text is among the copies."""
    known = {copy.table.lower(): copy for copy in copies}
    all_tables = tables_of(schema)
    found = []
    for table in all_tables:
        declared = full_text(table.sql) if table.is_virtual else None
        shadows = shadows_of(all_tables, table.name) if declared else ()
        text = known.get(f"{table.name}_content".lower())
        if declared and declared.content is None and text:
            found.append(_Index(table.name, table.data_columns, shadows, text))
        elif declared and declared.content and declared.content.lower() in known:
            found.append(_Index(table.name, (), shadows))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Tree:
    """An R*Tree of which every table with its nodes was copied."""

    table: Table
    nodes: tuple[RowCopy, ...]


def _trees(schema: Schema, copies: Sequence[RowCopy]) -> tuple[_Tree, ...]:
    known, found = {copy.table: copy for copy in copies}, []
    all_tables = tables_of(schema)
    for table in all_tables:
        if not table.has_own_rows or full_text(table.sql):
            continue
        shadows = shadows_of(all_tables, table.name)
        if shadows and set(shadows) <= set(known):
            found.append(_Tree(table, tuple(known[name] for name in shadows)))
    return tuple(found)


def _write_indexes(
    write: Callable[[str], object], indexes: Sequence[_Index], opened: Opened, limit: int
) -> Iterator[TableSql]:
    for index in indexes:
        if index.text is None:
            name = quote_name(index.name)
            write(f"INSERT INTO {name}({name}) VALUES ('rebuild');\n")
        else:
            with opened(index.text) as connection:
                yield _write_texts(write, index, connection, limit)


@contextmanager
def opened_tree(
    tree: Table, nodes: Sequence[RowCopy], opened: Opened, scratch: Scratch
) -> Iterator[apsw.Connection]:
    """A scratch database in which `rows` holds the rows of the tree; `scratch` opens an empty one.

    D1 refuses writes to the tables in which an R*Tree keeps its nodes, so a restore writes its rows
    through the R*Tree itself. It can be larger than memory: the caller says where they lie.
    """
    with scratch() as connection:
        connection.execute(tree.sql)
        for copy in nodes:
            with opened(copy) as held:
                table = quote_name(copy.table)
                connection.execute(f"DELETE FROM {table}")
                names = [quote_name(name) for name in copy.columns]
                columns = [copy.rowid, *names] if copy.rowid else names
                copy_cells(held, "rows", connection, table, columns)
        connection.execute(f"CREATE TEMP VIEW rows AS SELECT * FROM main.{quote_name(tree.name)}")
        yield connection


def _write_tree(
    write: Callable[[str], object], tree: _Tree, connection: apsw.Connection, limit: int
) -> TableSql:
    """REPLACE the rows of a tree: a trigger may have put them there already."""
    columns = tree.table.data_columns
    names = ", ".join(quote_name(name) for name in columns)
    head = f"REPLACE INTO {quote_name(tree.table.name)} ({names}) VALUES\n"
    rows = replace(tree.nodes[0], table=tree.table.name, columns=columns, rowid="")
    return _write_batches(write, head, rows, connection, limit, order="")


def _write_texts(
    write: Callable[[str], object], index: _Index, connection: apsw.Connection, limit: int
) -> TableSql:
    """REPLACE the rows of an index with a text of its own: a trigger may have put them there."""
    assert index.text is not None  # noqa: S101 - the caller asks first
    names = ", ".join(["rowid", *(quote_name(name) for name in index.columns)])
    head = f"REPLACE INTO {quote_name(index.name)} ({names}) VALUES\n"
    held = ("id", *(f"c{n}" for n in range(len(index.columns))))
    texts = replace(index.text, table=index.name, columns=held, rowid="")
    return _write_batches(write, head, texts, connection, limit)


def _write_inserts(
    write: Callable[[str], object], copy: RowCopy, connection: apsw.Connection, limit: int
) -> TableSql:
    """Write the INSERT statements of one copy, as many rows to each as fit."""
    names = [quote_name(name) for name in copy.columns]
    names = [copy.rowid, *names] if copy.rowid else names
    head = f"INSERT INTO {quote_name(copy.table)} ({', '.join(names)}) VALUES\n"
    return _write_batches(write, head, copy, connection, limit)


def _write_batches(
    write: Callable[[str], object],
    head: str,
    copy: RowCopy,
    connection: apsw.Connection,
    limit: int,
    *,
    order: str = " ORDER BY rowid",
) -> TableSql:
    packer = Packer(limit - len(head) - 2)
    rows = statements = 0
    cells = [f"'i'||{copy.rowid}"] if copy.rowid else []
    cells += [wire(quote_name(name)) for name in copy.columns]
    for batch in packer.batches(connection, f"SELECT {', '.join(cells)} FROM rows{order}"):
        write(head + ",\n".join(batch) + ";\n")
        rows, statements = rows + len(batch), statements + 1
    return TableSql(copy.table, rows, statements, packer.too_long)


def too_long_words(rows: int) -> str:
    """How many rows cannot be written back, because a statement would be too long."""
    return (
        f"{plural(rows, 'row')} {noun_for(rows, 'exceeds', 'exceed')} D1's limit of 100 KB per "
        "statement"
    )


def _cautions(schema: Schema, order: Order, tables: Sequence[str]) -> Iterator[str]:
    if order.cycles:
        names = ", ".join(order.cycles)
        yield f"{names} refer to each other: run the file as a whole, with foreign keys deferred."
    wanted = {name.lower() for name in tables}
    for found in schema.objects:
        if found.kind == "trigger" and found.table.lower() in wanted:
            yield (
                f"Trigger {found.name} fires on {found.table}: drop it first, then create it again."
            )
