"""The local D1: a plain SQLite file under a name that follows from the database's id.

Wrangler never checkpoints it, so the main file may be almost empty with everything in the `-wal`
beside it: it is read with mode=ro and copied with SQLite's backup, never byte by byte.
"""

import errno
import hmac
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import field
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import apsw

from d1_preflight.adapters.row_copies import create_file, read_only
from d1_preflight.core.errors import ProjectError, RecordInvalid, RemoteFailed
from d1_preflight.core.rows.table_copy import RowCopy
from d1_preflight.core.schema.schema import (
    Schema,
    create_rest,
    create_tables,
)
from d1_preflight.core.schema.sequences import set_sequence
from d1_preflight.core.schema.table import countable, read_tables
from d1_preflight.core.sql.refusal_words import constraint_words
from d1_preflight.core.sql.tokenizer import quote_name
from d1_preflight.core.target.snapshot import LedgerRow
from d1_preflight.disk import DISK_ERRORS, writing
from d1_preflight.lazy_dataclass import dataclass

PERSIST_SUBFOLDER = Path("v3") / "d1" / "miniflare-D1DatabaseObject"
_ONLY_A_COPY = "It is only a copy; the target was only read."
_HEAD = 100  # bytes of SQLite's own at the front of a database
_LEDGER_SQL = """CREATE TABLE {name}(
		id         INTEGER PRIMARY KEY AUTOINCREMENT,
		name       TEXT UNIQUE,
		applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL
)"""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a local database is to hold; the copies bring their AUTOINCREMENT marks along."""

    schema: Schema = field(default_factory=Schema)
    copies: Sequence[RowCopy] = ()
    ledger: Sequence[LedgerRow] = ()
    ledger_table: str = "d1_migrations"


@lru_cache(maxsize=32)
def local_file(persist: Path, database_id: str) -> Path:
    """Name the file of a local D1; `persist` is `--persist-to` (else `.wrangler/state`)."""
    key = sha256(b"miniflare-D1DatabaseObject").digest()
    name = hmac.digest(key, database_id.encode(), "sha256")[:16]
    check = hmac.digest(key, name, "sha256")[:16]
    return persist / PERSIST_SUBFOLDER / f"{(name + check).hex()}.sqlite"


def create(path: Path, contents: Contents) -> None:
    """Make a database file for wrangler to take as its own: tables, rows, then all the rest."""
    with _whole(path) as connection:
        _fill(connection, contents)


@contextmanager
def _whole(path: Path) -> Iterator[apsw.Connection]:
    """A new database that has its name when it is whole: half a schema would be judged as one."""
    part = path.with_name(f".{path.name}.partial")
    with writing(path, _ONLY_A_COPY):
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        part.unlink(missing_ok=True)
    connection = create_file(part)
    try:
        with writing(path, _ONLY_A_COPY):
            yield connection
            connection.close()
            part.rename(path)
    except BaseException:
        connection.close()
        part.unlink(missing_ok=True)
        raise


def open_read(path: Path) -> apsw.Connection:
    """Open a database only to read, with what its `-wal` holds."""
    if not path.is_file():
        raise ProjectError(
            f"There is no local database at {path.name}.",
            hint="Apply a migration with --local first; wrangler then creates it.",
        )
    connection = read_only(path)
    connection.set_busy_timeout(5000)
    return connection


@contextmanager
def reading(path: Path) -> Iterator[apsw.Connection]:
    """A database open to read; what SQLite cannot read of it is a ProjectError."""
    connection = open_read(path)
    try:
        yield connection
    except apsw.Error as error:
        raise ProjectError(
            f"The local database {path.name} cannot be read: {error}.",
            hint="It is only a copy. Run the step that made it again.",
        ) from error
    finally:
        connection.close()


def read_whole(path: Path, most: int) -> bytes:
    """A database as the bytes of its file, with what its `-wal` holds; b"" above `most`."""
    with reading(path) as connection:
        size = _one(connection, "PRAGMA page_size") * _one(connection, "PRAGMA page_count")
        if size > most:
            return b""
        data = bytearray(connection.serialize("main"))
    data[18:20] = b"\x01\x01"  # a database in memory has no write-ahead log
    return bytes(data)


def read_schema(path: Path) -> Schema:
    """Read the schema, the ledger's table included; what did not change is not read again."""
    return _schema_of(path, _signs_of_change(path))


@lru_cache(maxsize=8)
def _schema_of(path: Path, _signs: object) -> Schema:
    with reading(path) as connection:
        return Schema.from_connection(connection)


def _signs_of_change(path: Path) -> tuple[object, ...]:
    """What differs after any write: SQLite counts them in its file's head, and the -wal grows."""
    found = list[object]()
    for part in (path, f"{path}-wal"):
        try:
            with open(part, "rb", buffering=0) as file:  # noqa: PTH123 - a tenth of a moment: each key asks
                now = os.fstat(file.fileno())
                found += [now.st_ino, now.st_size, now.st_mtime_ns, file.read(_HEAD)]
        except OSError:
            found.append(None)
    return tuple(found)


def read_counts(path: Path) -> dict[str, int]:
    """Count the rows of every table that holds rows of its own."""
    with reading(path) as connection:
        return {
            name: _one(connection, f"SELECT count(*) FROM {quote_name(name)}")
            for name in countable(read_tables(connection))
        }


def read_ledger(path: Path, table: str = "d1_migrations") -> tuple[LedgerRow, ...]:
    """Read the ledger, () where there is no such table yet."""
    with reading(path) as connection:
        known = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (table,))
        if not known.fetchone():
            return ()
        found = connection.execute(
            f"SELECT id, name, applied_at FROM {quote_name(table)} ORDER BY id"
        ).fetchall()
    return tuple(LedgerRow(int(str(i)), str(name), str(at)) for i, name, at in found)


def duplicate(path: Path, to: Path) -> None:
    """Copy a whole database, consistent even while it is written to."""
    with reading(path) as source, _whole(to) as target:
        with target.backup("main", source, "main") as backup:
            backup.step()
        target.execute("PRAGMA journal_mode = WAL")


def _fill(connection: apsw.Connection, contents: Contents) -> None:
    connection.execute("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON")
    create_tables(connection, contents.schema)
    if contents.ledger and contents.ledger_table not in contents.schema.tables:
        connection.execute(_LEDGER_SQL.format(name=quote_name(contents.ledger_table)))
    for copy in contents.copies:
        _load(connection, copy)
    _fill_ledger(connection, contents)
    create_rest(connection, contents.schema)
    _carry_sequences(connection, contents.copies)
    connection.execute("PRAGMA journal_mode = WAL")


def _load(connection: apsw.Connection, copy: RowCopy) -> None:
    if not copy.path.is_file():
        raise RecordInvalid(
            f"The copy of {copy.table} is missing: {copy.path.name}.", hint="Make it again."
        )
    names = ", ".join(quote_name(name) for name in copy.columns)
    names = f"{copy.rowid}, {names}" if copy.rowid else names
    table = quote_name(copy.table)
    insert = f"INSERT INTO main.{table}({names}) SELECT {names} FROM copy.rows"
    try:
        connection.execute("ATTACH ? AS copy", (f"{copy.path.absolute().as_uri()}?mode=ro",))
        connection.execute(f"EXPLAIN {insert}")  # only names are read: no value can leak
    except apsw.Error as error:
        raise ProjectError(
            f"The rows of {copy.table} do not fit the schema: {error}.",
            hint="The schema is not the one they were read from. Read both again.",
        ) from error
    connection.execute(f"DELETE FROM main.{table}")  # a new virtual table's shadows hold rows
    try:
        connection.execute(insert)
    except apsw.ConstraintError as error:
        raise RemoteFailed(
            f"The rows of {copy.table} do not fit together: {constraint_words(str(error))}.",
            hint="The target changed while it was read. Read it again at a quieter time.",
        ) from error
    except DISK_ERRORS:
        raise
    except apsw.Error as error:  # its words may quote a row
        raise ProjectError(
            f"The rows of {copy.table} cannot be loaded ({type(error).__name__}).",
            hint="Try its schema with such rows in a shell: an expression in it fails.",
        ) from error
    connection.execute("DETACH copy")


def _fill_ledger(connection: apsw.Connection, contents: Contents) -> None:
    if not contents.ledger:
        return
    table = contents.ledger_table
    try:
        connection.executemany(
            f"INSERT INTO {quote_name(table)}(id, name, applied_at) VALUES (?, ?, ?)",
            [(row.id, row.name, row.applied_at) for row in contents.ledger],
        )
    except (apsw.ConstraintError, apsw.SQLError) as error:
        raise ProjectError(
            f"The ledger {table} is not as wrangler creates it ({type(error).__name__}).",
            hint="Look at it on the target; the rehearsal needs all of it.",
        ) from error


def _carry_sequences(connection: apsw.Connection, copies: Sequence[RowCopy]) -> None:
    """Set the marks; the rows alone bring back only the highest id that is still there."""
    numbered = {table.name for table in read_tables(connection) if table.autoincrement}
    for copy in copies:
        if copy.table in numbered and (copy.sequence is not None or not copy.rows):
            set_sequence(connection, copy.table, copy.sequence)


def _one(connection: apsw.Connection, sql: str) -> int:
    row = connection.execute(sql).fetchone()
    if row is None:
        raise ProjectError("The local database gave no answer.", hint="Run the step again.")
    return int(str(row[0]))
