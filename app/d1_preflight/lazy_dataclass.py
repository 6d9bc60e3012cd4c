"""Dataclasses whose methods are made when they are first used.

The standard decorator compiles six methods for each class while the program starts: a third of a
start's time, mostly for classes that the command never makes. To a type checker it is the same.
"""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, FrozenInstanceError
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass

__all__ = ["dataclass"]


def _lazy(
    cls: Any = None,
    /,
    *,
    frozen: bool = False,
    slots: bool = False,
    kw_only: bool = False,
) -> Any:
    """`dataclasses.dataclass`: what a class defines itself stays."""
    declare = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots, kw_only=kw_only)

    def made(cls: Any) -> Any:
        own = declare(cls)
        for name, method in (_FROZEN if frozen else _OPEN).items():
            if cls.__dict__.get(name) is None:  # a class with its own __eq__ has no __hash__
                setattr(own, name, method)
        if "__init__" not in cls.__dict__:
            own.__init__ = _first_init(own)
        return own

    return made if cls is None else made(cls)


if not TYPE_CHECKING:
    dataclass = _lazy


def _first_init(cls: Any) -> Callable[..., None]:
    """An __init__ that makes the class's real one, puts it in its place and calls it."""

    def __init__(self: Any, *args: Any, **named: Any) -> None:  # noqa: N807 - it is one
        cls.__init__ = _init_of(cls)
        cls.__init__(self, *args, **named)

    return __init__


def _init_of(cls: Any) -> Callable[..., None]:
    known = dataclasses.fields(cls)
    given = [field for field in known if field.init]
    named = [field for field in given if field.kw_only]
    parameters = [_parameter(field) for field in given if not field.kw_only]
    parameters += ["*", *map(_parameter, named)] if named else []
    body = [line for field in known for line in _line(field)]
    body += ["self.__post_init__()"] if hasattr(cls, "__post_init__") else []
    values: dict[str, Any] = {"_set": object.__setattr__, "_missing": MISSING}
    values |= {f"_default_{field.name}": field.default for field in known}
    values |= {f"_make_{field.name}": field.default_factory for field in known}
    lines = "\n ".join(body or ["pass"])
    exec(f"def __init__({', '.join(('self', *parameters))}):\n {lines}", values)  # noqa: S102 - as dataclasses does
    init: Callable[..., None] = values["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    return init


def _parameter(field: Field[Any]) -> str:
    if field.default is not MISSING:
        return f"{field.name}=_default_{field.name}"
    return f"{field.name}=_missing" if field.default_factory is not MISSING else field.name


def _line(field: Field[Any]) -> Iterator[str]:
    name, value = field.name, field.name
    if field.default_factory is not MISSING:
        value = f"_make_{name}()"
        value = f"{value} if {name} is _missing else {name}" if field.init else value
    elif not field.init:
        value = f"_default_{name}"
    if field.init or MISSING is not field.default or MISSING is not field.default_factory:
        yield f"_set(self, {name!r}, {value})"


_COMPARED: dict[object, Callable[[object], object]] = {}


def _compared(cls: Any) -> Callable[[object], object]:
    found = _COMPARED.get(cls)
    if found is None:
        names = [field.name for field in dataclasses.fields(cls) if field.compare]
        found = _COMPARED[cls] = attrgetter(*names) if names else lambda _: ()
    return found


def _eq(self: Any, other: object) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    compared = _compared(type(self))
    return compared(self) == compared(other)


def _hash(self: Any) -> int:
    return hash(_compared(type(self))(self))


@recursive_repr()
def _repr(self: Any) -> str:
    shown = (f.name for f in dataclasses.fields(self) if f.repr)
    inner = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
    return f"{self.__class__.__qualname__}({inner})"


def _setattr(_self: object, name: str, _value: object) -> None:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _delattr(_self: object, name: str) -> None:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _getstate(self: Any) -> list[object]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _setstate(self: Any, state: list[object]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)


_SHOWN = {"__eq__": _eq, "__repr__": _repr}
_OPEN: dict[str, object] = {**_SHOWN, "__hash__": None}
_FROZEN: dict[str, object] = {
    **_SHOWN,
    "__hash__": _hash,
    "__setattr__": _setattr,
    "__delattr__": _delattr,
    "__getstate__": _getstate,
    "__setstate__": _setstate,
}
