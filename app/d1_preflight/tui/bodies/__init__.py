"""The bodies: what matters in each section, as content for the width at hand."""

from collections.abc import Callable, Mapping

from textual.content import Content

from d1_preflight.tui.bodies import (
    acts,
    adoption,
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


_OF_AN_ADOPTION: Mapping[str, Body] = {
    "classification": adoption.body,
    "data": acts.steps_body,
    "verification": acts.steps_body,
}


def body_of(view: View) -> Body:
    """The body of the section looked at; a project's own section shows its steps' words."""
    if view.session.record.is_adoption and view.step.section in _OF_AN_ADOPTION:
        return _OF_AN_ADOPTION[view.step.section]
    return BODIES.get(view.step.section, acts.steps_body)
