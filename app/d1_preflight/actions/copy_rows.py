"""Reads whole tables of the target, value for value, into row copies on this machine."""

import asyncio
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from d1_preflight import disk
from d1_preflight.actions.context import Environment, StepContext
from d1_preflight.actions.target import (
    Look,
    confirm_identity,
    observe,
    read_batch,
    unread_answer,
)
from d1_preflight.core.errors import NotAllowed, RemoteFailed
from d1_preflight.core.format import count
from d1_preflight.core.ports import Evidence
from d1_preflight.core.record.change_facts import CopiedTable, CopyFacts
from d1_preflight.core.record.facts import NO_TEXT, StepFacts
from d1_preflight.core.rows.codec import Row as Kept
from d1_preflight.core.rows.codec import read_rows, whole_page
from d1_preflight.core.rows.fingerprint import Fingerprint
from d1_preflight.core.rows.paging import FIRST_ROWS, PAGE_BYTES, Page
from d1_preflight.core.rows.table_copy import RowCopy
from d1_preflight.core.schema.schema import Schema, tables_of
from d1_preflight.core.schema.sequences import SEQUENCES_QUERY, read_sequences
from d1_preflight.core.schema.table import Table, TableKind
from d1_preflight.core.target.snapshot import (
    Observation,
    count_statements,
    ledger_statement,
    read_counts,
    read_ledger,
)
from d1_preflight.core.target.wrangler_output import Row
from d1_preflight.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from d1_preflight.actions.ports import CopyWriter

_ROW_BYTES = 100  # a row with its share of the indexes, about
_SMALLEST_PAGE = 100_000
_JSON_GROWS = 3  # about, from the file to the answer

SoFar = Callable[[Sequence[RowCopy], str, int], StepFacts]
"""What a step says while tables are read: the copies made, the table being read, of how many."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The first page of each table, and the database as it was when they were read.

    `first` has the answers until they are written; `whole` names tables without an order, of which
    one statement reads all rows and another counts them.
    """

    observation: Observation
    tables: Mapping[str, Table]
    evidence: tuple[Evidence, ...]
    first: dict[str, Sequence[Row]] = field(default_factory=dict)
    sequences: Mapping[str, int] = field(default_factory=dict)
    size: int = PAGE_BYTES
    miscounted: tuple[str, ...] = ()


async def plan_reading(context: StepContext, only: Sequence[str] | None = None) -> Reading:
    """Read the first page of each wanted table, and count the others: one call.

    The schema must be known to ask for rows. Where it was not read yet, it is likely the one
    that the earlier files make, which saves a call; when it turns out to be another one, or to
    have changed meanwhile, it is asked once more.
    """
    before: tuple[Evidence, ...] = ()
    seen = context.environment.cache.observation
    schema = seen.schema if seen else context.environment.prior_schema()
    for _ in range(3):
        shapes = _readable(schema)
        wanted = [t for t in shapes if only is None or t.name in only]
        try:
            look, size = await _ask_first(context, shapes, wanted)
        except RemoteFailed as error:
            if context.environment.cache.observation is not None or "no such" not in error.message:
                raise
            look = await observe(
                context.environment, emit=context.emit
            )  # the files make other tables
            schema, before = look.observation.schema, (*before, *look.evidence)
            continue
        if _reads_alike(_readable(look.observation.schema), shapes):
            return _reading(context.environment, look, size, wanted, before)
        schema, before = look.observation.schema, (*before, *_without_rows(look.evidence))
    raise RemoteFailed(
        "The target's schema keeps changing while it is read.",
        hint="Someone is migrating it now. Talk to them, then start again.",
    )


@dataclass(frozen=True, slots=True)
class Copied:
    """The row copies; `moved` names the tables that changed while they were read."""

    copies: tuple[RowCopy, ...]
    moved: tuple[str, ...] = ()


def copied_so_far(copies: Sequence[RowCopy], reading: str, of: int) -> StepFacts:
    """How far the copy of the target is."""
    return CopyFacts(tables=copy_facts(copies), reading=reading, of=of)


async def copy_rows(
    context: StepContext,
    reading: Reading,
    folder: Path,
    *,
    so_far: SoFar = copied_so_far,
    still: bool = False,
) -> Copied:
    """Write one row copy a table, fetching what is left; leaves nothing half-written.

    Where the rows must be `still`, a table that took several calls is counted once more.
    """
    _empty(folder)
    writing = _Writing(context, reading, folder, so_far)
    try:
        for name, table in reading.tables.items():
            writing.open(name)
            if table.walk:
                await _copy_pages(context.environment, table, reading, writing)
            else:
                await writing.add(read_rows(table, reading.first.pop(name, ())), 0)
            await writing.close()
        if still:
            await _count_again(context.environment, writing)
        return writing.end()
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


async def _copy_pages(
    environment: Environment, table: Table, reading: Reading, writing: "_Writing"
) -> None:
    """A table's pages, one after the other, each from the key at which the one before ended."""
    page: Page | None = Page(table, rows=_first_rows(environment), size=reading.size)
    answer = reading.first.pop(table.name, None)
    while page is not None:
        if answer is None:
            writing.several.add(table.name)
            answer = await _fetch(environment, page, writing)
        page = await _write_page(page, answer, writing)
        answer = None
        writing.tell(table.name)


async def _write_page(page: Page, answer: Sequence[Row], writing: "_Writing") -> Page | None:
    """One page's rows; a function of its own, so that two pages' rows are never held at once."""
    try:
        found = page.read(answer)
        await writing.add(found.rows, found.size)
    except (ValueError, KeyError, TypeError) as error:
        raise unread_answer(str(error)) from error
    return found.following


class _Writing:
    """The copies as they grow: one writer at a time, its table's pages in order."""

    def __init__(self, context: StepContext, reading: Reading, folder: Path, so_far: SoFar) -> None:
        self._work, self._reading, self._folder, self._so_far = context, reading, folder, so_far
        self._copies: list[RowCopy] = []
        self._writer: CopyWriter | None = None
        self._current = ""
        self._moved = dict.fromkeys(reading.miscounted)
        self._size = 0
        self.several: set[str] = set()
        self.sequences = reading.sequences
        self.ledger = reading.observation.ledger

    @property
    def has_marks(self) -> bool:
        """Whether a table has an AUTOINCREMENT mark; without one the query for them would fail."""
        return any(table.autoincrement for table in self._reading.tables.values())

    async def add(self, rows: Iterable[Kept], size: int) -> None:
        """Write the rows of one page; more than the settings allow are refused."""
        self._size += size
        check_size(self._work.environment, self._size)
        assert self._writer is not None  # noqa: S101 - opened with its table
        await asyncio.to_thread(self._writer.add, rows)

    def note_moved(self, table: str) -> None:
        """The table changed while it was read."""
        self._moved[table] = None

    def tell(self, reading: str) -> None:
        """Report the progress."""
        self._work.progress(self._so_far(self._copies, reading, len(self._reading.tables)))

    def end(self) -> Copied:
        """The finished copies."""
        return Copied(tuple(self._copies), tuple(self._moved))

    def open(self, name: str) -> None:
        """Begin a table's copy."""
        path = self._folder / f"{len(self._copies) + 1:04}.rows"
        self._current = name
        self._writer = self._work.environment.local.create_copy(path, self._reading.tables[name])

    async def close(self) -> None:
        """Finish the table's copy."""
        if self._writer is not None:
            sequence = self.sequences.get(self._current)
            self._copies.append(await asyncio.to_thread(self._writer.close, sequence))
            self._writer = None


def copy_facts(
    copies: Sequence[RowCopy], values: Mapping[str, Fingerprint] | None = None
) -> tuple[CopiedTable, ...]:
    """Row copies as the record lists them: no value, only counts, sizes and fingerprints."""
    known = {table: found.text for table, found in (values or {}).items()}
    return tuple(
        CopiedTable(table=c.table, rows=c.rows, bytes=c.bytes, values=known.get(c.table, NO_TEXT))
        for c in copies
    )


async def _ask_first(
    context: StepContext, shapes: Sequence[Table], wanted: Sequence[Table]
) -> tuple[Look, int]:
    """The first page of the wanted tables, each of so many bytes; of the others the count.

    Rows are neither shown as they come nor kept as evidence.
    """
    size = await _first_size(context.environment, len(wanted))
    large = size < PAGE_BYTES  # so may be its rows
    rows = _first_rows(context.environment)
    asked = [
        Page(t, rows=rows, size=size, measured=large).sql if t.walk else whole_page(t).sql
        for t in wanted
    ]
    if any(table.autoincrement for table in wanted):
        asked.append(SEQUENCES_QUERY)
    counted = [table.name for table in shapes if table not in wanted or not table.walk]
    return await observe(context.environment, tables=counted, extra=asked), size


def _first_rows(environment: Environment) -> int:
    return environment.cache.first_rows or FIRST_ROWS


async def _first_size(environment: Environment, tables: int) -> int:
    """How much of each table the first call may bring: all where the database itself is small."""
    await confirm_identity(environment)  # it says the size as well
    known = environment.cache.size
    if known is not None and known * _JSON_GROWS <= PAGE_BYTES:
        return PAGE_BYTES
    return max(_SMALLEST_PAGE, PAGE_BYTES // max(2, tables))


def _reading(
    environment: Environment, look: Look, size: int, wanted: Sequence[Table],
    before: tuple[Evidence, ...],
) -> Reading:  # fmt: skip
    answers: Iterator[Sequence[Row]] = iter(look.extra)
    first = {table.name: next(answers) for table in wanted}
    counts = dict(look.observation.counts)
    counts |= {t.name: len(first[t.name]) - 1 for t in wanted if t.walk}
    seen = replace(look.observation, counts=counts)
    environment.cache.observation = seen
    whole = [table.name for table in wanted if not table.walk]
    return Reading(
        seen,
        {table.name: table for table in wanted},
        (*before, *_without_rows(look.evidence)),
        first,
        read_sequences(next(answers, ())),
        size,
        tuple(name for name in whole if counts[name] != len(first[name])),
    )


def _without_rows(evidence: Sequence[Evidence]) -> tuple[Evidence, ...]:
    return tuple(replace(ran, stdout="", shown="") for ran in evidence)


def _readable(schema: Schema) -> tuple[Table, ...]:
    # A virtual table comes along through its shadows, exactly; its own rows are derived.
    return tuple(t for t in tables_of(schema) if t.kind is not TableKind.VIRTUAL)


def _reads_alike(found: Sequence[Table], asked: Sequence[Table]) -> bool:
    """Whether the tables are as they were asked: an index or a wording changes no row's answer."""
    return [(t, t.ordered_by) for t in found] == [(t, t.ordered_by) for t in asked]


async def _fetch(environment: Environment, page: Page, writing: _Writing) -> Sequence[Row]:
    """Rows go from wrangler's output into the copy; nothing of them is kept as evidence."""
    known = writing.ledger
    ledger = (ledger_statement(environment.project.database.migrations_table),) if known else ()
    marks = (SEQUENCES_QUERY,) if writing.has_marks else ()
    results, _ = await read_batch(environment, [*ledger, *marks, page.sql], keep=None)
    answers = [result.rows for result in results]
    if known and read_ledger(answers.pop(0)) != known:
        raise RemoteFailed(
            "The ledger changed while the rows were copied: the copy was not kept.",
            hint="Someone applied a migration, or another database answered. Copy again.",
        )
    if marks:
        writing.sequences = read_sequences(answers.pop(0))
    return answers.pop()


async def _count_again(environment: Environment, writing: _Writing) -> None:
    """Name the tables whose rows, read in several calls, are no longer so many."""
    tables = sorted(writing.several)
    if not tables:
        return
    results, _ = await read_batch(environment, count_statements(tables), keep=None)
    counted = _counted(tables, [result.rows for result in results])
    for copy in writing.end().copies:
        if counted.get(copy.table, copy.rows) != copy.rows:
            writing.note_moved(copy.table)


def _counted(tables: Sequence[str], answers: Sequence[Sequence[Row]]) -> Mapping[str, int]:
    try:
        return read_counts(tables, answers)
    except (IndexError, KeyError, ValueError) as error:
        raise unread_answer("it has no row count") from error


def _empty(folder: Path) -> None:
    with disk.writing(folder, "Nothing was copied."):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700, parents=True)


def held_by_reads(context: StepContext) -> str:
    """Why a read of all rows waits for a person: it may cost more than the settings name."""
    limit = context.environment.settings.walk.read_limit_rows
    rows = _rows_to_read(context)
    if rows is None:
        return "It is unknown how many rows it reads."
    return f"It reads about {count(rows)} rows." if rows > limit else ""


def _rows_to_read(context: StepContext) -> int | None:
    """About how many rows a read of every table costs; None: not known."""
    copied = context.record.last_facts(CopyFacts).rows
    if copied is not None:
        return copied
    size = context.environment.cache.size
    return None if size is None else size // _ROW_BYTES


def check_size(environment: Environment, size: int) -> None:
    """Refuse to copy more bytes than the settings allow; raises NotAllowed with the way out."""
    limit = environment.settings.data.copy_limit_mb
    if size > limit * 1_000_000:
        raise NotAllowed(
            f"The target's rows exceed the limit of {limit} MB for a copy.",
            hint="Raise copy_limit_mb under [data] in preflight.toml.",
        )
