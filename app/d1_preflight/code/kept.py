"""Values as JSON holds them, and read again: the annotations of their classes are the schema.

A class is the list of its values; one of several classes has its name before them. Thousands of
files' facts go through here, so each annotation is understood once.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from operator import call
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

_Form = tuple[Callable[[Any], Any], Callable[[Any], Any]]
"""How values of a type are written, and how they are read."""


def to_json(kind: object, value: object) -> Any:
    """A value of a type as JSON holds it."""
    return _form(kind)[0](value)


def from_json(kind: object, raw: Any) -> Any:
    """The value again; raises KeyError, TypeError or ValueError where it is none."""
    return _form(kind)[1](raw)


@cache
def _form(kind: Any) -> _Form:
    outer, inner = get_origin(kind) or kind, get_args(kind)
    if outer is UnionType:
        return _of_one_of([one for one in inner if one is not NoneType])
    if outer is tuple and inner[-1] is not Ellipsis:
        return _of_row(lambda *values: values, inner, iter)
    if outer in (tuple, frozenset):
        write, read = _form(inner[0])
        ordered: Callable[[Iterable[Any]], list[Any]] = sorted if outer is frozenset else list
        return lambda held: ordered(map(write, held)), lambda raw: outer(map(read, raw))
    if outer is Mapping:
        write, read = _form(inner[1])
        return (
            lambda held: {key: write(value) for key, value in held.items()},
            lambda raw: {key: read(value) for key, value in dict(raw).items()},
        )
    if hasattr(kind, "__dataclass_fields__"):
        hints = get_type_hints(kind)
        return _of_row(kind, hints.values(), lambda held: [getattr(held, name) for name in hints])
    return (lambda held: held), kind


def _of_row(
    made: Callable[..., Any], kinds: Iterable[Any], values: Callable[[Any], Iterable[Any]]
) -> _Form:
    """A list with values of these types, in their order."""
    writes, reads = zip(*map(_form, kinds), strict=True)

    def read(raw: Any) -> Any:
        if len(raw) != len(reads):
            raise ValueError(f"{len(raw)} values, not {len(reads)}")
        return made(*map(call, reads, raw))

    return lambda held: list(map(call, writes, values(held))), read


def _of_one_of(kinds: list[Any]) -> _Form:
    """A value that may be None, or is of one of these classes."""
    if len(kinds) == 1:
        write, read = _form(kinds[0])
        return (
            lambda held: None if held is None else write(held),
            lambda raw: None if raw is None else read(raw),
        )
    named = {kind.__name__: kind for kind in kinds}

    return (
        lambda held: None if held is None else [type(held).__name__, *to_json(type(held), held)],
        lambda raw: None if raw is None else from_json(named[raw[0]], raw[1:]),
    )
