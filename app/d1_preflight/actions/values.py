"""Whether the target's tables hold the values of a local copy; asked by fingerprint, not by count.

The fingerprints of the local side are taken of the databases that lie on this machine, by the very
query that the target is asked (`core.rows.fingerprint`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from d1_preflight.actions.context import Environment, StepContext
from d1_preflight.core.errors import RemoteFailed
from d1_preflight.core.findings import Kind
from d1_preflight.core.record.change_facts import RehearsalFacts
from d1_preflight.core.rows.fingerprint import (
    Fingerprint,
    FingerprintQuery,
    can_be_asked,
    fingerprint_query,
    take_fingerprint,
)
from d1_preflight.core.schema.schema import tables_of
from d1_preflight.core.schema.table import Table, countable, read_tables
from d1_preflight.core.target.wrangler_output import Row


def touched_tables(context: StepContext) -> tuple[str, ...]:
    """The tables that are touched, those the rehearsal changed, and the critical ones."""
    environment = context.environment
    existing = countable(tables_of(environment.prior_schema()))
    if context.kind is Kind.UNKNOWN:
        return existing
    wanted = [*environment.analysis().effects.tables_touched, *changed_in_rehearsal(context)]
    wanted += environment.settings.data.critical_tables
    lower = {table.lower() for table in wanted}
    return tuple(table for table in existing if table.lower() in lower)


def changed_in_rehearsal(context: StepContext) -> list[str]:
    """The tables whose rows, references or values the rehearsal changed."""
    return [change.table for change in context.facts(RehearsalFacts).tables if change.takes]


@dataclass(frozen=True, slots=True)
class ValueQuestion:
    """The fingerprints that the target is asked for, and those of a local database.

    `unsure` names the tables of which no query tells: a row of theirs is too long.
    """

    queries: tuple[FingerprintQuery, ...] = ()
    local: Mapping[str, Fingerprint] | None = None
    unsure: tuple[str, ...] = ()

    @property
    def statements(self) -> tuple[str, ...]:
        """What is asked of the target, beside the ledger and the schema."""
        return tuple(statement for query in self.queries for statement in query.statements())

    def read(self, answers: Sequence[Sequence[Row]]) -> "Values":
        """Hold the target's answers against the local ones; raises RemoteFailed."""
        rest = iter(answers)
        found: dict[str, Fingerprint] = {}
        unsure = list(self.unsure)
        for query in self.queries:
            try:
                taken = query.read([next(rest) for _ in query.conditions])
            except (KeyError, TypeError, ValueError, StopIteration) as error:
                raise RemoteFailed(
                    "The answer about the tables' values could not be read.",
                    hint="Nothing was changed. Try again; if it stays, run: preflight doctor",
                ) from error
            if taken is None:
                unsure.append(query.table.name)
            else:
                found[query.table.name] = taken
        return Values(found, self.local or {}, tuple(unsure))


@dataclass(frozen=True, slots=True)
class Values:
    """The fingerprints of the target's tables beside the local ones."""

    found: Mapping[str, Fingerprint]
    local: Mapping[str, Fingerprint]
    unsure: tuple[str, ...] = ()

    @property
    def moved(self) -> tuple[str, ...]:
        """The tables that do not hold the same values; what is not sure is not among them."""
        return tuple(t for t, found in self.found.items() if found != self.local.get(t))

    @property
    def rows(self) -> Mapping[str, int]:
        """The row counts that came with the fingerprints."""
        return {table: found.rows for table, found in self.found.items()}

    def words(self, table: str) -> str:
        """How a table moved, in words: never a value."""
        now, then = self.found[table].rows, self.local.get(table)
        if then is None or then.rows == now:
            return f"{table} (other values in the same number of rows)"
        return f"{table} ({then.rows:,} rows then, {now:,} now)".replace(",", " ")


def value_question(
    environment: Environment, persist: Path, tables: Sequence[str] | None = None
) -> ValueQuestion:
    """Ask for the values of these tables (all: None) as a local database holds them."""
    wanted = None if tables is None else {table.lower() for table in tables}
    with environment.local.attached(copy=environment.local.file(persist)) as connection:
        held = [t for t in read_tables(connection, "copy") if _is_asked(environment, t, wanted)]
        queries = {t.name: fingerprint_query(connection, "copy", t) for t in held}
        sure = {name: query for name, query in queries.items() if query is not None}
        local = {name: take_fingerprint(connection, "copy", q) for name, q in sure.items()}
    taken = {name: found for name, found in local.items() if found is not None}
    return ValueQuestion(
        tuple(query for name, query in sure.items() if name in taken),
        taken,
        tuple(name for name in queries if name not in taken),
    )


def local_values(environment: Environment, persist: Path) -> Mapping[str, Fingerprint]:
    """The fingerprints of every table of a local database that has a sure one."""
    return value_question(environment, persist).local or {}


def _is_asked(environment: Environment, table: Table, wanted: set[str] | None) -> bool:
    is_ledger = table.name == environment.project.database.migrations_table
    named = wanted is None or table.name.lower() in wanted
    return named and not is_ledger and can_be_asked(table)


def cheap_first(tables: Mapping[str, int], most: int) -> Iterator[str]:
    """The tables of fewest rows first, as long as their rows together stay within `most`."""
    total = 0
    for table, rows in sorted(tables.items(), key=lambda item: item[1]):
        total += rows
        if total > most:
            return
        yield table
