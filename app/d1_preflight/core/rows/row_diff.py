"""Compares the rows of two states of a database: what is gone, nulled, changed or new.

Everything is compared inside SQLite across two attached databases, `before` and `after`, by type
and exact value (no affinity, no collation), so hundreds of thousands of rows take seconds. Rows
are paired by primary key; without one by rowid, or by their whole content where the rowids cannot
be trusted.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import field, replace
from enum import StrEnum

import apsw

from d1_preflight.core.errors import ProjectError
from d1_preflight.core.rows.codec import differs, row_text
from d1_preflight.core.rows.index_gap import IndexState, index_state
from d1_preflight.core.schema.full_text import full_text
from d1_preflight.core.schema.sequences import highest_issued
from d1_preflight.core.schema.table import Table, TableKind, read_tables
from d1_preflight.core.sql.tokenizer import quote_name
from d1_preflight.lazy_dataclass import dataclass

Cells = tuple[tuple[str, int], ...]


class Pairing(StrEnum):
    """How the rows of one table were paired."""

    KEY = "primary key"
    ROWID = "rowid"
    CONTENT = "whole rows"  # a changed row counts as one lost and one added
    NONE = "nothing to pair"


@dataclass(frozen=True, slots=True)
class Renames:
    """New names: of tables by their old ones, of columns by `table.column` as they were."""

    tables: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failing:
    """The full-text indexes that fail in each state, by their names in lower case, and why."""

    before: Mapping[str, str] = field(default_factory=dict)
    after: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TableDiff:
    """The row diff of one table; `before` or `after` is None where the table is not there.

    `nulled`, `altered` and `dropped` count cells by column (names as before): values that became
    NULL, cells that hold another value now (a filled NULL too), values that went with their
    column. `changed` counts the rows with any of these. Of an AUTOINCREMENT table `issued_before`
    and `issued_after` are the highest ids that will not be issued again. Of a full-text index over
    `content` the entries are counted; `strays` are the entries and rows that have lost each other.
    `failure` is why a full-text index does not work after, if it did before.
    """

    table: str
    before: int | None
    after: int | None
    lost: int = 0
    added: int = 0
    changed: int = 0
    nulled: Cells = ()
    altered: Cells = ()
    dropped: Cells = ()
    columns_gone: tuple[str, ...] = ()
    pairing: Pairing = Pairing.NONE
    issued_before: int | None = None
    issued_after: int | None = None
    content: str = ""
    strays: int = 0
    failure: str = ""

    @property
    def reissues(self) -> bool:
        """Whether ids of rows that were deleted before will be issued again."""
        before, after = self.issued_before, self.issued_after
        return before is not None and after is not None and after < before

    @property
    def is_untouched(self) -> bool:
        """Whether every row and every value is still there and none is new."""
        moved = self.lost or self.added or self.changed or self.columns_gone or self.reissues
        failed = self.strays or self.failure or (self.content and self.before != self.after)
        return not moved and not failed and self.before is not None and self.after is not None


@dataclass(frozen=True, slots=True)
class RowDiff:
    """The diffs of all tables that hold rows; an index's entries are counted, not paired."""

    tables: tuple[TableDiff, ...]


def diff_rows(
    connection: apsw.Connection,
    *,
    renames: Renames | None = None,
    ignore: Collection[str] = ("d1_migrations",),
    rebuilt: Collection[str] = (),
    failing: Failing | None = None,
) -> RowDiff:
    """Compare `before` with `after`; `rebuilt` names tables whose rowids mean nothing any more."""
    try:
        return _row_diff(connection, renames or Renames(), ignore, rebuilt, failing or Failing())
    except apsw.Error as error:  # its words may quote a row
        raise ProjectError(
            f"The two copies cannot be compared ({type(error).__name__}).",
            hint="Copy the target and rehearse again.",
        ) from error


def _row_diff(
    connection: apsw.Connection,
    renames: Renames,
    ignore: Collection[str],
    rebuilt: Collection[str],
    failing: Failing,
) -> RowDiff:
    olds = _sorted_out(read_tables(connection, "before"), ignore)
    news = _sorted_out(read_tables(connection, "after"), ignore)
    moved = {old.lower(): new.lower() for old, new in renames.tables.items()}
    found = []
    for name, old in olds.items():
        new = news.pop(moved.get(name, name), None)
        if new is None:
            count = _count(connection, "before", old)
            found.append(TableDiff(old.name, count, None, lost=count))
        elif TableKind.VIRTUAL in (old.kind, new.kind):
            failure = failing.after.get(new.name.lower(), "")
            failed_before = old.name.lower() in failing.before
            if old.has_own_rows and new.has_own_rows:
                one = _Pair(connection, old, new, renames, rebuilt).diff()
            else:
                one = _by_number(connection, old, new, failed_before=failed_before)
            found.append(replace(one, failure="" if failed_before else failure))
        else:
            pair = _Pair(connection, old, new, renames, rebuilt)
            found.append(_numbered(connection, old, new, pair.diff()))
    for new in news.values():
        count = _count(connection, "after", new)
        found.append(TableDiff(new.name, None, count, added=count))
    return RowDiff(tuple(found))


def _numbered(connection: apsw.Connection, old: Table, new: Table, found: TableDiff) -> TableDiff:
    """Add to an AUTOINCREMENT table's diff up to where ids are issued, on both sides."""
    if not old.autoincrement:
        return found
    before = highest_issued(connection, "before", old)
    after = highest_issued(connection, "after", new)
    return replace(found, issued_before=before, issued_after=after)


def _by_number(
    connection: apsw.Connection, old: Table, new: Table, *, failed_before: bool
) -> TableDiff:
    """Entries without rows of their own have nothing to be paired by: they are only counted."""
    states = index_state(connection, "before", old), index_state(connection, "after", new)
    before, after = _count(connection, "before", old), _count(connection, "after", new)
    if states[0] and states[1] and states[1].content:  # its rows are those of the content
        strays = _strays(states[0], states[1], partial=failed_before)
        return TableDiff(old.name, before, after, content=states[1].content, strays=strays)
    lost, added = max(0, before - after), max(0, after - before)
    return TableDiff(old.name, before, after, lost=lost, added=added)


def _strays(before: IndexState, after: IndexState, *, partial: bool) -> int:
    """An index that strayed from its content before is no worse for that.

    One that held only some of the rows need not hold a new row either.
    """
    expected = max(0, after.rows - before.rows) if partial and before.unindexed else 0
    ghosts, unindexed = after.ghosts - before.ghosts, after.unindexed - before.unindexed
    return max(0, ghosts) + max(0, unindexed - expected)


class _Pair:
    """One table in its two states."""

    def __init__(
        self,
        connection: apsw.Connection,
        old: Table,
        new: Table,
        renames: Renames,
        rebuilt: Collection[str],
    ) -> None:
        self._connection = connection
        self._old, self._new = old, new
        self._may_use_rowid = bool(old.row_name and new.row_name) and old.name.lower() not in {
            name.lower() for name in rebuilt
        }
        self._columns = dict(_common(old, new, renames))
        self._gone = tuple(c for c in old.data_columns if c not in self._columns)
        self._before = _count(connection, "before", old)
        self._after = _count(connection, "after", new)

    def diff(self) -> TableDiff:
        """Pair the rows in the best way that these tables allow, and count."""
        key = self._key()
        if key:
            return self._joined(key, Pairing.KEY)
        by_content = self._by_content()
        if self._may_use_rowid and not by_content.is_untouched:
            return self._joined(((self._old.row_name, self._new.row_name),), Pairing.ROWID)
        return by_content

    def _by_content(self) -> TableDiff:
        lost = self._missing("before", "after")
        added = lost + self._after - self._before
        return self._result(
            Pairing.CONTENT, lost=lost, added=added, dropped=self._values_in_gone_columns()
        )

    def _partners(self, key: tuple[tuple[str, str], ...], side: str) -> int:
        """How many rows of one side have a partner on the other."""
        old = f"before.{quote_name(self._old.name)} AS b"
        new = f"after.{quote_name(self._new.name)} AS a"
        here, there = (old, new) if side == "before" else (new, old)
        on = " AND ".join(f"b.{left} = a.{right}" for left, right in key)
        return _number(
            self._connection,
            f"SELECT count(*) FROM {here} WHERE EXISTS (SELECT 1 FROM {there} WHERE {on})",
        )

    def _key(self) -> tuple[tuple[str, str], ...]:
        """The primary key's columns, old and new, if it names each row once on both sides."""
        key = self._old.primary_key
        if not key or any(name not in self._columns for name in key):
            return ()
        pairs = tuple((quote_name(name), quote_name(self._columns[name])) for name in key)
        sides = (("before", self._old, 0), ("after", self._new, 1))
        if all(
            self._names_each_row(name, table, [pair[side] for pair in pairs])
            for name, table, side in sides
        ):
            return pairs
        return ()

    def _names_each_row(self, database: str, table: Table, key: list[str]) -> bool:
        place = f"{database}.{quote_name(table.name)}"
        nulls = " OR ".join(f"{column} IS NULL" for column in key)
        if _number(self._connection, f"SELECT EXISTS (SELECT 1 FROM {place} WHERE {nulls})"):
            return False
        if {quote_name(name) for name in table.primary_key} == set(key):
            return True
        columns = ", ".join(key)
        repeated = f"SELECT 1 FROM {place} GROUP BY {columns} HAVING count(*) > 1"
        return not _number(self._connection, f"SELECT EXISTS ({repeated})")

    def _joined(self, key: tuple[tuple[str, str], ...], pairing: Pairing) -> TableDiff:
        cells = [(quote_name(old), quote_name(new)) for old, new in self._columns.items()]
        compared = [
            f"{differs(f'b.{old}', f'a.{new}')} AS d{n},"
            f" b.{old} IS NOT NULL AND a.{new} IS NULL AS n{n}"
            for n, (old, new) in enumerate(cells)
        ]
        gone = [quote_name(name) for name in self._gone]
        compared += [f"b.{name} IS NOT NULL AS g{n}" for n, name in enumerate(gone)]
        on = " AND ".join(f"b.{old} = a.{new}" for old, new in key)
        marks = [f"d{n}" for n in range(len(cells))] + [f"g{n}" for n in range(len(self._gone))]
        sums = [f"sum(d{n}), sum(n{n})" for n in range(len(cells))]
        sums += [f"sum(g{n})" for n in range(len(self._gone))]
        row = self._connection.execute(
            f"SELECT count(*), sum({' OR '.join(marks)}), {', '.join(sums)} FROM"
            f" (SELECT {', '.join(compared)} FROM before.{quote_name(self._old.name)} AS b"
            f" JOIN after.{quote_name(self._new.name)} AS a ON {on})"
        ).fetchone()
        counts = [int(str(value or 0)) for value in row or ()]
        paired, changed, *rest = counts
        if paired != self._partners(key, "before") or paired != self._partners(key, "after"):
            return self._by_content()  # the new type or collation makes two keys one
        names = list(self._columns)
        nulled = {name: rest[2 * n + 1] for n, name in enumerate(names)}
        altered = {name: rest[2 * n] - rest[2 * n + 1] for n, name in enumerate(names)}
        dropped = dict(zip(self._gone, rest[2 * len(names) :], strict=True))
        return self._result(
            pairing,
            lost=self._before - paired,
            added=self._after - paired,
            changed=changed,
            nulled=_cells(nulled),
            altered=_cells(altered),
            dropped=_cells(dropped),
        )

    def _missing(self, here: str, there: str) -> int:
        """How many rows of one side have no equal on the other, each counted."""
        texts = {
            "before": (row_text(quote_name(c) for c in self._columns), self._old.name),
            "after": (row_text(quote_name(c) for c in self._columns.values()), self._new.name),
        }
        nothing = "''"  # none of its columns is left: only how many rows there are is compared
        halves = " UNION ALL ".join(
            f"SELECT {texts[side][0] or nothing} AS content, {sign} AS one"
            f" FROM {side}.{quote_name(texts[side][1])}"
            for side, sign in ((here, 1), (there, -1))
        )
        return _number(
            self._connection,
            "SELECT coalesce(sum(missing), 0) FROM (SELECT sum(one) AS missing"
            f" FROM ({halves}) GROUP BY content HAVING missing > 0)",
        )

    def _values_in_gone_columns(self) -> Cells:
        place = f"before.{quote_name(self._old.name)}"
        return _cells(
            {c: _number(self._connection, f"SELECT count({quote_name(c)}) FROM {place}")
             for c in self._gone}
        )  # fmt: skip

    def _result(
        self,
        pairing: Pairing,
        *,
        lost: int,
        added: int,
        changed: int = 0,
        nulled: Cells = (),
        altered: Cells = (),
        dropped: Cells = (),
    ) -> TableDiff:
        return TableDiff(
            self._old.name,
            self._before,
            self._after,
            lost=lost,
            added=added,
            changed=changed or max((n for _, n in dropped), default=0),
            nulled=nulled,
            altered=altered,
            dropped=dropped,
            columns_gone=self._gone,
            pairing=pairing,
        )


def _sorted_out(tables: tuple[Table, ...], ignore: Collection[str]) -> dict[str, Table]:
    """The tables that hold rows or entries; a shadow's rows are those of its virtual table."""
    kept = (t for t in tables if t.name not in ignore and not t.is_shadow)
    return {t.name.lower(): t for t in kept if not t.is_derived or full_text(t.sql)}


def _common(old: Table, new: Table, renames: Renames) -> Iterator[tuple[str, str]]:
    names = {name.lower(): name for name in new.data_columns}
    moved = {place.lower(): name.lower() for place, name in renames.columns.items()}
    for name in old.data_columns:
        target = moved.get(f"{old.name}.{name}".lower(), name.lower())
        if target in names:
            yield name, names[target]


def _cells(counts: Mapping[str, int]) -> Cells:
    return tuple((name, count) for name, count in counts.items() if count)


def _count(connection: apsw.Connection, database: str, table: Table) -> int:
    state = index_state(connection, database, table) if table.is_virtual else None
    if state is not None:
        return state.entries
    return _number(connection, f"SELECT count(*) FROM {database}.{quote_name(table.name)}")


def _number(connection: apsw.Connection, sql: str) -> int:
    row = connection.execute(sql).fetchone()
    if row is None or not isinstance(row[0], int):
        raise TypeError("a count is not a number")
    return row[0]
