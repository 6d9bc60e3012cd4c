"""Walks a syntax tree once, from one noted node to the next.

tree-sitter itself finds the nodes that matter: a hostile file nests as deep as it likes, and most
nodes of a file never become objects of ours.
"""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from d1_preflight.code.declarations import (
    FUNCTIONS,
    WRAPPED,
    declared_names,
    field_text,
    imported_names,
    pattern_fields,
    pattern_names,
    plain,
    string_of,
    text_of,
)
from d1_preflight.code.expression import Import
from d1_preflight.code.scopes import Binding, Call, FunctionNode, Scope, Walked

if TYPE_CHECKING:
    from tree_sitter import Node, Parser, Query

_BLOCKS = frozenset({
    "statement_block", "for_statement", "for_in_statement", "catch_clause", "switch_body",
    "class_body",
})  # fmt: skip
_KINDS = ("lexical_declaration", "variable_declaration")
_VALUES = frozenset({"arrow_function", "function_expression", "generator_function"})
_MOST_NODES = 200_000


class TooLarge(Exception):
    """A file has more nodes than are walked."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """A dialect's parser, and the queries that find the nodes which are looked at."""

    parser: "Parser"
    noted: "Query"
    errors: "Query"


@cache
def grammar(dialect: str) -> Grammar:
    """The grammar of a dialect; it is imported when the first file is read."""
    from tree_sitter import Language, Parser, Query

    if dialect == "javascript":
        import tree_sitter_javascript

        language = Language(tree_sitter_javascript.language())
    else:
        import tree_sitter_typescript as grammars

        is_tsx = dialect == "tsx"
        made = grammars.language_tsx() if is_tsx else grammars.language_typescript()
        language = Language(made)
    kinds = (kind for kind in sorted(_NOTED) if language.id_for_node_kind(kind, True))  # noqa: FBT003 - by position alone
    queries = (
        Query(language, f"[{' '.join(f'({kind})' for kind in wanted)}] @found")
        for wanted in (kinds, ("ERROR",))
    )
    return Grammar(Parser(language), *queries)


def walk(root: "Node", known: Grammar) -> Walked:
    """Walk a whole file, from one noted node to the next; raises TooLarge."""
    nodes = _found(root, known.noted)
    found = Walked(Scope())
    walker = _Walker(found)
    within = [(root.end_byte + 1, found.top)]
    for start, end, node in nodes:
        while start >= within[-1][0]:
            within.pop()
        scope = within[-1][1]
        inner = walker.enter(node, node.type, scope)
        if inner is not scope:
            within.append((end, inner))
            found.scopes[node.id] = inner
    walker.attach()
    if root.has_error:
        found.errors += (node for _, _, node in _found(root, known.errors))
    return found


def _found(root: "Node", query: "Query") -> "list[tuple[int, int, Node]]":
    """The nodes that a query finds with their bytes, the outer before those within."""
    from tree_sitter import QueryCursor

    nodes = QueryCursor(query).captures(root).get("found", [])
    if len(nodes) > _MOST_NODES:
        raise TooLarge
    places = [(node.start_byte, node.end_byte, node) for node in nodes]
    places.sort(key=lambda place: (place[0], -place[1]))
    return places


class _Walker:
    """Notes what each node declares."""

    def __init__(self, found: Walked) -> None:
        self._found = found
        self._changes: list[tuple[Node, Scope, str]] = []
        self._names: dict[int, str] = {}
        self._methods: set[int] = set()

    def enter(self, node: "Node", kind: str, scope: Scope) -> Scope:
        """Note a node; the scope of what is within."""
        if kind in FUNCTIONS:
            return self._function(node, kind, scope)
        if kind in _BLOCKS:
            body = node.id if kind == "class_body" else scope.class_body
            scope = Scope(scope, scope.function, body)
            if kind == "for_in_statement":
                self._loop(node, scope)
            return scope
        _NOTES[kind](self, node, scope)
        return scope

    def attach(self) -> None:
        """Tie assignments and pushes to the names they change, which may be declared later."""
        for node, scope, kind in self._changes:
            name = text_of(node)
            binding = scope.find(name)
            if binding is None or node.parent is None:
                continue
            if kind == "push":
                call = node.parent.parent
                if call is not None:
                    binding.pushed.append((call, scope))
            elif right := node.parent.child_by_field_name("right"):
                if kind == "add":
                    always = scope is binding.scope and _is_plain_statement(node.parent)
                    binding.added.append((right, scope, always))
                else:
                    binding.assigned.append((right, scope))

    def _function(self, node: "Node", kind: str, scope: Scope) -> Scope:
        named = node.child_by_field_name("name") if kind != "arrow_function" else None
        key = node.id
        pair_key = _pair_key(node) if kind in _VALUES else ""
        name = text_of(named) if named is not None else pair_key or self._names.get(key, "")
        id_ = f"{name or 'function'}:{node.start_point[0] + 1}:{len(self._found.functions)}"
        inner = Scope(scope, id_, scope.class_body, unbound=node)
        is_method = bool(pair_key) or kind == "method_definition" or key in self._methods
        self._found.functions[id_] = FunctionNode(id_, name, node, inner, is_method)
        self._found.by_node[key] = id_
        if named is not None and kind != "method_definition":
            scope.names[name] = Binding("function", node, scope, id_)
        return inner

    def _loop(self, node: "Node", scope: Scope) -> None:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if left is not None and left.type == "identifier":
            scope.names[text_of(left)] = Binding("element", right, scope)
        elif left is not None:
            pattern = next(iter(left.named_children), left) if left.type in _KINDS else left
            for name in pattern_names(left):
                scope.names[name] = Binding("part", None, scope)
            for key, local, _ in pattern_fields(pattern):
                scope.names[local] = Binding("element", right, scope, key=key)

    def declarator(self, node: "Node", scope: Scope) -> None:
        """`name = value` of a `const`, `let` or `var`."""
        name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
        if name is None:
            return
        if specifier := _required(value):
            for key, local, _ in pattern_fields(name):
                brought = Import(specifier, key)
                scope.names[local] = Binding("import", None, scope, imported=brought)
            if name.type == "identifier":
                brought = Import(specifier, "*")
                scope.names[text_of(name)] = Binding("import", None, scope, imported=brought)
        elif name.type == "identifier":
            scope.names[text_of(name)] = Binding("value", value, scope)
            self._name(value, text_of(name))
        else:
            for part in pattern_names(name):
                scope.names.setdefault(part, Binding("part", None, scope))
            for key, local, _ in pattern_fields(name):
                scope.names[local] = Binding("value", value, scope, key=key)

    def class_name(self, node: "Node", scope: Scope) -> None:
        """A class, by whose name its fields can be called."""
        name, body = node.child_by_field_name("name"), node.child_by_field_name("body")
        if name is not None and body is not None:
            self._found.classes[text_of(name)] = body.id
            scope.names.setdefault(text_of(name), Binding("value", body, scope))

    def enum(self, node: "Node", scope: Scope) -> None:
        """An enum: its values are called by its name."""
        name, body = node.child_by_field_name("name"), node.child_by_field_name("body")
        if name is not None and body is not None:
            scope.names[text_of(name)] = Binding("value", body, scope)

    def class_field(self, node: "Node", scope: Scope) -> None:
        """A field of a class with its first value."""
        name = node.child_by_field_name("name") or node.child_by_field_name("property")
        value = node.child_by_field_name("value")
        if name is not None and value is not None:
            fields = self._found.fields.setdefault(text_of(name), [])
            fields.append((scope.class_body, value, scope))
            self._name(value, text_of(name), is_method=True)

    def call(self, node: "Node", scope: Scope) -> None:
        """A call."""
        called, given = node.child_by_field_name("function"), node.child_by_field_name("arguments")
        if called is None or given is None:
            return
        call = Call(node, scope, called, given)
        self._found.calls.append(call)
        if call.is_method and call.name == "push":
            of = called.child_by_field_name("object")
            if of is not None and of.type == "identifier":
                self._changes.append((of, scope, "push"))

    def assignment(self, node: "Node", scope: Scope) -> None:
        """`name = …` and `name += …`."""
        left = node.child_by_field_name("left")
        if left is not None and left.type == "member_expression":
            self._set_field(node, left, scope)
        if left is not None and left.type == "identifier":
            kind = "add" if node.type == "augmented_assignment_expression" else "set"
            self._changes.append((left, scope, kind))
            self._name(node.child_by_field_name("right"), text_of(left))

    def _set_field(self, node: "Node", left: "Node", scope: Scope) -> None:
        """`this.name = …`, mostly of a constructor."""
        of, name = left.child_by_field_name("object"), left.child_by_field_name("property")
        value = node.child_by_field_name("right")
        if of is not None and name is not None and value is not None and of.type == "this":
            fields = self._found.set_fields.setdefault(text_of(name), [])
            fields.append((scope.class_body, value, scope))

    def returned(self, node: "Node", scope: Scope) -> None:
        """What a function returns."""
        function = self._found.functions.get(scope.function)
        if function is not None and node.named_children:
            function.returned.append((node.named_children[0], scope))

    def branch(self, node: "Node", _scope: Scope) -> None:
        """An `if` or `switch`: it may choose by the path of a request."""
        self._found.branches.append(node)

    def imported(self, node: "Node", scope: Scope) -> None:
        """The names that an import brings."""
        specifier = string_of(node.child_by_field_name("source"))
        clause = next((c for c in node.named_children if c.type == "import_clause"), None)
        for name, local in imported_names(clause):
            binding = Binding("import", None, scope, imported=Import(specifier, name))
            scope.names[local] = binding

    def exported(self, node: "Node", _scope: Scope) -> None:
        """The names that an export gives."""
        found, source = self._found, string_of(node.child_by_field_name("source"))
        clause = next((c for c in node.named_children if c.type == "export_clause"), None)
        if source and clause is None:
            found.again.append(source)
        for one in clause.named_children if clause is not None else ():
            name = one.child_by_field_name("name")
            alias = one.child_by_field_name("alias") or name
            if name is not None and alias is not None and source:
                found.imported_exports[text_of(alias)] = Import(source, text_of(name))
            elif name is not None and alias is not None:
                found.exports[text_of(alias)] = text_of(name)
        found.default = node.child_by_field_name("value") or found.default
        declaration = node.child_by_field_name("declaration")
        is_default = any(child.type == "default" for child in node.children)
        for name_ in declared_names(declaration):
            found.exports["default" if is_default else name_] = name_

    def _name(self, value: "Node | None", name: str, *, is_method: bool = False) -> None:
        """A function that is the value, as it is or wrapped, has this name."""
        inner = plain(value)
        if inner is not None and inner.type in FUNCTIONS:
            self._names[inner.id] = name
            if is_method:
                self._methods.add(inner.id)


_NOTES = {
    "variable_declarator": _Walker.declarator,
    "class_declaration": _Walker.class_name,
    "abstract_class_declaration": _Walker.class_name,
    "class": _Walker.class_name,
    "enum_declaration": _Walker.enum,
    "public_field_definition": _Walker.class_field,
    "field_definition": _Walker.class_field,
    "call_expression": _Walker.call,
    "assignment_expression": _Walker.assignment,
    "augmented_assignment_expression": _Walker.assignment,
    "return_statement": _Walker.returned,
    "if_statement": _Walker.branch,
    "switch_statement": _Walker.branch,
    "import_statement": _Walker.imported,
    "export_statement": _Walker.exported,
}
_NOTED = FUNCTIONS | _BLOCKS | _NOTES.keys()


def _required(value: "Node | None") -> str:
    """What `require("…")` or `await import("…")` names; "" for any other value."""
    call = plain(value)
    if call is None or call.type != "call_expression":
        return ""
    called, given = call.child_by_field_name("function"), call.child_by_field_name("arguments")
    if called is None or given is None or text_of(called) not in ("require", "import"):
        return ""
    return string_of(next(iter(given.named_children), None))


def _pair_key(function: "Node") -> str:
    """The key of an object under which a function stands, as it is or wrapped; "" for none."""
    around = function.parent
    while around is not None and around.type in WRAPPED:
        around = around.parent
    if around is None or around.type != "pair":
        return ""
    return field_text(around, "key")


def _is_plain_statement(assignment: "Node") -> bool:
    """Whether an assignment is a statement of a block, and hangs on no condition."""
    statement = assignment.parent
    block = statement.parent if statement is not None else None
    return block is not None and block.type in ("statement_block", "program")
