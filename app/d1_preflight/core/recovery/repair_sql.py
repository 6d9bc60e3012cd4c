"""What a migration took from one table, as SQL statements that give it back."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import apsw

from d1_preflight.core.rows.codec import decode, literal, wire
from d1_preflight.core.schema.ddl import addable, column_definition
from d1_preflight.core.schema.schema import Schema
from d1_preflight.core.schema.sequences import local_sequences, raise_sequence
from d1_preflight.core.schema.table import Table, TableKind, quoted

_COLUMNS_AT_ONCE = 40


@dataclass(frozen=True, slots=True)
class GivenBack:
    """What was written for one table; `problems` say what of it does not come back this way."""

    table: str
    rows: int = 0
    updated: int = 0
    problems: tuple[str, ...] = ()
    sequence: int | None = None  # the AUTOINCREMENT mark that is brought back

    @property
    def is_empty(self) -> bool:
        """Whether nothing of the table was taken."""
        return not (self.rows or self.updated or self.problems or self.sequence is not None)


@dataclass(slots=True)
class Taken:
    """One table in its two states, and what was written for it so far.

    `shape`, `insert`, `update`, `rest` and `number` each give statements, to be run in that order.
    """

    connection: apsw.Connection
    schema: Schema
    old: Table
    new: Table | None
    rebuilt: Collection[str]
    limit: int
    rows: int = 0
    updated: int = 0
    problems: list[str] = field(default_factory=list)
    sequence: int | None = None

    def told(self) -> GivenBack:
        """What was written, once all of it was."""
        problems = tuple(self.problems)
        return GivenBack(self.old.name, self.rows, self.updated, problems, self.sequence)

    def shape(self) -> Iterator[str]:
        """The table itself where it went, and the columns that went."""
        if self._is_virtual:
            self.problems.append("a virtual table is not written; only Time Travel has its rows")
        elif self.new is None:
            yield self._sql
        else:
            for column in self._gone:
                text, weaker = addable(column_definition(self._sql, column))
                if not text:
                    self.problems.append(f"column {column} cannot be added again")
                    continue
                if weaker:
                    self.problems.append(f"column {column} comes back without NOT NULL")
                yield f"ALTER TABLE {quoted(self.old.name)} ADD COLUMN {text}"

    def insert(self) -> Iterator[str]:
        """The rows that went."""
        if self._is_virtual:
            return
        place = f"before.{quoted(self.old.name)} AS b"
        if self.new is None:
            where = ""
        elif self._key:
            there = f"SELECT 1 FROM after.{quoted(self.new.name)} AS a WHERE {self._on}"
            where = f" WHERE NOT EXISTS ({there})"
        else:
            self._check_by_number()
            return
        columns = self._columns
        names = [quoted(name) for name in columns]
        cells = [wire(f"b.{name}") for name in names]
        if self.old.rowid and not self.old.primary_key:
            names, cells = [self.old.rowid, *names], [f"'i'||b.{self.old.rowid}", *cells]
        found = self._literals(f"SELECT {', '.join(cells)} FROM {place}{where}")
        head = f"INSERT INTO {quoted(self.old.name)} ({', '.join(names)}) VALUES\n"
        for batch in self._batches(found, len(head)):
            self.rows += len(batch)
            yield head + ",\n".join(batch)

    def update(self) -> Iterator[str]:
        """The values that went or became others, in rows that are still there."""
        if self._is_virtual or self.new is None or not self._key:
            return
        columns = [c for c in self._columns if self._differs(c)]
        touched = 0
        for start in range(0, len(columns), _COLUMNS_AT_ONCE):
            some = columns[start : start + _COLUMNS_AT_ONCE]
            number = 0
            for statement, rows in self._updates(some):
                number += rows
                yield statement
            touched = max(touched, number)
        self.updated = touched

    def rest(self) -> Iterator[str]:
        """Indexes and triggers of a table that went."""
        if self.new is None and not self._is_virtual:
            for kind in ("index", "trigger"):
                for made in self.schema.objects:
                    if made.kind == kind and made.table.lower() == self.old.name.lower():
                        yield made.sql.rstrip().rstrip(";")

    def number(self) -> Iterator[str]:
        """The AUTOINCREMENT mark, where it fell."""
        mark = local_sequences(self.connection, "before").get(self.old.name)
        if mark is None or not self.old.autoincrement:
            return
        if self.new is not None and not self.new.autoincrement:
            self.problems.append("its AUTOINCREMENT is gone, and with it the highest id it issued")
        elif local_sequences(self.connection, "after").get(self.old.name, 0) < mark:
            self.sequence = mark
            yield from raise_sequence(self.old.name, mark)

    def _updates(self, columns: Sequence[str]) -> Iterator[tuple[str, int]]:
        assert self.new is not None  # noqa: S101 - update asks first
        keys = [wire(f"b.{k}") for k in self._key]
        cells = [wire(f"b.{quoted(c)}") for c in columns]
        changed = " OR ".join(self._difference(c) for c in columns)
        query = (
            f"SELECT {', '.join([*keys, *cells])} FROM before.{quoted(self.old.name)} AS b"
            f" JOIN after.{quoted(self.new.name)} AS a ON {self._on} WHERE {changed}"
        )
        table, count = quoted(self.old.name), len(self._key)
        sets = ", ".join(f"{quoted(c)} = v.column{count + n}" for n, c in enumerate(columns, 1))
        on = " AND ".join(f"{table}.{k} = v.column{n}" for n, k in enumerate(self._key, 1))
        head, tail = f"UPDATE {table} SET {sets} FROM (VALUES\n", f") AS v WHERE {on}"
        for batch in self._batches(self._literals(query), len(head) + len(tail)):
            yield head + ",\n".join(batch) + tail, len(batch)

    def _differs(self, column: str) -> bool:
        assert self.new is not None  # noqa: S101 - update asks first
        query = (
            f"SELECT EXISTS (SELECT 1 FROM before.{quoted(self.old.name)} AS b"
            f" JOIN after.{quoted(self.new.name)} AS a ON {self._on}"
            f" WHERE {self._difference(column)})"
        )
        return bool(self.connection.execute(query).fetchall()[0][0])

    def _difference(self, column: str) -> str:
        name = quoted(column)
        if column in self._gone:
            return f"b.{name} IS NOT NULL"
        same = f"typeof(b.{name}) = typeof(a.{name}) AND +b.{name} IS +a.{name} COLLATE BINARY"
        return f"NOT ({same})"

    def _check_by_number(self) -> None:
        """Rows without a key cannot be told apart: any difference is said, none is written."""
        assert self.new is not None  # noqa: S101 - insert asks first
        names = ", ".join(quoted(c) for c in self._columns if c not in self._gone) or "NULL"
        both = (
            f"{side}.{quoted(t.name)}" for side, t in (("before", self.old), ("after", self.new))
        )
        first, second = (f"SELECT {names} FROM {place}" for place in both)
        query = f"SELECT EXISTS ({first} EXCEPT {second})"
        if self._gone or self.connection.execute(query).fetchall()[0][0]:
            self.problems.append("its rows have no key, so they cannot be put back one by one")

    @property
    def _is_virtual(self) -> bool:
        return self.old.kind is not TableKind.ORDINARY

    @property
    def _sql(self) -> str:
        sql = next(
            o.sql for o in self.schema.objects if o.kind == "table" and o.name == self.old.name
        )
        return sql.rstrip().rstrip(";")

    @property
    def _gone(self) -> tuple[str, ...]:
        if self.new is None:
            return ()
        there = {name.lower() for name in self.new.data_columns}
        return tuple(c for c in self.old.data_columns if c.lower() not in there)

    @property
    def _columns(self) -> tuple[str, ...]:
        """The columns that are written: those that will be there when the shapes were mended."""
        lost = {p.split()[1] for p in self.problems if p.endswith("cannot be added again")}
        return tuple(c for c in self.old.data_columns if c not in lost)

    @property
    def _key(self) -> tuple[str, ...]:
        """What names a row on both sides: the primary key, or a rowid that can be trusted."""
        if self.new is None:
            return ()
        there = {name.lower() for name in self.new.data_columns}
        key = self.old.primary_key
        if key and all(name.lower() in there for name in key):
            return tuple(quoted(name) for name in key)
        if self.old.rowid and self.new.rowid and self.old.name.lower() not in self.rebuilt:
            return (self.old.rowid,)
        return ()

    @property
    def _on(self) -> str:
        return " AND ".join(f"a.{k} = b.{k}" for k in self._key)

    def _literals(self, query: str) -> Iterator[str]:
        for row in self.connection.execute(query):
            cells = (literal(decode(None if v is None else str(v))) for v in row)
            yield f"({', '.join(cells)})"

    def _batches(self, rows: Iterable[str], taken: int) -> Iterator[list[str]]:
        batch, used, room = list[str](), 0, self.limit - taken - 4
        too_long = 0
        for row in rows:
            size = len(row.encode()) + 2
            if size > room:
                too_long += 1
                continue
            if batch and used + size > room:
                yield batch
                batch, used = [], 0
            batch.append(row)
            used += size
        if batch:
            yield batch
        if too_long:
            self.problems.append(f"{too_long} rows exceed D1's 100 KB a statement")
