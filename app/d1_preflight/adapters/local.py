"""Throw-away local D1 databases for rehearsal and restore, each in a persist folder of its own."""

import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import apsw

from d1_preflight.adapters import localdb, row_copies
from d1_preflight.core.engine.trial import run_as_d1
from d1_preflight.core.errors import ProjectError
from d1_preflight.core.findings import EngineVerdict
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.rows.equality import Difference
from d1_preflight.core.rows.index_gap import failing_indexes
from d1_preflight.core.rows.table_copy import RowCopy
from d1_preflight.core.schema.schema import Schema
from d1_preflight.core.schema.table import read_tables
from d1_preflight.core.target.snapshot import LedgerRow
from d1_preflight.disk import writing
from d1_preflight.lazy_dataclass import dataclass

_RUN_LIMIT_S = 300.0


# Of what a dump is refused with, only this names tables and columns alone; the rest, such as a
# syntax error, quotes the dump, and so a row.
_NAMES_ONLY = ("no such table:", "UNIQUE constraint", "FOREIGN KEY", "NOT NULL constraint")
_QUOTES = "SQLite refuses a statement of it; its message is not kept, because it may quote a row"


@dataclass(frozen=True, slots=True)
class LocalDatabases:
    """The local databases of one D1 database: wrangler finds their files by its id."""

    database_id: str
    ledger_table: str = "d1_migrations"

    attached = staticmethod(row_copies.attached)
    create_copy = staticmethod(row_copies.RowCopyWriter)
    open_copy = staticmethod(row_copies.open_copy)

    def make(
        self,
        persist: Path,
        schema: Schema,
        copies: Sequence[RowCopy],
        ledger: Sequence[LedgerRow],
    ) -> None:
        """Make a database with these rows; whatever stood there before is gone."""
        contents = localdb.Contents(schema, copies, ledger, self.ledger_table)
        localdb.create(self._fresh(persist), contents)

    def duplicate(self, persist: Path, to: Path) -> None:
        """Copy a whole database into another persist folder, replacing what stood there."""
        localdb.duplicate(self.file(persist), self._fresh(to))

    def file(self, persist: Path) -> Path:
        """The SQLite file that wrangler uses in this persist folder."""
        return localdb.local_file(persist, self.database_id)

    def schema(self, persist: Path) -> Schema:
        """The schema, without the ledger's table."""
        return localdb.read_schema(self.file(persist)).without(self.ledger_table)

    def counts(self, persist: Path) -> Mapping[str, int]:
        """The row count of every table except the ledger's."""
        counts = localdb.read_counts(self.file(persist))
        return {table: rows for table, rows in counts.items() if table != self.ledger_table}

    def ledger(self, persist: Path) -> Sequence[LedgerRow]:
        """The ledger's rows."""
        return localdb.read_ledger(self.file(persist), self.ledger_table)

    def run_sql(self, persist: Path, sql: str) -> int:
        """Run SQL as D1 does, in one transaction; the milliseconds it took. ProjectError if not."""
        return self._run(persist, (sql,))

    def run_file(self, persist: Path, path: Path) -> int:
        """Run a file of SQL as `run_sql` does, a statement at a time: it may be large."""
        with writing(path, done="read"), _script(path) as statements:
            return self._run(persist, statements)

    def _run(self, persist: Path, statements: Iterable[str]) -> int:
        deadline = time.monotonic() + _RUN_LIMIT_S
        try:
            with writing(self.file(persist)), _opened(self.file(persist)) as connection:
                connection.set_progress_handler(lambda: time.monotonic() > deadline, 1_000_000)
                started = time.monotonic()
                _in_one(connection, statements)
                return round((time.monotonic() - started) * 1000)
        except apsw.Error as error:
            raise ProjectError(f"SQLite refuses it: {error}.", hint="See the finding.") from error

    def trial(self, persist: Path, scratch: Path, migration: Migration) -> EngineVerdict:
        """Run a migration as D1 does on a duplicate that is gone afterwards; what is refused."""
        self.duplicate(persist, scratch)
        path = self.file(scratch)
        try:
            with writing(path), _opened(path) as connection:
                text, name, ledger = migration.text, migration.name, self.ledger_table
                return run_as_d1(connection, text, name, ledger=ledger, clock=time.monotonic)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def failing_indexes(self, persist: Path) -> Mapping[str, str]:
        """The full-text indexes that do not hold the words of their text, and why."""
        with localdb.reading(self.file(persist)) as connection:
            if not any(table.is_virtual for table in read_tables(connection)):
                return {}
        with writing(self.file(persist)), _opened(self.file(persist)) as connection:
            connection.execute("BEGIN")
            found = failing_indexes(connection)
            connection.execute("ROLLBACK")
            return found

    def compare_copy(self, copy: RowCopy, persist: Path) -> Difference | None:
        """Where a database differs first from a row copy; None where it holds the same."""
        return row_copies.compare_copy(copy, self.file(persist))

    def load_dump(self, persist: Path, dump: Path) -> str:
        """Load an export into an empty database; "" when it loads, else why it does not."""
        try:
            with _script(dump) as statements:
                path = self._fresh(persist)
                with writing(path), _opened(path) as connection:
                    _in_one(connection, statements)
        except OSError as error:
            return f"it cannot be read: {error.strerror}"
        except UnicodeDecodeError:
            return "it is not UTF-8"
        except apsw.Error as error:
            told = str(error)
            return told if told.startswith(_NAMES_ONLY) else _QUOTES
        return ""

    def _fresh(self, persist: Path) -> Path:
        path = self.file(persist)
        with writing(path.parent, "It is only a copy; the target was only read.", done="made"):
            shutil.rmtree(persist, ignore_errors=True)
            path.parent.mkdir(mode=0o700, parents=True)
        return path


@contextmanager
def _opened(path: Path) -> Iterator[apsw.Connection]:
    connection = apsw.Connection(str(path))
    try:
        yield connection
    finally:
        connection.close()


def _in_one(connection: apsw.Connection, statements: Iterable[str]) -> None:
    """As D1 does: foreign keys on, one transaction."""
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("BEGIN")
    for statement in statements:
        connection.execute(statement)
    connection.execute("COMMIT")


@contextmanager
def _script(path: Path) -> Iterator[Iterator[str]]:
    """The statements of a file, one after the other: it may be larger than the memory."""
    with path.open(encoding="utf-8", newline="") as file:
        yield _complete(file)


def _complete(lines: Iterable[str]) -> Iterator[str]:
    held = list[str]()
    for line in lines:
        held.append(line)
        if line.rstrip().endswith(";") and apsw.complete("".join(held)):
            yield "".join(held)
            held.clear()
    if held:
        yield "".join(held)
