"""One step up a syntax tree from a function that is a value: what is around it does with it.

What no step knows ends out of sight: a query that comes by there is said to be not seen.
"""

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from d1_preflight.code.declarations import (
    FUNCTIONS,
    WRAPPED,
    arguments_of,
    bound_name,
    field_text,
    items_of,
    parameters,
    string_of,
    text_of,
)
from d1_preflight.code.expression import Each, Expression, Function, Hole, Import, Member, holds_sql
from d1_preflight.code.facts import Call, Use
from d1_preflight.code.plain_types import is_plain
from d1_preflight.code.scopes import Scope

if TYPE_CHECKING:
    from collections.abc import Callable

    from tree_sitter import Node

    from d1_preflight.code.reading import Reader

_CHOOSES = ("||", "??", "&&")
_OVER_A_LIST = frozenset({"map", "forEach", "flatMap"})
_SAME_OBJECT = ("Object.freeze", "Object.seal")
_LOOKS = re.compile(
    r"console\.\w+|JSON\.stringify|String|Number|Boolean|Array\.isArray|encodeURIComponent|parse(?:Int|Float)"
    r"|Object\.(?:keys|entries)|Number\.\w+|Math\.\w+"
)
"""What only looks at what it is given, and calls none of it."""
_HARMLESS = frozenset({
    "expression_statement", "if_statement", "while_statement", "do_statement", "for_statement",
    "unary_expression", "template_substitution", "type_query", "class_heritage", "program",
    "computed_property_name", "update_expression", "statement_block", "jsx_opening_element",
    "jsx_closing_element", "jsx_self_closing_element", "decorator", "switch_statement",
    "switch_case", "export_specifier", "import_specifier", "class_body", "new_expression",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Value:
    """A function, or an object that holds it behind `keys`; `target` names it as its file does.

    `name` is that by which it was looked for, `before` what `bind` gave it. One that `is_guessed`
    came back from a call that it was handed to: mostly the same, and out of sight already. One
    that `is_bare` is a method without its object: no use to one that needs `this`.
    """

    name: str
    target: Expression | None
    before: tuple[Expression, ...] = ()
    keys: tuple[str, ...] = ()
    is_guessed: bool = False
    is_bare: bool = False

    def taking(self, key: str) -> Self | None:
        """What its property is; None where that is no way to the function."""
        if self.keys:
            return replace(self, keys=self.keys[1:]) if key == self.keys[0] else None
        if isinstance(self.target, Import) and self.target.name == "*":
            return replace(self, target=Import(self.target.specifier, key))
        if isinstance(self.target, Import | Member) and not self.before:
            return replace(self, target=Member(self.target, key))
        return None

    def within(self, key: str) -> Self:
        """The value as the property of an object."""
        return replace(self, keys=(key, *self.keys))


At = tuple["Node", Value]


class Ends:
    """What became of values: calls of them, and the uses that other files must know."""

    def __init__(
        self,
        reader: "Reader",
        scope_of: "Callable[[Node], Scope]",
        keep: "Callable[[Node, Value], None]",
    ) -> None:
        self.calls: dict[Call, None] = {}
        self.uses: dict[Use, None] = {}
        self.keep = keep
        self._reader = reader
        self._scope_of = scope_of

    def lose(self, node: "Node", value: Value) -> None:
        """It goes out of sight."""
        self._use(node, value)

    def export(self, node: "Node", value: Value, name: str) -> None:
        """The file exports it, or the object that holds it."""
        self._use(node, value, exported=name, key=value.keys[-1] if value.keys else "")

    def attach(self, node: "Node", value: Value, key: str) -> None:
        """Objects have it as a method from here on."""
        self._use(node, value, key=key)

    def call(self, call: "Node", value: Value, given: "list[Node]") -> None:
        """It is called."""
        scope = self._scope_of(call)
        arguments = tuple(self._reader.read(node, scope) for node in given)
        self._called((given or [call])[0], scope, value, arguments)

    def call_over(self, call: "Node", value: Value, items: "Node | None") -> None:
        """It is called with each item of a list."""
        scope = self._scope_of(call)
        each = (Each(self._reader.read(items, scope)), Hole("index"), Hole("list"))
        self._called(call, scope, value, each)

    def bound(self, call: "Node", value: Value, given: "list[Node]") -> Value:
        """It has its first arguments already."""
        scope = self._scope_of(call)
        before = tuple(self._reader.read(node, scope) for node in given)
        return replace(value, before=(*value.before, *before), is_bare=False)

    def received(self, call: "Node", called: "Node", node: "Node", value: Value) -> bool:
        """Whether a function of this file is given it, where it is followed."""
        function = self._reader.function_of(called, self._scope_of(call))
        if not isinstance(function, Function) or called.type != "identifier":
            return False
        given = arguments_of(call)
        place = given.index(node)
        if any(one.type == "spread_element" for one in given[:place]):
            return False
        taken = parameters(self._reader.node_of(function))
        if place >= len(taken):  # a rest, or what `arguments` may hold
            return False
        self.keep(bound_name(taken[place].child_by_field_name("pattern") or taken[place]), value)
        return True

    def _called(
        self, at: "Node", scope: Scope, value: Value, arguments: tuple[Expression, ...]
    ) -> None:
        arguments = (*value.before, *arguments)
        if value.keys or (value.is_guessed and not any(map(holds_sql, arguments))):
            return
        line = at.start_point[0] + 1
        self.calls[Call(value.name, value.target, arguments, line, scope.function)] = None

    def _use(self, node: "Node", value: Value, exported: str = "", key: str = "") -> None:
        line = node.start_point[0] + 1
        use = Use(value.name, value.target, line, exported, key, value.is_bare)
        self.uses |= {} if value.is_guessed else {use: None}


def step(ends: Ends, node: "Node", value: Value) -> At | None:
    """What has the value around a node; None where it ends."""
    around = node.parent
    if around is None or around.type in _HARMLESS:
        return None
    if around.type in WRAPPED:
        is_cast = value.is_bare and around.type == "as_expression"
        return None if is_cast and is_plain(around.named_children[-1]) else (around, value)
    known = _STEPS.get(around.type)
    if known is not None:
        return known(ends, node, around, value)
    ends.lose(node, value)
    return None


def _ternary(_ends: Ends, node: "Node", around: "Node", value: Value) -> At | None:
    return None if around.child_by_field_name("condition") == node else (around, value)


def _binary(_ends: Ends, node: "Node", around: "Node", value: Value) -> At | None:
    sign = field_text(around, "operator")
    is_left = around.child_by_field_name("left") == node
    return (around, value) if sign in _CHOOSES and not (sign == "&&" and is_left) else None


def _sequence(_ends: Ends, node: "Node", around: "Node", value: Value) -> At | None:
    return (around, value) if around.named_children[-1] == node else None


def _call(ends: Ends, node: "Node", around: "Node", value: Value) -> At | None:
    if around.child_by_field_name("function") == node:
        ends.call(around, value, arguments_of(around))
    return None


def _member(ends: Ends, node: "Node", around: "Node", value: Value) -> At | None:
    if around.child_by_field_name("object") != node:
        return None
    name = field_text(around, "property")
    call = around.parent
    is_called = call is not None and call.type == "call_expression"
    if call is not None and is_called and call.child_by_field_name("function") == around:
        given = arguments_of(call)
        if name == "bind" and not value.keys:
            return call, ends.bound(call, value, given[1:])
        if name in ("call", "apply") and not value.keys:
            listed = given[1:] if name == "call" else _listed(given[1:2])
            ends.call(call, value, listed)
            return None
    taken = value.taking(name)
    return (around, taken) if taken is not None else None


def _subscript(ends: Ends, node: "Node", around: "Node", value: Value) -> At | None:
    if around.child_by_field_name("object") != node:
        return None
    key = string_of(around.child_by_field_name("index"))
    if not key:
        ends.lose(node, value)
        return None
    taken = value.taking(key)
    return (around, taken) if taken is not None else None


def _assignment(ends: Ends, node: "Node", around: "Node", value: Value) -> At | None:
    left = around.child_by_field_name("left")
    if left is None or left == node:
        return None
    if left.type != "member_expression":
        ends.keep(left, value)
        return around, value
    property_ = left.child_by_field_name("property")
    if text_of(left).startswith(("module.exports", "exports.")) or property_ is None:
        ends.lose(node, value)  # CommonJS: other files require it under any name
    else:
        ends.attach(node, value, value.keys[-1] if value.keys else text_of(property_))
    return around, value


def _pair(ends: Ends, node: "Node", around: "Node", value: Value) -> At | None:
    key = around.child_by_field_name("key")
    if key is None or key.type == "computed_property_name" or around.parent is None:
        ends.lose(node, value)
        return None
    return around.parent, value.within(text_of(key).strip("'\""))


def _object(ends: Ends, node: "Node", around: "Node", value: Value) -> At | None:
    """An object has it by its own name: `{ run }`."""
    del ends
    return around, value.within(text_of(node))


def _spread(ends: Ends, node: "Node", around: "Node", value: Value) -> At | None:
    whole = around.parent
    is_object = whole is not None and whole.type == "object"
    if whole is not None and is_object and value.keys:
        return whole, value
    ends.lose(node, value)
    return None


def _field(ends: Ends, node: "Node", around: "Node", value: Value) -> At | None:
    name = around.child_by_field_name("name") or around.child_by_field_name("property")
    if name is not None and name != node:
        ends.attach(node, value, value.keys[-1] if value.keys else text_of(name))
    return None


def _named(ends: Ends, node: "Node", around: "Node", value: Value) -> At | None:
    """It is what a name is declared as, or the default of a parameter or of a part."""
    fields = map(around.child_by_field_name, ("pattern", "left", "name"))
    pattern = next(filter(None, fields), None)
    if pattern is not None and pattern != node:
        ends.keep(pattern, value)
    return None


def _argument(ends: Ends, node: "Node", around: "Node", value: Value) -> At | None:
    call = around.parent
    called = call.child_by_field_name("function") if call is not None else None
    if call is None or called is None or call.type != "call_expression":
        ends.lose(node, value)
        return None
    if text_of(called) in _SAME_OBJECT:
        return call, value
    if _LOOKS.fullmatch(text_of(called)):
        return None
    if ends.received(call, called, node, value):
        return None
    given = arguments_of(call)
    is_over = field_text(called, "property") in _OVER_A_LIST and given[0] == node
    if is_over and not value.keys:
        ends.call_over(call, value, called.child_by_field_name("object"))
        return None
    others = {text_of(one) for one in given if one != node}
    if node.type == "member_expression" and text_of(node).rpartition(".")[0] in others:
        value = replace(value, is_bare=False)  # its object is handed on beside it
    ends.lose(node, value)
    return None if value.keys else (call, replace(value, is_guessed=True))


def _returned(ends: Ends, node: "Node", around: "Node", value: Value) -> At | None:
    """What a function returns: an object of methods is known by these."""
    if around.type in FUNCTIONS and around.child_by_field_name("body") != node:
        return _named(ends, node, around, value)
    if value.keys:
        ends.attach(node, value, value.keys[-1])
    else:
        ends.lose(node, value)
    return None


def _exported(ends: Ends, node: "Node", around: "Node", value: Value) -> At | None:
    if around.child_by_field_name("value") == node:
        ends.export(node, value, "default")
    return None


_STEPS = {
    "ternary_expression": _ternary,
    "binary_expression": _binary,
    "sequence_expression": _sequence,
    "call_expression": _call,
    "member_expression": _member,
    "subscript_expression": _subscript,
    "variable_declarator": _named,
    "required_parameter": _named,
    "optional_parameter": _named,
    "assignment_pattern": _named,
    "object_assignment_pattern": _named,
    "assignment_expression": _assignment,
    "augmented_assignment_expression": _assignment,
    "pair": _pair,
    "object": _object,
    "spread_element": _spread,
    "public_field_definition": _field,
    "field_definition": _field,
    "arguments": _argument,
    "return_statement": _returned,
    "arrow_function": _returned,
    "export_statement": _exported,
}
"""What each type of node does with a value in it."""


def _listed(given: "list[Node]") -> "list[Node]":
    """The items of a list that is written out; what another holds is not known."""
    return items_of(given[0]) if given and given[0].type == "array" else []
