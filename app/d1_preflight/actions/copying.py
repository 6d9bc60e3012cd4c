"""Reads whole tables of the target, value for value, into row copies on this machine."""

import asyncio
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from d1_preflight.actions.remote import Look, observe, read_batch
from d1_preflight.actions.tools import Tools, Work
from d1_preflight.core.errors import NotAllowed, RemoteFailed
from d1_preflight.core.facts import number, text
from d1_preflight.core.facts import rows as rows_of
from d1_preflight.core.observation import Observation
from d1_preflight.core.ports import Evidence
from d1_preflight.core.record import Fact
from d1_preflight.core.replies import Row
from d1_preflight.core.rowcopy import RowCopy, RowCopyWriter
from d1_preflight.core.rows import Page, pages, plan_statement, read_rows
from d1_preflight.core.tables import Table, TableKind, tables_of

_PAGE_BYTES = 500_000
_PAGES_PER_CALL = 16
"""About 16 MB of JSON: one wrangler call costs 1.4 s of Node start, so few and large ones."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a read of tables will fetch: the pages, and the database as it was when planned."""

    observation: Observation
    tables: Mapping[str, Table]
    pages: tuple[Page, ...]
    evidence: tuple[Evidence, ...]


async def plan_reading(work: Work, only: Sequence[str] | None = None) -> Reading:
    """Count every table and find where the pages of the wanted ones end: one call.

    The schema must be known to ask for the pages, so it is read first where it was not yet; when
    it turns out to have changed meanwhile, the plan is made once more.
    """
    small = _small_reading(work, only)
    if small is not None:
        return small
    before: tuple[Evidence, ...] = ()
    if work.tools.seen.observation is None:
        before = (await observe(work.tools, emit=work.emit)).evidence
    for _ in range(2):
        known = work.tools.seen.observation
        assert known is not None  # noqa: S101 - set by observe above
        shapes = _readable(known)
        wanted = [t for t in shapes if only is None or t.name in only]
        look = await _ask_plan(work, shapes, wanted)
        if look.observation.schema.fingerprint == known.schema.fingerprint:
            return _reading(look, wanted, before)
        before = (*before, *look.evidence)
    raise RemoteFailed(
        "The target's schema keeps changing while it is read.",
        hint="Somebody is migrating it now. Talk to them, then start again.",
    )


async def copy_rows(work: Work, reading: Reading, folder: Path) -> tuple[RowCopy, ...]:
    """Fetch the pages into one row copy a table; shows progress; leaves nothing half-written."""
    _empty(folder)
    copies: list[RowCopy] = []
    writer: RowCopyWriter | None = None
    current = ""
    counts = reading.observation.counts
    try:
        for batch in _calls(reading.pages):
            answers = await _fetch(work.tools, batch)
            for page, rows in zip(batch, answers, strict=True):
                if page.table != current:
                    copies += await _closed(writer)
                    current = page.table
                    path = folder / f"{len(copies) + 1:04}.rows"
                    writer = RowCopyWriter(path, reading.tables[current])
                assert writer is not None  # noqa: S101 - opened with its table's first page
                await asyncio.to_thread(writer.add, read_rows(reading.tables[current], rows))
            work.progress({"tables": copy_facts(copies), "reading": current, "of": len(counts)})
        copies += await _closed(writer)
        with_rows = {copy.table for copy in copies}
        for table in (t for t in reading.tables.values() if t.name not in with_rows):
            copies += await _closed(RowCopyWriter(folder / f"{len(copies) + 1:04}.rows", table))
    except BaseException:
        _empty(folder)
        raise
    return tuple(copies)


def copy_facts(copies: Sequence[RowCopy]) -> tuple[Mapping[str, Fact], ...]:
    """What the record says of row copies: never a value."""
    return tuple({"table": c.table, "rows": c.rows, "bytes": c.bytes} for c in copies)


def _small_reading(work: Work, only: Sequence[str] | None) -> Reading | None:
    """One page a table, without asking where pages end, if the copy showed all of them small."""
    seen = work.tools.seen.observation
    if only is None or seen is None or not set(only) <= set(seen.counts):
        return None
    sizes = {
        text(row, "table"): number(row, "bytes")
        for row in rows_of(work.facts_of("copied"), "tables")
    }
    if any((sizes.get(name) or _PAGE_BYTES) >= _PAGE_BYTES for name in only):
        return None
    tables = {t.name: t for t in _readable(seen) if t.name in only}
    found = tuple(page for table in tables.values() for page in pages(table, None))
    return Reading(seen, tables, found, ())


async def _ask_plan(work: Work, shapes: Sequence[Table], wanted: Sequence[Table]) -> Look:
    plans = [sql for table in wanted if (sql := plan_statement(table))]
    return await observe(work.tools, tables=[t.name for t in shapes], extra=plans, emit=work.emit)


def _reading(look: Look, wanted: Sequence[Table], before: tuple[Evidence, ...]) -> Reading:
    answers: Iterator[Sequence[Row]] = iter(look.extra)
    found: list[Page] = []
    for table in wanted:
        ends = next(answers) if plan_statement(table) else None
        found += pages(table, ends)
    tables = {table.name: table for table in wanted}
    return Reading(look.observation, tables, tuple(found), (*before, *look.evidence))


def _readable(observation: Observation) -> tuple[Table, ...]:
    # A virtual table comes along through its shadows, exactly; its own rows are derived.
    return tuple(t for t in tables_of(observation.schema) if t.kind is not TableKind.VIRTUAL)


def _calls(found: Sequence[Page]) -> Iterator[tuple[Page, ...]]:
    for start in range(0, len(found), _PAGES_PER_CALL):
        yield tuple(found[start : start + _PAGES_PER_CALL])


async def _fetch(tools: Tools, batch: Sequence[Page]) -> list[tuple[Row, ...]]:
    """Rows go from wrangler's output into the copy; nothing of them is kept as evidence."""
    results, _ = await read_batch(tools, [page.sql for page in batch], keep=None)
    return [result.rows for result in results]


async def _closed(writer: RowCopyWriter | None) -> tuple[RowCopy, ...]:
    return () if writer is None else (await asyncio.to_thread(writer.close),)


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)


def check_size(tools: Tools, reading: Reading) -> None:
    """Refuse to fetch more than the settings allow; raises NotAllowed with the way out."""
    limit = tools.settings.data.copy_limit_mb
    megabytes = len(reading.pages)  # a page is about a megabyte of JSON
    if megabytes > limit:
        raise NotAllowed(
            f"The target's rows are about {megabytes} MB; at most {limit} MB are copied.",
            hint="Raise copy_limit_mb under [data] in preflight.toml.",
        )
