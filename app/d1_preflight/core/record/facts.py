"""Facts with names and types: a frozen dataclass reads itself from a record and writes itself back.

The annotations are the schema. A key that a record does not have leaves its field at the default,
which is unknown ("", (), None), and is written as absent. A key that the class does not know, or
whose value is of another type, is kept as it is and written back in its place.
"""

import re
from collections.abc import Mapping
from datetime import MAXYEAR, UTC, datetime
from enum import StrEnum
from functools import cache
from typing import (
    Any,
    ClassVar,
    Final,
    Never,
    Protocol,
    Self,
    TypeVar,
    cast,
    dataclass_transform,
    get_args,
    get_origin,
)  # fmt: skip

from d1_preflight.lazy_dataclass import Field, declared, field, fields

Fact = str | int | bool | tuple["Fact", ...] | Mapping[str, "Fact"]
Facts = Mapping[str, Fact]

_Value = TypeVar("_Value")
_KEY = "key"
_EXACT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_INSTANT = "%Y-%m-%dT%H:%M:%SZ"
_FIRST_YEAR = 1970


class _Absent:
    """A field's value if the record has no such key."""

    __slots__ = ()


class _NoText(_Absent, str):
    __slots__ = ()


class _NoItems(_Absent, tuple[Never, ...]):
    __slots__ = ()


NO_TEXT: Final[str] = _NoText()
"""The empty text of a key that is absent; a plain "" is written."""
NO_ITEMS: Final[tuple[Never, ...]] = _NoItems()
"""The empty list of a key that is absent; a plain () is written."""


def named(key: str, default: _Value) -> _Value:
    """A field whose key in the record is not its name."""
    made: _Value = field(default=default, metadata={_KEY: key})
    return made


@cache
def _absent(group: type[Any]) -> Mapping[str, object]:
    """Each field's value where nothing is known of it."""
    return {own.name: own.default for own in fields(group)}


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field, named))
class FactGroup:
    """Facts that belong together: each class below it is a frozen dataclass.

    `extra` holds what the class does not know or cannot read. `keys` is the order in which they
    were read; what was not read has the order of the fields.
    """

    extra: Facts = field(default_factory=dict)
    keys: tuple[str, ...] = ()

    def __init_subclass__(cls) -> None:
        declared(cls)

    def __init__(self, **known: Any) -> None:
        absent = _absent(cast("Any", type(self)))
        if unknown := known.keys() - absent.keys():
            raise TypeError(f"{type(self).__name__} has no {', '.join(unknown)}")
        self.__dict__.update(absent, extra={})
        self.__dict__.update(known)

    @classmethod
    def read(cls, facts: Facts) -> Self:
        """The facts with their types; never raises."""
        own = fields_by_key(cls)
        known, extra = dict[str, Any](), dict[str, Fact]()
        for key, fact in facts.items():
            value = _read(own[key].type, fact) if key in own else None
            if value is None:
                extra[key] = fact
            else:
                known[own[key].name] = value
        return cls(extra=extra, keys=tuple(facts), **known)

    def written(self) -> Mapping[str, Fact]:
        """The facts as a record holds them."""
        held = ((key, f, getattr(self, f.name)) for key, f in fields_by_key(type(self)).items())
        own = {key: _fact(value) for key, f, value in held if value is not f.default}
        whole = {**self.extra, **own}
        return {key: whole[key] for key in dict.fromkeys((*self.keys, *whole)) if key in whole}

    @property
    def unread(self) -> tuple[str, ...]:
        """The keys that the class knows, but not with a value of this type."""
        return tuple(key for key in self.extra if key in fields_by_key(type(self)))

    @property
    def misread(self) -> Facts:
        """The values that should be a class or a moment and are none."""
        wrong = (k for k in self.unread if _decides(fields_by_key(type(self))[k].type))
        return {key: self.extra[key] for key in wrong}

    @property
    def is_empty(self) -> bool:
        """Whether there are no facts at all."""
        return not self.written()

    def __eq__(self, other: object) -> bool:
        """Whether the facts are equal, in any order."""
        return type(other) is type(self) and self.written() == cast("Self", other).written()

    def __hash__(self) -> int:
        return hash(frozenset(self.written()))

    def __setattr__(self, name: str, value: object) -> None:
        from dataclasses import FrozenInstanceError

        raise FrozenInstanceError(name)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.written()})"


declared(FactGroup)


class HoldsFacts(Protocol):
    """What holds facts as a record has them: an attempt."""

    @property
    def facts(self) -> Facts:
        """The facts by their keys."""
        ...

    @property
    def typed(self) -> dict[type, object]:
        """The facts that were read already, by their class."""
        ...


class StepFacts(FactGroup):
    """What one step of the checklist finds; the class is the key to it, in any record.

    `rows_read` and `rows_written` are what D1 counted for it, in the replies that say so.
    """

    step: ClassVar[str]
    rows_read: int | None = None
    rows_written: int | None = None

    @classmethod
    def from_attempt(cls, attempt: HoldsFacts | None) -> Self:
        """The facts of an attempt at this step; empty facts without an attempt.

        An attempt reads its facts once: it never changes.
        """
        if attempt is None:
            return cls.read({})
        held = attempt.typed.get(cls)
        if not isinstance(held, cls):
            held = attempt.typed[cls] = cls.read(attempt.facts)
        return held


NO_FACTS: Final = StepFacts()
"""What a step found that keeps nothing but its words."""

AnyStep = TypeVar("AnyStep", bound=StepFacts)
"""A step, named by the class of its facts: the answer has that class."""

_fields: dict[type, Mapping[str, Field[Any]]] = {}


def fields_by_key(group: type[FactGroup]) -> Mapping[str, Field[Any]]:
    """The fields by their keys in the record; worked out once for each class."""
    if group not in _fields:
        own = (f for f in fields(cast("Any", group)) if f.name not in {"extra", "keys"})
        _fields[group] = {f.metadata.get(_KEY, f.name): f for f in own}
    return _fields[group]


def instant(moment: datetime) -> str:
    """A moment as the record writes it: UTC, whole seconds."""
    return moment.astimezone(UTC).strftime(_INSTANT)


def moment(text: str) -> datetime:
    """The inverse of `instant`; raises ValueError."""
    if _EXACT.fullmatch(text):  # strptime takes more, and ten times as long
        found = datetime.fromisoformat(text[:-1]).replace(tzinfo=UTC)
    else:
        found = datetime.strptime(text, _INSTANT).replace(tzinfo=UTC)
    if not _FIRST_YEAR <= found.year < MAXYEAR:  # no other zone could show it
        raise ValueError(f"the year {found.year} is not possible in a record")
    return found


def is_absent(value: object) -> bool:
    """Whether a field belongs to a key that the record does not have."""
    return value is None or isinstance(value, _Absent)


def _fact(value: Any) -> Fact:
    if isinstance(value, FactGroup):
        return value.written()
    if isinstance(value, tuple):
        return tuple(_fact(item) for item in value)
    if isinstance(value, datetime):
        return instant(value)
    return value.value if isinstance(value, StrEnum) else cast("Fact", value)


def _read(kind: Any, fact: Fact) -> object | None:
    """The value in its annotated type; None if it is of another type."""
    outer, args = _parts(kind)
    if outer is tuple:
        items = [_read(args[0], item) for item in fact] if isinstance(fact, tuple) else [None]
        return None if any(item is None for item in items) else tuple(items)
    if args:  # `int | None`: what may be absent
        return _read(args[0], fact)
    if not isinstance(kind, type):
        return None
    if issubclass(kind, FactGroup):
        return kind.read(fact) if isinstance(fact, Mapping) else None
    if issubclass(kind, StrEnum):
        return next((member for member in kind if member.value == fact), None)
    if kind is datetime:
        found = moment_of(fact)
        return found if found and instant(found) == fact else None  # it is written back as it was
    fits = isinstance(fact, kind) and not (kind is int and isinstance(fact, bool))
    return fact if fits else None


@cache
def _parts(kind: Any) -> tuple[Any, tuple[Any, ...]]:
    """An annotation's outer type and what stands in its brackets: tens of thousands are asked."""
    return get_origin(kind), get_args(kind)


def _decides(kind: Any) -> bool:
    inner = next(iter(get_args(kind)), kind)
    return isinstance(inner, type) and issubclass(inner, (StrEnum, datetime))


def moment_of(fact: Fact) -> datetime | None:
    """The inverse of `instant`; None for anything else."""
    try:
        return moment(fact) if isinstance(fact, str) else None
    except ValueError:
        return None
