"""Dataclasses whose methods are made when they are first used.

The standard decorator compiles six methods for each class while the program starts: a third of a
start's time, mostly for classes that the command never makes. Its own import costs as much as
fifty modules of ours: it is put off too. To a type checker it is the same.
"""

from collections.abc import Callable, Iterator, Mapping
from operator import attrgetter
from reprlib import recursive_repr
from types import GenericAlias, MemberDescriptorType
from typing import TYPE_CHECKING, Any, ClassVar, get_origin

if TYPE_CHECKING:
    from dataclasses import Field, dataclass, field, fields, replace

__all__ = ["Field", "dataclass", "declared", "field", "fields", "replace"]

_FIELDS = "__dataclass_fields__"
_GIVEN: dict[type, tuple[str, ...]] = {}
_FROM_STANDARD = ("default", "default_factory", "init", "repr", "compare", "kw_only", "metadata")


class _Missing:
    """What stands where no default is."""


_MISSING: Any = _Missing()


class _OwnField:
    """What is known of one field, until the standard library's own is asked for."""

    __slots__ = (
        "compare", "default", "default_factory", "init", "kw_only",
        "metadata", "name", "repr", "type",
    )  # fmt: skip
    __class_getitem__: Any = classmethod(GenericAlias)

    def __init__(
        self,
        *,
        default: Any = _MISSING,
        default_factory: Any = _MISSING,
        init: bool = True,
        repr: bool = True,  # noqa: A002 - as the standard library names it
        compare: bool = True,
        kw_only: bool | None = None,
        metadata: Mapping[Any, Any] | None = None,
    ) -> None:
        self.default = default
        self.default_factory = default_factory
        self.init = init
        self.repr = repr
        self.compare = compare
        self.kw_only = kw_only
        self.name = ""
        self.type: Any = None
        self.metadata = metadata or {}


def _field(**named: Any) -> Any:
    """`dataclasses.field`: a default that is made, or a field that is not shown or compared."""
    return _OwnField(**named)


def _replace(one: Any, /, **changes: Any) -> Any:
    """`dataclasses.replace`: the same with other values."""
    cls = type(one)
    if (given := _GIVEN.get(cls)) is None:
        own = _own_fields(cls)
        if not own:
            import dataclasses

            return dataclasses.replace(one, **changes)
        given = _GIVEN[cls] = tuple(known.name for known in own.values() if known.init)
    whole = {name: changes.pop(name) if name in changes else getattr(one, name) for name in given}
    for name in changes.keys() & _own_fields(cls).keys() if changes else ():
        raise ValueError(f"field {name} is declared with init=False")
    return cls(**whole, **changes)


class _Parameters:
    """`__dataclass_params__`, as far as a standard dataclass below looks at it."""

    def __init__(self, *, frozen: bool) -> None:
        self.frozen = frozen


class _StandardFields:
    """`__dataclass_fields__`, made of our own when the standard library first asks for them."""

    def __init__(self, own: Mapping[str, _OwnField]) -> None:
        self.own = own
        self._made: dict[str, Field[Any]] | None = None

    def __get__(self, _one: object, _cls: type | None = None) -> "dict[str, Field[Any]]":
        if self._made is None:
            self._made = {name: _standard(known) for name, known in self.own.items()}
        return self._made


def _standard(known: _OwnField) -> "Field[Any]":
    import dataclasses

    given = {key: value for key in _FROM_STANDARD if (value := getattr(known, key)) is not _MISSING}
    made: Field[Any] = dataclasses.field(**given)
    made.name, made.type = known.name, known.type
    made._field_type = dataclasses._FIELD  # type: ignore[attr-defined]  # noqa: SLF001 - else it is no field of a class
    return made


def _own_field(name: str, kind: Any, found: Any, *, kw_only: bool) -> _OwnField:
    """Our own field of what stands at the name: a value, `field()`, or the standard library's."""
    one = found if isinstance(found, _OwnField) else _OwnField(default=found)
    if type(found).__module__ == "dataclasses":  # its module is not imported to see it
        from dataclasses import MISSING, Field

        if isinstance(found, Field):
            has = {key: getattr(found, key) for key in _FROM_STANDARD}
            one = _OwnField(**{k: v for k, v in has.items() if v is not MISSING})
    one.name, one.type = name, kind
    one.kw_only = one.kw_only if isinstance(one.kw_only, bool) else kw_only
    return one


def _own_fields(cls: Any) -> Mapping[str, _OwnField]:
    """The fields of a class, if this module made it."""
    found = next((vars(c)[_FIELDS] for c in cls.__mro__ if _FIELDS in vars(c)), None)
    return found.own if isinstance(found, _StandardFields) else {}


def _declared(cls: Any, *, kw_only: bool) -> dict[str, _OwnField]:
    """The fields of the classes above, and of this one; its defaults stay on the class."""
    known: dict[str, _OwnField] = {}
    for above in reversed(cls.__mro__[1:]):
        found = vars(above).get(_FIELDS, {})
        if isinstance(found, _StandardFields):
            known |= found.own
        else:
            known |= {n: _own_field(n, one.type, one, kw_only=False) for n, one in found.items()}
    for name, kind in cls.__dict__.get("__annotations__", {}).items():  # noqa: RUF063 - inspect is what costs
        if kind is ClassVar or get_origin(kind) is ClassVar:
            continue
        default = cls.__dict__.get(name, _MISSING)
        if isinstance(default, MemberDescriptorType):
            default = _MISSING  # a slot, no value
        known[name] = one = _own_field(name, kind, default, kw_only=kw_only)
        if one.default is not _MISSING:
            setattr(cls, name, one.default)
        elif default is not _MISSING:
            delattr(cls, name)
    return known


def _fields(of: Any) -> tuple[_OwnField, ...]:
    """`dataclasses.fields`: of a class, or of one of its instances."""
    cls = of if isinstance(of, type) else type(of)
    return tuple(_own_fields(cls).values())


def declared(cls: Any) -> Any:
    """The class with fields that have names, and the methods that it has itself."""
    setattr(cls, _FIELDS, _StandardFields(_declared(cls, kw_only=True)))
    cls.__dataclass_params__ = _Parameters(frozen=False)
    return cls


def _with_slots(cls: Any, known: Mapping[str, _OwnField]) -> Any:
    """The class once more, with a slot for each field that no class above has."""
    body = dict(cls.__dict__)
    above = {name for base in cls.__mro__[1:-1] for name in vars(base).get("__slots__", ())}
    body["__slots__"] = tuple(name for name in known if name not in above)
    for name in (*known, "__dict__", "__weakref__"):
        body.pop(name, None)
    made = type(cls)(cls.__name__, cls.__bases__, body)
    made.__qualname__ = cls.__qualname__
    return made


def _lazy(
    cls: Any = None,
    /,
    *,
    frozen: bool = False,
    slots: bool = False,
    kw_only: bool = False,
) -> Any:
    """`dataclasses.dataclass`: what a class defines itself stays."""

    def made(cls: Any) -> Any:
        known = _declared(cls, kw_only=kw_only)
        own = _with_slots(cls, known) if slots else cls
        setattr(own, _FIELDS, _StandardFields(known))
        own.__dataclass_params__ = _Parameters(frozen=frozen)
        named = (one.name for one in known.values() if one.init and not one.kw_only)
        own.__match_args__ = tuple(named)  # type: ignore[misc]
        for name, method in (_FROZEN if frozen else _OPEN).items():
            if cls.__dict__.get(name) is None:  # a class with its own __eq__ has no __hash__
                setattr(own, name, method)
        if "__init__" not in cls.__dict__:
            own.__init__ = _first_init(own)
        return own

    return made if cls is None else made(cls)


if not TYPE_CHECKING:
    Field, dataclass, field, fields, replace = _OwnField, _lazy, _field, _fields, _replace


def _first_init(cls: Any) -> Callable[..., None]:
    """An __init__ that makes the class's real one, puts it in its place and calls it."""

    def __init__(self: Any, *args: Any, **named: Any) -> None:  # noqa: N807 - it is one
        cls.__init__ = _init_of(cls)
        cls.__init__(self, *args, **named)

    return __init__


def _init_of(cls: Any) -> Callable[..., None]:
    known = _fields(cls)
    given = [field for field in known if field.init]
    named = [field for field in given if field.kw_only]
    parameters = [_parameter(field) for field in given if not field.kw_only]
    parameters += ["*", *map(_parameter, named)] if named else []
    body = [line for field in known for line in _line(field)]
    body += ["self.__post_init__()"] if hasattr(cls, "__post_init__") else []
    values: dict[str, Any] = {"_set": object.__setattr__, "_missing": _MISSING}
    values |= {f"_default_{field.name}": field.default for field in known}
    values |= {f"_make_{field.name}": field.default_factory for field in known}
    lines = "\n ".join(body or ["pass"])
    exec(f"def __init__({', '.join(('self', *parameters))}):\n {lines}", values)  # noqa: S102 - as dataclasses does
    init: Callable[..., None] = values["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    return init


def _parameter(field: _OwnField) -> str:
    if field.default is not _MISSING:
        return f"{field.name}=_default_{field.name}"
    return f"{field.name}=_missing" if field.default_factory is not _MISSING else field.name


def _line(field: _OwnField) -> Iterator[str]:
    name, value = field.name, field.name
    if field.default_factory is not _MISSING:
        value = f"_make_{name}()"
        value = f"{value} if {name} is _missing else {name}" if field.init else value
    elif not field.init:
        value = f"_default_{name}"
    if field.init or _MISSING is not field.default or _MISSING is not field.default_factory:
        yield f"_set(self, {name!r}, {value})"


_COMPARED: dict[object, Callable[[object], object]] = {}


def _compared(cls: Any) -> Callable[[object], object]:
    found = _COMPARED.get(cls)
    if found is None:
        names = [field.name for field in _fields(cls) if field.compare]
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
    shown = (f.name for f in _fields(self) if f.repr)
    inner = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
    return f"{self.__class__.__qualname__}({inner})"


def _setattr(_self: object, name: str, _value: object) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _delattr(_self: object, name: str) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _getstate(self: Any) -> list[object]:
    return [getattr(self, field.name) for field in _fields(self)]


def _setstate(self: Any, state: list[object]) -> None:
    for field, value in zip(_fields(self), state, strict=True):
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
