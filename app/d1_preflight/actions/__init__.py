"""What the steps of the checklist do: one module per section, one coroutine per action name."""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from d1_preflight.actions.context import StepAction

    STEPS: Mapping[str, StepAction]
    ADOPTION_STEPS: Mapping[str, StepAction]


def __getattr__(name: str) -> object:
    """`STEPS`, the actions of all sections by name.

    `ADOPTION_STEPS` are those of an adoption's checklist; a migration's may not name its own ones.

    They are loaded when a step is first looked for: the board paints without them.
    """
    if name == "STEPS":
        return _steps()
    if name == "ADOPTION_STEPS":
        return _adoption_steps()
    raise AttributeError(name)


@cache
def sections() -> "tuple[Mapping[str, StepAction], ...]":
    """The actions of each section, in the checklist's order."""
    from d1_preflight.actions import (
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
    )

    modules = (
        classification, rehearsal, losses, data_safety, rollback, running_code, deploy_order,
        readiness, timing, go, apply, verification, close,
    )  # fmt: skip
    return tuple(module.STEPS for module in modules)


@cache
def _steps() -> "Mapping[str, StepAction]":
    return {name: action for section in sections() for name, action in section.items()}


@cache
def _adoption_steps() -> "Mapping[str, StepAction]":
    from d1_preflight.actions import adopt, adopted

    shared = {name: _steps()[name] for name in ("take_bookmark", "sign_go")}
    return {**adopt.STEPS, **adopted.STEPS, **shared}
