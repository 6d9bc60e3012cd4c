"""What is known of a query's result: whose rows are all in it, and what its columns read."""

from dataclasses import dataclass, replace

from d1_preflight.core.sql.statement import ColumnReads


@dataclass(frozen=True, slots=True)
class Relation:
    """The result of a query: `kept` are the tables every row of which is in it at least once.

    A column's reads are faithful only for tables in `kept`. `has_rows` is whether it cannot be
    empty, whatever the tables hold; `adds` whether there are rows of more than one query in it.
    """

    kept: frozenset[str]
    columns: tuple[tuple[str, ColumnReads], ...]
    has_rows: bool = False
    adds: bool = False

    def degraded(self, *, has_rows: bool = False) -> "Relation":
        """The relation, where it may hold fewer rows than its tables."""
        columns = tuple((name, unfaithful(reads)) for name, reads in self.columns)
        return replace(self, kept=frozenset(), columns=columns, has_rows=has_rows)


def unfaithful(reads: ColumnReads) -> ColumnReads:
    """The same columns, read for a value that is another than theirs."""
    return ColumnReads(dict.fromkeys(reads, False))


def split_tables(left: Relation, right: Relation) -> frozenset[str]:
    """The tables of which neither query has every faithful column: no result row is whole."""
    first, second = (
        {(n, key) for n, (_, of) in enumerate(side.columns) for key in of if of[key]}
        for side in (left, right)
    )
    return frozenset({k[0] for _, k in first - second} & {k[0] for _, k in second - first})


def reads_of_both(
    first: ColumnReads, second: ColumnReads, split: frozenset[str] = frozenset()
) -> ColumnReads:
    """What two columns or expressions read together; of `split` tables both must be faithful."""
    keys = (*first, *(key for key in second if key not in first))
    both = ((key, first.get(key, False), second.get(key, False)) for key in keys)
    return ColumnReads({k: (a and b) if k[0] in split else (a or b) for k, a, b in both})
