"""Runs a whole migration on a database with rows as D1 does, and says what is refused.

Foreign keys are on, everything is one transaction under D1's limits and permissions, and the text
ends in wrangler's own INSERT into the ledger. So refusals that depend on rows are seen here.
"""

from collections.abc import Callable

import apsw

from d1_preflight.core import d1
from d1_preflight.core.engine.execution import ledger_insert, run_to_end
from d1_preflight.core.findings import EngineVerdict, Refusal
from d1_preflight.core.sql.refusal_words import constraint_words, error_words
from d1_preflight.core.sql.tokenizer import Statement, each_statement, quote_name

LIMIT_S = 300.0
_STEPS = 1_000_000  # engine steps between two looks at the clock
_NO_ROW = "wrangler's ledger row is not written, so the file would run again at the next apply"


def run_as_d1(
    connection: apsw.Connection,
    script: str,
    name: str,
    *,
    ledger: str,
    clock: Callable[[], float],
) -> EngineVerdict:
    """Run the text of the migration `name` and commit it; nothing is kept where it is refused.

    The reasons are SQLite's own words, without what a row holds.
    """
    connection.execute("PRAGMA foreign_keys = ON")
    connection.config(apsw.SQLITE_DBCONFIG_DQS_DML, 1)
    connection.config(apsw.SQLITE_DBCONFIG_DQS_DDL, 1)
    connection.execute(f"CREATE TABLE IF NOT EXISTS {quote_name(ledger)}{d1.LEDGER_COLUMNS}")
    for limit, value in d1.LIMITS:
        connection.limit(limit, value)
    deadline = clock() + LIMIT_S
    connection.set_progress_handler(lambda: clock() > deadline, _STEPS)
    try:
        connection.execute("BEGIN")
        verdict = _followed(connection, f"{script}\n{ledger_insert(name, ledger)}")
        return verdict or _committed(connection, script, name, ledger)
    finally:
        connection.set_progress_handler(None)
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _followed(connection: apsw.Connection, text: str) -> EngineVerdict | None:
    """The first statement that is refused or not run to its end; None where there is none."""
    for statement in each_statement(text):
        try:
            reason = _refused(connection, statement)
        except (apsw.InterruptError, apsw.NoMemError) as error:
            return EngineVerdict(undecided=(Refusal(statement.line, str(error)),))
        if reason:
            return EngineVerdict(refused=(Refusal(statement.line, reason),))
    return None


def _refused(connection: apsw.Connection, statement: Statement) -> str:
    refusals: list[str] = []

    def authorize(
        action: int,
        first: str | None,
        second: str | None,
        _database: str | None,
        _source: str | None,
    ) -> int:
        refusals.extend(filter(None, (d1.refusal(action, first, second),)))
        return apsw.SQLITE_DENY if refusals else apsw.SQLITE_OK

    connection.authorizer = authorize
    try:
        run_to_end(connection, statement.text)
    except (apsw.InterruptError, apsw.NoMemError, *d1.DISK_ERRORS):
        raise
    except apsw.TooBigError:
        return "statement too long: SQLITE_TOOBIG"
    except apsw.ConstraintError as error:
        return refusals[0] if refusals else constraint_words(str(error))
    except (apsw.Error, ValueError, OverflowError, TypeError) as error:
        return refusals[0] if refusals else error_words(str(error))
    finally:
        connection.authorizer = None
    return refusals[0] if refusals else ""


def _committed(connection: apsw.Connection, script: str, name: str, ledger: str) -> EngineVerdict:
    last = script.count("\n") + 1
    query = f"SELECT 1 FROM {quote_name(ledger)} WHERE name = ?"
    try:
        if not connection.execute(query, (name,)).fetchone():
            return EngineVerdict(refused=(Refusal(last, _NO_ROW),))
        connection.execute("COMMIT")
    except apsw.Error as error:
        return EngineVerdict(refused=(Refusal(last, f"at the commit: {error}"),))
    return EngineVerdict()
