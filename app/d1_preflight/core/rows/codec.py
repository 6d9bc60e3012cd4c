"""Carries the rows of a table through JSON without losing a bit.

`wrangler d1 execute --json` rounds integers beyond 2^53, forgets blobs, infinities and broken
text. So each value leaves the database as text with one letter in front that names its type:
`i` and the decimal digits, `r` and 17 significant digits, `t` or `b` and the bytes in hex; NULL
stays NULL. The first column carries the rowid as well, so that a table of 100 columns (D1's
limit for a result) still fits. All this is asked of the engine in plain SQL that D1 allows.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

import apsw

from d1_preflight.core.errors import ProjectError
from d1_preflight.core.schema.table import Table
from d1_preflight.core.sql.tokenizer import quote_name
from d1_preflight.lazy_dataclass import dataclass

STATEMENT_LIMIT = 100_000
_CELL_OVERHEAD = 12  # the JSON key, quotes and comma of one cell
_SAFE_TEXT = frozenset(" _.,:@/+-")
_NEVER_PLAIN = ("BEGIN", "COMMIT", "END", "--", "/*")


@dataclass(frozen=True, slots=True)
class RawText:
    """A TEXT value whose bytes are not UTF-8; SQLite holds such, Python's str cannot."""

    data: bytes


Cell = int | float | str | bytes | RawText | None


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its rowid (None for a table without) and its values in the columns' order."""

    rowid: int | None
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """A table that is read by one statement; `rows` is None where not counted."""

    table: str
    sql: str
    rows: int | None


def wire(column: str) -> str:
    """Write the SQL that turns a column into its tagged text (`-0.0` only atan2 can tell)."""
    return (
        f"CASE typeof({column}) WHEN 'integer' THEN 'i'||{column}"
        f" WHEN 'text' THEN 't'||hex({column}) WHEN 'blob' THEN 'b'||hex({column})"
        f" WHEN 'real' THEN CASE WHEN {column}=0 AND atan2({column},-1)<0 THEN 'r-0.0'"
        f" ELSE 'r'||printf('%!.17g',{column}) END END"
    )


def differs(before: str, after: str) -> str:
    """Write the SQL of whether two columns differ by type or exact value."""
    same = f"typeof({before}) = typeof({after}) AND +{before} IS +{after} COLLATE BINARY"
    return f"NOT ({same})"


def decode(text: str | None) -> Cell:
    """Read one tagged value back; ValueError if it is none."""
    if text is None:
        return None
    tag, rest = text[:1], text[1:]
    match tag:
        case "i":
            return int(rest)
        case "r":
            return float(rest)
        case "t":
            return as_text(bytes.fromhex(rest))
        case "b":
            return bytes.fromhex(rest)
        case _:
            raise ValueError("a value without a known tag")


def decode_row(row: Iterable[object]) -> tuple[Cell, ...]:
    """Read the tagged values of one row back."""
    return tuple(decode(None if cell is None else str(cell)) for cell in row)


def as_text(data: bytes) -> str | RawText:
    """The text of these bytes: a str where they are UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return RawText(data)


def literal(cell: Cell) -> str:
    """Write a value as SQL; text that any of D1's splitters could misread goes as hex."""
    match cell:
        case None:
            return "NULL"
        case int():
            return str(cell)
        case float():
            return repr(cell) if math.isfinite(cell) else ("9e999" if cell > 0 else "-9e999")
        case bytes():
            return f"X'{cell.hex().upper()}'"
        case RawText(data):
            return f"CAST(X'{data.hex().upper()}' AS TEXT)"
        case str() if _is_plain(cell):
            return f"'{cell}'"
        case str():
            return f"CAST(X'{cell.encode().hex().upper()}' AS TEXT)"


def whole_page(table: Table) -> Page:
    """The statement that reads a table at once: its rows have no order to be read by."""
    return Page(table.name, _select(table), None)


def batches(statements: Iterable[str], *, limit: int = 100_000) -> Iterator[tuple[str, ...]]:
    """Group texts of `limit` bytes together: one `--command` argument (Linux allows 128 KiB)."""
    batch: list[str] = []
    used = 0
    for statement in statements:
        size = _packed_size(statement)
        if batch and used + size > limit:
            yield tuple(batch)
            batch, used = [], 0
        batch.append(statement)
        used += size
    if batch:
        yield tuple(batch)


@dataclass(slots=True)
class Packer:
    """Packs rows into statements of at most `limit` bytes; `too_long` rows fit into none."""

    limit: int
    too_long: int = 0

    def batches(self, connection: apsw.Connection, query: str) -> Iterator[tuple[str, ...]]:
        """The tagged rows of a query as literals: those that fit, in their order."""
        rows = (map(literal, decode_row(row)) for row in connection.execute(query))
        texts = (f"({', '.join(row)})" for row in rows)
        return batches(filter(self._fits, texts), limit=self.limit)

    def _fits(self, row: str) -> bool:
        fits = _packed_size(row) <= self.limit
        self.too_long += not fits
        return fits


def read_rows(table: Table, answer: Iterable[Mapping[str, object]]) -> Iterator[Row]:
    """Read the rows of one page out of its JSON."""
    names = [f"c{n}" for n in range(len(table.data_columns))]
    for found in answer:
        cells = [tagged(found[name]) for name in names]
        rowid = None
        if table.rowid:
            head, _, first = (cells[0] or "").partition(":")
            rowid, cells[0] = int(head), first or None
        yield Row(rowid, tuple(decode(cell) for cell in cells))


def copy_cells(
    source: apsw.Connection, place: str, to: apsw.Connection, table: str, columns: Sequence[str]
) -> None:
    """Copy these columns (as SQL) of all rows of `place` into a table of another database."""
    query = f"SELECT {', '.join(wire(column) for column in columns)} FROM {place}"
    head = f"INSERT INTO {table}({', '.join(columns)}) VALUES"
    for row in source.execute(query):
        cells = decode_row(row)
        marks = ", ".join("CAST(? AS TEXT)" if isinstance(c, RawText) else "?" for c in cells)
        bound = [cell.data if isinstance(cell, RawText) else cell for cell in cells]
        to.execute(f"{head} ({marks})", bound)


def row_size(table: Table, factor: int = 1) -> str:
    """Write the SQL of a row's size; in nested sums, for D1 allows an expression 100 levels."""
    sizes = [f"coalesce(octet_length({quote_name(c)}),0)" for c in table.data_columns]
    sums = ["+".join(sizes[n : n + 10]) for n in range(0, len(sizes), 10)]
    overhead = _CELL_OVERHEAD * len(sizes)
    return f"{'+'.join(f'{factor}*({part})' for part in sums)}+{overhead}"


def row_text(columns: Iterable[str]) -> str:
    """Write the SQL of one row as one text, the same for equal rows only: for hashes."""
    return "||','||".join(f"coalesce({wire(column)},'n')" for column in columns)


def _packed_size(text: str) -> int:
    return len(text.encode()) + 2  # with what separates it from the next


def walk_names(table: Table) -> list[str]:
    """The columns of a table's order, quoted; where its key has a collation of its own, by that."""
    own = {column.name: column.collation.upper() for column in table.columns}
    return [table.rowid] * bool(table.rowid) or [
        quote_name(name) + (f" COLLATE {order}" if order.upper() != own[name] else "")
        for name, order in table.ordered_by
    ]


def require_short(sql: str, table: Table) -> str:
    """The statement, if D1 takes one so long; raises ProjectError."""
    if len(sql.encode()) > STATEMENT_LIMIT:
        raise ProjectError(
            f"The statement that reads {table.name} is longer than D1's 100 KB.",
            hint="Its column names or its keys are very long;"
            " back this table up with wrangler d1 export.",
        )
    return sql


def _select(table: Table) -> str:
    columns = [wire(quote_name(name)) for name in table.data_columns]
    if table.rowid:
        columns[0] = f"{table.rowid}||':'||coalesce({columns[0]},'')"
    chosen = ", ".join(f"{column} AS c{n}" for n, column in enumerate(columns))
    order = f" ORDER BY {', '.join(walk_names(table))}" if table.walk else ""
    return require_short(f"SELECT {chosen} FROM {quote_name(table.name)}{order}", table)


def _is_plain(text: str) -> bool:
    if not all(char.isalnum() or char in _SAFE_TEXT for char in text):
        return False
    upper = text.upper()
    return not any(word in upper for word in _NEVER_PLAIN)


def tagged(value: object) -> str | None:
    """A value as `wire` made it; raises TypeError for any other."""
    if value is None or isinstance(value, str):
        return value
    raise TypeError("a value came back without its tag")
