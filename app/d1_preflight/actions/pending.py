"""What else is pending on the target: a plain apply would take it along, this one passes it by."""

from collections.abc import Sequence

from d1_preflight.actions.tools import Tools, Work
from d1_preflight.core.checklist.checklist import Prompt, PromptKind
from d1_preflight.core.project.migration import leading_number, ledger_key
from d1_preflight.core.project.pending import pending_set
from d1_preflight.core.record.change_facts import CopyFacts
from d1_preflight.core.target.snapshot import Observation

_SHOWN = 3


def pending_names(tools: Tools, seen: Observation) -> tuple[str, ...]:
    """The migration files that the ledger lacks, in wrangler's order."""
    return pending_set((file.name for file in tools.files.files()), seen.applied).names


def others_pending(work: Work) -> tuple[str, ...]:
    """What stays pending when this one is applied, as it was when the target was copied."""
    return tuple(n for n in work.facts(CopyFacts).pending if n != work.tools.name)


def passed_by(work: Work) -> tuple[str, ...]:
    """Pending files before this one, and those with its number: applied later, out of order."""
    name = work.tools.name
    return tuple(
        other
        for other in others_pending(work)
        if ledger_key(other) < ledger_key(name) or leading_number(other) == leading_number(name)
    )


def order_prompts(work: Work) -> Sequence[Prompt]:
    """Asked only where this migration would be applied out of its order."""
    passed = passed_by(work)
    if not passed:
        return ()
    more = f" and {len(passed) - _SHOWN} more" if len(passed) > _SHOWN else ""
    label = f"Pending before it: {', '.join(passed[:_SHOWN])}{more}. Why is this one first?"
    help_text = "They stay pending. Was each of them written to run after this one?"
    return (Prompt("out_of_order", PromptKind.TEXT, label, help=help_text),)
