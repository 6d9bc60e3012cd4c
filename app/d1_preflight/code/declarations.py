"""Reads what declarations name: parameters, patterns, imports, exports, and plain expressions."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node

FUNCTIONS = frozenset({
    "function_declaration", "generator_function_declaration", "function_expression",
    "generator_function", "arrow_function", "method_definition",
})  # fmt: skip
_WITH_DEFAULT = ("object_assignment_pattern", "assignment_pattern")
_SHORT = ("shorthand_property_identifier_pattern", "object_assignment_pattern")
_NAMES = ("identifier", "shorthand_property_identifier_pattern")
_DECLARING = frozenset({
    "import_specifier", "import_clause", "namespace_import", "export_specifier", "rest_pattern",
    "namespace_export", "formal_parameters", "array_pattern", "object_pattern", "pair_pattern",
})  # fmt: skip
_DECLARED_AS = {
    "variable_declarator": "name", "class_declaration": "name", "class": "name",
    "abstract_class_declaration": "name", "enum_declaration": "name", "arrow_function": "parameter",
    "required_parameter": "pattern", "optional_parameter": "pattern", "catch_clause": "parameter",
    "assignment_pattern": "left", "object_assignment_pattern": "left", "for_in_statement": "left",
    "assignment_expression": "left", "augmented_assignment_expression": "left",
}  # fmt: skip
_GIVES_A_NAME = FUNCTIONS | {"variable_declarator", "class_declaration", "enum_declaration"}
WRAPPED = frozenset({
    "parenthesized_expression", "as_expression", "satisfies_expression", "non_null_expression",
    "type_assertion", "await_expression",
})  # fmt: skip


def text_of(node: "Node") -> str:
    """The source of a node."""
    return (node.text or b"").decode("utf-8", "replace")


def field_text(node: "Node | None", field: str) -> str:
    """The source of what a node has as a field; "" where it has none."""
    found = node.child_by_field_name(field) if node is not None else None
    return text_of(found) if found is not None else ""


def items_of(node: "Node | None") -> "list[Node]":
    """What stands in a list or in parentheses, without comments."""
    children = node.named_children if node is not None else []
    return [child for child in children if child.type != "comment"]


def arguments_of(call: "Node") -> "list[Node]":
    """What a call is given."""
    return items_of(call.child_by_field_name("arguments"))


def bound_name(pattern: "Node") -> "Node":
    """A name or pattern without the default behind it."""
    is_with = pattern.type in _WITH_DEFAULT
    return (pattern.child_by_field_name("left") if is_with else None) or pattern


def string_of(node: "Node | None") -> str:
    """What a string literal without escapes holds; "" where there is none."""
    return text_of(node)[1:-1] if node is not None and node.type == "string" else ""


def plain(node: "Node | None") -> "Node | None":
    """The expression without parentheses, types and `await` around it."""
    while node is not None and node.type in WRAPPED:
        children = [child for child in node.named_children if child.type != "type_arguments"]
        node = (
            (children[-1] if node.type == "type_assertion" else children[0]) if children else None
        )
    return node


def is_declared(node: "Node") -> bool:
    """Whether a name stands where it is declared, imported, exported or set."""
    around = node.parent
    if around is None or around.type in _DECLARING:
        return True
    field = _DECLARED_AS.get(around.type, "name" if around.type in FUNCTIONS else "")
    return bool(field) and around.child_by_field_name(field) == node


def parameters(node: "Node") -> "list[Node]":
    """The parameters of a function."""
    one = node.child_by_field_name("parameter")
    found = [one] if one is not None else items_of(node.child_by_field_name("parameters"))
    return [parameter for parameter in found if not text_of(parameter).startswith("this:")]


def pattern_fields(pattern: "Node") -> "Iterator[tuple[str, str, Node | None]]":
    """The keys and local names of an object or a list that is taken apart, and their defaults."""
    is_known = pattern.type in ("object_pattern", "array_pattern")
    for number, part in enumerate(pattern.named_children if is_known else ()):
        key, local = part.child_by_field_name("key"), part.child_by_field_name("value")
        if pattern.type == "array_pattern" or part.type in _SHORT:
            key = local = part
        otherwise = None
        if local is not None and local.type in _WITH_DEFAULT:
            otherwise = local.child_by_field_name("right")
            local = local.child_by_field_name("left")
            key = local if part.type in _WITH_DEFAULT else key
        if key is not None and local is not None and local.type in _NAMES:
            is_list = pattern.type == "array_pattern"
            yield str(number) if is_list else text_of(key), text_of(local), otherwise


def pattern_names(node: "Node") -> Iterator[str]:
    """The names that a pattern binds."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        left = one.child_by_field_name("left") if one.type in _WITH_DEFAULT else None
        if one.type in _NAMES:
            yield text_of(one)
        else:
            waiting += one.named_children if left is None else [left]


def imported_names(clause: "Node | None") -> Iterator[tuple[str, str]]:
    """The exported and the local name of each import."""
    for part in clause.named_children if clause is not None else ():
        if part.type == "identifier":
            yield "default", text_of(part)
        elif part.type == "namespace_import":
            yield from (("*", text_of(child)) for child in part.named_children)
        elif part.type == "named_imports":
            for one in part.named_children:
                name, alias = one.child_by_field_name("name"), one.child_by_field_name("alias")
                if name is not None:
                    yield text_of(name), text_of(alias or name)


def declared_names(node: "Node | None") -> Iterator[str]:
    """The names that a declaration gives."""
    for part in (node, *(node.named_children if node is not None else ())):
        if part is not None and part.type in _GIVES_A_NAME:
            name = part.child_by_field_name("name")
            if name is not None and name.type in ("identifier", "type_identifier"):
                yield text_of(name)
