"""What a walk will read of the target, estimated for a row or two a table before anything is read.

The free plan's rows are a day's for the whole account: above them production's queries fail.
"""

from collections.abc import Mapping, Sequence

from d1_preflight.core.format import FREE_ROWS_A_DAY, count, plural
from d1_preflight.core.schema.table import Table
from d1_preflight.core.sql.tokenizer import quote_name
from d1_preflight.lazy_dataclass import dataclass

READS_OF_A_WALK = 3
"""How often a walk to the close reads a table that its migration touches: two times as
`tests/bench/bench_reads.py` measures it (47,777 rows at 23,722), and once more for a second try."""
_SMALLEST_ROW = 10
_PER_STATEMENT = 40


@dataclass(frozen=True, slots=True)
class WalkCost:
    """The rows that a walk is likely to read; `unsized` are the tables that it knows nothing of."""

    rows: int
    unsized: tuple[str, ...] = ()

    @property
    def asks_first(self) -> bool:
        """Whether it is more than a tenth of a free day, or may be."""
        return self.rows * 10 > FREE_ROWS_A_DAY or bool(self.unsized)

    @property
    def is_too_much(self) -> bool:
        """Whether it is more than half of a free day."""
        return self.rows * 2 > FREE_ROWS_A_DAY

    @property
    def words(self) -> str:
        """For people: the rows, their share, and what is not known."""
        percent = self.rows * 100 // FREE_ROWS_A_DAY
        more = (f", plus those of {', '.join(self.unsized)}, whose number is unknown") * bool(
            self.unsized
        )
        return (
            f"about {plural(self.rows, 'row')}{more}: {percent} % of the {count(FREE_ROWS_A_DAY)} "
            "that a free plan allows per day"
        )


def size_statements(tables: Sequence[Table]) -> tuple[str, ...]:
    """Statements that ask for the first and the last rowid of each table: two rows read each."""
    return tuple(
        "SELECT " + ", ".join(_ends(table, n) for n, table in enumerate(chunk))
        for chunk in _chunks(_sized(tables))
    )


def walk_cost(
    tables: Sequence[Table], answers: Sequence[Mapping[str, object]], size: int | None
) -> WalkCost:
    """The cost out of the answers to `size_statements`; `size` bounds what sparse ids suggest."""
    rows = 0
    for chunk, answer in zip(_chunks(_sized(tables)), answers, strict=True):
        ends = ((answer[f"a{n}"], answer[f"z{n}"]) for n in range(len(chunk)))
        rows += sum(_between(first, last) for first, last in ends)
    if size is not None:
        rows = min(rows, size // _SMALLEST_ROW)
    unsized = tuple(t.name for t in tables if not t.rowid and not t.is_virtual)
    return WalkCost(rows * READS_OF_A_WALK, unsized)


def _sized(tables: Sequence[Table]) -> list[Table]:
    return [table for table in tables if table.rowid]


def _chunks(tables: Sequence[Table]) -> tuple[Sequence[Table], ...]:
    return tuple(tables[n : n + _PER_STATEMENT] for n in range(0, len(tables), _PER_STATEMENT))


def _ends(table: Table, number: int) -> str:
    name, rowid = quote_name(table.name), table.rowid
    first, last = (f"(SELECT {end}({rowid}) FROM {name})" for end in ("min", "max"))
    return f"{first} AS a{number}, {last} AS z{number}"


def _between(first: object, last: object) -> int:
    numbers = [n for n in (first, last) if isinstance(n, (int, float))]
    return int(max(numbers) - min(numbers)) + 1 if len(numbers) == 2 else 0  # noqa: PLR2004
