"""A table's values in a few numbers: the same SQL answers on the target and on a local copy.

D1 has no hash function. So each row becomes one text of decimal digits (its values tagged by their
type, in hex, and that once more in hex), the digits are cut into pieces, and the pieces are summed
with weights by their place. The squares of the rows' sums are added up, so the order of the rows
means nothing, and a value that moves from one row to another still shows. It is no protection
against somebody who forges values, and does not need to be: it tells that nobody changed them.

One fingerprint reads each row once. It is sure only where every row fits into the pieces that were
asked for: the answer says how long the longest one is.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256

import apsw

from d1_preflight.core.rows.codec import (
    STATEMENT_LIMIT,
    Cell,
    decode_row,
    literal,
    walk_names,
    wire,
)
from d1_preflight.core.schema.table import Table
from d1_preflight.core.sql.tokenizer import quote_name
from d1_preflight.lazy_dataclass import dataclass

_PIECE = 16  # digits: the largest piece stays below 2^63
_MOST_PIECES = 1000  # a statement of at most about 70 KB; a row of about 4 kB
_SPARE = 8  # pieces, for rows that grow a little
_PRIME, _FIRST, _SECOND = 2_147_483_647, 2_147_483_629, 2_147_483_587
_PIECES_PER_STATEMENT = 10_000_000  # about 5 s of an engine that stops a query after 30 s


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a table holds: how many rows, of how many digits in all, and the two sums."""

    rows: int
    digits: int
    first: int
    second: int

    @property
    def text(self) -> str:
        """The fingerprint as a record keeps it."""
        return f"{self.rows}-{self.digits:x}-{self.first:x}-{self.second:x}"

    def __add__(self, other: "Fingerprint") -> "Fingerprint":
        """The fingerprint of two stretches of one table."""
        return Fingerprint(
            self.rows + other.rows,
            self.digits + other.digits,
            self.first + other.first,
            self.second + other.second,
        )


_EMPTY = Fingerprint(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class FingerprintQuery:
    """How one table's fingerprint is asked: stretches of its rows, and pieces of each row."""

    table: Table
    conditions: tuple[str, ...]
    pieces: int

    def statements(self, database: str = "") -> tuple[str, ...]:
        """The statements, for the target or for an attached database."""
        name = quote_name(self.table.name)
        place = f"{quote_name(database)}.{name}" if database else name
        text, numbers = _text(self.table), _numbers(self.pieces)
        return tuple(_statement(f"{place}{_where(c)}", text, numbers) for c in self.conditions)

    def read(self, answers: Iterable[Sequence[Mapping[str, object]]]) -> Fingerprint | None:
        """The fingerprint out of the answers; None where a row is too long for a sure one.

        Raises KeyError, TypeError or ValueError for an answer of another form.
        """
        found = _EMPTY
        for (row,) in answers:
            numbers = [int(str(row[name])) for name in ("n", "z", "longest", "a", "b")]
            rows, digits, longest, first, second = numbers
            if longest > self.pieces * _PIECE:
                return None
            found += Fingerprint(rows, digits, first, second)
        return found


def can_be_asked(table: Table) -> bool:
    """Whether a query can tell the table's values; an index without a text of its own has none."""
    return bool(table.data_columns) and (not table.is_virtual or table.has_own_rows)


def fingerprint_query(
    connection: apsw.Connection, database: str, table: Table
) -> FingerprintQuery | None:
    """The query for a table, planned on its local copy in `database`; None where none is sure."""
    if not can_be_asked(table):
        return None
    place = f"{quote_name(database)}.{quote_name(table.name)}"
    asked = f"SELECT max(length(hex({_text(table)}))), count(*) FROM {place}"
    longest, rows = _ask(connection, asked)
    pieces = -(-longest // _PIECE) + _SPARE
    if pieces > _MOST_PIECES:
        return None
    step = max(1, _PIECES_PER_STATEMENT // pieces)
    bounds = _bounds(connection, place, table, step) if rows > step else ()
    query = FingerprintQuery(table, tuple(_conditions(table, bounds)), pieces)
    if any(len(statement.encode()) > STATEMENT_LIMIT for statement in query.statements()):
        return None
    return query


def take_fingerprint(
    connection: apsw.Connection, database: str, query: FingerprintQuery
) -> Fingerprint | None:
    """Ask a local database the very query that the target is asked."""
    answers = []
    for statement in query.statements(database):
        cursor = connection.execute(statement)
        names = [column[0] for column in cursor.get_description()]
        answers.append([dict(zip(names, row, strict=True)) for row in cursor])
    return query.read(answers)


@lru_cache(maxsize=8)
def _numbers(pieces: int) -> str:
    """The sum of a text's pieces, each with its weight."""
    terms = [
        f"CAST(substr(d,{number * _PIECE + 1},{_PIECE})AS INTEGER)%{_PRIME}*{_weight(number)}"
        for number in range(pieces)
    ]
    return _balanced(terms, "+")


def _where(condition: str) -> str:
    return f" WHERE {condition}" if condition else ""


def _statement(rows: str, text: str, numbers: str) -> str:
    """Ask for the sums of one stretch.

    `LIMIT -1` makes SQLite work each text out once. Sums are text: JSON rounds beyond 2^53.
    """
    return (
        "SELECT count(*) AS n, CAST(coalesce(sum(z),0) AS TEXT) AS z,"
        " coalesce(max(z),0) AS longest,"
        f" CAST(coalesce(sum((s%{_FIRST})*(s%{_FIRST})%{_FIRST}),0) AS TEXT) AS a,"
        f" CAST(coalesce(sum((s%{_SECOND})*(s%{_SECOND})%{_SECOND}),0) AS TEXT) AS b"
        f" FROM (SELECT length(d) AS z, {numbers} AS s"
        f" FROM (SELECT CAST(hex({text}) AS BLOB) AS d FROM {rows} LIMIT -1)"
        " LIMIT -1)"
    )


def _weight(number: int) -> int:
    """The weight of a piece by its place: always the same, below 2^20, never even."""
    digest = sha256(number.to_bytes(4, "big")).digest()
    return int.from_bytes(digest[:4], "big") % (1 << 20) | 1


def _text(table: Table) -> str:
    """The row as one text whose hex form has only decimal digits, the same for equal rows only."""
    columns = [quote_name(name) for name in table.data_columns]
    cells = [_cell(column) for column in ([table.row_name] if table.row_name else []) + columns]
    return _balanced(cells, "||'p'||")


def _cell(column: str) -> str:
    return (
        f"CASE typeof({column}) WHEN 'integer' THEN 'i'||replace({column},'-','s')"
        f" WHEN 'text' THEN 't'||hex({column}) WHEN 'blob' THEN 'b'||hex({column})"
        f" WHEN 'real' THEN CASE WHEN {column}=0 AND atan2({column},-1)<0 THEN 'rs0'"
        f" ELSE 'r'||hex(printf('%!.17g',{column})) END ELSE 'q' END"
    )


def _balanced(parts: Sequence[str], operator: str) -> str:
    """Join the parts as a tree: D1 allows an expression 100 levels."""
    level = list(parts)
    while len(level) > 1:
        pairs = [level[n : n + 2] for n in range(0, len(level), 2)]
        level = [f"({operator.join(pair)})" if len(pair) > 1 else pair[0] for pair in pairs]
    return level[0]


def _bounds(
    connection: apsw.Connection, place: str, table: Table, step: int
) -> tuple[tuple[Cell, ...], ...]:
    """The keys at which a stretch ends, from the local copy; () where rows have no order."""
    if not table.walk:
        return ()
    keys = (name if name == table.rowid else quote_name(name) for name in table.walk)
    cells = ", ".join(f"{wire(key)} AS k{n}" for n, key in enumerate(keys))
    order = ", ".join(walk_names(table))
    numbered = f"SELECT {cells}, row_number() OVER (ORDER BY {order}) AS n FROM {place}"
    found = connection.execute(f"SELECT * FROM ({numbered}) WHERE n % {step} = 0 ORDER BY n")
    return tuple(decode_row(row[:-1]) for row in found)


def _conditions(table: Table, bounds: Sequence[Sequence[Cell]]) -> Iterator[str]:
    """The stretches between the bounds; the last has no end: what came since belongs to it."""
    keys, after = f"({', '.join(walk_names(table))})", ""
    for bound in bounds:
        last = f"({', '.join(literal(value) for value in bound)})"
        yield " AND ".join(([f"{keys} > {after}"] if after else []) + [f"{keys} <= {last}"])
        after = last
    yield f"{keys} > {after}" if after else ""


def _ask(connection: apsw.Connection, sql: str) -> tuple[int, ...]:
    row = connection.execute(sql).fetchone() or ()
    return tuple(value if isinstance(value, int) else 0 for value in row)
