"""Whether a step needs a person, by what the checklist says of it; the facts may hold it too."""

from collections.abc import Sequence

from d1_preflight.core.checklist.checklist import ACTS, Effect, Prompt, Step


def needs_person(step: Step, prompts: Sequence[Prompt]) -> str:
    """Why a person must start the step, in words; "" where none is needed."""
    if step.id in ACTS:
        return "A person signs it or applies it."
    if step.effect is Effect.REMOTE_WRITE:
        return "It writes to the target or to people."
    return "It asks a question." if prompts else ""
