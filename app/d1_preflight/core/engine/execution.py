"""Performs a statement whose rows nobody reads."""

import apsw


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
