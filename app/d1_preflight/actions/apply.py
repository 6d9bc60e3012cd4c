"""Apply: read everything again, apply exactly this migration, and observe what happened.

The exit code proves nothing (0 with a failure and 1 after a commit were both shown by runs): the
ledger and the schema, read afterwards, do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from d1_preflight.actions.context import Environment, StepAction, StepContext
from d1_preflight.actions.go import rows_at_risk, signed_plan
from d1_preflight.actions.preconditions import recheck, signed_migration
from d1_preflight.actions.target import failure_words, observe, shown
from d1_preflight.core.checklist.checklist import Prompt, PromptKind
from d1_preflight.core.errors import PreflightError
from d1_preflight.core.ports import Evidence
from d1_preflight.core.record.apply_facts import ApplyFacts, WindowFacts
from d1_preflight.core.record.change_facts import CopyFacts, table_counts
from d1_preflight.core.record.record import Outcome, Status
from d1_preflight.core.target.snapshot import LedgerRow, Observation
from d1_preflight.core.target.wrangler_output import may_have_arrived


def apply_prompts(context: StepContext) -> Sequence[Prompt]:
    """Challenge and response: the target and the rows at risk, typed; never yes or no."""
    if _must_observe_first(context):
        return ()
    name, risk = context.environment.project.database.name, rows_at_risk(context)
    return (
        Prompt("database", PromptKind.TEXT, f"Type the database's name: {name}", typed=name),
        Prompt("rows", PromptKind.TEXT, f"Type the rows at risk: {risk}", typed=str(risk)),
    )


def apply_plan(context: StepContext) -> Sequence[str]:
    """What will be run, with its target."""
    environment = context.environment
    if _must_observe_first(context):
        return (f"read ledger and schema of {environment.project.database.name}; write nothing",)
    return (
        f"re-check ledger, schema and counts of {environment.project.database.name}",
        shown(environment, _apply_args(environment, "<staged>/wrangler.json")),
        "read the ledger again",
    )


async def apply_migration(context: StepContext) -> Outcome:
    """Apply it, or find out what an interrupted apply has done."""
    if _must_observe_first(context):
        return await _observe_only(context)
    environment, plan = context.environment, signed_plan(context)
    before, evidence = await recheck(context, plan)
    row = before.ledger_row(environment.name)
    if row is not None:  # recheck lets it pass only where an earlier attempt may have done it
        return _applied(row, ApplyFacts(observed=True), None, evidence)
    staged = environment.files.stage(
        signed_migration(environment, plan), environment.workspace / "apply"
    )
    ran = await environment.wrangler.run(
        _apply_args(environment, str(staged)),
        cwd=staged.parent,  # it holds no .env: nothing redirects wrangler
        emit=context.emit,
        keep=None if context.quotes_rows() else context.evidence_name,
        protect=True,
    )
    facts = _facts(ran, before, backed_up=bool(plan.proofs.backup))
    return await _conclude(context, before, facts, evidence, ran)


def _apply_args(environment: Environment, config: str) -> tuple[str, ...]:
    name = environment.project.database.name
    return ("d1", "migrations", "apply", name, "--config", config, "--remote")


def _must_observe_first(context: StepContext) -> bool:
    """After an apply with an unobserved end, only read; never repeat it blindly."""
    last = context.before
    return last is not None and last.status in (Status.INTERRUPTED, Status.UNKNOWN)


async def _conclude(
    context: StepContext,
    before: Observation,
    facts: ApplyFacts,
    rechecked: tuple[Evidence, ...],
    ran: Evidence,
) -> Outcome:
    """Decide by the present state of the database."""
    environment, evidence = context.environment, (*rechecked, ran)
    try:
        keep = f"{context.evidence_name}-observed"
        look = await observe(environment, keep=keep, emit=context.emit)
    except PreflightError as error:
        words = f"The apply ran, but its result could not be read: {error.message}"
        return Outcome(Status.UNKNOWN, f"{words} Observe before anything else.", evidence=evidence)
    after = look.observation
    row = after.ledger_row(environment.name)
    everything = (*evidence, *look.evidence)
    if row is not None:
        return _applied(row, facts, ran, everything)
    if environment.wrangler.is_writing() or may_have_arrived(ran):
        words = f"Not seen yet: {context.own_reason(ran)} It may still be running. Check again."
        return Outcome(Status.UNKNOWN, words, facts, everything)
    reason = context.own_reason(ran) if ran.exit_code else "wrangler reported no error"
    if after.schema.fingerprint == before.schema.fingerprint:
        words = f"Not applied: {reason} Ledger and schema are as before."
        return Outcome(Status.FAILED, words, facts, everything)
    words = f"Half-way: {reason} The ledger has no row, but the schema changed. Press ! for help."
    half_way = replace(facts, half_way=True)
    return Outcome(Status.FAILED, words, half_way, everything)


async def _observe_only(context: StepContext) -> Outcome:
    environment = context.environment
    if environment.wrangler.is_writing():
        words = "The earlier apply is still running on this machine. Check again in a moment."
        return Outcome(Status.UNKNOWN, words)
    left: tuple[Evidence, ...] = ()
    try:
        left = environment.wrangler.recover(context.step.id)
        keep = f"{context.evidence_name}-observed"
        look = await observe(environment, keep=keep, emit=context.emit)
    except PreflightError as error:  # whatever the cause, a failed read proves nothing
        words = f"The target could not be read: {failure_words(error)}"
        return Outcome(Status.UNKNOWN, words, evidence=left)
    after, seen = look.observation, (*left, *look.evidence)
    row = after.ledger_row(environment.name)
    if row is not None:
        return _applied(row, ApplyFacts(observed=True), None, seen)
    if after.schema.fingerprint == context.facts(CopyFacts).schema:
        words = (
            "Checked: it was not applied; ledger and schema are as before. It may be tried again."
        )
        return Outcome(Status.FAILED, words, ApplyFacts(observed=True), seen)
    words = "Checked: the ledger has no row, but the schema changed. Press ! for help."
    facts = ApplyFacts(observed=True, half_way=True)
    return Outcome(Status.FAILED, words, facts, seen)


def _applied(
    row: LedgerRow, facts: ApplyFacts, ran: Evidence | None, evidence: tuple[Evidence, ...]
) -> Outcome:
    words = f"Applied: ledger row {row.id} at {row.applied_at} UTC."
    if ran is not None and ran.exit_code != 0:
        words += " Wrangler reported a failure, but the ledger holds the row."
    facts = replace(facts, ledger_id=row.id, applied_at=row.applied_at)
    return Outcome(Status.PROVED, words, facts, evidence)


def _facts(ran: Evidence, before: Observation, *, backed_up: bool) -> ApplyFacts:
    return ApplyFacts(
        ms=ran.milliseconds,
        exit_code=-1 if ran.exit_code is None else ran.exit_code,
        rechecked=(
            "file",
            "configuration",
            "pending",
            "schema",
            "ledger",
            *(("backup",) if backed_up else ()),
            WindowFacts.step,
            "GO signature",
        ),
        counts_before=table_counts(before.counts),
    )


STEPS: Mapping[str, StepAction] = {
    "apply_migration": StepAction(apply_migration, prompts=apply_prompts, plan=apply_plan),
}
