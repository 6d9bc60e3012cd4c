"""Files of row copies: written as the rows arrive, opened again, attached to be compared.

A file is a small SQLite database, so that anyone can look into it with stock tools: `rows` has
the table's columns by their names and without types (nothing is converted) and keeps the rowids;
`about` says what it is.
"""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from hashlib import file_digest
from pathlib import Path
from tempfile import TemporaryDirectory

import apsw

from d1_preflight.core.errors import ProjectError, RecordInvalid
from d1_preflight.core.recovery.restore_sql import INSERT_BYTES, RestoreScript, write_restore_sql
from d1_preflight.core.rows.codec import RawText, Row
from d1_preflight.core.rows.equality import Difference, first_difference
from d1_preflight.core.rows.table_copy import RowCopy, content_digest
from d1_preflight.core.schema.schema import Schema
from d1_preflight.core.schema.table import Table
from d1_preflight.core.sql.tokenizer import quote_name
from d1_preflight.disk import new_text, writing

_FORMAT = "d1-preflight rows 1"
_CACHE_KIB = 16_384  # each; larger than a call of rows, small beside the memory of a laptop
_NO_COPY = "No row was kept; the target was only read."


class RowCopyWriter:
    """Writes a copy as the rows arrive; `close` gives the finished value."""

    def __init__(self, path: Path, table: Table) -> None:
        self._path = path
        self._table = table
        self._connection = create_file(path)
        self._count = 0
        self._inserts: dict[tuple[bool, ...], str] = {}
        with writing(path, _NO_COPY):
            _lay_out(self._connection, table)
            self._connection.execute("BEGIN")

    def add(self, rows: Iterable[Row]) -> None:
        """Append rows."""
        cursor = self._connection.cursor()
        with writing(self._path, _NO_COPY):
            for row in rows:
                raw = tuple(isinstance(cell, RawText) for cell in row.cells)
                values = [cell.data if isinstance(cell, RawText) else cell for cell in row.cells]
                sql = self._inserts.get(raw) or self._insert(raw)
                cursor.execute(sql, [row.rowid, *values] if self._table.rowid else values)
                self._count += 1

    def close(self, sequence: int | None = None) -> RowCopy:
        """Finish the file, with the table's AUTOINCREMENT mark, and say what it holds."""
        with writing(self._path, _NO_COPY):
            self._connection.execute("COMMIT")
            copy = _finish(self._connection, self._path, self._table, sequence)
            self._connection.close()
            return _with_file(copy)

    def _insert(self, raw: tuple[bool, ...]) -> str:
        marks = ["CAST(? AS TEXT)" if is_raw else "?" for is_raw in raw]
        if self._table.rowid:
            marks.insert(0, "?")
        sql = f"INSERT INTO rows({_columns(self._table)}) VALUES ({', '.join(marks)})"
        self._inserts[raw] = sql
        return sql


def open_copy(path: Path) -> RowCopy:
    """Read a copy's own header; RecordInvalid when the file is not one."""
    try:
        connection = read_only(path)
        about = {str(n): str(v) for n, v in connection.execute("SELECT name, value FROM about")}
        connection.close()
    except apsw.Error as error:
        raise RecordInvalid(
            f"{path.name} is not a copy of rows: {error}.", hint="Make the backup again."
        ) from error
    if about.get("format") != _FORMAT:
        raise RecordInvalid(
            f"{path.name} has the format {about.get('format')!r}, not {_FORMAT!r}.",
            hint="It was written by another version; open it with that one.",
        )
    try:
        columns = tuple(str(name) for name in json.loads(about["columns"]))
        words = (about["table"], columns, about["rowid"], int(about["rows"]), about["digest"])
        sequence = int(about["sequence"]) if "sequence" in about else None
        return _with_file(RowCopy(path, *words, "", 0, sequence))
    except (KeyError, ValueError, TypeError, OSError) as error:
        raise RecordInvalid(
            f"{path.name} is not a complete copy of rows.", hint="Make the backup again."
        ) from error


def create_file(path: Path) -> apsw.Connection:
    """Open a new private database file (0600 in 0700); it must not exist yet."""
    with writing(path, _NO_COPY):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        connection = apsw.Connection(
            path.absolute().as_uri(), apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI
        )
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA journal_mode = OFF")
        return connection


@contextmanager
def attached(**files: Path) -> Iterator[apsw.Connection]:
    """A connection with these database files attached under their names, only to read."""
    connection = apsw.Connection(":memory:", apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI)
    try:
        for name, path in files.items():
            _attach(connection, name, path)
        yield connection
    finally:
        connection.close()


def compare_copy(copy: RowCopy, database: Path) -> Difference | None:
    """Where a database differs first from a copy; RecordInvalid when the copy's file changed."""
    try:
        is_same = _file_hash(copy.path) == copy.sha256
    except OSError:
        is_same = False
    if not is_same:
        raise RecordInvalid(
            f"The copy of {copy.table} is missing or was changed: {copy.path.name}.",
            hint="Make the backup again; a changed copy proves nothing.",
        )
    with attached(copy=copy.path, restored=database) as connection:
        return first_difference(connection, copy)


def write_restore(
    path: Path, copies: Sequence[RowCopy], schema: Schema, *, limit: int = INSERT_BYTES
) -> RestoreScript:
    """Write INSERTs for these copies into empty tables of `schema`, to a new private file."""
    scratch = partial(_scratch, path.parent)
    with new_text(path) as file:
        return write_restore_sql(file.write, copies, schema, _rows_of, scratch, limit=limit)


@contextmanager
def _scratch(folder: Path) -> Iterator[apsw.Connection]:
    """An empty private database below this folder, gone afterwards."""
    with (
        TemporaryDirectory(dir=folder, prefix=".scratch-") as place,
        closing(create_file(Path(place) / "rows.sqlite")) as connection,
    ):
        yield connection


def _rows_of(copy: RowCopy) -> closing[apsw.Connection]:
    return closing(read_only(copy.path))


def read_only(path: Path) -> apsw.Connection:
    """Open a database's file that nothing here may change."""
    return apsw.Connection(
        f"{path.absolute().as_uri()}?mode=ro", apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    )


def _attach(connection: apsw.Connection, name: str, path: Path) -> None:
    try:
        connection.execute(f"ATTACH ? AS {name}", (f"{path.absolute().as_uri()}?mode=ro",))
        connection.execute(f"PRAGMA {name}.cache_size = -{_CACHE_KIB}")
    except apsw.Error as error:
        raise ProjectError(
            f"The copy {path} cannot be opened: {error}.",
            hint="Copy the target and rehearse again.",
        ) from error


def _lay_out(connection: apsw.Connection, table: Table) -> None:
    columns = ", ".join(quote_name(name) for name in table.data_columns)
    connection.execute(f"CREATE TABLE rows({columns})")
    connection.execute("CREATE TABLE about(name TEXT PRIMARY KEY, value TEXT)")


def _columns(table: Table) -> str:
    names = [quote_name(name) for name in table.data_columns]
    return ", ".join([table.rowid, *names] if table.rowid else names)


def _finish(connection: apsw.Connection, path: Path, table: Table, sequence: int | None) -> RowCopy:
    rows, digest = content_digest(connection, "main.rows", table.data_columns)
    about = {
        "format": _FORMAT,
        "table": table.name,
        "columns": json.dumps(table.data_columns),
        "rowid": table.rowid,
        "rows": str(rows),
        "digest": digest,
    }
    about |= {} if sequence is None else {"sequence": str(sequence)}
    connection.executemany("INSERT INTO main.about VALUES (?, ?)", about.items())
    columns, rowid = table.data_columns, table.rowid
    return RowCopy(path, table.name, columns, rowid, rows, digest, "", 0, sequence)


def _with_file(copy: RowCopy) -> RowCopy:
    with copy.path.open("rb") as file:
        os.fsync(file.fileno())
    return replace(copy, sha256=_file_hash(copy.path), bytes=copy.path.stat().st_size)


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
