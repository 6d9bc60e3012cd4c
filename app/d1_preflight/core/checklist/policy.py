"""What a project's own checklist may not weaken: the steps that GO, apply and close rest on.

Words, prompts, steps and sections of one's own are free, and so is leaving out every other step.
The shipped checklist is the measure, so that nothing is said twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from d1_preflight.core.checklist.checklist import ACTS, Checklist, Step
from d1_preflight.core.findings import Kind

REQUIRED = frozenset(
    {
        "findings", "class", "copied", "syntax", "rehearsed", "counted", "backed_up", "restored",
        "bookmark", "way_back", "ledger", "schema", "rows", "endpoints", "errors", *ACTS,
    }
)  # fmt: skip
"""The steps that prevent unseen row loss and undetected failure of the apply."""

_PLACES = (
    "before GO",
    "between GO and the apply",
    "between the apply and the close",
    "after the close",
)


@dataclass(frozen=True, slots=True)
class Lapse:
    """A weakened requirement: at which step ("" for the file) and key."""

    step: str
    key: str
    words: str


def lapses(own: Checklist, shipped: Checklist) -> Iterator[Lapse]:
    """Every weaker requirement of a checklist, compared with the shipped one."""
    for step in shipped.steps:
        if step.id not in REQUIRED:
            continue
        if own.has(step.id) and own.step(step.id).action == step.action:
            yield from _weakened(own.step(step.id), step)
            yield from _misplaced(own, shipped, step.id)
        else:
            missing = f"there is no step {step.id!r} with the action {step.action!r}"
            yield Lapse(step.id if own.has(step.id) else "", "action", missing)
    yield from _strangers(own, shipped)


def _weakened(own: Step, shipped: Step) -> Iterator[Lapse]:
    if own.effect is not shipped.effect:
        words = f"effect of step {own.id!r} is {own.effect.value!r}, not {shipped.effect.value!r}"
        yield Lapse(own.id, "effect", words)
    kinds = tuple(kind.value for kind in Kind if kind in shipped.applies - own.applies)
    needs = tuple(n for n in shipped.needs if n in REQUIRED and n not in own.needs)
    about = tuple(name for name in shipped.about if name not in own.about)
    for key, left_out in (("applies", kinds), ("needs", needs), ("about", about)):
        if left_out:
            names = ", ".join(repr(name) for name in left_out)
            yield Lapse(own.id, key, f"{key} of step {own.id!r} leaves out {names}")
    if own.waivable and not shipped.waivable:
        yield Lapse(own.id, "waivable", f"step {own.id!r} must not be waivable")


def _misplaced(own: Checklist, shipped: Checklist, step_id: str) -> Iterator[Lapse]:
    """The place in the order is what the gate goes by; an act's section, what the faces show."""
    section = shipped.step(step_id).section
    if step_id in ACTS and own.step(step_id).section != section:
        yield Lapse(step_id, "id", f"step {step_id!r} must be in the section {section!r}")
    place, expected = _place(own, step_id), _place(shipped, step_id)
    if place != expected:
        words = f"step {step_id!r} is {_PLACES[place]}; it must be {_PLACES[expected]}"
        yield Lapse(step_id, "id", words)


def _strangers(own: Checklist, shipped: Checklist) -> Iterator[Lapse]:
    """Steps with an act's action under another name, or after the sealed close."""
    acts = {shipped.step(act).action: act for act in ACTS}
    for step in own.steps:
        if step.action in acts and step.id != acts[step.action]:
            words = f"step {step.id!r} has the action {step.action!r}"
            yield Lapse(
                step.id, "action", f"{words}, which is for step {acts[step.action]!r} alone"
            )
        if step.id not in REQUIRED and _place(own, step.id) == len(ACTS):
            yield Lapse(step.id, "id", f"step {step.id!r} comes after the close, which is the end")


def _place(checklist: Checklist, step_id: str) -> int:
    return sum(step.id in ACTS for step in checklist.before(step_id))
