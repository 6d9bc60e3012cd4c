"""Reads a checklist strictly from TOML.

TOML says which steps, in what order, in what words, for which class of migration, needing what
before. Python says how. Nothing unknown is accepted: an unread key would be a check not made.
"""

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from functools import cache
from graphlib import CycleError, TopologicalSorter
from hashlib import sha256
from itertools import takewhile
from typing import TypeVar

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
from d1_preflight.core.strict_toml import SourceText

_Member = TypeVar("_Member", bound=StrEnum)
_SPAN = re.compile(r"([1-9][0-9]{0,4}) (min|h|days?)")
_UNITS = {"min": timedelta(minutes=1), "h": timedelta(hours=1), "day": timedelta(days=1)}


def load_checklist(text: str, source: str, actions: Container[str] | None = None) -> Checklist:
    """Read a checklist; raises ChecklistInvalid naming the file and the line.

    `actions` are the names a step may have; None for readers that run none of them.
    """
    document = SourceText(source, text, ChecklistInvalid).toml()
    reader = _Reader(source, text)
    reader.only(document, {"schema", "section"}, "the top level")
    if document.get("schema") != 1:
        raise reader.error("schema", "schema must be 1")
    raws = reader.tables(document, "section", "the top level")
    if not raws:
        raise reader.error("schema", "there is no section, so nothing would be checked")
    sections = tuple(_section(reader, raw, actions) for raw in raws)
    checklist = Checklist(source, sha256(text.encode()).hexdigest(), sections, text)
    _check_needs(reader, checklist)
    return _with_acts(reader, checklist)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Refuses with the file and the line at which a name stands, searched from `near` on."""

    source: str
    text: str
    near: str = ""

    def at(self, name: str) -> "_Reader":
        """The same reader, inside the section or step of this id."""
        return replace(self, near=f'id = "{name}"')

    def only(self, raw: Mapping[str, object], known: set[str], where: str) -> None:
        for key in raw:
            if key not in known:
                raise self.error(key, f"unknown key {key!r} in {where}")

    def error(self, needle: str, what: str) -> ChecklistInvalid:
        return ChecklistInvalid(
            f"{self.source}:{self._line(needle)}: {what}.",
            hint="Correct the checklist; no step was skipped.",
        )

    def _line(self, needle: str) -> int:
        lines = self.text.splitlines()
        start = next((n for n, text in enumerate(lines) if self.near and self.near in text), 0)
        order = (*range(start, len(lines)), *range(start))
        return next((n + 1 for n in order if needle in lines[n]), start + 1)

    def tables(self, raw: Mapping[str, object], key: str, where: str) -> list[dict[str, object]]:
        value = raw.get(key, [])
        if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
            raise self.error(key, f"{key} of {where} must be a list of tables")
        return value

    def name_of(self, raw: Mapping[str, object], key: str, where: str) -> str:
        """A text that must be there."""
        value = self.text_of(raw, key, where)
        if not value.strip():
            raise self.error("", f"{where} has no {key}")
        return value

    def text_of(self, raw: Mapping[str, object], key: str, where: str, default: str = "") -> str:
        value = raw.get(key, default)
        if not isinstance(value, str):
            raise self.error(key, f"{key} of {where} must be a string")
        return value

    def words_of(self, raw: Mapping[str, object], key: str, where: str) -> tuple[str, ...]:
        value = raw.get(key, [])
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise self.error(key, f"{key} of {where} must be a list of strings")
        return tuple(value)

    def flag(self, raw: Mapping[str, object], key: str, where: str) -> bool:
        value = raw.get(key, False)
        if not isinstance(value, bool):
            raise self.error(key, f"{key} of {where} must be true or false")
        return value


_ALL_KINDS = (Kind.NONE, Kind.ADDITIVE, Kind.TRANSFORMATIVE, Kind.DESTRUCTIVE)


def _section(reader: _Reader, raw: Mapping[str, object], actions: Container[str] | None) -> Section:
    reader.only(raw, {"id", "title", "number", "step"}, "a section")
    section_id = reader.name_of(raw, "id", "a section")
    where, reader = f"section {section_id!r}", reader.at(section_id)
    steps = reader.tables(raw, "step", where)
    if not steps:
        raise reader.error(section_id, f"{where} has no steps")
    return Section(
        section_id,
        reader.name_of(raw, "title", where),
        reader.text_of(raw, "number", where),
        tuple(_step(reader, section_id, step, actions) for step in steps),
    )


def _step(
    reader: _Reader, section: str, raw: Mapping[str, object], actions: Container[str] | None
) -> Step:
    known = {"id", "title", "short", "why", "action", "effect", "applies", "needs", "about"}
    step_id = reader.name_of(raw, "id", f"a step of section {section!r}")
    where, reader = f"step {step_id!r}", reader.at(step_id)
    reader.only(raw, known | {"prompt", "verb", "waivable", "attested", "good_for"}, where)
    action = reader.name_of(raw, "action", where)
    if actions is not None and action not in actions:
        raise reader.error(f'"{action}"', f"{where} names an unknown action {action!r}")
    prompts = reader.tables(raw, "prompt", where)
    return Step(
        id=step_id,
        section=section,
        title=reader.name_of(raw, "title", where),
        short=reader.name_of(raw, "short", where),
        why=reader.name_of(raw, "why", where),
        action=action,
        verb=reader.text_of(raw, "verb", where),
        effect=_member(reader, Effect, reader.text_of(raw, "effect", where, "none"), where),
        applies=frozenset(
            _member(reader, Kind, name, where)
            for name in reader.words_of(raw, "applies", where) or [k.value for k in _ALL_KINDS]
        ),
        needs=reader.words_of(raw, "needs", where),
        about=reader.words_of(raw, "about", where) or ("migration",),
        prompts=tuple(_prompt(reader, where, prompt) for prompt in prompts),
        waivable=reader.flag(raw, "waivable", where),
        attested=reader.flag(raw, "attested", where),
        good_for=_good_for(reader, raw, where),
    )


def _good_for(reader: _Reader, raw: Mapping[str, object], where: str) -> timedelta | None:
    """How long the answer counts: "15 min", "2 h", "7 days"; None where it is not said."""
    if "good_for" not in raw:
        return None
    text = reader.text_of(raw, "good_for", where)
    named = _SPAN.fullmatch(text)
    if named is None:
        words = f'good_for of {where} is {text!r}; write it like "15 min", "2 h" or "7 days"'
        raise reader.error("good_for", words)
    return int(named[1]) * _UNITS[named[2].removesuffix("s")]


def _prompt(reader: _Reader, where: str, raw: Mapping[str, object]) -> Prompt:
    reader.only(
        raw, {"key", "kind", "label", "help", "choices", "optional"}, f"a prompt of {where}"
    )
    kind = reader.name_of(raw, "kind", f"a prompt of {where}")
    return Prompt(
        key=reader.name_of(raw, "key", f"a prompt of {where}"),
        kind=_member(reader, PromptKind, kind, where),
        label=reader.name_of(raw, "label", f"a prompt of {where}"),
        help=reader.text_of(raw, "help", where),
        choices=reader.words_of(raw, "choices", where),
        optional=reader.flag(raw, "optional", where),
    )


def _member(reader: _Reader, enum: type[_Member], value: str, where: str) -> _Member:
    try:
        return enum(value)
    except ValueError:
        names = ", ".join(member.value for member in enum)
        raise reader.error(f'"{value}"', f"{where}: {value!r} is none of {names}") from None


def _check_needs(reader: _Reader, checklist: Checklist) -> None:
    ids = [step.id for step in checklist.steps]
    for step_id in _repeated(ids):
        raise reader.error(f'"{step_id}"', f"two steps are called {step_id!r}")
    for section_id in _repeated([section.id for section in checklist.sections]):
        raise reader.error(f'"{section_id}"', f"two sections are called {section_id!r}")
    for step in checklist.steps:
        for need in step.needs:
            if need not in ids:
                raise reader.at(step.id).error(
                    f'"{need}"', f"step {step.id!r} needs unknown {need!r}"
                )
    try:
        TopologicalSorter({s.id: s.needs for s in checklist.steps}).prepare()
    except CycleError as error:
        circle = " -> ".join(str(name) for name in error.args[1])
        raise reader.error(f'"{error.args[1][0]}"', f"steps need each other: {circle}") from error


def _with_acts(reader: _Reader, checklist: Checklist) -> Checklist:
    """Each act needs every step before it: tried again later, the act falls."""
    complete = replace(
        checklist,
        sections=tuple(
            replace(section, steps=tuple(_built(checklist, step) for step in section.steps))
            for section in checklist.sections
        ),
    )
    _check_needs(reader, complete)
    return complete


def _built(checklist: Checklist, step: Step) -> Step:
    before = (needed.id for needed in built_on(checklist, step))
    return replace(step, needs=tuple(dict.fromkeys((*step.needs, *before))))


def _repeated(ids: list[str]) -> Iterator[str]:
    return (step_id for step_id in dict.fromkeys(ids) if ids.count(step_id) > 1)


@cache
def shipped_checklist() -> Checklist:
    """The checklist that ships with the program: the measure of a project's own."""
    name = "d1.toml"
    return load_checklist(read_definition(name) or "", name)


def require_acts(checklist: Checklist, measure: Checklist | None = None) -> Checklist:
    """Refuse a project's checklist that weakens a step the acts rest on; ChecklistInvalid.

    `measure` is the shipped checklist of its time; left out, the present one.
    """
    for lapse in lapses(checklist, measure or shipped_checklist()):
        place = f"{checklist.source}:{_line_of(checklist.text, lapse.step, lapse.key)}"
        raise ChecklistInvalid(
            f"{place}: {lapse.words}.",
            hint="The gate and the apply rest on it: put it back, reworded if you like.",
        )
    return checklist


def _line_of(text: str, step_id: str, key: str) -> int:
    """The line of a key inside its own step; that of the step where the key is left out."""
    lines = text.splitlines()
    starts = [n for n, line in enumerate(lines) if line.strip() == "[[section.step]]"]
    named = re.compile(rf"""\s*id\s*=\s*["']{re.escape(step_id)}["']""")
    for start in starts:
        inner = takewhile(
            lambda n: not lines[n].lstrip().startswith("["), range(start + 1, len(lines))
        )
        block = tuple(inner)
        own = next((n for n in block if named.match(lines[n])), None)
        if own is not None:
            setting = re.compile(rf"\s*{key}\s*=")
            return next((n for n in block if setting.match(lines[n])), own) + 1
    return 1
