"""What else is pending on the target: a plain apply would take it along, this one passes it by."""

from d1_preflight.actions.context import Environment, StepContext
from d1_preflight.core.project.migration import leading_number, ledger_key
from d1_preflight.core.project.pending import pending_set
from d1_preflight.core.record.change_facts import CopyFacts
from d1_preflight.core.target.snapshot import Observation


def pending_names(environment: Environment, seen: Observation) -> tuple[str, ...]:
    """The migration files that the ledger lacks, in wrangler's order."""
    return pending_set((file.name for file in environment.files.files()), seen.applied).names


def others_pending(context: StepContext) -> tuple[str, ...]:
    """What stays pending when this one is applied, as it was when the target was copied."""
    return tuple(n for n in context.facts(CopyFacts).pending if n != context.environment.name)


def skipped_pending(context: StepContext) -> tuple[str, ...]:
    """Pending files before this one, and those with its number: applied later, out of order."""
    name = context.environment.name
    return tuple(
        other
        for other in others_pending(context)
        if ledger_key(other) < ledger_key(name) or leading_number(other) == leading_number(name)
    )
