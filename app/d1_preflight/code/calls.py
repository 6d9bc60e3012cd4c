"""Reads calls that give text or a list: methods of strings and lists, the project's functions."""

import re
from typing import TYPE_CHECKING

from d1_preflight.code.declarations import FUNCTIONS, field_text, items_of, plain, text_of
from d1_preflight.code.expression import (
    Bound,
    Each,
    Expression,
    Fields,
    Hole,
    Import,
    Items,
    Joined,
    Result,
    Text,
    join,
    member,
    replaced,
)
from d1_preflight.code.scopes import Scope
from d1_preflight.code.shapes import Reads, hole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tree_sitter import Node

_SAME = frozenset({"trim", "trimStart", "trimEnd", "toString", "normalize", "valueOf", "dedent"})
_KEPT_LISTS = frozenset({"filter", "slice", "sort", "reverse", "flat", "concat", "values"})
_SPACES = re.compile(r"/(?:\\[snrt]|\[[\\snrt ]+\]| |\(\?:\\[nrs]\))[+*]?/[a-z]*")
_MOST_REPLACED = 100
_PLAIN_PATTERN = re.compile(r"/((?:[\w\s:%#@,'\"=-]|\\[^\w\s])+)/[a-z]*")
_ESCAPED = re.compile(r"\\(.)")
_PASSES_ON = ("String", "dedent", "stripIndent", "Object.freeze", "Object.values")


def read_call(reader: Reads, node: "Node", scope: Scope) -> Expression:
    """What a call gives."""
    called, given = node.child_by_field_name("function"), node.child_by_field_name("arguments")
    if called is None or given is None:
        return hole(node)
    if given.type == "template_string":
        return reader.template(given, scope)
    arguments = items_of(given)
    if called.type == "member_expression":
        found = _method(reader, node, called, arguments, scope)
        if found is not None:
            return found
    if text_of(called) in _PASSES_ON:
        return reader.read(next(iter(arguments), None), scope)
    function = (
        reader.function_of(called, scope) or reader.own_method(called) or _at_once(reader, called)
    )
    if function is None:
        return hole(node)
    return Result(function, tuple(reader.read(argument, scope) for argument in arguments))


def _method(
    reader: Reads, node: "Node", called: "Node", arguments: "Sequence[Node]", scope: Scope
) -> Expression | None:
    """What a method of strings and lists gives; None where it is another's."""
    of, name = called.child_by_field_name("object"), field_text(called, "property")
    first = next(iter(arguments), None)
    match name:
        case "join":
            return _joined(reader, reader.read(of, scope), first, scope)
        case "map":
            return reader.mapped(reader.read(of, scope), first)
        case "bind" if function := reader.function_of(of, scope) if of is not None else None:
            return Bound(function, tuple(reader.read(one, scope) for one in arguments[1:]))
        case "fill":
            return Items((reader.read(first, scope),))
        case "from" if len(arguments) > 1:
            return reader.mapped(Hole("list"), arguments[1])
        case "repeat":
            return Hole("marks")
        case "keys" | "entries" if text_of(called) == f"Object.{name}":
            found = _of_object(name, reader.read(first, scope))
            return hole(node) if found is None else found
        case "concat" if not isinstance(whole := reader.read(of, scope), Items):
            return join([whole, *(reader.read(argument, scope) for argument in arguments)])
        case "get" if (
            isinstance(inner := reader.read(of, scope), Fields) and "get" not in inner.keys
        ):
            key = reader.read(first, scope)
            return member(inner, key.text) if isinstance(key, Text) else Each(inner)
        case "replace" | "replaceAll" if first is not None:
            found = _replaced(reader, reader.read(of, scope), name, arguments, scope)
            return hole(node) if found is None else found
    if name in _SAME or name in _KEPT_LISTS:
        inner = reader.read(of, scope)
        return inner if name in _SAME or isinstance(inner, Items | Import) else hole(node)
    return None


def _of_object(name: str, inner: Expression) -> Expression | None:
    """The keys of an object, or its pairs; None where it is not known."""
    if not isinstance(inner, Fields):
        return None
    keys = tuple(map(Text, inner.keys))
    if name == "keys":
        return Items(keys)
    return Items(tuple(Items(pair) for pair in zip(keys, inner.values, strict=True)))


def _replaced(
    reader: Reads, whole: Expression, name: str, arguments: "Sequence[Node]", scope: Scope
) -> Expression | None:
    """What `replace` and `replaceAll` make of a text; None where it is not known."""
    first = text_of(arguments[0])
    if _SPACES.fullmatch(first):
        return whole
    by = reader.read(arguments[1], scope) if len(arguments) > 1 else Hole("")
    most = 1 if name == "replace" and not first.endswith("g") else _MOST_REPLACED
    return replaced(whole, _searched(reader, arguments[0], scope), by, most)


def _searched(reader: Reads, node: "Node", scope: Scope) -> str:
    """The plain text that a string or a pattern looks for; "" where it is none."""
    literal = _PLAIN_PATTERN.fullmatch(text_of(node))
    if literal is not None:
        return _ESCAPED.sub(r"\1", literal[1])
    found = reader.read(node, scope)
    return found.text if isinstance(found, Text) else ""


def _at_once(reader: Reads, called: "Node") -> Expression | None:
    """A function that is called where it is written."""
    function = plain(called)
    return (
        reader.function(function) if function is not None and function.type in FUNCTIONS else None
    )


def _joined(reader: Reads, items: Expression, separator: "Node | None", scope: Scope) -> Expression:
    between = reader.read(separator, scope) if separator is not None else Text(",")
    return Joined(items, between.text if isinstance(between, Text) else ", ")
