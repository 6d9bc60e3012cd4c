"""Reads whole tables of the target, value for value, into row copies on this machine."""

import asyncio
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from d1_preflight import disk
from d1_preflight.actions.context import Environment, StepContext
from d1_preflight.actions.target import Look, observe, read_batch
from d1_preflight.core.errors import NotAllowed, RemoteFailed
from d1_preflight.core.format import count
from d1_preflight.core.ports import Evidence
from d1_preflight.core.record.change_facts import CopiedTable, CopyFacts
from d1_preflight.core.record.facts import NO_TEXT, StepFacts
from d1_preflight.core.rows.codec import Page, pages, plan_statement, read_rows
from d1_preflight.core.rows.fingerprint import Fingerprint
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

_PAGE_BYTES = 500_000
_ROW_BYTES = 100  # a row with its share of the indexes, about
_PAGES_PER_CALL = 16
"""About 16 MB of JSON: one wrangler call costs 1.4 s of Node start, so few and large ones."""

SoFar = Callable[[Sequence[RowCopy], str, int], StepFacts]
"""What a step says while tables are read: the copies made, the table being read, of how many."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a read of tables will fetch: the pages, and the database as it was when planned."""

    observation: Observation
    tables: Mapping[str, Table]
    pages: tuple[Page, ...]
    evidence: tuple[Evidence, ...]
    sequences: Mapping[str, int] = field(default_factory=dict)

    @property
    def marked(self) -> tuple[str, ...]:
        """The query for AUTOINCREMENT marks, if a table has one; without one it would fail."""
        return (SEQUENCES_QUERY,) if any(t.autoincrement for t in self.tables.values()) else ()


async def plan_reading(context: StepContext, only: Sequence[str] | None = None) -> Reading:
    """Count every table and find where the pages of the wanted ones end: one call.

    The schema must be known to ask for the pages. Where it was not read yet, it is likely the one
    that the earlier files make, which saves a call; when it turns out to be another one, or to
    have changed meanwhile, the plan is made once more.
    """
    small = _small_reading(context, only)
    if small is not None:
        return small
    before: tuple[Evidence, ...] = ()
    seen = context.environment.cache.observation
    schema = seen.schema if seen else context.environment.prior_schema()
    for _ in range(3):
        shapes = _readable(schema)
        wanted = [t for t in shapes if only is None or t.name in only]
        try:
            look = await _ask_plan(context, shapes, wanted)
        except RemoteFailed as error:
            if context.environment.cache.observation is not None or "no such" not in error.message:
                raise
            look = await observe(
                context.environment, emit=context.emit
            )  # the files make other tables
            schema, before = look.observation.schema, (*before, *look.evidence)
            continue
        if look.observation.schema.fingerprint == schema.fingerprint:
            return _reading(context.environment, look, wanted, before)
        schema, before = look.observation.schema, (*before, *look.evidence)
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
    context: StepContext, reading: Reading, folder: Path, *, so_far: SoFar = copied_so_far
) -> Copied:
    """Fetch the pages into one row copy a table; shows progress; leaves nothing half-written."""
    _empty(folder)
    writing = _Writing(context, reading, folder, so_far)
    calls = list(_calls(reading.pages))
    try:
        for batch in calls:
            await _copy_call(context.environment, batch, writing)
            writing.tell()
        return await writing.end()
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


async def _copy_call(environment: Environment, batch: Sequence[Page], writing: "_Writing") -> None:
    """One call's pages; a function of its own, so that two calls' rows are never held at once."""
    answers = await _fetch(environment, batch, writing)
    for page, rows in zip(batch, answers, strict=True):
        await writing.add(page, rows)


class _Writing:
    """The copies as they grow: one writer at a time, its table's pages in order."""

    def __init__(self, context: StepContext, reading: Reading, folder: Path, so_far: SoFar) -> None:
        self._work, self._reading, self._folder, self._so_far = context, reading, folder, so_far
        self._copies: list[RowCopy] = []
        self._writer: CopyWriter | None = None
        self._current = ""
        self._moved: dict[str, None] = {}
        self.marked, self.sequences = reading.marked, reading.sequences
        self.ledger = reading.observation.ledger

    async def add(self, page: Page, rows: Sequence[Row]) -> None:
        """Write the rows of one page; a page that is not as planned reveals a change."""
        if page.table != self._current:
            await self._close()
            self._open(page.table)
        if page.rows is not None and page.rows != len(rows):
            self._moved[page.table] = None
        assert self._writer is not None  # noqa: S101 - opened with its table's first page
        table = self._reading.tables[page.table]
        await asyncio.to_thread(self._writer.add, read_rows(table, rows))

    def note_moved(self, table: str) -> None:
        """The table changed while it was read."""
        self._moved[table] = None

    def tell(self) -> None:
        """Report the progress."""
        of = len(self._reading.observation.counts)
        self._work.progress(self._so_far(self._copies, self._current, of))

    async def end(self) -> Copied:
        """Finish the last table, and those that had no rows to read."""
        await self._close()
        with_rows = {copy.table for copy in self._copies}
        for name in [name for name in self._reading.tables if name not in with_rows]:
            self._open(name)
            await self._close()
        return Copied(tuple(self._copies), tuple(self._moved))

    def _open(self, name: str) -> None:
        path = self._folder / f"{len(self._copies) + 1:04}.rows"
        self._current = name
        self._writer = self._work.environment.local.create_copy(path, self._reading.tables[name])

    async def _close(self) -> None:
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


def _small_reading(context: StepContext, only: Sequence[str] | None) -> Reading | None:
    """One page per table, without asking where pages end, if the copy showed all of them small."""
    seen = context.environment.cache.observation
    if only is None or seen is None or not set(only) <= set(seen.counts):
        return None
    sizes = {table.table: table.bytes for table in context.facts(CopyFacts).tables}
    if any((sizes.get(name) or _PAGE_BYTES) >= _PAGE_BYTES for name in only):
        return None
    tables = {t.name: t for t in _readable(seen.schema) if t.name in only}
    found = tuple(page for table in tables.values() for page in pages(table, None))
    return Reading(seen, tables, found, ())


async def _ask_plan(context: StepContext, shapes: Sequence[Table], wanted: Sequence[Table]) -> Look:
    """Where the pages end, which counts the rows as well; of the other tables only the count."""
    plans = [sql for table in wanted if (sql := plan_statement(table))]
    if any(table.autoincrement for table in wanted):
        plans.append(SEQUENCES_QUERY)
    counted = [table.name for table in shapes if table not in wanted or not plan_statement(table)]
    return await observe(context.environment, tables=counted, extra=plans, emit=context.emit)


def _reading(
    environment: Environment, look: Look, wanted: Sequence[Table], before: tuple[Evidence, ...]
) -> Reading:
    answers: Iterator[Sequence[Row]] = iter(look.extra)
    found: list[Page] = []
    counts = dict(look.observation.counts)
    for table in wanted:
        ends = next(answers) if plan_statement(table) else None
        planned = pages(table, ends)
        found += planned
        if ends is not None:
            counts[table.name] = sum(page.rows or 0 for page in planned)
    seen = replace(look.observation, counts=counts)
    environment.cache.observation = seen
    tables = {table.name: table for table in wanted}
    sequences = read_sequences(next(answers, ()))
    return Reading(seen, tables, tuple(found), (*before, *look.evidence), sequences)


def _readable(schema: Schema) -> tuple[Table, ...]:
    # A virtual table comes along through its shadows, exactly; its own rows are derived.
    return tuple(t for t in tables_of(schema) if t.kind is not TableKind.VIRTUAL)


def _calls(found: Sequence[Page]) -> Iterator[tuple[Page, ...]]:
    for start in range(0, len(found), _PAGES_PER_CALL):
        yield tuple(found[start : start + _PAGES_PER_CALL])


async def _fetch(
    environment: Environment, batch: Sequence[Page], writing: _Writing
) -> list[tuple[Row, ...]]:
    """Rows go from wrangler's output into the copy; nothing of them is kept as evidence.

    A page that no plan counted is counted with its rows: an answer that lacks some is none.
    """
    uncounted = [page.table for page in batch if page.rows is None]
    counts = count_statements(uncounted)
    asked = [*writing.marked, *(page.sql for page in batch), *counts]
    known = writing.ledger
    ledger = (ledger_statement(environment.project.database.migrations_table),) if known else ()
    results, _ = await read_batch(environment, [*ledger, *asked], keep=None)
    answers = [result.rows for result in results]
    if known and read_ledger(answers.pop(0)) != known:
        raise RemoteFailed(
            "The ledger changed while the rows were copied: the copy was not kept.",
            hint="Someone applied a migration, or another database answered. Copy again.",
        )
    if writing.marked:
        writing.sequences = read_sequences(answers.pop(0))
    counted = _counted(uncounted, answers[len(batch) :])
    for page, rows in zip(batch, answers, strict=False):
        if counted.get(page.table, len(rows)) != len(rows):
            writing.note_moved(page.table)
    return answers[: len(batch)]


def _counted(tables: Sequence[str], answers: Sequence[Sequence[Row]]) -> Mapping[str, int]:
    try:
        return read_counts(tables, answers)
    except (IndexError, KeyError, ValueError) as error:
        raise RemoteFailed(
            "The database's answer could not be read: it counts no rows.",
            hint="Nothing was changed. Try again; if it stays, run: preflight doctor",
        ) from error


def _empty(folder: Path) -> None:
    with disk.writing(folder, "Nothing was copied."):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700, parents=True)


def held_by_reads(context: StepContext) -> str:
    """Why a read of all rows waits for a person: it may cost more than the settings name."""
    limit = context.environment.settings.walk.read_limit_rows
    rows = _rows_to_read(context)
    if rows is None:
        return "How many rows it reads is not known."
    return f"It reads about {count(rows)} rows." if rows > limit else ""


def _rows_to_read(context: StepContext) -> int | None:
    """About how many rows a read of every table costs, counted and fetched; None: not known."""
    copied = CopyFacts.from_attempt(context.record.last(CopyFacts.step)).rows
    if copied is not None:
        return 2 * copied
    size = context.environment.cache.size
    return None if size is None else 2 * size // _ROW_BYTES


def check_size(environment: Environment, reading: Reading) -> None:
    """Refuse to fetch more than the settings allow; raises NotAllowed with the way out."""
    limit = environment.settings.data.copy_limit_mb
    megabytes = len(reading.pages)  # a page is about a megabyte of JSON
    if megabytes > limit:
        raise NotAllowed(
            f"The target's rows are about {megabytes} MB; at most {limit} MB are copied.",
            hint="Raise copy_limit_mb under [data] in preflight.toml.",
        )
