"""What a project's own checklist may not weaken: the steps that GO, apply and close rest on.

Words, prompts, steps and sections of one's own are free, and so is leaving out every other step.
The shipped checklist is the measure, so that nothing is said twice.
"""

import re
from collections.abc import Iterator
from datetime import timedelta

from d1_preflight.core.checklist.checklist import ACTS, Checklist, Step
from d1_preflight.core.findings import Kind
from d1_preflight.core.format import age_words
from d1_preflight.lazy_dataclass import dataclass, replace

REQUIRED = frozenset(
    {
        "findings", "class", "copied", "syntax", "rehearsed", "counted", "backed_up", "restored",
        "bookmark", "way_back", "ledger", "schema", "rows", "endpoints", "errors", *ACTS,
    }
)  # fmt: skip
"""The steps that prevent unseen row loss and undetected failure of the apply."""

ADVISED = frozenset({"ready", "losses", "running_code", "worker_deployed"})
"""Steps that came after a project may have written its own checklist: it is told, not refused."""

_HELD_WHERE_PRESENT = frozenset({"losses"})
"""With it, the rehearsal lets a measured loss pass; without it, losses are declared before."""

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
        held = step.id in _HELD_WHERE_PRESENT and any(s.action == step.action for s in own.steps)
        if step.id not in REQUIRED and not held:
            continue
        if own.has(step.id) and own.step(step.id).action == step.action:
            yield from _weakened(own.step(step.id), step)
            yield from _misplaced(own, shipped, step.id)
        else:
            missing = f"there is no step {step.id!r} with the action {step.action!r}"
            yield Lapse(step.id if own.has(step.id) else "", "action", missing)
    yield from _strangers(own, shipped)
    yield from _longer(own, shipped)


@dataclass(frozen=True, slots=True)
class Advice:
    """A step that a project's own checklist lacks, and the lines that add it."""

    words: str
    lines: str


def advice(own: Checklist, shipped: Checklist) -> tuple[Advice, ...]:
    """What came later and a project's own checklist lacks: a sentence, and what to paste."""
    actions = {step.action for step in own.steps}
    lacking = (s for s in shipped.steps if s.id in ADVISED and s.action not in actions)
    return tuple(
        Advice(
            f"{own.source} has no step “{step.title}”. To add it, paste into a section"
            f" {_PLACES[_place(shipped, step.id)]}:",
            _lines_of(shipped.text, step.id),
        )
        for step in lacking
    )


def _lines_of(text: str, step_id: str) -> str:
    """A step of the shipped checklist as its file has it."""
    blocks = re.split(r"(?m)^(?=\[\[section)", text)
    return next(b.strip() for b in blocks if b.startswith(f'[[section.step]]\nid = "{step_id}"\n'))


def with_ages(own: Checklist, shipped: Checklist) -> Checklist:
    """A project's checklist; where it names no `good_for`, the shipped one's holds.

    A checklist from before `good_for` was known is walked on, and no proof in it counts for ever.
    """
    ages = {step.id: age for step, age in _shipped_ages(own, shipped)}
    sections = tuple(
        replace(
            section,
            steps=tuple(
                replace(step, good_for=step.good_for or ages.get(step.id)) for step in section.steps
            ),
        )
        for section in own.sections
    )
    return replace(own, sections=sections)


def _shipped_ages(own: Checklist, shipped: Checklist) -> Iterator[tuple[Step, timedelta]]:
    """The steps whose proof ages in the shipped checklist, under whatever id the project has them.

    A further step with the same action is the project's own, and ages as the project says.
    """
    for aging in shipped.steps:
        alike = [step for step in own.before("applied") if step.action == aging.action]
        same = [step for step in alike if step.id == aging.id] or alike
        if aging.good_for is not None:
            yield from ((step, aging.good_for) for step in same)


def _longer(own: Checklist, shipped: Checklist) -> Iterator[Lapse]:
    """Proofs that would count for longer than the shipped checklist lets them."""
    for step, longest in _shipped_ages(own, shipped):
        if step.good_for is not None and step.good_for > longest:
            words = f"good_for of step {step.id!r} is {age_words(step.good_for)}"
            yield Lapse(step.id, "good_for", f"{words}, longer than {age_words(longest)}")
    before = own.before("applied")
    for step in own.steps:
        if step.good_for is not None and (step.id in ACTS or step not in before):
            words = f"good_for of step {step.id!r} has no effect: only proofs before GO expire"
            yield Lapse(step.id, "good_for", words)


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
