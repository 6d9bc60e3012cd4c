"""Reads string expressions of one file: literals, templates, concatenations, constants, lists.

Nothing is executed. What cannot be read is a hole under the name that the source gives it.
"""

from typing import TYPE_CHECKING

from d1_preflight.code.calls import read_call
from d1_preflight.code.declarations import FUNCTIONS, plain, text_of
from d1_preflight.code.expression import (
    EMPTY,
    Each,
    Expression,
    Function,
    Hole,
    Import,
    Items,
    Mapped,
    Maybe,
    Member,
    Parameter,
    Text,
    choice,
    has_text,
    join,
    member,
    parts_of,
    within,
)
from d1_preflight.code.scopes import Binding, Scope, Walked
from d1_preflight.code.shapes import SHAPES, hole, unescaped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tree_sitter import Node

_DEPTH = 60
_MOST_PARTS = 4_000
_OVER_A_LIST = frozenset({"map", "forEach", "flatMap"})


class Reader:
    """Reads the expressions of one walked file; what a name holds is read once."""

    def __init__(self, walked: Walked) -> None:
        self._walked = walked
        self._known: dict[int, Expression] = {}
        self._open: set[int] = set()
        self._mapping: set[str] = set()
        self._depth = 0

    def read(self, node: "Node | None", scope: Scope) -> Expression:
        """What an expression can be."""
        node = plain(node)
        if node is None:
            return Hole("")
        self._depth += 1
        try:
            return self._read(node, scope) if self._depth <= _DEPTH else hole(node)
        finally:
            self._depth -= 1

    def _read(self, node: "Node", scope: Scope) -> Expression:
        match node.type:
            case "identifier":
                return self.name(node, scope)
            case "template_string":
                return self.template(node, scope)
            case "call_expression":
                return read_call(self, node, scope)
        shape = SHAPES.get(node.type)
        return hole(node) if shape is None else shape(self, node, scope)

    def template(self, node: "Node", scope: Scope) -> Expression:
        """A template, as it is or behind a tag."""
        parts: list[Expression] = []
        for child in node.named_children:
            if child.type == "template_substitution":
                parts.append(self.read(next(iter(child.named_children), None), scope))
            else:
                parts.append(Text(unescaped(child)))
        return join(parts)

    def function_of(self, node: "Node", scope: Scope) -> Expression | None:
        """What is called: a function of this file, an import, or None for another's method."""
        if node.type == "identifier":
            binding = scope.find(text_of(node))
            return self.callee(binding) if binding is not None else None
        if node.type == "member_expression":
            of = node.child_by_field_name("object")
            name = node.child_by_field_name("property")
            binding = (
                scope.find(text_of(of)) if of is not None and of.type == "identifier" else None
            )
            if binding is not None and binding.imported is not None and name is not None:
                star = binding.imported
                if star.name == "*":
                    return Import(star.specifier, text_of(name))
                return Member(star, text_of(name))
        return None

    def callee(self, binding: Binding) -> Expression | None:
        """The function that a name is, or the import that may bring one."""
        if binding.imported is not None:
            return binding.imported
        value = plain(binding.value)
        id_ = binding.function or self._walked.by_node.get(value.id if value is not None else -1)
        return Function(id_) if id_ and binding.kind in ("function", "value") else None

    def node_of(self, function: Function) -> "Node":
        """A function of this file."""
        return self._walked.functions[function.id].node

    def returns(self, id_: str) -> Expression:
        """What a function returns."""
        function = self._walked.functions[id_]
        return choice([self.read(node, scope) for node, scope in function.returns] or [Hole("")])

    def exported(self, name: str) -> Expression:
        """What a name of the file's top level is."""
        binding = self._walked.top.names.get(name)
        if binding is None:
            return Hole(name)
        return self.callee(binding) or self._binding(name, binding)

    def name(self, node: "Node", scope: Scope) -> Expression:
        """What a name stands for."""
        name = text_of(node)
        if name in ("undefined", "NaN", "Infinity"):
            return EMPTY if name == "undefined" else Hole(name)
        binding = scope.find(name)
        return Hole(name) if binding is None else self._binding(name, binding)

    def _binding(self, name: str, binding: Binding) -> Expression:
        key = id(binding)
        if key in self._open:  # it is made of itself
            return Hole(name)
        if key in self._known:
            return self._known[key]
        self._open.add(key)
        try:
            found = self._bound(name, binding)
        finally:
            self._open.discard(key)
        found = found if _is_small(found) else Hole(name)  # names of names grow without end
        if binding.kind != "parameter":  # in a list's callback it depends on who reads
            self._known[key] = found
        return found

    def _bound(self, name: str, binding: Binding) -> Expression:
        if binding.imported is not None:
            return binding.imported
        if binding.kind == "element":
            return _part_of(Each(self.read(binding.value, binding.scope)), name, binding)
        if binding.kind == "parameter":
            return self._parameter(name, binding)
        own = self.callee(binding)
        if own is not None and not binding.assigned:
            return own
        if binding.kind != "value":
            return Hole(name)
        if binding.key:
            of = self.read(binding.value, binding.scope)
            is_unknown = binding.key.isdecimal() and not isinstance(of, Items)
            return Hole(name) if is_unknown else member(of, binding.key)
        first = [self.read(binding.value, binding.scope)] if binding.value is not None else []
        others = [self.read(node, scope) for node, scope in binding.assigned]
        grown = [found for found in others if not _repeats(found, name)]
        found = choice([*first, *grown] or [Hole(name)])
        found = join([found, *(Maybe(_behind(o, name)) for o in others if _repeats(o, name))])
        if isinstance(found, Items) or binding.pushed:
            return self._with_pushed(found, binding)
        added = [(self.read(node, scope), always) for node, scope, always in binding.added]
        return join([found, *(part if always else Maybe(part) for part, always in added)])

    def _with_pushed(self, found: Expression, binding: Binding) -> Expression:
        items: list[Expression] = [Hole("items")]
        if isinstance(found, Items):
            items = list(found.items)
        for call, scope in binding.pushed:
            arguments = call.child_by_field_name("arguments")
            always = scope is binding.scope
            for argument in arguments.named_children if arguments is not None else ():
                item = self.read(argument, scope)
                items.append(item if always else Maybe(item))
        return Items(tuple(items))

    def _parameter(self, name: str, binding: Binding) -> Expression:
        function = self._walked.functions[binding.function]
        call = function.called_by
        if call is not None and binding.place == 0:  # of a callback, mostly over a list
            called = call.child_by_field_name("function")
            method = called.child_by_field_name("property") if called is not None else None
            item: Expression | None = None
            if function.id in self._mapping:
                item = Parameter(function.id, 0, name)
            elif method is not None and called is not None and text_of(method) in _OVER_A_LIST:
                of = called.child_by_field_name("object")
                item = Each(self.read(of, function.scope.outer or function.scope))
            if item is not None:
                return _part_of(item, name, binding)
        if not function.name or binding.key.isdecimal():
            return Hole(name)
        found: Expression = Parameter(function.id, binding.place, name)
        if binding.key:
            found = Member(found, binding.key)
        if binding.value is None:
            return found
        return choice([found, self.read(binding.value, binding.scope)])

    def function(self, node: "Node | None") -> Expression:
        """A function that stands here itself."""
        id_ = self._walked.by_node.get(node.id if node is not None else -1)
        return Function(id_) if id_ else Hole("")

    def own_field(self, name: str, of: str, scope: Scope) -> Expression | None:
        """The first value of a class's field; `of` is the class's name, or `this`.

        Where that class has none, it may be that of any other class here that does.
        """
        body = self._walked.classes.get(of, scope.class_body)
        own = _of_class(self._walked.fields.get(name, ()), body)
        if own:
            return choice([self._once(value, where) for _, value, where in own])
        set_later = _of_class(self._walked.set_fields.get(name, ()), body)
        texts = [self._once(value, where) for _, value, where in set_later]
        return choice(texts) if texts and all(map(_is_text, texts)) else None

    def _once(self, value: "Node", scope: Scope) -> Expression:
        if value.id in self._open:
            return hole(value)
        self._open.add(value.id)
        try:
            return self.read(value, scope)
        finally:
            self._open.discard(value.id)

    def own_method(self, called: "Node") -> Expression | None:
        """The method of this class that is called."""
        of, name = called.child_by_field_name("object"), called.child_by_field_name("property")
        if of is None or name is None or of.type != "this":
            return None
        same = [f.id for f in self._walked.functions.values() if f.name == text_of(name)]
        return Function(same[0]) if len(same) == 1 else None

    def mapped(self, items: Expression, function: "Node | None") -> Expression:
        """A list whose items a function makes."""
        node = plain(function)
        if node is None or node.type not in FUNCTIONS:
            return Items((hole(function),)) if function is not None else Hole("")
        id_ = self._walked.by_node[node.id]
        self._mapping.add(id_)
        try:
            return Mapped(items, id_, self.returns(id_))
        finally:
            self._mapping.discard(id_)


def _part_of(item: Expression, name: str, binding: Binding) -> Expression:
    """What a name takes of an item of a list: all of it, or one part."""
    if not binding.key:
        return item
    is_unknown = isinstance(item, Each) and isinstance(item.items, Hole)
    return Hole(name) if is_unknown else Member(item, binding.key)


def _of_class(
    fields: "Sequence[tuple[int, Node, Scope]]", body: int
) -> "Sequence[tuple[int, Node, Scope]]":
    return [field for field in fields if field[0] == body] or fields


def _is_text(found: Expression) -> bool:
    """Whether it is known here: what a constructor is given is not."""
    return has_text(found) and not any(isinstance(part, Parameter) for part in within(found))


def _repeats(found: Expression, name: str) -> bool:
    return any(part == Hole(name) for part in within(found))


def _behind(found: Expression, name: str) -> Expression:
    """What an assignment adds behind the name's own value."""
    parts = list(getattr(found, "parts", ()))
    return join(parts[1:]) if parts and parts[0] == Hole(name) else Hole(name)


def _is_small(found: Expression) -> bool:
    if not parts_of(found):  # as of most names
        return True
    return sum(1 for _ in zip(within(found), range(_MOST_PARTS + 1), strict=False)) <= _MOST_PARTS
