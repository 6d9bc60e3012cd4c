"""Whether the target's tables hold the values of a local database; asked by fingerprint.

Counts do not show an UPDATE. The fingerprints of the local side are taken of the databases that lie
on this machine, by the very query that the target is asked (`core.rows.fingerprint`).
"""

import shutil
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from d1_preflight.actions.context import Environment, StepContext
from d1_preflight.actions.copy_rows import Copied, copy_rows, plan_reading
from d1_preflight.actions.target import Look, observe
from d1_preflight.actions.workspace import Folder
from d1_preflight.core.errors import NotAllowed, RemoteFailed
from d1_preflight.core.findings import Kind
from d1_preflight.core.format import noun_for, plural
from d1_preflight.core.ports import Evidence
from d1_preflight.core.record.apply_facts import ApplyFacts
from d1_preflight.core.record.change_facts import RehearsalFacts, TableValues, row_counts
from d1_preflight.core.record.facts import is_absent
from d1_preflight.core.rows.fingerprint import (
    Fingerprint,
    can_be_asked,
    fingerprint_query,
    take_fingerprint,
)
from d1_preflight.core.rows.row_diff import TableDiff, diff_rows
from d1_preflight.core.rows.values import ValueQuestion, Values
from d1_preflight.core.schema.schema import Schema, tables_of
from d1_preflight.core.schema.table import Table, read_tables, shadows_of
from d1_preflight.core.target.snapshot import Observation
from d1_preflight.lazy_dataclass import dataclass

_LEDGER = "ledger"
_CHEAP_ROWS = 100_000
"""Other tables are watched too, as long as they have so few rows together."""


def existing_tables(context: StepContext, wanted: Iterable[str]) -> tuple[str, ...]:
    """The wanted tables that the target has, in its order; of an unknown migration all."""
    known = tables_of(context.environment.prior_schema())
    existing = tuple(table.name for table in known if not table.is_shadow)
    if context.kind is Kind.UNKNOWN:
        return existing
    lower = {table.lower() for table in wanted}
    return tuple(table for table in existing if table.lower() in lower)


def with_shadows(environment: Environment, tables: Sequence[str]) -> tuple[str, ...]:
    """Replace a virtual table by the shadow tables that hold its rows."""
    return _with_shadows(tables_of(environment.prior_schema()), tables)


def _with_shadows(known: Sequence[Table], tables: Sequence[str]) -> tuple[str, ...]:
    virtual = {t.name for t in known if t.is_virtual}
    return tuple(
        name
        for table in tables
        for name in (shadows_of(known, table) if table in virtual else (table,))
    )


def touched_tables(context: StepContext) -> tuple[str, ...]:
    """The tables whose rows or shape the migration can change, and those it did change here."""
    effects = context.environment.analysis().effects
    return existing_tables(context, (*effects.tables_touched, *changed_in_rehearsal(context)))


def decisive_tables(context: StepContext) -> tuple[str, ...]:
    """The touched tables and those that the migration reads: their rows decide what it writes."""
    read = context.environment.analysis().effects.tables_read
    return existing_tables(context, (*touched_tables(context), *read))


def changed_in_rehearsal(context: StepContext) -> list[str]:
    """The tables whose rows, references or values the rehearsal changed."""
    return [change.table for change in context.facts(RehearsalFacts).tables if change.takes]


def value_question(
    environment: Environment, persist: Path, tables: Collection[str] | None = None
) -> ValueQuestion:
    """Ask for the values of these tables (None: all) as a local database holds them."""
    wanted = None if tables is None else {table.lower() for table in tables}
    with environment.local.attached(copy=environment.local.file(persist)) as connection:
        held = [t for t in read_tables(connection, "copy") if _is_asked(environment, t, wanted)]
        queries = {t.name: fingerprint_query(connection, "copy", t) for t in held}
        sure = {name: query for name, query in queries.items() if query is not None}
        taken = {name: take_fingerprint(connection, "copy", q) for name, q in sure.items()}
    local = {name: found for name, found in taken.items() if found is not None}
    unsure = tuple(name for name in queries if name not in local)
    return ValueQuestion(tuple(q for name, q in sure.items() if name in local), local, unsure)


def watched_values(context: StepContext, persist: Path) -> Mapping[str, Fingerprint]:
    """The fingerprints of the watched tables in a local database, as far as they are sure."""
    environment = context.environment
    rows = environment.local.counts(persist)
    decisive = {table.lower() for table in decisive_tables(context)}
    others = {table: number for table, number in rows.items() if table.lower() not in decisive}
    wanted = (*decisive, *_cheap(others, _CHEAP_ROWS))
    return local_of(environment, persist, wanted)


def local_of(
    environment: Environment, persist: Path, tables: Collection[str]
) -> Mapping[str, Fingerprint]:
    """The fingerprints of these tables in a local database, as far as they are sure."""
    return value_question(environment, persist, tables).local


def values_facts(values: Mapping[str, Fingerprint]) -> tuple[TableValues, ...]:
    """Fingerprints by table, as the record lists them."""
    return tuple(TableValues(table=table, values=found.text) for table, found in values.items())


def _is_asked(environment: Environment, table: Table, wanted: set[str] | None) -> bool:
    is_ledger = table.name == environment.project.database.migrations_table
    named = wanted is None or table.name.lower() in wanted
    return named and not is_ledger and can_be_asked(table)


def _cheap(tables: Mapping[str, int], most: int) -> Iterator[str]:
    """The tables of fewest rows first, as long as their rows together stay within `most`."""
    total = 0
    for table, rows in sorted(tables.items(), key=lambda item: item[1]):
        total += rows
        if total > most:
            return
        yield table


@dataclass(frozen=True, slots=True)
class RowsNow:
    """The row copies as they were read now; they are gone when the comparison ends."""

    copied: Copied
    evidence: tuple[Evidence, ...]
    folder: Path


@asynccontextmanager
async def rows_now(context: StepContext, tables: Sequence[str]) -> AsyncIterator[RowsNow]:
    """Read these tables into files of their own; raises RemoteFailed, NotAllowed for too many."""
    folder = Folder.RECHECK.of(context.environment)
    try:
        reading = await plan_reading(context, tables)
        yield RowsNow(
            await copy_rows(context, reading, folder, still=True), reading.evidence, folder
        )
    finally:
        shutil.rmtree(folder.parent, ignore_errors=True)


def as_database(context: StepContext, rows: RowsNow, schema: Schema) -> Path:
    """A local database of these tables alone, without their triggers.

    A virtual table comes with the shadow tables that were read.
    """
    read = {copy.table for copy in rows.copied.copies}
    known = tables_of(schema)
    virtual = (table.name for table in known if table.is_virtual)
    read |= {name for name in virtual if read & set(shadows_of(known, name))}
    tables = (o for o in schema.objects if o.kind == "table" and o.name in read)
    persist = rows.folder.parent / "d1"
    context.environment.local.make(persist, Schema(tuple(tables)), rows.copied.copies, ())
    return persist


def rehearsed_question(context: StepContext) -> ValueQuestion:
    """Ask for the values of what the migration touched or made; raises NotAllowed.

    Nothing is asked where the record holds no rehearsed values: it was made before they were kept.
    """
    environment, persist = context.environment, Folder.REHEARSAL.of(context.environment)
    kept = _recorded(context)
    if is_absent(kept):
        return ValueQuestion()
    recorded = {table.table: table.values for table in kept}
    before = {change.table for change in context.facts(RehearsalFacts).counts_before}
    after = [count.table for count in context.facts(RehearsalFacts).counts_after]
    wanted = {*touched_tables(context), *(table for table in after if table not in before)}
    question = value_question(environment, persist, wanted)
    for table, found in question.local.items():
        if recorded.get(table, found.text) != found.text:
            raise NotAllowed(
                f"{table} in the rehearsal on this machine is not as it was rehearsed.",
                hint="Verify on the machine, and with the files, of the rehearsal.",
            )
    return question


async def differing_tables(
    context: StepContext, schema: Schema, values: Values
) -> tuple[Mapping[str, str], tuple[Evidence, ...]]:
    """Read again the tables that do not answer as rehearsed; how each differs, in words.

    Rows that only came do not count.
    """
    tables = (*values.moved, *values.unsure)
    if not tables:
        return {}, ()
    environment = context.environment
    async with rows_now(context, _with_shadows(tables_of(schema), tables)) as rows:
        files = {
            "before": environment.local.file(Folder.REHEARSAL.of(environment)),
            "after": environment.local.file(as_database(context, rows, schema)),
        }
        with environment.local.attached(**files) as connection:
            found = diff_rows(connection).tables
    wrong = (d for d in found if d.table in tables and (d.lost or d.changed))
    return {diff.table: _difference(diff) for diff in wrong}, rows.evidence


def _difference(found: TableDiff) -> str:
    """How a table differs from the rehearsal, in words: never a value."""
    parts = [
        f"{plural(number, 'row')} {noun_for(number, one, many)}"
        for number, one, many in (
            (found.lost, "is missing", "are missing"),
            (found.changed, "differs", "differ"),
        )
        if number
    ]
    return f"{found.table}: {' and '.join(parts)}, compared with the rehearsal"


def _recorded(context: StepContext) -> tuple[TableValues, ...]:
    """The rehearsed fingerprints by the record: of the rehearsal at the apply, if there was one."""
    again = context.facts(ApplyFacts).values_after
    return context.facts(RehearsalFacts).values_after if is_absent(again) else again


def rehearsed_tables(context: StepContext) -> tuple[str, ...]:
    """The tables that the rehearsal left, which are counted after the apply."""
    return tuple(row_counts(context.facts(RehearsalFacts).counts_after))


async def look_with_values(
    context: StepContext,
    question: ValueQuestion,
    counted: Sequence[str],
    keep: str,
    *,
    checks: bool = False,
) -> tuple[Look, Values]:
    """One batched read: ledger, schema, the values that are asked for, counts of other tables."""
    look = await observe(
        context.environment, tables=counted, checks=checks, extra=question.statements, keep=keep,
        emit=context.emit,
    )  # fmt: skip
    values = question.read(look.extra)
    counts = {**look.observation.counts, **values.rows}
    return replace(look, observation=replace(look.observation, counts=counts)), values


async def look_after(context: StepContext, keep: str) -> Look:
    """The one read after an apply, with soundness as well; the steps of the verification share it.

    The look that ends the apply serves them too, as long as it is fresh.
    """
    question, cache = rehearsed_question(context), context.environment.cache
    counted = [table for table in rehearsed_tables(context) if table not in question.tables]
    try:
        look, values = await look_with_values(context, question, counted, keep, checks=True)
    except RemoteFailed as error:
        if "no such" not in error.message:
            raise
        # The schema is another one: that will be said.
        look, values = await look_with_values(context, ValueQuestion(), (), keep, checks=True)
    cache.observation, cache.values = look.observation, values
    return look


async def fresh_look(context: StepContext) -> tuple[Observation, tuple[Evidence, ...]]:
    """What was read since the apply, or a new read when that is older than a minute and a half."""
    seen, evidence = context.environment.cache.observation, _evidence(context)
    if seen is not None and evidence is not None and _serves(context, seen):
        return seen, evidence
    look = await look_after(context, context.evidence_name)
    return look.observation, look.evidence


def _serves(context: StepContext, seen: Observation) -> bool:
    counted = bool(seen.quick_check) and set(rehearsed_tables(context)) <= set(seen.counts)
    return counted and seen.serves(context.environment.clock.now())


def _evidence(context: StepContext) -> tuple[Evidence, ...] | None:
    """The output of the read that may be shared: the ledger step's, or for it the apply's own.

    None where nothing was read since the apply, or where the ledger was looked at and is again.
    """
    record, checklist = context.record, context.checklist
    if context.step.id != _LEDGER:
        ledger = record.standing(checklist.step(_LEDGER))
        return None if ledger is None else ledger.evidence
    applied, before = record.standing(checklist.step(ApplyFacts.step)), context.before
    seen = context.environment.cache.observation
    if applied is None or seen is None or seen.taken_at < applied.started_at:
        return None
    if before is not None and before.started_at >= applied.started_at:
        return None
    return applied.evidence[-1:]
