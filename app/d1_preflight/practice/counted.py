"""The rows that SQLite counts without a step over each of them; D1 bills them as read."""

from collections.abc import Sequence

import apsw

from d1_preflight.core.sql.tokenizer import quote_name
from d1_preflight.practice.results import Value

_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0"
_ROOT = "SELECT tbl_name FROM sqlite_schema WHERE rootpage = ?"


def counted_rows(connection: apsw.Connection, sql: str, params: Sequence[Value]) -> int:
    """How many rows a `count(*)` or a `quick_check` goes over; 0 for any other statement."""
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
