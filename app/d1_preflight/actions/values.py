"""Whether the target's tables hold the values of a local database; asked by fingerprint.

Counts do not show an UPDATE. The fingerprints of the local side are taken of the databases that lie
on this machine, by the very query that the target is asked (`core.rows.fingerprint`).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from d1_preflight.actions.context import Environment, StepContext
from d1_preflight.core.findings import Kind
from d1_preflight.core.record.change_facts import RehearsalFacts, TableValues
from d1_preflight.core.rows.fingerprint import (
    Fingerprint,
    can_be_asked,
    fingerprint_query,
    take_fingerprint,
)
from d1_preflight.core.rows.values import ValueQuestion
from d1_preflight.core.schema.schema import tables_of
from d1_preflight.core.schema.table import Table, read_tables, shadows_of

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
    known = tables_of(environment.prior_schema())
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
