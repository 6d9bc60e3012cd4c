"""D1's semantics on one SQLite file: one request is one transaction, with D1's refusals and limits.

What is refused and limited is what local D1 refused in runs (`core.d1`); the limits on function
arguments and on values are the documented remote ones.
"""

import math
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic, perf_counter

import apsw

from d1_preflight.core import d1
from d1_preflight.core.sql.tokenizer import quote_name, split
from d1_preflight.practice.results import (
    Json,
    Meta,
    Result,
    StatementRefused,
    Value,
    to_json,
    wording,
)

MAX_SECONDS = 30.0
OVERTIME = "D1 DB exceeded its CPU time limit and was reset."
INTERNAL = "internal error"
ENGINE_RESET = "D1 DB storage operation exceeded timeout which caused object to be reset."
TRANSACTION_REFUSED = (
    "To execute a transaction, please use the state.storage.transaction() or"
    " state.storage.transactionSync() APIs instead of the SQL BEGIN TRANSACTION or SAVEPOINT"
    " statements. The JavaScript API is safer because it will automatically roll back on"
    " exceptions, and because it interacts correctly with Durable Objects' automatic atomic"
    " write coalescing."
)
_LIMITS = {
    **dict(d1.LIMITS),
    apsw.SQLITE_LIMIT_FUNCTION_ARG: d1.REMOTE_ARGUMENTS,
    apsw.SQLITE_LIMIT_LENGTH: d1.REMOTE_ROW_BYTES,
}
# Real D1 keeps its own table in the file, too; ours holds the number of committed writes, so
# that a commit and its number are one transaction.
_OWN_TABLE = "CREATE TABLE IF NOT EXISTS _cf_KV (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID"
_COUNT_WRITE = "INSERT INTO _cf_KV VALUES ('writes', ?1) ON CONFLICT (key) DO UPDATE SET value = ?1"
_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0"
_ROOT = "SELECT tbl_name FROM sqlite_schema WHERE rootpage = ?"
_FOREIGN_CF_NAMES = (
    "SELECT 1 FROM sqlite_schema WHERE name LIKE '\\_cf\\_%' ESCAPE '\\' AND name <> '_cf_KV'"
)


class Database:
    """One D1 database in one SQLite file; safe to use from several threads."""

    def __init__(self, path: Path, *, seconds: float = MAX_SECONDS) -> None:
        self.path = path
        self._seconds = seconds
        self._lock = threading.RLock()
        self._guarded = False
        self._transaction_refused = False
        self._deadline = math.inf
        self._profile: Json = {}
        # No statement cache: a cached statement would not pass the authorizer again.
        self._connection = apsw.Connection(str(path), statementcachesize=0)
        self._open()

    def query(
        self, sql: str, params: Sequence[Value] = (), *, break_after: int | None = None
    ) -> tuple[Result, ...]:
        """Run all statements in one transaction: all of them are kept, or none.

        `break_after` lets the engine fail after so many statements, for the practice of it.
        """
        with self._lock:
            self._connection.execute("BEGIN")
            try:
                pieces = [statement.text for statement in split(sql)]
                results = self._run_all(pieces[:break_after], params)
                if break_after is not None:
                    raise StatementRefused(ENGINE_RESET)
                self._commit()
            except apsw.Error as error:
                raise StatementRefused(self._wording(error)) from error
            finally:
                self._guarded, self._deadline = False, math.inf
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
            return results

    def rows(self, sql: str, params: Sequence[Value] = ()) -> list[tuple[Value, ...]]:
        """Read with exact values and without D1's guard: for the stand-in's own needs."""
        with self._lock:
            return list(self._connection.execute(sql, tuple(params)))

    @property
    def writes(self) -> int:
        """How many transactions wrote to the file so far; it names the database's state."""
        found = self._connection.execute("SELECT value FROM _cf_KV WHERE key = 'writes'").fetchone()
        return int(found[0]) if found else 0

    @property
    def size(self) -> int:
        """The database's size in bytes."""
        with self._lock:
            return _size(self._connection)

    def copy_to(self, path: Path) -> None:
        """Copy the whole database into a new file."""
        target = apsw.Connection(str(path))
        target.pragma("synchronous", "off")
        with self._lock:
            _copy(self._connection, target)
        target.pragma("journal_mode", "delete")
        target.close()

    def replace_from(self, path: Path) -> None:
        """Take the content of another file as one new write, whole or not at all."""
        with self._lock:
            source, kept = apsw.Connection(":memory:"), apsw.Connection(str(path))
            _copy(kept, source)
            kept.close()
            source.execute(_COUNT_WRITE, (self.writes + 1,))
            _copy(source, self._connection)
            source.close()

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._connection.close()

    def _open(self) -> None:
        connection = self._connection
        connection.set_busy_timeout(5_000)
        connection.pragma("journal_mode", "wal")
        connection.pragma("foreign_keys", value=True)
        connection.execute(_OWN_TABLE)
        for limit, value in _LIMITS.items():
            connection.limit(limit, value)
        connection.drop_modules([*d1.MODULES, "json_each", "json_tree"])
        connection.authorizer = self._authorize
        connection.set_progress_handler(lambda: monotonic() > self._deadline, 10_000)
        connection.trace_v2(apsw.SQLITE_TRACE_PROFILE, self._profiled)

    def _run_all(self, pieces: Sequence[str], params: Sequence[Value]) -> tuple[Result, ...]:
        self._transaction_refused = False
        self._deadline = monotonic() + self._seconds
        results = [self._run(piece, params) for piece in pieces]
        return tuple(result for result in results if result is not None)

    def _run(self, sql: str, params: Sequence[Value]) -> Result | None:
        if len(sql.encode()) > d1.STATEMENT_BYTES:
            raise StatementRefused("statement too long: SQLITE_TOOBIG")
        connection, names = self._connection, list[str]()
        counted, begun = counted_rows(connection, sql, params), perf_counter()
        readonly = [True]
        before = connection.total_changes()
        cursor = connection.cursor()

        def note_names(running: apsw.Cursor, _sql: str, _bindings: object) -> bool:
            names[:] = [str(column[0]) for column in running.get_description()]
            readonly[0] = running.is_readonly
            return True

        cursor.exec_trace, self._profile = note_names, {}
        self._guarded = True
        values = cursor.execute(sql, tuple(params) or None).fetchall()
        self._guarded = False
        if not self._profile:
            return None  # only white space or comments
        rows = tuple({n: to_json(v) for n, v in zip(names, row, strict=True)} for row in values)
        seconds, written = perf_counter() - begun, connection.total_changes() - before
        meta = self._meta(seconds, written, len(rows), counted)
        writes = connection.txn_state("main") == apsw.SQLITE_TXN_WRITE
        return Result(rows, replace(meta, changed_db=writes and not readonly[0]))

    def _meta(self, seconds: float, written: int, returned: int, counted: int) -> Meta:
        connection, status = self._connection, self._profile["stmt_status"]
        scanned = status["SQLITE_STMTSTATUS_FULLSCAN_STEP"] if isinstance(status, dict) else 0
        return Meta(
            duration=round(seconds * 1000, 4),
            changes=written,
            last_row_id=connection.last_insert_rowid(),
            rows_read=max(scanned + counted, returned),
            rows_written=written,
            size_after=_size(connection),
            changed_db=written > 0,
        )

    def _commit(self) -> None:
        if self._connection.txn_state("main") == apsw.SQLITE_TXN_WRITE:
            if self._connection.execute(_FOREIGN_CF_NAMES).fetchone() is not None:
                # ALTER TABLE … RENAME TO passes the authorizer
                raise StatementRefused("not authorized: SQLITE_AUTH")
            self._connection.execute(_COUNT_WRITE, (self.writes + 1,))
        try:
            self._connection.execute("COMMIT")
        except apsw.ConstraintError as error:  # a broken reference: real D1 does not say so
            raise StatementRefused(f"{INTERNAL}; reference = practice") from error

    def _authorize(
        self, action: int, first: str | None, second: str | None, _db: str | None, _by: str | None
    ) -> int:
        # ANALYZE goes over our own table, too; real D1 lets it.
        if (
            not self._guarded
            or action == apsw.SQLITE_ANALYZE
            or not d1.refusal(action, first, second)
        ):
            return apsw.SQLITE_OK
        self._transaction_refused = action in (apsw.SQLITE_TRANSACTION, apsw.SQLITE_SAVEPOINT)
        return apsw.SQLITE_DENY

    def _profiled(self, event: Json) -> None:
        self._profile = event

    def _wording(self, error: apsw.Error) -> str:
        if isinstance(error, apsw.InterruptError):
            return OVERTIME
        if self._transaction_refused:
            return TRANSACTION_REFUSED
        return wording(error)


def _size(connection: apsw.Connection) -> int:
    pages, size = connection.pragma("page_count"), connection.pragma("page_size")
    return int(str(pages)) * int(str(size))


def _copy(source: apsw.Connection, target: apsw.Connection) -> None:
    with target.backup("main", source, "main") as backup:
        while not backup.done:
            backup.step()


def counted_rows(connection: apsw.Connection, sql: str, params: Sequence[Value]) -> int:
    """How many rows a `count(*)` or a `quick_check` goes over; 0 for any other statement.

    SQLite counts them without a step over each; D1 bills them as read.
    """
    text = sql.lower()
    if text.lstrip().startswith("pragma quick_check"):
        return sum(_rows(connection, str(name)) for (name,) in connection.execute(_TABLES))
    if "count(" not in text or not text.lstrip().startswith(("select", "with")):
        return 0
    try:
        program = connection.execute(f"EXPLAIN {sql}", tuple(params) or None).fetchall()
    except apsw.Error:
        return 0  # the statement itself will say what is wrong
    opened = {step[2]: step[3] for step in program if step[1] == "OpenRead"}
    roots = [opened[step[2]] for step in program if step[1] == "Count" and step[2] in opened]
    tables = [row for root in roots for row in connection.execute(_ROOT, (root,))]
    return sum(_rows(connection, str(name)) for (name,) in tables)


def _rows(connection: apsw.Connection, table: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {quote_name(table)}").fetchone()
    return int(str(row[0])) if row else 0
