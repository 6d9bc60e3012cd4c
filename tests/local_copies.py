"""Row copies, row diffs and repair scripts of local database files."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from d1_preflight.adapters.row_copies import RowCopyWriter, attached
from d1_preflight.core.recovery.repair_sql import RepairScript, write_repair_sql
from d1_preflight.core.recovery.restore_sql import INSERT_BYTES
from d1_preflight.core.rows.codec import read_rows, whole_page
from d1_preflight.core.rows.row_diff import Renames, RowDiff, TableDiff, diff_rows
from d1_preflight.core.rows.table_copy import RowCopy, content_digest
from d1_preflight.core.schema.schema import Schema
from d1_preflight.core.schema.sequences import local_sequences
from d1_preflight.core.schema.table import Table, TableKind, read_tables
from d1_preflight.core.sql.tokenizer import quote_name
from d1_preflight.disk import new_text


def schema_of(sql: str) -> Schema:
    """The schema that a script makes in an empty database."""
    connection = apsw.Connection(":memory:")
    connection.execute(sql)
    try:
        return Schema.from_connection(connection)
    finally:
        connection.close()


def make_file(path: Path, sql: str) -> Path:
    """A database's file as a script makes it: in memory, where nothing is synced at each step."""
    connection = apsw.Connection(":memory:")
    connection.execute(sql).fetchall()
    path.write_bytes(connection.serialize("main"))
    connection.close()
    return path


def copy_table(source: Path, table: Table, path: Path) -> RowCopy:
    """Copy one table as the target's tables are copied: through tagged text."""
    writer = RowCopyWriter(path, table)
    connection = opened(source)
    cursor = connection.execute(whole_page(table).sql)
    names = [f"c{n}" for n in range(len(table.data_columns))]
    writer.add(read_rows(table, (dict(zip(names, row, strict=True)) for row in cursor)))
    mark = local_sequences(connection).get(table.name)
    connection.close()
    return writer.close(mark)


def copy_rows(path: Path, tables: Iterable[str], folder: Path) -> tuple[RowCopy, ...]:
    """Copy tables of a local database into one numbered file each."""
    shapes = {table.name: table for table in read_shapes(path)}
    return tuple(
        copy_table(path, shapes[name], folder / f"{number:04}.rows")
        for number, name in enumerate(tables, 1)
    )


def read_shapes(path: Path) -> tuple[Table, ...]:
    connection = opened(path)
    try:
        return read_tables(connection)
    finally:
        connection.close()


def read_schema(path: Path) -> Schema:
    connection = opened(path)
    try:
        return Schema.from_connection(connection)
    finally:
        connection.close()


def read_digests(path: Path) -> dict[str, tuple[int, str]]:
    """Count and digest the content of every ordinary table."""
    connection = opened(path)
    try:
        return {
            table.name: content_digest(connection, quote_name(table.name), table.data_columns)
            for table in read_tables(connection)
            if table.kind is TableKind.ORDINARY
        }
    finally:
        connection.close()


def opened(path: Path) -> apsw.Connection:
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    return apsw.Connection(f"{path.resolve().as_uri()}?mode=ro", flags)


@contextmanager
def two_states(before: str, after: str) -> Iterator[apsw.Connection]:
    """Two databases in memory that two scripts make, attached as `before` and `after`."""
    connection = apsw.Connection(":memory:")
    for name, script in (("before", before), ("after", after)):
        state = apsw.Connection(":memory:")
        state.execute(script).fetchall()
        connection.execute(f"ATTACH ':memory:' AS {name}")
        connection.deserialize(name, state.serialize("main"))
        state.close()
    try:
        yield connection
    finally:
        connection.close()


def diff_files(
    before: Path,
    after: Path,
    *,
    renames: Renames | None = None,
    ignore: Collection[str] = ("d1_migrations",),
    rebuilt: Collection[str] = (),
) -> RowDiff:
    with attached(before=before, after=after) as connection:
        return diff_rows(connection, renames=renames, ignore=ignore, rebuilt=rebuilt)


def table_diff(found: RowDiff, name: str) -> TableDiff:
    """The diff of one table."""
    return next(table for table in found.tables if table.table == name)


def write_repair(
    path: Path,
    before: Path,
    after: Path,
    schema: Schema,
    *,
    rebuilt: Collection[str] = (),
    only: Collection[str] = (),
    limit: int = INSERT_BYTES,
) -> RepairScript:
    """Write the script as the program does, to a new private file."""
    with attached(before=before, after=after) as connection, new_text(path) as file:
        return write_repair_sql(
            file.write, connection, schema, rebuilt=rebuilt, only=only, limit=limit
        )
