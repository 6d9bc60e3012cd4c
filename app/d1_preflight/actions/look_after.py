"""The one read after an apply: ledger, schema, values, counts and soundness, shared by the steps.

The look that ends the apply serves the verification too, as long as it is fresh.
"""

from collections.abc import Sequence
from dataclasses import replace

from d1_preflight.actions.context import StepContext
from d1_preflight.actions.target import Look, observe
from d1_preflight.actions.verify_values import rehearsed_question
from d1_preflight.core.errors import RemoteFailed
from d1_preflight.core.ports import Evidence
from d1_preflight.core.record.apply_facts import ApplyFacts
from d1_preflight.core.record.change_facts import RehearsalFacts, row_counts
from d1_preflight.core.rows.values import ValueQuestion
from d1_preflight.core.target.snapshot import Observation

_LEDGER = "ledger"


def rehearsed_tables(context: StepContext) -> tuple[str, ...]:
    """The tables that the rehearsal left, which are counted after the apply."""
    return tuple(row_counts(context.facts(RehearsalFacts).counts_after))


async def look_after(context: StepContext, keep: str) -> Look:
    """One batched read: ledger, schema, values, counts and soundness, as they are now."""
    question = rehearsed_question(context)
    counted = [table for table in rehearsed_tables(context) if table not in question.tables]
    try:
        look = await _ask(context, counted, question, keep)
    except RemoteFailed as error:
        if "no such" not in error.message:
            raise
        question = ValueQuestion()  # the schema is another one: that will be said
        look = await _ask(context, [], question, keep)
    values = question.read(look.extra)
    counts = {**look.observation.counts, **values.rows}
    seen = replace(look.observation, counts=counts)
    context.environment.cache.observation, context.environment.cache.values = seen, values
    return replace(look, observation=seen)


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


async def _ask(
    context: StepContext, counted: Sequence[str], question: ValueQuestion, keep: str
) -> Look:
    return await observe(
        context.environment,
        tables=counted,
        extra=question.statements,
        checks=True,
        keep=keep,
        emit=context.emit,
    )
