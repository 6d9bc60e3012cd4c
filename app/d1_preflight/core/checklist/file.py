"""Reads a checklist strictly from TOML.

TOML defines the steps: their order, their words, the classes of migration they apply to, and what
they need first. Python performs them. An unknown key is refused: ignored, it would be a check that
is never made.
"""

import re
from collections.abc import Container, Iterator
from datetime import timedelta
from functools import cache
from graphlib import CycleError, TopologicalSorter
from hashlib import sha256

from d1_preflight.core.checklist.answers import answer_label
from d1_preflight.core.checklist.checklist import (
    Checklist,
    Effect,
    Prompt,
    PromptKind,
    Section,
    Step,
    built_on,
)
from d1_preflight.core.checklist.definitions import read_definition
from d1_preflight.core.checklist.policy import lapses
from d1_preflight.core.errors import ChecklistInvalid
from d1_preflight.core.findings import Kind
from d1_preflight.core.toml.strict import SourceText, TomlTable
from d1_preflight.lazy_dataclass import replace

_SHIPPED = "d1.toml"
_SPAN = re.compile(r"([1-9][0-9]{0,4}) (min|h|days?)")
_SPAN_FORM = 'a time such as "15 min", "2 h" or "7 days"'
_UNITS = {"min": timedelta(minutes=1), "h": timedelta(hours=1), "day": timedelta(days=1)}


def load_checklist(text: str, source: str, actions: Container[str] | None = None) -> Checklist:
    """Read a checklist; raises ChecklistInvalid naming the file and the line.

    `actions` are the names a step may have; None for readers that run none of them.
    """
    top = TomlTable.of(SourceText(source, text, ChecklistInvalid), _HINT)
    top.only({"schema", "section"})
    if top.whole("schema") != 1:
        raise top.error("schema", "schema must be 1")
    tables = top.tables("section", "a section")
    if not tables:
        raise top.error("schema", "there is no section, so nothing would be checked")
    sections = tuple(_section(table, actions) for table in tables)
    checklist = Checklist(source, sha256(text.encode()).hexdigest(), sections, text)
    _check_needs(checklist)
    return _with_acts(checklist)


_HINT = "Correct the checklist; no step was skipped."
_ALL_KINDS = (Kind.NONE, Kind.ADDITIVE, Kind.TRANSFORMATIVE, Kind.DESTRUCTIVE)


def _section(table: TomlTable, actions: Container[str] | None) -> Section:
    table.only({"id", "title", "number", "step"})
    section_id = table.filled("id")
    table = table.called(f"section {section_id!r}")
    steps = table.tables("step", f"a step of {table.name}")
    if not steps:
        raise table.error("id", f"{table.name} has no steps")
    return Section(
        section_id,
        table.filled("title"),
        table.text("number", ""),
        tuple(_step(section_id, step, actions) for step in steps),
    )


def _step(section: str, table: TomlTable, actions: Container[str] | None) -> Step:
    known = {"id", "title", "short", "why", "action", "effect", "applies", "needs", "about"}
    step_id = table.filled("id")
    table = table.called(f"step {step_id!r}")
    table.only(known | {"prompt", "verb", "waivable", "attested", "good_for"})
    action = table.filled("action")
    if actions is not None and action not in actions:
        raise table.error("action", f"{table.name} names an unknown action {action!r}")
    applies = table.texts("applies") or tuple(kind.value for kind in _ALL_KINDS)
    prompts = table.tables("prompt", f"a prompt of {table.name}")
    return Step(
        id=step_id,
        section=section,
        title=table.filled("title"),
        short=table.filled("short"),
        why=table.filled("why"),
        action=action,
        verb=table.text("verb", ""),
        effect=table.choice("effect", Effect, "none"),
        applies=frozenset(table.member("applies", Kind, name) for name in applies),
        needs=table.texts("needs"),
        about=table.texts("about") or ("migration",),
        prompts=tuple(_prompt(prompt) for prompt in prompts),
        waivable=table.flag("waivable"),
        attested=table.flag("attested"),
        good_for=table.parsed("good_for", _span, _SPAN_FORM) if "good_for" in table.raw else None,
    )


def _span(text: str) -> timedelta:
    """How long an answer counts: "15 min", "2 h", "7 days"."""
    named = _SPAN.fullmatch(text)
    if named is None:
        raise ValueError(text)
    return int(named[1]) * _UNITS[named[2].removesuffix("s")]


def _prompt(table: TomlTable) -> Prompt:
    table.only({"key", "kind", "label", "help", "choices", "optional", "deliberate"})
    key, choices = table.filled("key"), table.texts("choices")
    return Prompt(
        key=key,
        kind=table.choice("kind", PromptKind),
        label=table.filled("label"),
        help=table.text("help", ""),
        choices=choices,
        labels=tuple(answer_label(key, choice) for choice in choices),
        optional=table.flag("optional"),
        deliberate=table.flag("deliberate"),
    )


def _check_needs(checklist: Checklist) -> None:
    ids = [step.id for step in checklist.steps]
    for step_id in _repeated(ids):
        raise _error_at(checklist, step_id, "id", f"two steps are called {step_id!r}")
    for section_id in _repeated([section.id for section in checklist.sections]):
        raise _error_at(checklist, "", "section", f"two sections are called {section_id!r}")
    for step in checklist.steps:
        for need in step.needs:
            if need not in ids:
                raise _error_at(
                    checklist, step.id, "needs", f"step {step.id!r} needs unknown {need!r}"
                )
    try:
        TopologicalSorter({s.id: s.needs for s in checklist.steps}).prepare()
    except CycleError as error:
        circle = " -> ".join(str(name) for name in error.args[1])
        words = f"steps need each other: {circle}"
        raise _error_at(checklist, error.args[1][0], "needs", words) from error


def _error_at(
    checklist: Checklist, step_id: str, key: str, what: str, hint: str = _HINT
) -> ChecklistInvalid:
    """A refusal at the line of a key inside a step; at the step where the key is left out."""
    paths = (
        ("section", n, "step", m)
        for n, section in enumerate(checklist.sections)
        for m, step in enumerate(section.steps)
        if step.id == step_id
    )
    line = SourceText(checklist.source, checklist.text).line_in(next(paths, ()), key)
    return ChecklistInvalid(f"{checklist.source}:{line}: {what}.", hint=hint)


def _with_acts(checklist: Checklist) -> Checklist:
    """Each act needs every step before it: repeating one later invalidates the act."""
    complete = replace(
        checklist,
        sections=tuple(
            replace(section, steps=tuple(_built(checklist, step) for step in section.steps))
            for section in checklist.sections
        ),
    )
    _check_needs(complete)
    return complete


def _built(checklist: Checklist, step: Step) -> Step:
    before = (needed.id for needed in built_on(checklist, step))
    return replace(step, needs=tuple(dict.fromkeys((*step.needs, *before))))


def _repeated(ids: list[str]) -> Iterator[str]:
    return (step_id for step_id in dict.fromkeys(ids) if ids.count(step_id) > 1)


@cache
def shipped_checklist() -> Checklist:
    """The checklist that ships with the program: the measure of a project's own."""
    return load_checklist(_shipped_text(), _SHIPPED)


@cache
def shipped_sha256() -> str:
    """Its sha256: who only asks which one it is does not wait for it to be read."""
    return sha256(_shipped_text().encode()).hexdigest()


def _shipped_text() -> str:
    return read_definition(_SHIPPED) or ""


def require_acts(checklist: Checklist, measure: Checklist | None = None) -> Checklist:
    """Refuse a project's checklist that weakens a step the acts rest on; ChecklistInvalid.

    `measure` is the shipped checklist of its time; left out, the present one.
    """
    for lapse in lapses(checklist, measure or shipped_checklist()):
        hint = "The gate and the apply depend on it: restore it; you may reword it."
        raise _error_at(checklist, lapse.step, lapse.key, lapse.words, hint)
    return checklist
