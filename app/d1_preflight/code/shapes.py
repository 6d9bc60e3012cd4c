"""Reads the shapes of expressions: literals, concatenations, choices, lists, objects, members."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from d1_preflight.code.declarations import FUNCTIONS, field_text, items_of, plain, text_of
from d1_preflight.code.expression import (
    EMPTY,
    Choice,
    Each,
    Expression,
    Fields,
    Hole,
    Import,
    Items,
    Mapped,
    Maybe,
    Member,
    Parameter,
    Result,
    Text,
    choice,
    join,
    member,
)
from d1_preflight.code.scopes import Scope

if TYPE_CHECKING:
    from tree_sitter import Node

_HINT = 60
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "b": "\b", "f": "\f", "v": "\v", "\n": ""}
_UNICODE = re.compile(r"\\(?:u\{([0-9a-fA-F]+)\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2}))")


class Reads(Protocol):
    """What shapes and calls need of the reader of a file."""

    def read(self, node: "Node | None", scope: Scope) -> Expression:
        """What an expression can be."""

    def name(self, node: "Node", scope: Scope) -> Expression:
        """What a name stands for."""

    def function(self, node: "Node | None") -> Expression:
        """A function that stands here itself."""

    def own_field(self, name: str, of: str, scope: Scope) -> Expression | None:
        """The first value of a class's field; `of` is the class's name, or `this`."""

    def template(self, node: "Node", scope: Scope) -> Expression:
        """A template."""

    def function_of(self, node: "Node", scope: Scope) -> Expression | None:
        """What is called."""

    def own_method(self, called: "Node") -> Expression | None:
        """The method of this class that is called."""

    def mapped(self, items: Expression, function: "Node | None") -> Expression:
        """A list whose items a function makes."""


def _string(_reader: Reads, node: "Node", _scope: Scope) -> Expression:
    return Text("".join(unescaped(child) for child in node.named_children))


def _number(_reader: Reads, node: "Node", _scope: Scope) -> Expression:
    return Text(text_of(node).replace("_", ""))


def _nothing(_reader: Reads, _node: "Node", _scope: Scope) -> Expression:
    return EMPTY


def _binary(reader: Reads, node: "Node", scope: Scope) -> Expression:
    chain: list[Node | None] = []
    sign, at = "", plain(node)
    while at is not None and at.type == "binary_expression":  # a + b + c leans to the left
        here = field_text(at, "operator")
        if sign and here != sign:
            break
        sign = here
        chain.append(at.child_by_field_name("right"))
        at = plain(at.child_by_field_name("left"))
    parts = [reader.read(part, scope) for part in (at, *reversed(chain))]
    if sign == "+":
        return join(parts)
    if sign in ("||", "??"):
        return choice(parts)
    return choice([parts[-1], EMPTY]) if sign == "&&" else hole(node)


def _ternary(reader: Reads, node: "Node", scope: Scope) -> Expression:
    names = ("consequence", "alternative")
    return choice([reader.read(node.child_by_field_name(name), scope) for name in names])


def _array(reader: Reads, node: "Node", scope: Scope) -> Expression:
    items: list[Expression] = []
    for child in items_of(node):
        if child.type == "spread_element":
            inner = reader.read(next(iter(child.named_children), None), scope)
            items += inner.items if isinstance(inner, Items) else _spread(inner)
        else:
            found = reader.read(child, scope)
            is_conditional = isinstance(found, Choice) and EMPTY in found.options
            items.append(Maybe(found) if is_conditional else found)
    return Items(tuple(items))


def _object(reader: Reads, node: "Node", scope: Scope) -> Expression:
    found: dict[str, Expression] = {}
    for child in node.named_children:
        key = child.child_by_field_name("key")
        if child.type == "pair" and key is not None:
            found[text_of(key).strip("'\"`")] = _value(reader, child, scope)
        elif child.type == "shorthand_property_identifier":
            found[text_of(child)] = reader.name(child, scope)
        elif child.type == "method_definition":
            found |= _method(reader, child)
        elif child.type == "spread_element":
            inner = reader.read(next(iter(child.named_children), None), scope)
            found |= zip(inner.keys, inner.values, strict=True) if isinstance(inner, Fields) else ()
    return Fields(tuple(found), tuple(found.values()))


def _value(reader: Reads, node: "Node", scope: Scope) -> Expression:
    """The value of a pair or of a field."""
    value = plain(node.child_by_field_name("value"))
    is_function = value is not None and value.type in FUNCTIONS
    return reader.function(value) if is_function else reader.read(value, scope)


def _method(reader: Reads, node: "Node") -> dict[str, Expression]:
    """A method under its name; of a getter, what it gives."""
    name, function = text_of(node.child_by_field_name("name") or node), reader.function(node)
    is_getter = any(child.type == "get" for child in node.children)
    return {name: Result(function, ()) if is_getter else function}


def _class(reader: Reads, node: "Node", scope: Scope) -> Expression:
    """What a class gives by its own name."""
    found: dict[str, Expression] = {}
    for child in node.named_children:
        if not any(part.type == "static" for part in child.children):
            continue
        if child.type == "method_definition":
            found |= _method(reader, child)
        else:
            name = child.child_by_field_name("name") or child.child_by_field_name("property")
            if name is not None and child.child_by_field_name("value") is not None:
                found[text_of(name)] = _value(reader, child, scope)
    return Fields(tuple(found), tuple(found.values())) if found else hole(node)


def _enum(reader: Reads, node: "Node", scope: Scope) -> Expression:
    found: dict[str, Expression] = {}
    for child in node.named_children:
        name, value = child.child_by_field_name("name"), child.child_by_field_name("value")
        if name is not None and value is not None:
            found[text_of(name).strip("'\"")] = reader.read(value, scope)
    return Fields(tuple(found), tuple(found.values()))


def _new(reader: Reads, node: "Node", scope: Scope) -> Expression:
    """A `Map` or `Set` that is made of what is written here."""
    made, given = node.child_by_field_name("constructor"), node.child_by_field_name("arguments")
    first = next(iter(given.named_children), None) if given is not None else None
    if made is None or first is None or text_of(made) not in ("Map", "Set"):
        return hole(node)
    items = reader.read(first, scope)
    if text_of(made) == "Set" or not isinstance(items, Items):
        return items if isinstance(items, Items) else hole(node)
    pairs = [(member(item, "0"), member(item, "1")) for item in items.items]
    texts = {key.text: value for key, value in pairs if isinstance(key, Text)}
    return Fields(tuple(texts), tuple(texts.values())) if len(texts) == len(pairs) else hole(node)


def _last(reader: Reads, node: "Node", scope: Scope) -> Expression:
    return reader.read(node.named_children[-1] if node.named_children else None, scope)


def _member(reader: Reads, node: "Node", scope: Scope) -> Expression:
    of, named = node.child_by_field_name("object"), node.child_by_field_name("property")
    if of is None or named is None:
        return hole(node)
    name = text_of(named)
    binding = scope.find(text_of(of)) if of.type == "identifier" else None
    is_own = of.type == "this" or (of.type == "identifier" and text_of(of)[:1].isupper())
    if is_own and (binding is None or binding.kind != "import"):
        own = reader.own_field(name, text_of(of), scope)
        if own is not None:
            return own
    if of.type != "this":
        inner = reader.read(of, scope)
        if isinstance(inner, Import) and inner.name == "*":
            return Import(inner.specifier, name)
        if isinstance(inner, Fields | Import | Member | Choice | Parameter | Result):
            return member(inner, name)
    return hole(node)


def _subscript(reader: Reads, node: "Node", scope: Scope) -> Expression:
    inner = reader.read(node.child_by_field_name("object"), scope)
    index = node.child_by_field_name("index")
    key = reader.read(index, scope)
    if isinstance(key, Text) and isinstance(inner, Fields):
        return member(inner, key.text)
    return Each(inner) if isinstance(inner, Fields | Items | Import | Member) else hole(node)


def hole(node: "Node") -> Hole:
    """A hole under the name that the source gives it."""
    return Hole(" ".join(text_of(node)[:_HINT].split()))


def unescaped(node: "Node") -> str:
    """A piece of a literal as the text that it stands for."""
    text = text_of(node)
    if node.type != "escape_sequence":
        return text
    found = _UNICODE.fullmatch(text)
    if found:
        number = int(next(filter(None, found.groups())), 16)
        return chr(number) if number < 0x110000 else ""  # noqa: PLR2004 - the end of Unicode
    return _ESCAPES.get(text[1:2], text[1:])


def _spread(inner: Expression) -> Iterator[Expression]:
    options = inner.options if isinstance(inner, Choice) else (inner,)
    for option in options:
        if isinstance(option, Items):
            yield from (Maybe(item) for item in option.items)
        elif option != EMPTY:
            yield Maybe(Each(option)) if isinstance(option, Import | Mapped) else option


SHAPES = {
    "string": _string,
    "number": _number,
    "null": _nothing,
    "undefined": _nothing,
    "binary_expression": _binary,
    "ternary_expression": _ternary,
    "array": _array,
    "class_body": _class,
    "enum_body": _enum,
    "new_expression": _new,
    "sequence_expression": _last,
    "object": _object,
    "member_expression": _member,
    "subscript_expression": _subscript,
}
"""How each type of node is read."""
