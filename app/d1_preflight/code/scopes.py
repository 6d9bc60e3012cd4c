"""What a walk through a syntax tree finds: the names of each scope, the functions, and the calls.

What most files are never asked for (parameters, what a function returns) is looked up late.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from d1_preflight.code.declarations import (
    field_text,
    parameters,
    pattern_fields,
    pattern_names,
    string_of,
    text_of,
)
from d1_preflight.code.expression import Import

if TYPE_CHECKING:
    from tree_sitter import Node

_CALLED_BY_NAME = frozenset({"identifier", "import", "non_null_expression"})


@dataclass(slots=True)
class Binding:
    """What a name stands for: the node of its value and how it is bound.

    `kind` is value, parameter, element (of a `for … of`), part (of a pattern), import, function.
    """

    kind: str
    value: "Node | None"
    scope: "Scope"
    function: str = ""
    place: int = 0
    key: str = ""  # of an object that is taken apart: which of its values
    imported: Import | None = None
    added: "list[tuple[Node, Scope, bool]]" = field(default_factory=list)
    assigned: "list[tuple[Node, Scope]]" = field(default_factory=list)
    pushed: "list[tuple[Node, Scope]]" = field(default_factory=list)


@dataclass(slots=True)
class Scope:
    """A block or function; `function` is the id of the function it lies in, "" outside.

    `unbound` is a function whose parameters are not bound yet: most are never asked for.
    """

    outer: "Scope | None" = None
    function: str = ""
    class_body: int = 0
    names: dict[str, Binding] = field(default_factory=dict)
    unbound: "Node | None" = None

    def find(self, name: str) -> Binding | None:
        """The binding of a name that is seen from here."""
        scope: Scope | None = self
        while scope is not None:
            if scope.unbound is not None:
                scope.bind_parameters(scope.unbound)
            if name in scope.names:
                return scope.names[name]
            scope = scope.outer
        return None

    def bind_parameters(self, function: "Node") -> None:
        """Bind a function's parameters; what its body declares goes before them."""
        declared, self.names, self.unbound = self.names, {}, None
        for place, parameter in enumerate(parameters(function)):
            _bind_parameter(parameter, self, self.function, place)
        self.names |= declared


@dataclass(slots=True)
class FunctionNode:
    """A function; `name` is "" where nobody can call it by a name.

    `returned` are what its `return` statements give.
    """

    id: str
    name: str
    node: "Node"
    scope: Scope
    is_method: bool = False
    returned: "list[tuple[Node, Scope]]" = field(default_factory=list)

    @property
    def returns(self) -> "list[tuple[Node, Scope]]":
        """What it returns: the expression that is its body, or what its statements give."""
        body = self.node.child_by_field_name("body")
        if body is None or body.type == "statement_block":
            return self.returned
        return [(body, self.scope), *self.returned]

    @property
    def called_by(self) -> "Node | None":
        """The call to which it is handed."""
        given = self.node.parent
        call = given.parent if given is not None and given.type == "arguments" else None
        return call if call is not None and call.type == "call_expression" else None


@dataclass(slots=True)
class Call:
    """A call; `name` is that of the function or method, "" where it has none.

    `called` is the expression before the arguments, `given` are these.
    """

    node: "Node"
    scope: Scope
    called: "Node"
    given: "Node"
    kind: str = field(init=False)
    name: str = field(init=False)

    def __post_init__(self) -> None:
        """Read what is called."""
        self.kind = self.called.type
        self.name = ""
        if self.kind == "member_expression":
            self.name = field_text(self.called, "property")
        elif self.kind == "subscript_expression":
            self.name = string_of(self.called.child_by_field_name("index"))
        elif self.kind in _CALLED_BY_NAME:
            self.name = text_of(self.called).rstrip("!")

    @property
    def is_method(self) -> bool:
        """Whether it is called on something."""
        return self.kind in ("member_expression", "subscript_expression")


@dataclass(slots=True)
class Walked:
    """A file's scopes, functions, calls, class fields and exports."""

    top: Scope
    functions: dict[str, FunctionNode] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    fields: "dict[str, list[tuple[int, Node, Scope]]]" = field(default_factory=dict)
    set_fields: "dict[str, list[tuple[int, Node, Scope]]]" = field(default_factory=dict)
    classes: dict[str, int] = field(default_factory=dict)
    exports: dict[str, str] = field(default_factory=dict)
    again: list[str] = field(default_factory=list)
    imported_exports: dict[str, Import] = field(default_factory=dict)
    default: "Node | None" = None
    by_node: dict[int, str] = field(default_factory=dict)
    scopes: dict[int, Scope] = field(default_factory=dict)  # of functions and blocks
    errors: "list[Node]" = field(default_factory=list)  # what does not parse
    branches: "list[Node]" = field(default_factory=list)  # `if` and `switch`


def _bind_parameter(node: "Node", scope: Scope, function: str, place: int) -> None:
    pattern = node.child_by_field_name("pattern") or node.child_by_field_name("left") or node
    value = node.child_by_field_name("value") or node.child_by_field_name("right")
    if pattern.type == "identifier":
        scope.names[text_of(pattern)] = Binding("parameter", value, scope, function, place)
        return
    for name in pattern_names(pattern):
        scope.names[name] = Binding("part", None, scope)
    for key, local, otherwise in pattern_fields(pattern):
        scope.names[local] = Binding("parameter", otherwise, scope, function, place, key)
