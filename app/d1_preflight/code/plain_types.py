"""Tells by the types that the source writes which properties can be no function.

A method is known by its name alone, and many a field has the name of one: `filter.query`.
"""

from typing import TYPE_CHECKING

from d1_preflight.code.declarations import parameters, text_of

if TYPE_CHECKING:
    from tree_sitter import Node

    from d1_preflight.code.scopes import Binding, Walked

_PLAIN = frozenset({"literal_type", "template_literal_type", "array_type", "tuple_type"})
_WORDS = frozenset({"string", "number", "boolean", "bigint", "void", "never"})
_NAMED = frozenset({
    "Record", "Array", "ReadonlyArray", "Map", "ReadonlyMap", "Set", "ReadonlySet", "Date", "URL",
    "URLSearchParams", "Promise", "Uint8Array", "ArrayBuffer", "RegExp",
})  # fmt: skip
_AROUND = frozenset({"union_type", "parenthesized_type", "readonly_type", "type_annotation"})
_DECLARED = ("interface_declaration", "type_alias_declaration")


def is_plain(type_: "Node | None") -> bool:
    """Whether a type is written out, and nothing of it can be called."""
    waiting = [type_]
    while waiting:
        one = waiting.pop()
        if one is None:
            return False
        if one.type in _AROUND:
            waiting += one.named_children or [None]
        elif one.type == "predefined_type":
            if text_of(one) not in _WORDS:
                return False
        elif one.type in ("generic_type", "type_identifier"):
            name = one.child_by_field_name("name") or one
            if text_of(name) not in _NAMED:
                return False
        elif one.type not in _PLAIN:
            return False
    return True


def is_plain_field(type_: "Node | None", key: str, root: "Node") -> bool:
    """Whether a type says that this field of its objects is plain; `root` declares others."""
    for body in _bodies(type_, root):
        for part in body.named_children:
            name = part.child_by_field_name("name")
            if part.type == "property_signature" and name is not None and text_of(name) == key:
                return is_plain(part.child_by_field_name("type"))
    return False


def type_of(binding: "Binding | None", walked: "Walked") -> "Node | None":
    """The type that is written beside a name."""
    if binding is None or binding.key:
        return None
    if binding.kind == "parameter" and binding.function in walked.functions:
        given = parameters(walked.functions[binding.function].node)
        at = given[binding.place] if binding.place < len(given) else None
        return at.child_by_field_name("type") if at is not None else None
    declared = binding.value.parent if binding.kind == "value" and binding.value else None
    return declared.child_by_field_name("type") if declared is not None else None


def _bodies(type_: "Node | None", root: "Node") -> "list[Node]":
    """What a type lists of its objects: itself, or what this file declares by its name."""
    while type_ is not None and type_.type in ("type_annotation", "parenthesized_type"):
        type_ = next(iter(type_.named_children), None)
    if type_ is not None and type_.type == "object_type":
        return [type_]
    if type_ is None or type_.type != "type_identifier":
        return []
    found: list[Node] = []
    for child in root.named_children:
        one = child.child_by_field_name("declaration") or child
        name = one.child_by_field_name("name") if one.type in _DECLARED else None
        if name is not None and text_of(name) == text_of(type_):
            body = one.child_by_field_name("body") or one.child_by_field_name("value")
            found += [body] if body is not None else []
    return found
