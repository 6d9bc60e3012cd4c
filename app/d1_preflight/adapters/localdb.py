"""The local D1: a plain SQLite file under a name that follows from the database's id.

Wrangler never checkpoints it, so the main file may be almost empty with everything in the `-wal`
beside it: it is read with mode=ro and copied with SQLite's backup, never byte by byte.
"""

import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import apsw

from d1_preflight.core.errors import ProjectError
from d1_preflight.core.observation import LedgerRow
from d1_preflight.core.rowcopy import RowCopy, content_digest, copy_table, create_file
from d1_preflight.core.schema import SCHEMA_QUERY, Schema, SchemaObject
from d1_preflight.core.tables import (
    Table,
    TableKind,
    create_rest,
    create_tables,
    quoted,
    read_tables,
)

PERSIST_SUBFOLDER = Path("v3") / "d1" / "miniflare-D1DatabaseObject"
_LEDGER_SQL = """CREATE TABLE {name}(
		id         INTEGER PRIMARY KEY AUTOINCREMENT,
		name       TEXT UNIQUE,
		applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL
)"""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a local database is to hold; `sequences` are the high-water marks of AUTOINCREMENT."""

    schema: Schema = field(default_factory=Schema)
    copies: Sequence[RowCopy] = ()
    ledger: Sequence[LedgerRow] = ()
    ledger_table: str = "d1_migrations"
    sequences: Mapping[str, int] = field(default_factory=dict)


def local_file(persist: Path, database_id: str) -> Path:
    """Name the file of a local D1; `persist` is `--persist-to` (else `.wrangler/state`)."""
    key = sha256(b"miniflare-D1DatabaseObject").digest()
    name = hmac.digest(key, database_id.encode(), "sha256")[:16]
    check = hmac.digest(key, name, "sha256")[:16]
    return persist / PERSIST_SUBFOLDER / f"{(name + check).hex()}.sqlite"


def create(path: Path, contents: Contents) -> None:
    """Make a database file for wrangler to take as its own: tables, rows, then all the rest."""
    connection = create_file(path)
    try:
        connection.execute("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON")
        create_tables(connection, contents.schema)
        _ensure_ledger(connection, contents)
        for copy in contents.copies:
            _load(connection, copy)
        _fill_ledger(connection, contents)
        create_rest(connection, contents.schema)
        _carry_sequences(connection, contents.sequences)
        connection.execute("PRAGMA journal_mode = WAL")
    except BaseException:
        connection.close()
        path.unlink(missing_ok=True)
        raise
    connection.close()


def open_read(path: Path) -> apsw.Connection:
    """Open a database only to read, with what its `-wal` holds."""
    if not path.is_file():
        raise ProjectError(
            f"There is no local database at {path.name}.",
            hint="Apply a migration with --local first; wrangler then creates it.",
        )
    connection = apsw.Connection(
        f"{path.resolve().as_uri()}?mode=ro", apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    )
    connection.set_busy_timeout(5000)
    return connection


def read_schema(path: Path) -> Schema:
    """Read the schema, the ledger's table included."""
    connection = open_read(path)
    try:
        found = connection.execute(SCHEMA_QUERY).fetchall()
    finally:
        connection.close()
    return Schema(
        tuple(
            SchemaObject(str(kind), str(name), str(table), str(sql))
            for kind, name, table, sql in found
            if sql is not None
        )
    )


def read_shapes(path: Path) -> tuple[Table, ...]:
    """Read the tables with their columns, keys and references."""
    connection = open_read(path)
    try:
        return read_tables(connection)
    finally:
        connection.close()


def read_counts(path: Path) -> dict[str, int]:
    """Count the rows of every table that is not a shadow."""
    connection = open_read(path)
    try:
        return {
            table.name: _one(connection, f"SELECT count(*) FROM {quoted(table.name)}")
            for table in read_tables(connection)
            if table.kind is not TableKind.SHADOW
        }
    finally:
        connection.close()


def read_digests(path: Path) -> dict[str, tuple[int, str]]:
    """Count and digest the content of every ordinary table."""
    connection = open_read(path)
    try:
        return {
            table.name: content_digest(connection, f"main.{quoted(table.name)}", table.data_columns)
            for table in read_tables(connection)
            if table.kind is TableKind.ORDINARY
        }
    finally:
        connection.close()


def read_ledger(path: Path, table: str = "d1_migrations") -> tuple[LedgerRow, ...]:
    """Read the ledger, () where there is no such table yet."""
    connection = open_read(path)
    try:
        known = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (table,))
        if not known.fetchone():
            return ()
        found = connection.execute(
            f"SELECT id, name, applied_at FROM {quoted(table)} ORDER BY id"
        ).fetchall()
        return tuple(LedgerRow(int(str(i)), str(name), str(at)) for i, name, at in found)
    finally:
        connection.close()


def read_sequences(path: Path) -> dict[str, int]:
    """Read the high-water marks of AUTOINCREMENT."""
    connection = open_read(path)
    try:
        known = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'")
        if not known.fetchone():
            return {}
        found = connection.execute("SELECT name, seq FROM sqlite_sequence").fetchall()
        return {str(name): int(str(seq)) for name, seq in found if seq is not None}
    finally:
        connection.close()


def copy_rows(path: Path, tables: Iterable[str], folder: Path) -> tuple[RowCopy, ...]:
    """Copy tables of a local database into one numbered file each."""
    shapes = {table.name: table for table in read_shapes(path)}
    found = []
    for number, name in enumerate(tables, 1):
        if name not in shapes:
            raise ProjectError(f"There is no table {name} to copy.", hint="Read the schema again.")
        found.append(copy_table(path, shapes[name], folder / f"{number:04}.rows"))
    return tuple(found)


def duplicate(path: Path, to: Path) -> None:
    """Copy a whole database, consistent even while it is written to."""
    source = open_read(path)
    target = create_file(to)
    try:
        with target.backup("main", source, "main") as backup:
            backup.step()
        target.execute("PRAGMA journal_mode = WAL")
    except BaseException:
        to.unlink(missing_ok=True)
        raise
    finally:
        target.close()
        source.close()


def _load(connection: apsw.Connection, copy: RowCopy) -> None:
    connection.execute("ATTACH ? AS copy", (f"{copy.path.resolve().as_uri()}?mode=ro",))
    names = ", ".join(quoted(name) for name in copy.columns)
    names = f"{copy.rowid}, {names}" if copy.rowid else names
    table = quoted(copy.table)
    connection.execute(f"DELETE FROM main.{table}")  # a new virtual table's shadows hold rows
    connection.execute(f"INSERT INTO main.{table}({names}) SELECT {names} FROM copy.rows")
    connection.execute("DETACH copy")


def _ensure_ledger(connection: apsw.Connection, contents: Contents) -> None:
    known = contents.ledger_table in contents.schema.tables
    if not known and contents.ledger:
        connection.execute(_LEDGER_SQL.format(name=quoted(contents.ledger_table)))


def _fill_ledger(connection: apsw.Connection, contents: Contents) -> None:
    if contents.ledger:
        connection.executemany(
            f"INSERT INTO {quoted(contents.ledger_table)}(id, name, applied_at) VALUES (?, ?, ?)",
            [(row.id, row.name, row.applied_at) for row in contents.ledger],
        )


def _carry_sequences(connection: apsw.Connection, sequences: Mapping[str, int]) -> None:
    if not sequences:
        return
    connection.executemany(
        "DELETE FROM sqlite_sequence WHERE name = ?", [(name,) for name in sequences]
    )
    connection.executemany(
        "INSERT INTO sqlite_sequence(name, seq) VALUES (?, ?)", sequences.items()
    )


def _one(connection: apsw.Connection, sql: str) -> int:
    row = connection.execute(sql).fetchone()
    if row is None:
        raise ProjectError("The local database gave no answer.", hint="Run the step again.")
    return int(str(row[0]))
