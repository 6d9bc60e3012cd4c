"""Before the apply: everything GO rests on is re-checked against what was signed."""

from d1_preflight.actions.context import Environment, StepContext
from d1_preflight.actions.go import (
    abort_criteria,
    require_bookmark,
    rows_at_risk,
)
from d1_preflight.actions.pending import pending_names
from d1_preflight.actions.surroundings import require_same_files
from d1_preflight.actions.table_restore import opened_copy
from d1_preflight.actions.target import Look, observe, relative
from d1_preflight.actions.timing import require_window
from d1_preflight.actions.workspace import copy_folder, rehearsal_folder
from d1_preflight.core.errors import NotAllowed, PreflightError
from d1_preflight.core.ports import Evidence
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.record.change_facts import CopyFacts, FindingsFacts, RehearsalFacts
from d1_preflight.core.record.review import go_review, second_person_kinds
from d1_preflight.core.record.safety_facts import CountFacts
from d1_preflight.core.record.signed_plan import SignedPlan
from d1_preflight.core.target.snapshot import Observation


async def recheck(
    context: StepContext, plan: SignedPlan
) -> tuple[Observation, tuple[Evidence, ...]]:
    """Compare everything that GO relied on with the present; raises NotAllowed for any change."""
    environment = context.environment
    require_second_person(context)
    require_signed_criteria(context, plan)
    require_bookmark(context)
    require_signed_plan(context, plan)
    for table in plan.proofs.backup:
        opened_copy(environment, table)  # a missing or changed backup cannot be restored
    require_local_databases(environment)
    look = await _look(context)
    now = look.observation
    require_same_files(environment)
    require_unexpired(context, plan)
    require_window(context)
    if environment.name in now.applied:
        if context.before is not None:
            return now, look.evidence  # an earlier attempt of this record: it is observed
        raise NotAllowed(
            f"{environment.name} is already in the ledger, and not by this record.",
            hint="Nothing was sent. Someone else applied it: read the ledger and ask them.",
        )
    changed = _changes(context, plan, now)
    if changed:
        raise NotAllowed(
            f"Since the rehearsal, {' and '.join(changed)} changed.",
            hint="Nothing was applied. Copy and rehearse again, then sign GO.",
        )
    return now, look.evidence


def signed_migration(environment: Environment, plan: SignedPlan) -> Migration:
    """The file, read for the last time: its bytes are those that were signed."""
    migration = environment.migration()
    if migration.sha256 != plan.subjects.migration:
        raise NotAllowed(
            f"{migration.name} is not the file that was signed.",
            hint="Nothing was applied. It was edited since GO: go through the checklist again.",
        )
    return migration


async def _look(context: StepContext) -> Look:
    tables = [count.table for count in context.facts(CountFacts).tables]
    keep = f"{context.evidence_name}-recheck"
    try:
        return await observe(context.environment, tables=tables, keep=keep, emit=context.emit)
    except PreflightError as error:
        # Nothing was sent yet, so this attempt may be repeated without an observation.
        raise NotAllowed(
            f"The target could not be re-checked: {error.message}",
            hint=f"Nothing was applied. {error.hint}",
        ) from error


def require_second_person(context: StepContext) -> None:
    """Require that no reviewer rejected GO and, where the policy asks, that one approved it."""
    environment = context.environment
    review = go_review(environment.store.files(), context.record, environment.signer)
    asked = context.kind in second_person_kinds(environment.settings.signing.second_person)
    if asked and review is None:
        raise NotAllowed(
            "GO waits for a second person; the team's policy asks for one.",
            hint=f"They run, in their checkout: preflight review --go {environment.stem}",
        )


def require_unexpired(context: StepContext, plan: SignedPlan) -> None:
    """Require that the plan, as it was signed, has not expired; raises NotAllowed."""
    if plan.expires_at is None or context.environment.clock.now() > plan.expires_at:
        raise NotAllowed("The signed GO has expired.", hint="Nothing was applied. Sign GO again.")


def require_local_databases(environment: Environment) -> None:
    """Require copy and rehearsal: verification and the table restore are made of them."""
    for folder in (copy_folder(environment), rehearsal_folder(environment)):
        if not environment.local.file(folder).is_file():
            raise NotAllowed(
                f"{relative(environment, folder)} is no longer on this machine.",
                hint="Nothing was applied. Copy and rehearse again, then sign GO.",
            )


def require_signed_criteria(context: StepContext, plan: SignedPlan) -> None:
    """The limits in the settings are still those that were signed."""
    if abort_criteria(context) != plan.criteria:
        raise NotAllowed(
            "The abort criteria in preflight.toml are not those that were signed.",
            hint="Nothing was applied. Put them back, or sign GO again.",
        )


def require_signed_plan(context: StepContext, plan: SignedPlan) -> None:
    """Checklist, class and rows at risk are still those that were signed."""
    for signed, name, now in (
        (plan.checklist, "the checklist", context.record.checklist),
        (str(plan.kind), "the class", str(context.kind)),
        (plan.rows_at_risk, "the number of rows at risk", rows_at_risk(context)),
    ):
        if signed != now:
            raise NotAllowed(
                f"Since GO was signed, {name} changed: {signed!r} then, {now!r} now.",
                hint="Nothing was applied. Sign GO again.",
            )


def _changes(context: StepContext, plan: SignedPlan, now: Observation) -> list[str]:
    found, environment, copied = [], context.environment, context.facts(CopyFacts)
    if plan.subjects.config != environment.files.config_sha256():
        found.append("the configuration")
    if now.schema.fingerprint != plan.proofs.schema_before:
        found.append("the schema of the target")
    if plan.tools.wrangler != environment.wrangler.version:
        found.append("wrangler's version")
    found += [f"the rows of {table}, which may be lost," for table in moved_at_risk(context, now)]
    if pending_names(environment, now) != copied.pending:
        found.append("the set of pending migrations")
    last = now.ledger[-1].name if now.ledger else ""
    if (len(now.ledger), last) != (plan.proofs.ledger_rows, copied.last_applied):
        found.append("the ledger (someone applied a migration)")
    return found


def moved_at_risk(context: StepContext, now: Observation) -> tuple[str, ...]:
    """The losing tables whose count is no longer the signed one."""
    signed = {table.table: table.rows for table in context.facts(CopyFacts).tables}
    losing = set(context.facts(FindingsFacts).declared_losses)
    for table in context.facts(RehearsalFacts).tables:
        if table.lost or table.nulled:
            losing.add(table.table)
    return tuple(t for t in sorted(losing & signed.keys()) if now.counts.get(t) != signed[t])
