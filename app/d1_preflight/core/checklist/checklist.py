"""The checklist as values: sections, steps and prompts."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from itertools import takewhile
from typing import assert_never

from d1_preflight.core.errors import Rejected
from d1_preflight.core.findings import Kind
from d1_preflight.lazy_dataclass import dataclass, field

_WORD = re.compile(r"\w{2,}")
_SENTENCE = 3

Answer = str | bool | tuple[str, ...]

ACTS = ("go", "applied", "close")
"""The acts, in this order: every other step comes before or after one of them."""


class PromptKind(StrEnum):
    """The closed set of questions that both faces can ask."""

    CONFIRM = "confirm"
    TEXT = "text"
    CHOOSE = "choose"
    CHOOSE_MANY = "choose-many"


class Effect(StrEnum):
    """What performing a step does to the world; `remote-write` is never repeated blindly.

    The program acts on `remote-write` alone; the others tell readers of the checklist what a step
    touches, and the policy holds a project's own checklist to the same word.
    """

    NONE = "none"
    LOCAL = "local"
    REMOTE_READ = "remote-read"
    REMOTE_WRITE = "remote-write"


@dataclass(frozen=True, slots=True)
class Prompt:
    """One question a step asks a person."""

    key: str
    kind: PromptKind
    label: str
    help: str = ""
    choices: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()  # what the choices are called, where their stored form differs
    optional: bool = False
    offered: str = ""  # text only: what the field holds at first, to be kept or written over
    sentence: bool = False  # text only: a word or two is no answer
    typed: str = ""  # text only: the exact text that must be typed (the database's name)
    after: str = ""  # asked only where the prompt of this key has an answer that is not empty
    only: str = ""  # and where that answer is this one; "": whatever it is
    otherwise: bool = False  # the reverse: asked where that answer is another one, or none
    kept: str = ""  # the answer that counts where it is not asked
    deliberate: bool = False  # nothing is preselected: Enter alone chooses nothing

    def read(self, raw: object) -> Answer:
        """Turn a face's raw value into an answer; raises Rejected in words for the operator."""
        match self.kind:
            case PromptKind.CONFIRM:
                return self._confirmed(raw)
            case PromptKind.TEXT:
                return self._text(raw)
            case PromptKind.CHOOSE:
                return self._chosen(raw)
            case PromptKind.CHOOSE_MANY:
                return self._many(raw)
            case _:
                assert_never(self.kind)

    @property
    def is_statement(self) -> bool:
        """Whether it is one statement that must be confirmed."""
        return self.kind is PromptKind.CONFIRM and not self.optional

    def label_of(self, choice: str) -> str:
        """What people read for a choice."""
        return self._labels.get(choice, choice)

    @property
    def _labels(self) -> Mapping[str, str]:
        return dict(zip(self.choices, self.labels, strict=False))

    def _confirmed(self, raw: object) -> bool:
        if raw is True or (self.optional and raw is False):
            return bool(raw)
        hint = "Space marks it, Enter answers; or leave the step open."
        raise Rejected("Not confirmed yet.", hint=hint)

    def _text(self, raw: object) -> str:
        text = raw.strip() if isinstance(raw, str) else ""
        if self.typed.isdigit():
            text = text.replace(",", "")  # as the screens write numbers
        if self.typed and text != self.typed:
            raise Rejected(
                f"That is not {self.typed!r}.", hint="Type it as shown, letter for letter."
            )
        is_short = self.sentence and len(_WORD.findall(text)) < _SENTENCE
        if is_short and (text or not self.optional):
            raise Rejected("Write a sentence.", hint="Later readers have only this reason.")
        if not text and not self.optional:
            raise Rejected("Write an answer.", hint="A few words are enough.")
        return text

    def _chosen(self, raw: object) -> str:
        if self.optional and raw in (None, ""):
            return ""
        known = {label: choice for choice, label in self._labels.items()}
        known |= {choice: choice for choice in self.choices}
        if isinstance(raw, str) and raw in known:
            return known[raw]
        names = (self.label_of(choice) for choice in self.choices)
        raise Rejected(f"Choose one: {self.label}", hint=" · ".join(names))

    def _many(self, raw: object) -> tuple[str, ...]:
        values = tuple(str(v) for v in raw) if isinstance(raw, (list, tuple)) else ()
        unknown = [v for v in values if v not in self.choices]
        if unknown:
            raise Rejected(
                f"Not among the choices: {', '.join(unknown)}", hint=" · ".join(self.choices)
            )
        if not values and not self.optional:
            raise Rejected(f"Choose at least one: {self.label}", hint=" · ".join(self.choices))
        return values


def still_asked(prompt: Prompt, answered: Mapping[str, object]) -> bool:
    """Whether a prompt is asked, given the raw answers to those before it."""
    given = answered.get(prompt.after)
    is_so = given == prompt.only if prompt.only else bool(given)
    return not prompt.after or is_so is not prompt.otherwise


def read_answers(prompts: Iterable[Prompt], raw: Mapping[str, object]) -> Mapping[str, Answer]:
    """The answers out of a face's raw values; raises Rejected for one that is none."""
    found: dict[str, Answer] = {}
    for prompt in prompts:
        if still_asked(prompt, raw):
            found[prompt.key] = prompt.read(raw.get(prompt.key))
        elif prompt.kept:
            found[prompt.key] = prompt.read(prompt.kept)
    return found


@dataclass(frozen=True, slots=True)
class Step:
    """One item of the checklist."""

    id: str
    section: str
    title: str
    short: str  # the rail's words: two at most
    why: str
    action: str
    effect: Effect
    applies: frozenset[Kind]
    needs: tuple[str, ...] = ()
    about: tuple[str, ...] = ("migration",)
    prompts: tuple[Prompt, ...] = ()
    waivable: bool = False
    attested: bool = False
    verb: str = ""  # what Enter does at it, in words; "" where the checklist has none
    good_for: timedelta | None = None  # how long its answer counts before the apply


@dataclass(frozen=True, slots=True)
class Section:
    """A group of steps, or one of the acts between and after them."""

    id: str
    title: str
    number: str  # "1" … "6", "" for the acts
    steps: tuple[Step, ...]


def needs_person(step: Step, prompts: Sequence[Prompt]) -> str:
    """Why a person must start the step, in words; "" for none: facts may hold it too."""
    if step.id in ACTS:
        return "A person signs it or applies it."
    if step.effect is Effect.REMOTE_WRITE:
        return "It writes to the target or to people."
    return "It asks a question." if prompts else ""


@dataclass(frozen=True)
class Checklist:
    """The whole definition; `sha256` of its bytes goes into the record."""

    source: str
    sha256: str
    sections: tuple[Section, ...]
    text: str = field(default="", repr=False, compare=False)  # to name lines by

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """All steps in order."""
        return tuple(step for section in self.sections for step in section.steps)

    @cached_property
    def _by_id(self) -> Mapping[str, Step]:
        return {step.id: step for step in self.steps}

    def step(self, step_id: str) -> Step:
        """The step of that id; raises KeyError."""
        return self._by_id[step_id]

    def before(self, step_id: str) -> tuple[Step, ...]:
        """The steps before the one of that id; all of them if there is none."""
        return tuple(takewhile(lambda step: step.id != step_id, self.steps))

    def has(self, step_id: str) -> bool:
        """Whether this checklist (a project may bring its own) holds the step."""
        return step_id in self._by_id

    def may_overlap(self, step: Step, other_id: str) -> bool:
        """Whether a step may run while the other runs: neither can change what the other finds.

        Neither is an act or writes remotely, neither rests on the other, both are about no file
        but the migration, and one of them only reads the target: this machine's copies are
        worked on by one step at a time.
        """
        if not self.has(other_id) or step.id == other_id:
            return False
        pair = (step, self.step(other_id))
        return (
            Effect.REMOTE_READ in (one.effect for one in pair)
            and not any(one.id in ACTS or one.effect is Effect.REMOTE_WRITE for one in pair)
            and not any(pair[1 - n].id in self._foundations(one) for n, one in enumerate(pair))
            and set(pair[0].about) & set(pair[1].about) <= {"migration"}
        )

    def _foundations(self, step: Step) -> frozenset[str]:
        """The ids of all the steps that a step rests on, those that they rest on among them."""
        needs = (self.step(need) for need in step.needs if self.has(need))
        return frozenset(step.needs).union(*(self._foundations(need) for need in needs))

    def steps_for(self, kind: Kind) -> tuple[Step, ...]:
        """The steps that a migration of this class walks; an unknown class walks all."""
        if kind is Kind.UNKNOWN:
            return self.steps
        return tuple(s for s in self.steps if kind in s.applies)

    def sections_for(self, kind: Kind) -> tuple[tuple[Section, tuple[Step, ...]], ...]:
        """The sections that a migration of this class walks, each with its steps."""
        path = self.steps_for(kind)
        pairs = ((s, tuple(step for step in path if step.section == s.id)) for s in self.sections)
        return tuple((section, steps) for section, steps in pairs if steps)


def built_on(checklist: Checklist, step: Step) -> tuple[Step, ...]:
    """What invalidates a step, by its place: the act before it; for an act, every step since too.

    The place alone decides, so that a step which a project adds holds its act as any other does.
    """
    before = checklist.before(step.id)
    acts = [n for n, other in enumerate(before) if other.id in ACTS]
    since = before[acts[-1] if acts else 0 :]
    if step.id in ACTS:
        return since
    return since[:1] if acts else ()
