"""Follows a function that is used as a value: into other names, objects, and out of sight.

From where its name stands, the syntax tree is climbed until the value ends: it is called, kept
under a name, does no harm (`typeof run`), or goes somewhere that is not followed.
"""

import re
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from d1_preflight.code.climbing import Ends, Value, step
from d1_preflight.code.declarations import bound_name, is_declared, plain, text_of
from d1_preflight.code.expression import Expression, Import, Member
from d1_preflight.code.facts import Call, Use
from d1_preflight.code.plain_types import is_plain_field, type_of
from d1_preflight.code.scopes import Binding, Scope, Walked

if TYPE_CHECKING:
    from tree_sitter import Node

    from d1_preflight.code.reading import Reader

_NAMES = frozenset({
    "identifier", "property_identifier", "private_property_identifier", "string_fragment",
    "shorthand_property_identifier", "shorthand_property_identifier_pattern",
})  # fmt: skip
_NOT_CALLED = rb"(?!\s*[(<])"
_PLAIN_NAMES = ("identifier", "shorthand_property_identifier")
_MOST_WORK = 100_000_000
"""How many bytes are looked through; a node costs as much as some part of its file."""
_PARTS, _OF_A_STEP = 4, 1_000


class Handing:
    """Follows some names of one walked file."""

    def __init__(self, walked: Walked, reader: "Reader", root: "Node") -> None:
        self._walked = walked
        self._reader = reader
        self._root = root
        self._source = root.text or b""
        self._waiting: list[tuple[Node, Value]] = []
        self._followed: set[tuple[int, Value]] = set()
        self._standing: dict[str, list[Node]] = {}
        self._ends = Ends(reader, self.scope_of, self.keep)
        self._left = _MOST_WORK

    def look_for(self, names: Collection[str]) -> tuple[tuple[Call, ...], tuple[Use, ...]]:
        """The calls through other names, and what else becomes of the functions' values."""
        for name in sorted(names):
            for node in self._found(name, _NOT_CALLED):
                self._begin(name, node)
        while self._waiting:
            node, value = self._waiting.pop()
            at: tuple[Node, Value] | None = (node, value)
            while at is not None and self._left > 0:
                self._left -= _OF_A_STEP + len(self._source) // _PARTS
                at = step(self._ends, *at)
            if self._left <= 0:
                self._ends.lose(node, value)
        if self._left <= 0:  # what was not followed is out of sight
            for name in sorted(names):
                self._lose(name)
        return tuple(self._ends.calls), tuple(self._ends.uses)

    def _lose(self, name: str) -> None:
        """Whatever has this name here is out of sight."""
        binding = self._walked.top.find(name)
        target = self._reader.callee(binding) if binding is not None else None
        self._ends.lose(self._root, Value(name, target))

    def scope_of(self, node: "Node") -> Scope:
        """The scope in which a node lies."""
        at: Node | None = node
        while at is not None:
            if at.id in self._walked.scopes:
                return self._walked.scopes[at.id]
            at = at.parent
        return self._walked.top

    def keep(self, pattern: "Node", value: Value) -> None:
        """Follow a value under the name that it is given, or under those it is taken apart in."""
        if pattern.type in _PLAIN_NAMES or pattern.type == "shorthand_property_identifier_pattern":
            self._alias(pattern, value)
        elif pattern.type != "object_pattern":
            self._ends.lose(pattern, value)
        else:
            for part in pattern.named_children:
                self._take_apart(part, value)

    def _take_apart(self, part: "Node", value: Value) -> None:
        inner = part.child_by_field_name("value")
        if part.type == "rest_pattern":
            for name in part.named_children:
                self.keep(name, value)
            return
        key = part.child_by_field_name("key")
        local = inner if key is not None else part.child_by_field_name("left") or part
        taken = value.taking(text_of(key if key is not None else local or part))
        if taken is None or local is None:
            return
        self.keep(bound_name(local), taken)

    def _alias(self, node: "Node", value: Value) -> None:
        name = text_of(node)
        binding = self.scope_of(node).find(name)
        if binding is None:
            self._ends.lose(node, value)
            return
        key = (id(binding), value)
        if key in self._followed:
            return
        self._followed.add(key)
        if self._walked.top.names.get(name) is binding:
            for exported, local in self._walked.exports.items():
                if local == name:
                    self._ends.export(node, value, exported)
        for place in self._places(name):
            is_its = place.type in _PLAIN_NAMES and not is_declared(place)
            if is_its and self.scope_of(place).find(name) is binding:
                self._waiting.append((place, value))

    def _places(self, name: str) -> list["Node"]:
        """Where a name stands."""
        if name not in self._standing:
            self._standing[name] = list(self._found(name, b""))
        return self._standing[name]

    def _found(self, name: str, behind: bytes) -> Iterator["Node"]:
        word = re.compile(rb"(?<![\w$])" + re.escape(name.encode()) + rb"(?![\w$])" + behind)
        self._left -= len(self._source)
        for match in word.finditer(self._source):
            if self._left <= 0:
                return
            self._left -= len(self._source) // _PARTS
            begin, end = match.span()
            node = self._root.named_descendant_for_byte_range(begin, end)
            is_exact = node is not None and (node.start_byte, node.end_byte) == (begin, end)
            if node is not None and is_exact and node.type in _NAMES:
                yield node

    def _begin(self, name: str, node: "Node") -> None:
        """Begin where a name stands as a value; calls by the name itself are known already."""
        around = node.parent
        if around is None:
            return
        if node.type in _PLAIN_NAMES:
            self._begin_name(name, node)
        elif node.type == "shorthand_property_identifier_pattern":
            pattern = around if around.type == "object_pattern" else around.parent
            if pattern is not None:
                self._begin_part(name, pattern, node)
        elif node.type == "string_fragment":
            whole = around.parent
            if whole is not None and whole.type == "subscript_expression":
                self._begin_member(name, whole)
        elif around.type == "member_expression":
            self._begin_member(name, around)
        elif around.type == "pair_pattern" and around.parent is not None:
            local = around.child_by_field_name("value")
            if local is not None:
                self._begin_part(name, around.parent, bound_name(local))

    def _begin_name(self, name: str, node: "Node") -> None:
        if is_declared(node) or _is_called(node):
            return
        binding = self.scope_of(node).find(name)
        target = self._reader.callee(binding) if binding is not None else None
        if target is not None:
            self._waiting.append((node, Value(name, target)))

    def _begin_member(self, name: str, whole: "Node") -> None:
        around = whole.parent
        is_set = (
            around is not None
            and around.type == "assignment_expression"
            and around.child_by_field_name("left") == whole
        )
        if not is_set and not _is_called(whole):
            target = self._reader.function_of(whole, self.scope_of(whole))
            if target is None and self._is_plain(name, whole.child_by_field_name("object")):
                return
            self._waiting.append((whole, Value(name, target, is_bare=target is None)))

    def _is_plain(self, name: str, of: "Node | None") -> bool:
        """Whether the type of an object says that this field of it is no function."""
        if of is None or of.type != "identifier":
            return False
        type_ = type_of(self.scope_of(of).find(text_of(of)), self._walked)
        return is_plain_field(type_, name, self._root)

    def _begin_part(self, name: str, pattern: "Node", local: "Node") -> None:
        """A value that is taken out of an object."""
        target = self._taken_from(name, pattern, local)
        around = pattern.parent
        type_ = around.child_by_field_name("type") if around is not None else None
        if target is None and is_plain_field(type_, name, self._root):
            return
        self.keep(local, Value(name, target, is_bare=target is None))

    def _taken_from(self, key: str, pattern: "Node", local: "Node") -> Expression | None:
        declared = pattern.parent
        binding = self.scope_of(local).find(text_of(local))
        if binding is not None and binding.imported is not None:
            return binding.imported
        if declared is None or declared.type != "variable_declarator":
            return None
        of = plain(declared.child_by_field_name("value"))
        if of is None or of.type != "identifier":
            return None
        source = self.scope_of(of).find(text_of(of))
        return _of_import(source, key)


def _of_import(source: Binding | None, key: str) -> Expression | None:
    brought = source.imported if source is not None else None
    if brought is None:
        return None
    return Import(brought.specifier, key) if brought.name == "*" else Member(brought, key)


def _is_called(node: "Node") -> bool:
    """Whether it is what a call calls."""
    around = node.parent
    while around is not None and around.type == "non_null_expression":
        node, around = around, around.parent
    if around is None or around.type != "call_expression":
        return False
    return around.child_by_field_name("function") == node
