"""Reads string expressions of one file: literals, templates, concatenations, constants, lists.

Nothing is executed. What cannot be read is a hole under the name that the source gives it.
"""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from d1_preflight.code.expression import (
    EMPTY,
    Choice,
    Each,
    Expression,
    Fields,
    Function,
    Hole,
    Import,
    Items,
    Joined,
    Mapped,
    Maybe,
    Member,
    Parameter,
    Result,
    Text,
    choice,
    join,
    within,
)
from d1_preflight.code.scopes import FUNCTIONS, Binding, Scope, Walked, plain, text_of

if TYPE_CHECKING:
    from tree_sitter import Node

_DEPTH = 60
_MOST_PARTS = 4_000
_HINT = 60
_SAME = frozenset({"trim", "trimStart", "trimEnd", "toString", "normalize", "valueOf", "dedent"})
_OVER_A_LIST = frozenset({"map", "forEach", "flatMap"})
_KEPT_LISTS = frozenset({"filter", "slice", "sort", "reverse", "flat", "concat", "values"})
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "b": "\b", "f": "\f", "v": "\v", "\n": ""}
_UNICODE = re.compile(r"\\(?:u\{([0-9a-fA-F]+)\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2}))")
_SPACES = re.compile(r"/(?:\\[snrt]|\[[\\snrt ]+\]| |\(\?:\\[nrs]\))[+*]?/[a-z]*")


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
            read = _READERS.get(node.type)
            if read is None or self._depth > _DEPTH:
                return _hole(node)
            found = read(self, node, scope)
        finally:
            self._depth -= 1
        return found if _is_small(found) else _hole(node)

    def template(self, node: "Node", scope: Scope) -> Expression:
        """A template, as it is or behind a tag."""
        parts: list[Expression] = []
        for child in node.named_children:
            if child.type == "template_substitution":
                parts.append(self.read(next(iter(child.named_children), None), scope))
            else:
                parts.append(Text(_unescaped(child)))
        return join(parts)

    def function_of(self, node: "Node", scope: Scope) -> Expression | None:
        """What is called: a function of this file, an import, or None for another's method."""
        if node.type == "identifier":
            binding = scope.find(text_of(node))
            return self._callee(binding) if binding is not None else None
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

    def _callee(self, binding: Binding) -> Expression | None:
        if binding.imported is not None:
            return binding.imported
        value = plain(binding.value)
        id_ = binding.function or self._walked.by_node.get(value.id if value is not None else -1)
        return Function(id_) if id_ and binding.kind in ("function", "value") else None

    def returns(self, id_: str) -> Expression:
        """What a function returns."""
        function = self._walked.functions[id_]
        return choice([self.read(node, scope) for node, scope in function.returns] or [Hole("")])

    def exported(self, name: str) -> Expression:
        """What a name of the file's top level is."""
        binding = self._walked.top.names.get(name)
        if binding is None:
            return Hole(name)
        return self._callee(binding) or self._binding(name, binding)

    def _identifier(self, node: "Node", scope: Scope) -> Expression:
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
        if binding.kind != "parameter":  # in a list's callback it depends on who reads
            self._known[key] = found
        return found

    def _bound(self, name: str, binding: Binding) -> Expression:
        if binding.imported is not None:
            return binding.imported
        if binding.kind == "element":
            return Each(self.read(binding.value, binding.scope))
        if binding.kind == "parameter":
            return self._parameter(name, binding)
        if binding.kind != "value":
            return Hole(name)
        if binding.key:
            return member(self.read(binding.value, binding.scope), binding.key)
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
            if function.id in self._mapping:
                return Parameter(function.id, 0, name)
            if method is not None and called is not None and text_of(method) in _OVER_A_LIST:
                of = called.child_by_field_name("object")
                return Each(self.read(of, function.scope.outer or function.scope))
        if not function.name:
            return Hole(name)
        found: Expression = Parameter(function.id, binding.place, name)
        if binding.key:
            found = Member(found, binding.key)
        if binding.value is None:
            return found
        return choice([found, self.read(binding.value, binding.scope)])

    def _string(self, node: "Node", _scope: Scope) -> Expression:
        return Text("".join(_unescaped(child) for child in node.named_children))

    def _number(self, node: "Node", _scope: Scope) -> Expression:
        return Text(text_of(node).replace("_", ""))

    def _nothing(self, _node: "Node", _scope: Scope) -> Expression:
        return EMPTY

    def _binary(self, node: "Node", scope: Scope) -> Expression:
        chain: list[Node | None] = []
        sign, at = "", plain(node)
        while at is not None and at.type == "binary_expression":  # a + b + c leans to the left
            operator = at.child_by_field_name("operator")
            here = text_of(operator) if operator is not None else ""
            if sign and here != sign:
                break
            sign = here
            chain.append(at.child_by_field_name("right"))
            at = plain(at.child_by_field_name("left"))
        parts = [self.read(part, scope) for part in (at, *reversed(chain))]
        if sign == "+":
            return join(parts)
        if sign in ("||", "??"):
            return choice(parts)
        return choice([parts[-1], EMPTY]) if sign == "&&" else _hole(node)

    def _ternary(self, node: "Node", scope: Scope) -> Expression:
        names = ("consequence", "alternative")
        return choice([self.read(node.child_by_field_name(name), scope) for name in names])

    def _array(self, node: "Node", scope: Scope) -> Expression:
        items: list[Expression] = []
        for child in node.named_children:
            if child.type == "spread_element":
                inner = self.read(next(iter(child.named_children), None), scope)
                items += inner.items if isinstance(inner, Items) else _spread(inner)
            elif child.type != "comment":
                found = self.read(child, scope)
                is_conditional = isinstance(found, Choice) and EMPTY in found.options
                items.append(Maybe(found) if is_conditional else found)
        return Items(tuple(items))

    def _object(self, node: "Node", scope: Scope) -> Expression:
        found: dict[str, Expression] = {}
        for child in node.named_children:
            key = child.child_by_field_name("key")
            if child.type == "pair" and key is not None:
                value = plain(child.child_by_field_name("value"))
                name = text_of(key).strip("'\"`")
                is_function = value is not None and value.type in FUNCTIONS
                found[name] = self._made(value) if is_function else self.read(value, scope)
            elif child.type == "shorthand_property_identifier":
                found[text_of(child)] = self._identifier(child, scope)
            elif child.type == "method_definition":
                name = text_of(child.child_by_field_name("name") or child)
                found[name] = self._made(child)
        return Fields(tuple(found), tuple(found.values()))

    def _made(self, node: "Node | None") -> Expression:
        id_ = self._walked.by_node.get(node.id if node is not None else -1)
        return Function(id_) if id_ else Hole("")

    def _member(self, node: "Node", scope: Scope) -> Expression:
        of, named = node.child_by_field_name("object"), node.child_by_field_name("property")
        if of is None or named is None:
            return _hole(node)
        name = text_of(named)
        binding = scope.find(text_of(of)) if of.type == "identifier" else None
        is_own = of.type == "this" or (of.type == "identifier" and text_of(of)[:1].isupper())
        if is_own and (binding is None or binding.kind != "import") and name in self._walked.fields:
            value, where = self._walked.fields[name]
            return self._once(value, where)
        if of.type != "this":
            inner = self.read(of, scope)
            if isinstance(inner, Import) and inner.name == "*":
                return Import(inner.specifier, name)
            if isinstance(inner, Fields | Import | Member | Choice | Parameter | Result):
                return member(inner, name)
        return _hole(node)

    def _once(self, value: "Node", scope: Scope) -> Expression:
        if value.id in self._open:
            return _hole(value)
        self._open.add(value.id)
        try:
            return self.read(value, scope)
        finally:
            self._open.discard(value.id)

    def _subscript(self, node: "Node", scope: Scope) -> Expression:
        inner = self.read(node.child_by_field_name("object"), scope)
        index = node.child_by_field_name("index")
        key = self.read(index, scope)
        if isinstance(key, Text) and isinstance(inner, Fields):
            return member(inner, key.text)
        return Each(inner) if isinstance(inner, Fields | Items | Import | Member) else _hole(node)

    def _call(self, node: "Node", scope: Scope) -> Expression:
        called, given = node.child_by_field_name("function"), node.child_by_field_name("arguments")
        if called is None or given is None:
            return _hole(node)
        if given.type == "template_string":
            return self.template(given, scope)
        arguments = [child for child in given.named_children if child.type != "comment"]
        if called.type == "member_expression":
            found = self._method(node, called, arguments, scope)
            if found is not None:
                return found
        if text_of(called) in ("String", "dedent", "stripIndent", "Object.freeze", "Object.values"):
            return self.read(next(iter(arguments), None), scope)
        function = self.function_of(called, scope) or self._own_method(called)
        if function is None:
            return _hole(node)
        return Result(function, tuple(self.read(argument, scope) for argument in arguments))

    def _own_method(self, called: "Node") -> Expression | None:
        of, name = called.child_by_field_name("object"), called.child_by_field_name("property")
        if of is None or name is None or of.type != "this":
            return None
        same = [f.id for f in self._walked.functions.values() if f.name == text_of(name)]
        return Function(same[0]) if len(same) == 1 else None

    def _method(
        self, node: "Node", called: "Node", arguments: "Sequence[Node]", scope: Scope
    ) -> Expression | None:
        """What a method of strings and lists gives; None where it is another's."""
        of, named = called.child_by_field_name("object"), called.child_by_field_name("property")
        name = text_of(named) if named is not None else ""
        first = next(iter(arguments), None)
        match name:
            case "join":
                return self._joined(self.read(of, scope), first, scope)
            case "map":
                return self._mapped(self.read(of, scope), first)
            case "fill":
                return Items((self.read(first, scope),))
            case "from" if len(arguments) > 1:
                return self._mapped(Hole("list"), arguments[1])
            case "repeat":
                return Hole("marks")
            case "keys" if text_of(called) == "Object.keys":
                inner = self.read(first, scope)
                if isinstance(inner, Fields):
                    return Items(tuple(map(Text, inner.keys)))
                return _hole(node)
            case "concat" if not isinstance(whole := self.read(of, scope), Items):
                return join([whole, *(self.read(argument, scope) for argument in arguments)])
            case "replace" | "replaceAll":
                is_space = first is not None and _SPACES.fullmatch(text_of(first))
                return self.read(of, scope) if is_space else _hole(node)
        if name in _SAME or name in _KEPT_LISTS:
            inner = self.read(of, scope)
            return inner if name in _SAME or isinstance(inner, Items | Import) else _hole(node)
        return None

    def _joined(self, items: Expression, separator: "Node | None", scope: Scope) -> Expression:
        between = self.read(separator, scope) if separator is not None else Text(",")
        return Joined(items, between.text if isinstance(between, Text) else ", ")

    def _mapped(self, items: Expression, function: "Node | None") -> Expression:
        node = plain(function)
        if node is None or node.type not in FUNCTIONS:
            return Items((_hole(function),)) if function is not None else Hole("")
        id_ = self._walked.by_node[node.id]
        self._mapping.add(id_)
        try:
            return Mapped(items, id_, self.returns(id_))
        finally:
            self._mapping.discard(id_)


_READERS = {
    "string": Reader._string,  # noqa: SLF001 - the table of its own class
    "template_string": Reader.template,
    "number": Reader._number,  # noqa: SLF001
    "null": Reader._nothing,  # noqa: SLF001
    "undefined": Reader._nothing,  # noqa: SLF001
    "identifier": Reader._identifier,  # noqa: SLF001
    "binary_expression": Reader._binary,  # noqa: SLF001
    "ternary_expression": Reader._ternary,  # noqa: SLF001
    "array": Reader._array,  # noqa: SLF001
    "object": Reader._object,  # noqa: SLF001
    "member_expression": Reader._member,  # noqa: SLF001
    "subscript_expression": Reader._subscript,  # noqa: SLF001
    "call_expression": Reader._call,  # noqa: SLF001
}


def member(of: Expression, name: str) -> Expression:
    """One value of an object, as far as it is known here."""
    if isinstance(of, Fields):
        return of.values[of.keys.index(name)] if name in of.keys else Hole(name)
    if isinstance(of, Choice):
        return choice([member(option, name) for option in of.options])
    is_later = isinstance(of, Import | Member | Parameter | Result)
    return Member(of, name) if is_later else Hole(name)


def _hole(node: "Node") -> Hole:
    return Hole(" ".join(text_of(node)[:_HINT].split()))


def _spread(inner: Expression) -> Iterator[Expression]:
    options = inner.options if isinstance(inner, Choice) else (inner,)
    for option in options:
        if isinstance(option, Items):
            yield from (Maybe(item) for item in option.items)
        elif option != EMPTY:
            yield Maybe(Each(option)) if isinstance(option, Import | Mapped) else option


def _repeats(found: Expression, name: str) -> bool:
    return any(part == Hole(name) for part in within(found))


def _behind(found: Expression, name: str) -> Expression:
    """What an assignment adds behind the name's own value."""
    parts = list(getattr(found, "parts", ()))
    return join(parts[1:]) if parts and parts[0] == Hole(name) else Hole(name)


def _is_small(found: Expression) -> bool:
    return sum(1 for _ in zip(within(found), range(_MOST_PARTS + 1), strict=False)) <= _MOST_PARTS


def _unescaped(node: "Node") -> str:
    text = text_of(node)
    if node.type != "escape_sequence":
        return text
    found = _UNICODE.fullmatch(text)
    if found:
        number = int(next(filter(None, found.groups())), 16)
        return chr(number) if number < 0x110000 else ""  # noqa: PLR2004 - the end of Unicode
    return _ESCAPES.get(text[1:2], text[1:])
