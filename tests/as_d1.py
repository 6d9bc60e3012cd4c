"""Runs a migration as D1 does: in one transaction, under its limits and refusals, keys on."""

import apsw

from d1_preflight.core import d1
from d1_preflight.core.sql.tokenizer import statements


def run_as_d1(connection: apsw.Connection, sql: str) -> bool:
    """Run the file; False where D1 refuses it, and then nothing of it is left."""
    connection.execute("PRAGMA foreign_keys = ON")
    for limit, value in d1.LIMITS:
        connection.limit(limit, value)
    connection.execute("BEGIN")
    try:
        for statement in statements(sql):
            connection.authorizer = _refuse
            connection.execute(statement.text).fetchall()
        connection.authorizer = None
        connection.execute("COMMIT")
    except apsw.Error:
        connection.authorizer = None
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        return False
    return True


def _refuse(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    return apsw.SQLITE_DENY if d1.refusal(action, first, second) else apsw.SQLITE_OK
