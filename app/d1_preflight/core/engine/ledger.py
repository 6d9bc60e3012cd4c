"""What wrangler itself writes with a migration: the row of the ledger."""

from d1_preflight.core.d1 import LEDGER
from d1_preflight.core.sql.tokenizer import quote_name, quote_text


def ledger_insert(name: str, table: str = LEDGER) -> str:
    """What wrangler appends to the text of a migration, after a line break."""
    return f"INSERT INTO {quote_name(table)} (name)\nvalues ({quote_text(name)});"
