"""Apply: read everything again, apply exactly this migration, and observe what happened.

The exit code proves nothing (0 with a failure and 1 after a commit were both shown by runs): the
ledger and the schema, read afterwards, do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from d1_preflight.actions.context import Environment, StepAction, StepContext
from d1_preflight.actions.preconditions import recheck, signed_migration, signed_plan
from d1_preflight.actions.target import Look, failure_words, observe, shown
from d1_preflight.core.checklist.checklist import Prompt, PromptKind
from d1_preflight.core.errors import PreflightError
from d1_preflight.core.ports import Evidence
from d1_preflight.core.record.apply_facts import ApplyFacts
from d1_preflight.core.record.change_facts import CopyFacts, RehearsalFacts, table_counts
from d1_preflight.core.record.record import Outcome, Status
from d1_preflight.core.record.signed_plan import SignedPlan
from d1_preflight.core.target.snapshot import LedgerRow, Observation
from d1_preflight.core.target.wrangler_output import may_have_arrived


def apply_prompts(context: StepContext) -> Sequence[Prompt]:
    """Challenge and response: the target and the rows at risk, typed; never yes or no."""
    if context.must_observe_first:
        return ()
    name, risk = context.environment.project.database.name, context.facts(RehearsalFacts).rows_lost
    return (
        Prompt("database", PromptKind.TEXT, f"Type the database's name: {name}", typed=name),
        Prompt("rows", PromptKind.TEXT, f"Type the rows at risk: {risk}", typed=str(risk)),
    )


def apply_plan(context: StepContext) -> Sequence[str]:
    """What will be run, with its target."""
    environment = context.environment
    if context.must_observe_first:
        return (f"read ledger and schema of {environment.project.database.name}; write nothing",)
    return (
        f"re-check ledger, schema and counts of {environment.project.database.name}",
        shown(environment, _apply_args(environment, "<staged>/wrangler.json")),
        "read the ledger again",
    )


async def apply_migration(context: StepContext) -> Outcome:
    """Apply it, or find out what an interrupted apply has done."""
    if context.must_observe_first:
        return await _observe_earlier(context)
    plan = signed_plan(context)
    before, evidence = await recheck(context, plan)
    row = before.ledger_row(context.environment.name)
    if row is not None:  # recheck lets it pass only where an earlier attempt may have done it
        return _applied(row, ApplyFacts(observed=True), evidence)
    ran = await _apply(context, plan)
    facts = _facts(ran, before, backed_up=bool(plan.proofs.backup))
    return await _observe_applied(context, before, facts, (*evidence, ran))


async def _apply(context: StepContext, plan: SignedPlan) -> Evidence:
    """Let wrangler apply the signed file and no other, from a folder that holds it alone."""
    environment = context.environment
    staged = environment.files.stage(
        signed_migration(environment, plan), environment.workspace / "apply"
    )
    return await environment.wrangler.run(
        _apply_args(environment, str(staged)),
        cwd=staged.parent,  # no .env of the project's lies there: nothing leads elsewhere
        emit=context.emit,
        keep=None if context.quotes_rows() else context.evidence_name,
        protect=True,
    )


async def _observe_applied(
    context: StepContext, before: Observation, facts: ApplyFacts, evidence: tuple[Evidence, ...]
) -> Outcome:
    """Decide by what the database says now; the last evidence is that of the apply."""
    environment, ran = context.environment, evidence[-1]
    try:
        look = await _observe(context)
    except PreflightError as error:
        words = f"The apply ran, but its result could not be read: {error.message}"
        return Outcome(Status.UNKNOWN, f"{words} Observe before anything else.", evidence=evidence)
    after, evidence = look.observation, (*evidence, *look.evidence)
    may_come = environment.wrangler.is_writing() or may_have_arrived(ran)
    if may_come and after.ledger_row(environment.name) is None:
        words = f"Not seen yet: {context.own_reason(ran)} It may still be running. Check again."
        return Outcome(Status.UNKNOWN, words, facts, evidence)
    reason = context.own_reason(ran) if ran.exit_code else "wrangler reported no error"
    without_row = _WithoutRow(
        before.schema.fingerprint,
        f"Not applied: {reason} Ledger and schema are as before.",
        f"Half-way: {reason} The ledger has no row, but the schema changed. Press ! for help.",
    )
    return _judged(context, after, facts, evidence, without_row)


async def _observe_earlier(context: StepContext) -> Outcome:
    """Only look: an earlier apply was sent, and nobody saw its end."""
    environment = context.environment
    if environment.wrangler.is_writing():
        words = "The earlier apply is still running on this machine. Check again in a moment."
        return Outcome(Status.UNKNOWN, words)
    left: tuple[Evidence, ...] = ()
    try:
        left = environment.wrangler.recover(context.step.id)
        look = await _observe(context)
    except PreflightError as error:  # whatever the cause, not having looked tells nothing
        words = f"The target could not be read: {failure_words(error)}"
        return Outcome(Status.UNKNOWN, words, evidence=left)
    without_row = _WithoutRow(
        context.facts(CopyFacts).schema,
        "Checked: it was not applied; ledger and schema are as before. It may be tried again.",
        "Checked: the ledger has no row, but the schema changed. Press ! for help.",
    )
    facts, evidence = ApplyFacts(observed=True), (*left, *look.evidence)
    return _judged(context, look.observation, facts, evidence, without_row)


async def _observe(context: StepContext) -> Look:
    keep = f"{context.evidence_name}-observed"
    return await observe(context.environment, keep=keep, emit=context.emit)


@dataclass(frozen=True, slots=True)
class _WithoutRow:
    """What it means that the ledger has no row, by whether the schema is as before the apply."""

    schema_before: str
    unchanged: str
    changed: str


def _judged(
    context: StepContext,
    now: Observation,
    facts: ApplyFacts,
    evidence: tuple[Evidence, ...],
    without_row: _WithoutRow,
) -> Outcome:
    """The ledger's row proves the apply; without it, the schema says whether it went half-way."""
    row = now.ledger_row(context.environment.name)
    if row is not None:
        return _applied(row, facts, evidence)
    if now.schema.fingerprint == without_row.schema_before:
        return Outcome(Status.FAILED, without_row.unchanged, facts, evidence)
    return Outcome(Status.FAILED, without_row.changed, replace(facts, half_way=True), evidence)


def _applied(row: LedgerRow, facts: ApplyFacts, evidence: tuple[Evidence, ...]) -> Outcome:
    words = f"Applied: ledger row {row.id} at {row.applied_at} UTC."
    if facts.exit_code:
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
            "GO signature",
        ),
        counts_before=table_counts(before.counts),
    )


def _apply_args(environment: Environment, config: str) -> tuple[str, ...]:
    name = environment.project.database.name
    return ("d1", "migrations", "apply", name, "--config", config, "--remote")


STEPS: Mapping[str, StepAction] = {
    "apply_migration": StepAction(apply_migration, prompts=apply_prompts, plan=apply_plan),
}
