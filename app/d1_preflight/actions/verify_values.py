"""After the apply: the touched tables hold the values that the rehearsal came to."""

from collections.abc import Collection

from d1_preflight.actions.context import StepContext
from d1_preflight.actions.rows_now import as_database, rows_now
from d1_preflight.actions.values import touched_tables, value_question
from d1_preflight.actions.workspace import rehearsal_folder
from d1_preflight.core.errors import NotAllowed
from d1_preflight.core.format import noun_for, plural
from d1_preflight.core.ports import Evidence
from d1_preflight.core.record.apply_facts import ApplyFacts
from d1_preflight.core.record.change_facts import RehearsalFacts, TableValues
from d1_preflight.core.record.facts import is_absent
from d1_preflight.core.rows.row_diff import TableDiff, diff_rows
from d1_preflight.core.rows.values import ValueQuestion, Values
from d1_preflight.core.schema.schema import Schema, tables_of
from d1_preflight.core.schema.table import shadows_of
from d1_preflight.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Differing:
    """How one table differs from the rehearsal: never a value."""

    table: str
    missing: int
    changed: int

    @property
    def words(self) -> str:
        """The difference in words."""
        parts = [
            f"{plural(number, 'row')} {noun_for(number, one, many)}"
            for number, one, many in (
                (self.missing, "is missing", "are missing"),
                (self.changed, "differs", "differ"),
            )
            if number
        ]
        return f"{self.table}: {' and '.join(parts)}, compared with the rehearsal"


def rehearsed_question(context: StepContext) -> ValueQuestion:
    """Ask for the values of what the migration touched or made; raises NotAllowed.

    Nothing is asked where the record holds no rehearsed values: it was made before they were kept.
    """
    environment, persist = context.environment, rehearsal_folder(context.environment)
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
) -> tuple[tuple[Differing, ...], tuple[Evidence, ...]]:
    """Read again the tables that do not answer as rehearsed; rows that only came do not count."""
    tables = (*values.moved, *values.unsure)
    if not tables:
        return (), ()
    environment = context.environment
    async with rows_now(context, _kept_in(schema, tables)) as rows:
        files = {
            "before": environment.local.file(rehearsal_folder(environment)),
            "after": environment.local.file(as_database(context, rows, schema)),
        }
        with environment.local.attached(**files) as connection:
            found = diff_rows(connection).tables
    return tuple(_differing(found, tables)), rows.evidence


def _kept_in(schema: Schema, tables: Collection[str]) -> tuple[str, ...]:
    """These tables, a virtual one by the shadow tables in which it keeps its rows."""
    known = tables_of(schema)
    virtual = {table.name for table in known if table.is_virtual}
    return tuple(
        name
        for table in tables
        for name in (shadows_of(known, table) if table in virtual else (table,))
    )


def _differing(found: Collection[TableDiff], tables: Collection[str]) -> list[Differing]:
    return [
        Differing(diff.table, diff.lost, diff.changed)
        for diff in found
        if diff.table in tables and (diff.lost or diff.changed)
    ]


def _recorded(context: StepContext) -> tuple[TableValues, ...]:
    """The rehearsed fingerprints by the record: of the rehearsal at the apply, if there was one."""
    again = context.facts(ApplyFacts).values_after
    return context.facts(RehearsalFacts).values_after if is_absent(again) else again
