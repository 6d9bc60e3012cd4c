"""What a string expression of source code can be, as a value: text, holes and choices.

An expression is read from one file; what it takes from others are references, which `linking`
resolves. It is kept by blob id, so it goes to JSON and back.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Text:
    """Text that is written out."""

    text: str


@dataclass(frozen=True, slots=True)
class Hole:
    """Text that only the running code knows; `hint` is how the source calls it."""

    hint: str


@dataclass(frozen=True, slots=True)
class Maybe:
    """A part that is there or is not."""

    part: "Expression"


@dataclass(frozen=True, slots=True)
class Join:
    """Parts one after the other."""

    parts: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several."""

    options: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Items:
    """A list; an item may be there or not."""

    items: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Fields:
    """An object's keys and values."""

    keys: tuple[str, ...]
    values: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Joined:
    """A list's items with a separator between them."""

    items: "Expression"
    separator: str


@dataclass(frozen=True, slots=True)
class Mapped:
    """A list whose items are made by a function, which is called with each of another list."""

    items: "Expression"
    function: str
    body: "Expression"


@dataclass(frozen=True, slots=True)
class Each:
    """Any item of a list, or any value of an object."""

    items: "Expression"


@dataclass(frozen=True, slots=True)
class Member:
    """One value of an object."""

    of: "Expression"
    name: str


@dataclass(frozen=True, slots=True)
class Import:
    """What another file exports under a name; "*" is the whole of it."""

    specifier: str
    name: str


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a function is called with at a place; `name` is how it calls it."""

    function: str
    place: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What a function of the project returns for these arguments."""

    function: "Expression"
    arguments: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the same file, by its id."""

    id: str


@dataclass(frozen=True, slots=True)
class Bound:
    """A function that has its first arguments already."""

    function: "Expression"
    arguments: tuple["Expression", ...]


Expression = (
    Text
    | Hole
    | Maybe
    | Join
    | Choice
    | Items
    | Fields
    | Joined
    | Mapped
    | Each
    | Member
    | Import
    | Parameter
    | Result
    | Function
    | Bound
)
EMPTY = Text("")
_VERB = re.compile(
    r"[\s(]*(?:--[^\n]*\n\s*)*(?:SELECT|INSERT|UPDATE|DELETE|REPLACE|WITH|CREATE|ALTER|DROP|VALUES"
    r"|PRAGMA|EXPLAIN)\b",
    re.IGNORECASE,
)


def join(parts: Sequence[Expression]) -> Expression:
    """The parts in one, neighbouring texts merged."""
    found: list[Expression] = []
    for part in _flat(parts):
        last = found[-1] if found else None
        if isinstance(part, Text) and isinstance(last, Text):
            found[-1] = Text(last.text + part.text)
        elif part != EMPTY:
            found.append(part)
    return found[0] if len(found) == 1 else Join(tuple(found)) if found else EMPTY


def choice(options: Sequence[Expression]) -> Expression:
    """One of the options, each counted once."""
    flat: dict[Expression, None] = {}
    for option in options:
        flat |= dict.fromkeys(option.options if isinstance(option, Choice) else (option,))
    return next(iter(flat)) if len(flat) == 1 else Choice(tuple(flat))


def member(of: Expression, name: str) -> Expression:
    """One value of an object, as far as it is known here."""
    if isinstance(of, Fields):
        return of.values[of.keys.index(name)] if name in of.keys else Hole(name)
    if isinstance(of, Items) and name.isdecimal() and int(name) < len(of.items):
        return of.items[int(name)]
    if isinstance(of, Choice):
        return choice([member(option, name) for option in of.options])
    is_later = isinstance(of, Import | Member | Parameter | Result)
    return Member(of, name) if is_later else Hole(name)


def replaced(whole: Expression, searched: str, by: Expression, most: int) -> Expression | None:
    """The text with one in place of another, so often at most; None where it is not known."""
    if isinstance(whole, Choice):
        options = [replaced(option, searched, by, most) for option in whole.options]
        known = [option for option in options if option is not None]
        return choice(known) if len(known) == len(options) else None
    parts = whole.parts if isinstance(whole, Join) else (whole,)
    kinds = {type(part) for part in parts}
    if not searched or Text not in kinds or kinds - {Text, Hole}:
        return None
    found: list[Expression] = []
    for part in parts:
        pieces = part.text.split(searched, most) if isinstance(part, Text) else [part]
        most -= len(pieces) - 1
        for number, piece in enumerate(pieces):
            found += [by] if number else []
            found.append(Text(piece) if isinstance(piece, str) else piece)
    return join(found)


def parts_of(expression: Expression) -> tuple[Expression, ...]:
    """The expressions directly within this one."""
    match expression:
        case Join(inner) | Choice(inner) | Items(inner) | Fields(_, inner):
            return inner
        case Maybe(part) | Joined(part) | Each(part) | Member(part):
            return (part,)
        case Mapped(items, _, body):
            return (items, body)
        case Result(function, arguments) | Bound(function, arguments):
            return (function, *arguments)
    return ()


def within(expression: Expression) -> Iterator[Expression]:
    """The expression and everything in it."""
    waiting = [expression]
    while waiting:
        found = waiting.pop()
        yield found
        waiting += parts_of(found)


def has_text(expression: Expression) -> bool:
    """Whether anything of it is written out, or is taken from elsewhere."""
    return any(
        isinstance(part, Import | Result) or (isinstance(part, Text) and part.text.strip())
        for part in within(expression)
    )


def first_of(sql: Expression) -> Expression | None:
    """What a text begins with, as far as it is known."""
    first: Expression | None = sql
    while isinstance(first, Join | Choice):
        inner = first.parts if isinstance(first, Join) else first.options
        first = next((part for part in inner if part != Hole("")), None)
    return first


def begins_like_sql(text: str) -> bool:
    """Whether a text begins with a word that begins a statement."""
    return _VERB.match(text) is not None


def holds_sql(found: Expression) -> bool:
    """Whether any text of an expression begins so."""
    return any(begins_like_sql(part.text) for part in within(found) if isinstance(part, Text))


def _flat(parts: Sequence[Expression]) -> Iterator[Expression]:
    for part in parts:
        if isinstance(part, Join):
            yield from part.parts
        else:
            yield part
