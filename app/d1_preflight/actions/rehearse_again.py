"""Rehearses once more, just before the apply, on tables whose values moved since the copy.

On a living database they always move: without this, copy, GO and apply would never end. GO stands
if the result is what was signed: the same schema, and no larger loss in any table.
"""

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from d1_preflight.actions.context import Environment, StepContext
from d1_preflight.actions.data_safety import read_still
from d1_preflight.actions.losses import declared_losses
from d1_preflight.actions.preconditions import Rechecked
from d1_preflight.actions.rehearsal import apply_local, compare_states, explained_facts
from d1_preflight.actions.table_restore import restore_copies
from d1_preflight.actions.values import (
    decisive_tables,
    existing_tables,
    touched_tables,
    values_facts,
    watched_values,
    with_shadows,
)
from d1_preflight.actions.workspace import Folder
from d1_preflight.core.errors import NotAllowed
from d1_preflight.core.format import plural
from d1_preflight.core.ports import Evidence
from d1_preflight.core.record.change_facts import (
    RehearsalFacts,
    TableChange,
    TableValues,
)
from d1_preflight.core.record.signed_plan import SignedPlan
from d1_preflight.core.rows.carried import Carried, carried_rows
from d1_preflight.core.rows.table_copy import RowCopy
from d1_preflight.lazy_dataclass import dataclass

RUN_BY_HAND = (
    "Somebody may have run its SQL by hand: ask them. If all of it is done, only its ledger row is "
    "missing: preflight adopt. If not, undo it; then copy and rehearse again."
)
_HINT = "Nothing was applied. Copy and rehearse again, then sign GO."


@dataclass(frozen=True, slots=True)
class RehearsedAgain:
    """The tables that were read again, their values before and after, and the evidence."""

    tables: tuple[str, ...]
    values_before: tuple[TableValues, ...]
    values_after: tuple[TableValues, ...]
    evidence: tuple[Evidence, ...]


async def rehearse_again(context: StepContext, plan: SignedPlan, now: Rechecked) -> RehearsedAgain:
    """Read the decisive tables, back them up, rehearse; replace the first rehearsal by it.

    Raises NotAllowed where the result is not what was signed, or is already in the tables.
    """
    environment, again = context.environment, Folder.AGAIN.of(context.environment)
    shutil.rmtree(again, ignore_errors=True)
    copies, evidence = await _read_again(context)
    before, after = again / "copy" / "d1", again / "rehearsal" / "d1"
    observed = now.observation
    everything = _with_others(environment, copies)
    await asyncio.to_thread(
        environment.local.make, before, observed.schema, everything, observed.ledger
    )
    require_not_carried(context, before)
    await asyncio.to_thread(environment.local.duplicate, before, after)
    ran = await apply_local(context, after, keep=None)
    if environment.name not in {row.name for row in environment.local.ledger(after)}:
        raise NotAllowed(f"On the present rows it fails: {context.own_reason(ran)}", hint=_HINT)
    await asyncio.to_thread(_require_as_signed, context, plan, before, after)
    found = RehearsedAgain(
        tuple(copy.table for copy in copies),
        values_facts(watched_values(context, before)),
        values_facts(watched_values(context, after)),
        evidence,
    )
    await asyncio.to_thread(_take_place, context, copies, before, after)
    return found


async def _read_again(context: StepContext) -> tuple[tuple[RowCopy, ...], tuple[Evidence, ...]]:
    """New row copies of the touched, read and critical tables: the newest backup, too."""
    environment = context.environment
    critical = environment.settings.data.critical_tables
    wanted = existing_tables(context, (*decisive_tables(context), *critical))
    folder = Folder.BACKUP.of(environment) / context.evidence_name / "rows"
    copied, evidence = await read_still(context, with_shadows(environment, wanted), folder)
    if copied.moved:
        raise NotAllowed(
            f"{', '.join(copied.moved)} changes faster than it can be read.",
            hint="Nothing was applied. Stop the writes, then try again.",
        )
    return copied.copies, evidence


def _with_others(environment: Environment, fresh: Sequence[RowCopy]) -> tuple[RowCopy, ...]:
    """The new copies, and of all other tables those that the first copy made."""
    files = sorted(Folder.COPIED_ROWS.of(environment).glob("*.rows"))
    copies = {copy.table: copy for copy in map(environment.local.open_copy, files)}
    return tuple((copies | {copy.table: copy for copy in fresh}).values())


def require_not_carried(context: StepContext, now: Path) -> None:
    """Raise NotAllowed where rows hold the migration's result already: it would run twice."""
    for table in carried(context, now):
        if table.done:
            rows = plural(table.done, "row")
            raise NotAllowed(
                f"{rows} of {table.table} already hold what the migration writes.",
                hint=f"Nothing was applied. {RUN_BY_HAND}",
            )


def carried(context: StepContext, now: Path) -> tuple[Carried, ...]:
    """How far the touched tables of a local database hold the result of the first rehearsal."""
    environment = context.environment
    files = {
        "copy": environment.local.file(Folder.COPY.of(environment)),
        "rehearsed": environment.local.file(Folder.REHEARSAL.of(environment)),
        "now": environment.local.file(now),
    }
    with environment.local.attached(**files) as connection:
        return carried_rows(connection, touched_tables(context))


def _require_as_signed(context: StepContext, plan: SignedPlan, before: Path, after: Path) -> None:
    environment, analysis = context.environment, context.environment.analysis()
    if environment.local.schema(after).fingerprint != plan.proofs.schema_rehearsed:
        raise NotAllowed("On the present rows it produces another schema.", hint=_HINT)
    found = compare_states(context, before, after, effects=analysis.effects)
    declared = declared_losses(context)
    signed = {change.table: change for change in context.facts(RehearsalFacts).tables}
    cut = {name.partition(".")[0] for name in analysis.effects.columns_dropped}
    for change in explained_facts(found, analysis, declared):
        if not change.ok:
            raise NotAllowed(f"{change.table}: {change.verdict}.", hint=_HINT)
        if _loses_more(change, signed, cells=change.table in cut):
            raise NotAllowed(
                f"On the present rows it loses more in {change.table} than was signed.", hint=_HINT
            )


def _loses_more(now: TableChange, signed: Mapping[str, TableChange], *, cells: bool) -> bool:
    """Whether more rows, references, or (where columns go) rows with their values are lost."""
    then = signed.get(now.table, TableChange())
    pairs = [(now.lost, then.lost), (now.nulled, then.nulled)]
    pairs += [(now.changed, then.changed)] if cells else []
    return any((here or 0) > (there or 0) for here, there in pairs)


def _take_place(context: StepContext, copies: Sequence[RowCopy], before: Path, after: Path) -> None:
    """The new copy and rehearsal are what everything after the apply is compared with."""
    environment = context.environment
    restore_copies(environment, copies)
    for copy in copies:
        if environment.local.compare_copy(copy, Folder.RESTORED.of(environment)):
            raise NotAllowed(f"The new backup of {copy.table} does not restore.", hint=_HINT)
    for fresh, place in ((before, Folder.COPY), (after, Folder.REHEARSAL)):
        environment.local.duplicate(fresh, place.of(environment))
    shutil.rmtree(Folder.AGAIN.of(environment), ignore_errors=True)
