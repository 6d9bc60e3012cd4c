"""A table's rows in one file of their own: exact, checked by two hashes, written back as found.

The file is a small SQLite database, so that anyone can look into it with stock tools: `rows` has
the table's columns by their names and without types (nothing is converted) and keeps the rowids;
`about` says what it is. The digest is over the values alone: sha256 over the column names and
the sorted sha256 of every row, so the order of the rows and the file's layout do not matter.
"""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import file_digest, sha256
from pathlib import Path
from types import TracebackType
from typing import Self

import apsw

from d1_preflight.core.errors import RecordInvalid
from d1_preflight.core.rows.codec import RawText, Row, row_text
from d1_preflight.core.schema.table import Table, quoted
from d1_preflight.disk import writing

_FORMAT = "d1-preflight rows 1"
_NO_COPY = "No row is kept by it; the target was only read."


@dataclass(frozen=True, slots=True)
class RowCopy:
    """One table's rows on disk: `sha256` is the file's, `digest` the content's.

    `sequence` is the table's AUTOINCREMENT mark, None where it has none.
    """

    path: Path
    table: str
    columns: tuple[str, ...]
    rowid: str
    rows: int
    digest: str
    sha256: str
    bytes: int
    sequence: int | None = None

    def check(self) -> None:
        """RecordInvalid when the file is no longer the one that was written."""
        try:
            is_same = _file_hash(self.path) == self.sha256
        except OSError:
            is_same = False
        if not is_same:
            raise RecordInvalid(
                f"The copy of {self.table} is missing or was changed: {self.path.name}.",
                hint="Make the backup again; a changed copy proves nothing.",
            )


class RowCopyWriter:
    """Writes a copy as the rows arrive; `close` gives the finished value, an error leaves none."""

    def __init__(self, path: Path, table: Table) -> None:
        self._path = path
        self._table = table
        self._connection = create_file(path)
        self._count = 0
        self._inserts: dict[tuple[bool, ...], str] = {}
        with writing(path, _NO_COPY):
            _lay_out(self._connection, "main", table)
            self._connection.execute("BEGIN")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()
        if kind is not None:
            self._path.unlink(missing_ok=True)

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
    """Read what a copy says about itself; RecordInvalid when the file is not one."""
    try:
        connection = apsw.Connection(
            f"{path.resolve().as_uri()}?mode=ro", apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
        )
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
            f"{path.name} is not a whole copy of rows.", hint="Make the backup again."
        ) from error


def content_digest(
    connection: apsw.Connection, place: str, columns: Sequence[str]
) -> tuple[int, str]:
    """Count and digest the rows of `place` (a quoted table, with its database)."""
    text = row_text(quoted(name) for name in columns)
    hashes = sorted(
        sha256(str(row[0]).encode()).digest()
        for row in connection.execute(f"SELECT {text} FROM {place}")
    )
    whole = sha256(json.dumps(list(columns)).encode())
    for one in hashes:
        whole.update(one)
    return len(hashes), whole.hexdigest()


def create_file(path: Path) -> apsw.Connection:
    """Open a new private database file (0600 in 0700); it must not exist yet."""
    with writing(path, _NO_COPY):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        connection = apsw.Connection(
            path.resolve().as_uri(), apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI
        )
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA journal_mode = OFF")
        return connection


def _lay_out(connection: apsw.Connection, database: str, table: Table) -> None:
    columns = ", ".join(quoted(name) for name in table.data_columns)
    connection.execute(f"CREATE TABLE {database}.rows({columns})")
    connection.execute(f"CREATE TABLE {database}.about(name TEXT PRIMARY KEY, value TEXT)")


def _columns(table: Table) -> str:
    names = [quoted(name) for name in table.data_columns]
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
