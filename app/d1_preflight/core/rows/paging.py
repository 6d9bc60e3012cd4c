"""Reads a table page by page, each from the last key of the one before: no row is read twice.

The rows of a page are numbered, each says whether another follows it, and the last line says
whether there is any, and to which page it belongs: an answer which lacks some, or which is another
page's, is seen without counting them once more.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from d1_preflight.core.rows.codec import (
    Cell,
    Row,
    decode,
    literal,
    require_short,
    row_size,
    tagged,
    walk_names,
    wire,
)
from d1_preflight.core.schema.table import Table
from d1_preflight.core.sql.tokenizer import quote_name

PAGE_BYTES = 16_000_000
"""About so much JSON a page: one wrangler call costs 1.4 s, and D1 answers at most 50 MB."""
FIRST_ROWS = 20_000
"""The most rows of a first page, whose rows' size is not known yet."""
_FEWEST_ROWS = 10
_END = "end"


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of a table: from a key on (its values as SQL; () at the start), of such a size.

    A `measured` page sums up the sizes of its rows before it reads their values: rows past its end
    may be large ones.
    """

    table: Table
    after: tuple[str, ...] = ()
    rows: int = FIRST_ROWS
    size: int = PAGE_BYTES
    measured: bool = False

    @property
    def sql(self) -> str:
        """The statement that reads it; the rows stop where their sizes reach the page's."""
        table, order = self.table, ", ".join(walk_names(self.table))
        columns = [wire(quote_name(name)) for name in table.data_columns]
        before = self._before(order)
        number = f"row_number() OVER (ORDER BY {order})"
        # lead() would have SQLite read all the rest of the table before the page's first row.
        more = f"count(*) OVER (ORDER BY {order} ROWS BETWEEN 1 FOLLOWING AND 1 FOLLOWING)"
        head = (before, number, f"({row_size(table, 2)})", more, table.rowid or "''")
        columns[0] = "||':'||".join((*head, f"coalesce({columns[0]},'')"))
        chosen = ", ".join(f"{column} AS c{n}" for n, column in enumerate(columns))
        rows = f"{quote_name(table.name)}{self._where()}"
        limit = self._measure(rows, order) if self.measured else self.rows
        sql = (
            f"SELECT * FROM (SELECT {chosen} FROM {rows} ORDER BY {order} LIMIT {limit})"
            f" WHERE CAST(c0 AS INTEGER) < {self.size}"
            f" UNION ALL SELECT '{self._end}'||EXISTS(SELECT 1 FROM {rows})"
            f"{', NULL' * (len(columns) - 1)}"
        )
        return require_short(sql, table)

    @property
    def _end(self) -> str:
        """How its last line begins."""
        place = "\0".join((self.table.name, *self.after))
        return f"{_END}:{sha256(place.encode()).hexdigest()[:12]}:"

    def _before(self, order: str) -> str:
        """The size of the rows before each row of the page."""
        return (
            f"coalesce(sum({row_size(self.table, 2)}) OVER (ORDER BY {order}"
            " ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),0)"
        )

    def _measure(self, rows: str, order: str) -> str:
        """How many rows the page has: SQLite tells a value's size without reading it."""
        sizes = f"SELECT {self._before(order)} AS s FROM {rows} ORDER BY {order} LIMIT {self.rows}"
        return f"(SELECT count(*) FROM ({sizes}) WHERE s < {self.size})"

    def _where(self) -> str:
        """The condition; SQLite finds its start in the index by the first column alone."""
        if not self.after:
            return ""
        names = walk_names(self.table)
        start = f"{names[0]} >= {self.after[0]} AND " if len(names) > 1 else ""
        return f" WHERE {start}({', '.join(names)}) > ({', '.join(self.after)})"

    def read(self, answer: Sequence[Mapping[str, object]]) -> "PageRows":
        """The rows of its answer, and the page after it.

        Raises ValueError where the answer lacks some, or has those of another page.
        """
        number = len(answer) - 1
        lacking = ValueError(f"it lacks rows of {self.table.name}")
        if not answer or answer[-1].get("c0") != f"{self._end}{int(number > 0)}":
            raise lacking
        if not number:
            return PageRows(iter(()), None, 0)
        last = _numbered(self.table, answer[-2], number)
        is_full = number == self.rows or last.upto >= self.size
        if last.more and not is_full:
            raise lacking
        following = self._after(last, number) if last.more else None
        if following is not None and following.after == self.after:
            raise _repeats(self.table)
        first = int(self.after[0]) if self.table.rowid and self.after else None
        return PageRows(_rows(self.table, answer, first), following, last.upto)

    def _after(self, last: "_Numbered", rows: int) -> "Page":
        cells = dict(zip(self.table.data_columns, last.row.cells, strict=True))
        key: list[Cell] = (
            [last.row.rowid] if self.table.rowid else [cells[name] for name in self.table.walk]
        )
        return replace(
            self,
            after=tuple(literal(value) for value in key),
            rows=max(_FEWEST_ROWS, PAGE_BYTES * rows // max(1, last.upto)),
            size=PAGE_BYTES,
            measured=False,
        )


@dataclass(frozen=True, slots=True)
class PageRows:
    """The rows of one page, of so many bytes; `following` is the page after it, None at the end."""

    rows: Iterator[Row]
    following: Page | None
    size: int


@dataclass(frozen=True, slots=True)
class _Numbered:
    row: Row
    upto: int
    more: bool


def _rows(table: Table, answer: Sequence[Mapping[str, object]], last: int | None) -> Iterator[Row]:
    """The rows of an answer; ValueError where one does not follow `last`, the rowid before it."""
    for number in range(len(answer) - 1):
        row = _numbered(table, answer[number], number + 1).row
        if last is not None and row.rowid is not None and row.rowid <= last:
            raise _repeats(table)
        last = row.rowid
        yield row


def _repeats(table: Table) -> ValueError:
    return ValueError(f"it repeats rows of {table.name}")


def _numbered(table: Table, found: Mapping[str, object], expected: int) -> _Numbered:
    """One row of an answer; ValueError where it is not the one of that number."""
    cells = [tagged(found[f"c{n}"]) for n in range(len(table.data_columns))]
    before, number, size, more, rowid, first = (cells[0] or "").split(":", 5)
    if int(number) != expected:
        raise ValueError(f"it lacks rows of {table.name}")
    cells[0] = first or None
    row = Row(int(rowid) if table.rowid else None, tuple(decode(cell) for cell in cells))
    return _Numbered(row, int(before) + int(size), more != "0")
