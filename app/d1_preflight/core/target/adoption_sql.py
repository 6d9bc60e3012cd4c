"""What an adoption writes: the ledger's table, where there is none, and a row for each file."""

from collections.abc import Sequence

from d1_preflight.core.d1 import LEDGER_COLUMNS, STATEMENT_BYTES
from d1_preflight.core.errors import NotAllowed
from d1_preflight.core.sql.tokenizer import quote_name, quote_text

_COMMAND_BYTES = 120_000  # of one argument of a program, on Linux


def adoption_sql(table: str, names: Sequence[str]) -> str:
    """The statements of one batch; the UNIQUE name makes a second run fail as a whole.

    Raises NotAllowed where it is too long for one batch.
    """
    make = f"CREATE TABLE IF NOT EXISTS {quote_name(table)}{LEDGER_COLUMNS};"
    rows = [f"({quote_text(name)})" for name in names]
    inserts, held = list[str](), list[str]()
    for row in (*rows, ""):
        if held and (not row or len(", ".join((*held, row)).encode()) > STATEMENT_BYTES // 2):
            inserts.append(f"INSERT INTO {quote_name(table)} (name) VALUES {', '.join(held)};")
            held = []
        held.append(row)
    sql = " ".join((make, *inserts))
    if len(sql.encode()) > _COMMAND_BYTES:
        raise NotAllowed(
            f"{len(names)} rows are too many for one batch.",
            hint="Nothing was written. Leave out what need not be adopted, or squash old files.",
        )
    return sql


def undo_sql(table: str, names: Sequence[str]) -> str:
    """What takes the rows of an adoption out again."""
    listed = ", ".join(quote_text(name) for name in names)
    return f"DELETE FROM {quote_name(table)} WHERE name IN ({listed});"
