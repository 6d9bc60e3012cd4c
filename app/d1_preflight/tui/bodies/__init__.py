"""The bodies: what matters in each section, as content for the width at hand."""

from collections.abc import Callable, Mapping

from textual.content import Content

from d1_preflight.tui.bodies import (
    acts,
    classification,
    data_safety,
    local_test,
    rollback,
    timing,
    verification,
)
from d1_preflight.tui.view import View

Body = Callable[[View, int], Content]

BODIES: Mapping[str, Body] = {
    "classification": classification.body,
    "local": local_test.body,
    "data": data_safety.body,
    "rollback": rollback.body,
    "timing": timing.body,
    "go": acts.go_body,
    "apply": acts.apply_body,
    "verification": verification.body,
    "close": acts.close_body,
}


def body_of(view: View) -> Body:
    """The body of the section looked at; a project's own section shows its steps' words."""
    return BODIES.get(view.step.section, acts.steps_body)
