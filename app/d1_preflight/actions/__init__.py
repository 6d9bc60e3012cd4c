"""What the steps of the checklist do: one module per section, one coroutine per action name."""

from collections.abc import Mapping

from d1_preflight.actions import (
    adopt,
    adopted,
    apply,
    classification,
    close,
    data_safety,
    deploy_order,
    go,
    losses,
    readiness,
    rehearsal,
    rollback,
    running_code,
    timing,
    verification,
    worker_deployed,
)
from d1_preflight.actions.context import StepAction

SECTIONS: tuple[Mapping[str, StepAction], ...] = (
    classification.STEPS,
    rehearsal.STEPS,
    losses.STEPS,
    data_safety.STEPS,
    rollback.STEPS,
    running_code.STEPS,
    deploy_order.STEPS,
    readiness.STEPS,
    timing.STEPS,
    go.STEPS,
    apply.STEPS,
    verification.STEPS,
    worker_deployed.STEPS,
    close.STEPS,
)
"""The actions of each section by name, in the checklist's order."""

STEPS: Mapping[str, StepAction] = {
    name: action for section in SECTIONS for name, action in section.items()
}
"""Every action that a step of a checklist may name."""

ADOPTION_STEPS: Mapping[str, StepAction] = {
    **adopt.STEPS,
    **adopted.STEPS,
    **{name: STEPS[name] for name in ("take_bookmark", "sign_go")},
}
"""Every action of an adoption's checklist; no checklist of a migration may name its own ones."""
