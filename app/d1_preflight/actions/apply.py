"""Apply: read everything again, apply exactly this migration, and observe what happened."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from d1_preflight.actions.apply_end import By, applied, conclude, observe_unseen
from d1_preflight.actions.context import Environment, StepAction, StepContext
from d1_preflight.actions.other_ledgers import sql_beside
from d1_preflight.actions.preconditions import (
    Rechecked,
    recheck,
    require_still_valid,
    signed_migration,
    signed_plan,
)
from d1_preflight.actions.rehearse_again import RUN_BY_HAND, RehearsedAgain, rehearse_again
from d1_preflight.actions.target import failure_words, shown
from d1_preflight.core.checklist.checklist import Prompt, PromptKind
from d1_preflight.core.errors import PreflightError
from d1_preflight.core.format import noun_for
from d1_preflight.core.ports import Evidence
from d1_preflight.core.record.apply_facts import ApplyFacts, WindowFacts
from d1_preflight.core.record.change_facts import CopyFacts, RehearsalFacts, table_counts
from d1_preflight.core.record.facts import NO_ITEMS, NO_TEXT
from d1_preflight.core.record.record import Outcome, Status
from d1_preflight.core.record.signed_plan import SignedPlan
from d1_preflight.core.target.ledger_rows import refusal_sql, takes_twice


def apply_prompts(context: StepContext) -> Sequence[Prompt]:
    """Where something goes, its name and number are typed; elsewhere the key alone decides."""
    if context.must_observe_first:
        return _way_out(context)
    rehearsed = context.facts(RehearsalFacts)
    if not rehearsed.takes and not rehearsed.removed - _renamed(context, rehearsed):
        return ()
    name, risk = context.environment.project.database.name, rehearsed.rows_lost
    typed = Prompt("database", PromptKind.TEXT, f"Type the database's name: {name}", typed=name)
    if not risk:
        return (typed,)
    rows = Prompt("rows", PromptKind.TEXT, f"Type the rows at risk: {risk}", typed=str(risk))
    return (typed, rows)


def _renamed(context: StepContext, rehearsed: RehearsalFacts) -> frozenset[str]:
    """Which of the names that are gone only changed: nothing that they hold goes."""
    effects = context.environment.analysis().effects
    tables = frozenset(name for name in rehearsed.removed if "." not in name)
    columns = frozenset(effects.columns_renamed) - frozenset(effects.columns_dropped)
    return columns | (tables - frozenset(effects.tables_dropped))


def _way_out(context: StepContext) -> Sequence[Prompt]:
    """Where looking cannot tell, a person's words go on from here; it is never applied twice."""
    last = context.before
    if last is None or not ApplyFacts.from_attempt(last).moved:
        return ()
    label = "What do you see in the tables? Leave it empty to check again"
    return (Prompt("stands", PromptKind.TEXT, label, help=last.words, optional=True),)


def apply_plan(context: StepContext) -> Sequence[str]:
    """What will be run, with its target."""
    environment = context.environment
    if context.must_observe_first:
        return (f"read ledger and schema of {environment.project.database.name}; write nothing",)
    again = ApplyFacts.from_attempt(context.before).moved if _was_held(context) else ()
    return (
        f"re-check ledger, schema and values of {environment.project.database.name}",
        *((f"read {', '.join(again)} again, and rehearse on them here",) if again else ()),
        shown(environment, _apply_args(environment, "<staged>/wrangler.json")),
        *(f"in the same batch: {row.sql}" for row in context.facts(CopyFacts).beside),
        "read the ledger again",
    )


async def apply_migration(context: StepContext) -> Outcome:
    """Apply it, or find out what an interrupted apply has done."""
    if context.must_observe_first:
        return await observe_unseen(context)
    environment, plan = context.environment, signed_plan(context)
    now = await recheck(context, plan)
    if environment.name in now.observation.applied:  # let pass only where an earlier try failed
        facts = ApplyFacts(observed=True, by=By.UNKNOWN if _may_be_ours(context) else By.ANOTHER)
        return applied(context, now.observation, facts, now.evidence)
    again = await _rehearsed_again(context, plan, now) if now.moved else None
    if isinstance(again, Outcome):
        return again
    if again is not None:  # it took its time
        require_still_valid(context, plan)
    refusal = _refusal(context, now)
    staged = environment.files.stage(
        signed_migration(environment, plan),
        environment.workspace / "apply",
        f"{sql_beside(context)}{refusal}",
    )
    ran = await environment.wrangler.run(
        _apply_args(environment, str(staged)),
        cwd=staged.parent,  # no .env of the project's lies there: nothing leads elsewhere
        emit=context.emit,
        keep=None if context.quotes_rows() else context.evidence_name,
        protect=True,
    )
    facts = _facts(ran, now, again, backed_up=bool(plan.proofs.backup))
    facts = replace(facts, refusal=refusal.strip() or NO_TEXT)
    context.progress(facts)
    evidence = (*now.evidence, *(again.evidence if again else ()), ran)
    return await conclude(context, now.observation, facts, evidence)


def _refusal(context: StepContext, now: Rechecked) -> str:
    """What stops our own batch where the row is there already and the ledger would take another."""
    environment = context.environment
    table, name = environment.project.database.migrations_table, environment.name
    if not takes_twice(now.observation.ledger_ddl, table, name):
        return ""
    refusal = refusal_sql(table, name)
    context.emit(
        f"{table} takes a name twice (wrangler's own has a UNIQUE name). In the same batch, this "
        f"fails where the row is there already: {refusal}",
        "out",
    )
    return f"\n{refusal}\n"


async def _rehearsed_again(
    context: StepContext, plan: SignedPlan, now: Rechecked
) -> RehearsedAgain | Outcome:
    """The rehearsal on moved values, which a second try makes; else what held this one."""
    facts = ApplyFacts(moved=now.moved)
    if not _was_held(context):
        return Outcome(Status.FAILED, _held_words(now), facts, now.evidence)
    try:
        return await rehearse_again(context, plan, now)
    except PreflightError as error:  # nothing was sent, and the next try reads them again, too
        return Outcome(Status.FAILED, failure_words(error), facts, now.evidence)


def _held_words(now: Rechecked) -> str:
    """Nothing is sent on rows that were not rehearsed; who sees that may rehearse on them."""
    held = f"Stopped, nothing was sent: since the copy, values changed in {now.moved_words}"
    if now.as_rehearsed:
        tables = ", ".join(now.as_rehearsed)
        return (
            f"{held}; {tables} {noun_for(len(now.as_rehearsed), 'holds', 'hold')} exactly what the "
            f"migration writes. {RUN_BY_HAND}"
        )
    return (
        f"{held}. Find out who writes there. The next try reads these tables again and rehearses "
        "on them; it applies only what GO signed, and only where no row holds it already."
    )


def _was_held(context: StepContext) -> bool:
    """Whether the last try was held for moved values, and nothing was copied since."""
    copied, last = context.record.last(CopyFacts.step), context.before
    if last is None or copied is None or not ApplyFacts.from_attempt(last).moved:
        return False
    return last.status is Status.FAILED and last.started_at >= copied.started_at


def _may_be_ours(context: StepContext) -> bool:
    """Whether an earlier try of this record can have applied it: not where it surely did not."""
    may = False
    for attempt in context.record.attempts:
        facts = ApplyFacts.from_attempt(attempt) if attempt.step == ApplyFacts.step else None
        if facts is None or attempt.status is Status.RUNNING:
            continue
        if attempt.status.is_unobserved:
            may = True
        elif facts.observed or facts.exit_code is not None:
            may = bool(facts.half_way) or facts.exit_code == 0
    return may


def _apply_args(environment: Environment, config: str) -> tuple[str, ...]:
    name = environment.project.database.name
    return ("d1", "migrations", "apply", name, "--config", config, "--remote")


def _facts(
    ran: Evidence, now: Rechecked, again: RehearsedAgain | None, *, backed_up: bool
) -> ApplyFacts:
    facts = ApplyFacts(
        ms=ran.milliseconds,
        exit_code=-1 if ran.exit_code is None else ran.exit_code,
        rechecked=(
            "file",
            "configuration",
            "pending",
            "schema",
            "ledger",
            "values",
            *(("backup",) if backed_up else ()),
            WindowFacts.step,
            "GO signature",
        ),
        counts_before=table_counts(now.observation.counts),
        moved_elsewhere=now.elsewhere or NO_ITEMS,
    )
    if again is None:
        return facts
    return replace(
        facts,
        rehearsed_again=again.tables,
        values_before=again.values_before,
        values_after=again.values_after,
    )


STEPS: Mapping[str, StepAction] = {
    "apply_migration": StepAction(apply_migration, prompts=apply_prompts, plan=apply_plan),
}
