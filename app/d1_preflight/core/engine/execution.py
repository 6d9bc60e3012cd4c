"""Performs or only prepares one statement, and writes what wrangler adds to a migration."""

from collections.abc import Callable

import apsw

from d1_preflight.core.d1 import LEDGER
from d1_preflight.core.sql.tokenizer import quote_name, quote_text


def ledger_insert(name: str, table: str = LEDGER) -> str:
    """What wrangler appends to the text of a migration, after a line break: the ledger's row."""
    return f"INSERT INTO {quote_name(table)} (name)\nvalues ({quote_text(name)});"


def prepare(
    connection: apsw.Connection,
    sql: str,
    look: Callable[[apsw.Cursor], None],
    parameters: tuple[None, ...] | None = None,
) -> bool:
    """Prepare a statement, let `look` see it and never run it; False where it is empty."""

    def prepared(cursor: apsw.Cursor, _sql: str, _bindings: object) -> bool:
        look(cursor)
        return False

    cursor = connection.cursor()
    cursor.exec_trace = prepared
    try:
        cursor.execute(sql, parameters)
    except apsw.ExecTraceAbort:
        return True
    finally:
        cursor.close(True)  # noqa: FBT003 - apsw takes it by position
    return False


def run_to_end(connection: apsw.Connection, sql: str) -> None:
    """Perform a statement to its last row; text that is not UTF-8 is no error of the engine's."""
    cursor = connection.execute(sql)
    while True:
        try:
            for _row in cursor:
                pass
        except UnicodeDecodeError:
            continue  # apsw goes on with the row after it
        return
