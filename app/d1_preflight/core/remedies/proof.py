"""Proves a rewrite: both files are run on the same rows, and everything that is left is compared.

What the author meant is seen by running the file with foreign keys off, as other databases let it
be run: no cascade takes a row. Wherever D1 keeps more than that, the rows must be old ones.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import apsw

from d1_preflight.core import d1
from d1_preflight.core.engine.execution import run_to_end
from d1_preflight.core.engine.trial import run_as_d1
from d1_preflight.core.remedies.remedy import Reading
from d1_preflight.core.remedies.sample_rows import empty_bytes, filled_database, opened_copy
from d1_preflight.core.rows.codec import decode_row, wire
from d1_preflight.core.schema.schema import Change, Schema, SchemaObject, Structure, compare
from d1_preflight.core.schema.sequences import local_sequences
from d1_preflight.core.schema.table import Table, TableKind, is_virtual, shadows_among
from d1_preflight.core.sql.tokenizer import quote_name, statements

_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d")
_EPOCH = 1_600_000_000
_RUN = 60
_Named = TypeVar("_Named", Table, SchemaObject)
_REFUSED = "it is refused, with rows and without"
_OF_TRANSACTIONS = ("BEGIN", "COMMIT", "ROLLBACK", "END", "SAVEPOIN")
_MODES = ("full", "gaps")
_ALIKE, _BROUGHT = "alike", "brought"
"""For a file that rests on what two tables share, or on the rows that the earlier files insert."""
_WORDS = {
    "full": "rows in every table",
    "gaps": "NULL wherever it is allowed",
    _ALIKE: "rows in every table, of which all have the same keys",
    _BROUGHT: "the rows of the earlier files and others in every table",
}
_Cell = tuple[str, object]
_RowOf = dict[str, _Cell]
_Filled = tuple[bytes, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Proof:
    """What the comparison says: `reason` is why it is no proof, "" where it is one.

    `differences` are those of the final schema, in words; `rows` is on what it was tried.
    """

    reason: str = ""
    differences: tuple[str, ...] = ()
    rows: str = ""

    @property
    def holds(self) -> bool:
        """Whether the rewrite may be offered."""
        return not self.reason


def schema_changes(author: Reading, rewritten: Reading) -> tuple[Change, ...]:
    """What the final schema of the rewrite has otherwise than the author's."""
    mine, yours = rewritten.context.script.new, author.context.script.new
    found = list(compare(_other_than(yours, mine), _other_than(mine, yours)))
    for name, table in yours.tables.items():
        other = mine.tables.get(name)
        names = [n.lower() for n in table.column_names]
        now = [n.lower() for n in other.column_names] if other else names
        if sorted(names) == sorted(now) and names != now:
            words = ", ".join(table.column_names), ", ".join(other.column_names if other else ())
            found.append(Change("changed", "column order", table.name, *words))
    return tuple(found)


def _other_than(one: Structure, other: Structure) -> Structure:
    """What of a structure is not the same in the other; equal tables are not compared again."""

    def differing(here: Mapping[str, _Named], there: Mapping[str, _Named]) -> dict[str, _Named]:
        return {name: found for name, found in here.items() if there.get(name) != found}

    return Structure(
        differing(one.tables, other.tables),
        differing(one.indexes, other.indexes),
        differing(one.triggers, other.triggers),
        differing(one.views, other.views),
        one.inner,
    )


def prove(
    author: Reading,
    rewritten: Reading,
    values: Collection[str] = (),
    copies: Sequence[tuple[str, bytes]] = (),
) -> Proof:
    """Run both on rows of every kind, and once on none; compare what is left.

    `values` are the columns, as `table.column`, that get other values on purpose; `copies` are
    databases of the schema before with real rows, and what they are called.
    """
    differences = tuple(change.words for change in schema_changes(author, rewritten))
    for words, data in (("", empty_bytes(author.prior)), *copies):
        reason = _on_copy(data, author, rewritten, values)
        if reason:
            return Proof(f"on {words}: {reason}" if words else reason, differences)
    tried, reason = _on_invented(author, rewritten, values)
    if reason.startswith(_REFUSED) and (ran := _taken_on(copies, rewritten)):
        return Proof("", differences, f"{', '.join(ran)}, but not on invented rows: none fit")
    shown = [*(words for words, _ in copies), *(_WORDS[mode] for mode in tried)]
    return Proof(reason, differences, "" if reason else f"{', '.join(shown)}; and on empty tables")


def _on_invented(
    author: Reading, rewritten: Reading, values: Collection[str]
) -> tuple[Sequence[str], str]:
    """The ways of inventing rows on which the rewrite was tried, and what speaks against it."""
    tried, refusals = list[str](), list[str]()
    for mode in (*_MODES, _ALIKE, _BROUGHT):
        if mode not in _MODES and (tried or not author.earlier_files()):
            break
        data, without_rows = _bytes_of(author, mode)
        trial = _Trial(data, author.context.migration.name)
        refusal = trial.refusal(rewritten.text)
        if refusal:
            refusals.append(refusal)
            continue
        reason = next(_broken(trial, author, rewritten, values), "")
        if reason:
            return (), reason
        touched = map(str.lower, rewritten.context.verdict.effects.tables_touched)
        missing = sorted(without_rows.intersection(touched))
        if missing:
            return (), f"no row could be invented for {', '.join(missing)}"
        tried.append(mode)
    return tried, "" if tried else f"{_REFUSED}: {refusals[0]}"


def _taken_on(copies: Sequence[tuple[str, bytes]], reading: Reading) -> list[str]:
    """On which of the real rows D1 takes the file."""
    name = reading.context.migration.name
    return [words for words, data in copies if not _Trial(data, name).refusal(reading.text)]


def _on_copy(data: bytes, author: Reading, rewritten: Reading, values: Collection[str]) -> str:
    """What speaks against a rewrite on real rows; "" too where D1 refuses the author's file so."""
    trial = _Trial(data, author.context.migration.name)
    refusal = trial.refusal(rewritten.text)
    if refusal:
        return "" if trial.refusal(author.text) == refusal else f"D1 would refuse it: {refusal}"
    return next(_broken(trial, author, rewritten, values), "")


def _bytes_of(author: Reading, mode: str) -> _Filled:
    """A database of the schema before in one mode, and its tables without rows."""
    later = tuple(author.context.new.tables.values())
    if mode != _BROUGHT:
        return _filled_bytes(author.prior, mode, later)
    brought = opened_copy(empty_bytes(Schema()))
    for number, text in enumerate(author.earlier_files()):
        refusal_of(brought, str(number), text)
    connection, empty = filled_database(author.prior, gaps=False, later=later, brought=brought)
    with closing(connection), closing(brought):
        return connection.serialize("main"), empty


def refusal_of(connection: apsw.Connection, name: str, text: str) -> str:
    """Run a file as D1 does: why it is refused, or not followed to its end; "" where it is not."""
    verdict = run_as_d1(connection, text, name, ledger=d1.LEDGER, clock=lambda: 0.0)
    return next((found.reason for found in (*verdict.refused, *verdict.undecided)), "")


class _Trial:
    """One state of the database, from which both files start."""

    def __init__(self, data: bytes, name: str) -> None:
        self._data = data
        self._name = name
        self._ran: dict[str, tuple[str, _State]] = {}

    def refusal(self, text: str) -> str:
        """Why D1 does not take the file on these rows, "" where it does."""
        return self.run(text)[0]

    def run(self, text: str) -> tuple[str, "_State"]:
        """Run the file as D1 does, once: why it is refused, and all rows after it."""
        if text not in self._ran:
            with closing(opened_copy(self._data)) as connection:
                refusal = refusal_of(connection, self._name, text)
                self._ran[text] = refusal, _State.of(connection)
        return self._ran[text]

    def before(self) -> "_State":
        """The rows that both start from."""
        with closing(opened_copy(self._data)) as connection:
            return _State.of(connection)

    def meant(self, author: Reading) -> "_State | None":
        """What the author's file leaves where no foreign key acts; None where it fails."""
        left_out = {t.statement.start for t in author.context.statements if t.error}
        with closing(opened_copy(self._data)) as connection, suppress(apsw.Error, ValueError):
            connection.execute("PRAGMA foreign_keys = OFF")
            for statement in statements(author.text):
                is_act = statement.body[:8].upper().startswith(_OF_TRANSACTIONS)
                if statement.start not in left_out and not is_act:
                    run_to_end(connection, statement.text)
            return _State.of(connection)
        return None


@dataclass(frozen=True, slots=True)
class _State:
    """All rows of a database by table, in lower case, and the AUTOINCREMENT marks."""

    tables: Mapping[str, tuple[_RowOf, ...]]
    marks: Mapping[str, int]

    @classmethod
    def of(cls, connection: apsw.Connection) -> "_State":
        schema = Schema.from_connection(connection).without(d1.LEDGER)
        made = {o.name: o.sql for o in schema.objects if o.kind == "table"}
        derived = shadows_among(made) | {n.lower() for n, sql in made.items() if is_virtual(sql)}
        tables: dict[str, tuple[_RowOf, ...]] = {}
        for name in made:
            if name.lower() not in derived:
                tables[name.lower()] = tuple(_rows(connection, name))
        return cls(tables, local_sequences(connection))


def _rows(connection: apsw.Connection, table: str) -> Iterator[_RowOf]:
    info = connection.execute(f"PRAGMA table_xinfo({quote_name(table)})")
    names = [str(row[1]) for row in info]
    if not names:
        return
    chosen = ", ".join(wire(quote_name(name)) for name in names)
    for row in connection.execute(f"SELECT {chosen} FROM {quote_name(table)}"):
        cells = ((type(value).__name__, value) for value in decode_row(row))
        yield dict(zip((name.lower() for name in names), cells, strict=True))


def _broken(
    trial: _Trial, author: Reading, rewritten: Reading, values: Collection[str]
) -> Iterator[str]:
    """What the rewrite loses or changes, in words, without a value."""
    before, (_, now) = trial.before(), trial.run(rewritten.text)
    wanted = trial.meant(author)
    refusal, by_author = trial.run(author.text)
    if wanted is None and not refusal:
        wanted = by_author
    risks = any(f.rows_at_risk and f.blocks for f in rewritten.findings)
    lost = by_author.tables if risks and not refusal else {}  # a finding that stays says so
    for name, table in rewritten.context.new.tables.items():
        if table.kind is not TableKind.ORDINARY:
            continue
        old = before.tables.get(name, ())
        meant = old if wanted is None else wanted.tables.get(name, ())
        free = _overwritten(rewritten, name) if wanted is None else frozenset[str]()
        free |= {v.partition(".")[2] for v in values if v.startswith(f"{name}.")}
        sides = _Sides(meant, now.tables.get(name, ()), old, lost.get(name))
        yield from _differing(table, sides, free)
    for name, mark in (wanted or before).marks.items():
        if name.lower() in now.tables and now.marks.get(name, 0) < mark:
            marked = rewritten.context.new.table(name)
            if marked and marked.autoincrement:
                yield f"it lowers the AUTOINCREMENT counter of {name}"


@dataclass(frozen=True, slots=True)
class _Sides:
    """One table's rows: as meant, now, before, and by the author's own file where that counts."""

    meant: Sequence[_RowOf]
    now: Sequence[_RowOf]
    old: Sequence[_RowOf]
    by_author: Sequence[_RowOf] | None


def _differing(table: Table, sides: _Sides, free: frozenset[str]) -> Iterator[str]:
    key = [name.lower() for name in table.primary_key]
    some = (*sides.meant[:1], *sides.now[:1])
    if not key or any(name not in row for row in some for name in key):
        yield from _differing_bags(table, sides)
        return
    present, earlier = _by_key(sides.now, key), _by_key(sides.old, key)
    expected = _by_key(sides.meant, key)
    own = None if sides.by_author is None else _by_key(sides.by_author, key)
    for identity, row in expected.items():
        there = present.get(identity)
        if there is None:
            if own is None or identity in own:
                yield f"it loses a row of {table.name}"
            continue
        others = [earlier.get(identity, {}), (own or {}).get(identity, {})]
        for column, cell in row.items():
            got = there.get(column)
            same = got in (None, cell, *(other.get(column) for other in others))
            if not same and column not in free and not (got and _are_now(got, cell)):
                yield f"it changes {table.name}.{column}"
    if set(present) - set(expected) - set(earlier):
        yield f"it adds a row to {table.name}"


def _are_now(one: _Cell, other: _Cell) -> bool:
    """Whether two cells hold the time of their runs, which differs by the runs alone."""
    if one[0] != other[0]:
        return False
    if isinstance(one[1], str) and isinstance(other[1], str):
        return bool(_TIME.match(one[1]) and _TIME.match(other[1])) and one[1][:10] == other[1][:10]
    numbers = [value for value in (one[1], other[1]) if isinstance(value, int | float)]
    return (
        len(numbers) == len((one, other))
        and min(numbers) > _EPOCH
        and abs(numbers[0] - numbers[1]) < _RUN * (1000 if min(numbers) > _EPOCH * 1000 else 1)
    )


def _differing_bags(table: Table, sides: _Sides) -> Iterator[str]:
    names = [n.lower() for n in table.column_names]
    both = (sides.meant[:1], sides.now[:1])
    shared = [n for n in names if all(n in row for side in both for row in side)]

    def bag(rows: Sequence[_RowOf]) -> list[str]:
        return sorted(repr([row.get(n) for n in shared]) for row in rows)

    if sides.by_author is not None and bag(sides.by_author) == bag(sides.now):
        return
    left = bag(sides.now)
    for row in bag(sides.meant):
        if row not in left:
            yield f"it loses or changes a row of {table.name}"
            return
        left.remove(row)
    old = bag(sides.old)
    if any(row not in old for row in left):
        yield f"it adds a row to {table.name}"


def _by_key(rows: Sequence[_RowOf], key: Sequence[str]) -> dict[tuple[object, ...], _RowOf]:
    return {tuple(row.get(name) for name in key): row for row in rows}


def _overwritten(reading: Reading, table: str) -> frozenset[str]:
    """The columns that the file's own UPDATEs write."""
    return frozenset(
        column.lower()
        for trace in reading.context.statements_of("UPDATE")
        if trace.target.lower() == table
        for column in trace.parsed.columns
    )


@lru_cache(maxsize=8)
def _filled_bytes(schema: Schema, mode: str, later: tuple[Table, ...]) -> _Filled:
    gaps, alike = mode == "gaps", mode == _ALIKE
    connection, empty = filled_database(schema, gaps=gaps, later=later, alike=alike)
    with closing(connection):
        return connection.serialize("main"), empty
