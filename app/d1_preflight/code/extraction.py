"""Takes the SQL out of one source file: parses it, and reads what reaches a database.

tree-sitter is imported here and only here with `scopes`, when the first file is read.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import TYPE_CHECKING

from d1_preflight.code.declarations import arguments_of, field_text, items_of, plain, text_of
from d1_preflight.code.expression import (
    Expression,
    Function,
    Hole,
    Import,
    Items,
    Member,
    Parameter,
    Text,
    begins_like_sql,
    first_of,
    has_text,
    holds_sql,
    within,
)
from d1_preflight.code.facts import Call, FileFacts, Sink, Use
from d1_preflight.code.handing import Handing
from d1_preflight.code.reading import Reader
from d1_preflight.code.scopes import Binding, Scope, Walked
from d1_preflight.code.scopes import Call as CallNode
from d1_preflight.code.scripts import dialect, script_of
from d1_preflight.code.standing import used_as_values
from d1_preflight.code.walking import TooLarge, grammar, walk

if TYPE_CHECKING:
    from tree_sitter import Node

DIRECT = ("prepare", "exec", "batch")
_DATABASE = re.compile(
    r"(?:^|[._\[(])(?:d1|db|database|sql|sqlite|storage|conn\w*)\b", re.IGNORECASE
)
_THIS = re.compile(rb"\bthis\b")
_CALLS = re.compile(rb"[(`]")  # a query needs a call or a template
_BORROWS = re.compile(
    rb"[{,]\s*(?:prepare|exec|batch)\s*[:,}]|\.(?:prepare|exec|batch)(?:\.bind\b|\s*[;,)\n])"
)
_PLAIN_RETURNS = frozenset({
    "string", "template_string", "binary_expression", "ternary_expression", "identifier", "array",
    "call_expression", "member_expression", "subscript_expression", "parenthesized_expression",
    "as_expression", "satisfies_expression", "object", "null", "undefined",
})  # fmt: skip


@dataclass(slots=True)
class Extraction:
    """One parsed file."""

    path: str
    walked: Walked
    reader: Reader
    root: "Node"
    borrows: bool = False
    _handed: frozenset[str] | None = field(default=None, init=False)

    def facts(self, tags: Collection[str] = ()) -> FileFacts:
        """What it holds of SQL; `tags` are further tags of templates that are SQL."""
        exports = {name: self.reader.exported(local) for name, local in self.walked.exports.items()}
        exports |= self.walked.imported_exports
        default = self.walked.default
        if default is not None and default.type == "identifier":
            exports["default"] = self.reader.exported(text_of(default))
        elif default is not None:
            exports["default"] = self.reader.read(default, self.walked.top)
        return FileFacts(
            tuple(self._sinks(tags)),
            {
                id_: function.name
                for id_, function in self.walked.functions.items()
                if function.name
            },
            frozenset(f.id for f in self.walked.functions.values() if f.is_method),
            {name: found for name, found in exports.items() if _can_be_used(found)},
            tuple(self.walked.again),
            self._problem(),
            self.handed(),
            frozenset(f.id for f in self.walked.functions.values() if _needs_this(f.node)),
        )

    def handed(self) -> frozenset[str]:
        """The names of its own functions that it uses as values."""
        if self._handed is None:
            names = {function.name for function in self.walked.functions.values()} - {""}
            self._handed = used_as_values(self.root.text or b"", names)
        return self._handed

    def calls(self, names: Collection[str]) -> tuple[tuple[Call, ...], tuple[Use, ...]]:
        """The calls of functions with one of these names, and where these are used as values."""
        through, uses = Handing(self.walked, self.reader, self.root).look_for(names)
        return tuple(dict.fromkeys((*self._calls(names), *through))), uses

    def likely_names(self) -> frozenset[str]:
        """The names of functions of the project that are somewhere given a text of SQL."""
        found: set[str] = set()
        for call in self.walked.calls:
            if call.kind == "identifier" and call.name not in found:
                binding = call.scope.find(call.name)
                is_own = binding is not None and binding.kind in ("import", "function")
                texts = (self.reader.read(n, call.scope) for n in call.given.named_children)
                if is_own and any(map(holds_sql, texts)):
                    found.add(call.name)
        return frozenset(found)

    def _problem(self) -> str:
        errors = self.walked.errors
        if not errors:
            some = "does not parse in places: the code around them was not read"
            return some if self.root.has_error else ""
        hiding = next((node for node in errors if _CALLS.search(node.text or b"")), None)
        line = (hiding or errors[0]).start_point[0] + 1
        if hiding is None:
            return f"does not parse at line {line}: the code around it was not read"
        return f"does not parse at line {line}, where a query may be: this part is left out"

    def returned(self, function: str) -> Expression | None:
        """What a function returns; None where that is no text."""
        known = self.walked.functions.get(function)
        kinds = {node.type for node, _ in known.returns} if known is not None else set()
        if not kinds or not kinds <= _PLAIN_RETURNS:
            return None
        found = self.reader.returns(function)
        return found if has_text(found) else None

    def _sinks(self, tags: Collection[str]) -> Iterator[Sink]:
        for call in self.walked.calls:
            name = call.name
            if call.given.type == "template_string":
                if name.lower() == "sql" or name in tags:
                    template = self.reader.template(call.given, call.scope)
                    yield self._sink(f"{name}``", template, call.node, call.scope)
            elif name in DIRECT and call.is_method:
                yield from self._direct(name, call)
            elif self.borrows and call.kind == "identifier":
                borrowed = _borrowed(call.scope.find(name))
                yield from self._direct(borrowed, call) if borrowed else ()

    def _direct(self, name: str, call: CallNode) -> Iterator[Sink]:
        called, scope = call.called, call.scope
        first = next(iter(items_of(call.given)), None)
        if first is None:
            return
        receiver = field_text(called, "object")
        if name == "exec" and receiver.rpartition(".")[2].lower() == "sql":
            return  # a Durable Object's own database (`ctx.storage.sql`), which D1 does not have
        sql = self.reader.read(first, scope)
        is_database = _DATABASE.search(receiver) is not None
        if name == "prepare":
            bound = tuple(self.reader.read(one, scope) for one in _bound_to(called.parent))
            yield replace(self._sink(name, sql, first, scope), bound=bound)
        elif name == "exec" and (is_database or _is_written(sql)):
            yield self._sink(name, sql, first, scope)
        elif name == "batch" and isinstance(sql, Items):
            for item in sql.items:
                if _is_written(item):
                    yield self._sink(name, item, first, scope)

    def _sink(self, method: str, sql: Expression, node: "Node", scope: Scope) -> Sink:
        return Sink(method, sql, node.start_point[0] + 1, scope.function)

    def _calls(self, names: Collection[str]) -> Iterator[Call]:
        for call in self.walked.calls:
            if call.name in names and call.given.type != "template_string":
                scope = call.scope
                children = items_of(call.given)
                arguments = tuple(self.reader.read(child, scope) for child in children)
                line = (children[0] if children else call.node).start_point[0] + 1
                target = self.reader.function_of(call.called, scope)
                yield Call(call.name, target, arguments, line, scope.function)


def extract(path: str, data: bytes) -> Extraction | str:
    """Parse a file; words on why where it cannot be read."""
    known = grammar(dialect(path))
    script = script_of(path, data)
    tree = known.parser.parse(script)
    try:
        walked = walk(tree.root_node, known)
    except TooLarge:
        return "has too many parts to read: left out"
    borrows = _BORROWS.search(script) is not None
    return Extraction(path, walked, Reader(walked), tree.root_node, borrows)


def _borrowed(binding: Binding | None) -> str:
    """Which method of a database a variable holds: `{ prepare } = db`, `db.prepare.bind(db)`."""
    if binding is None or binding.kind not in ("value", "parameter"):
        return ""
    value = plain(binding.value) if binding.kind == "value" else None
    if value is not None and value.type == "call_expression":
        called = value.child_by_field_name("function")
        is_bound = called is not None and text_of(called).endswith(".bind")
        value = called.child_by_field_name("object") if called is not None and is_bound else None
    name = binding.key or field_text(value, "property")
    return name if name in DIRECT else ""


def _bound_to(prepare: "Node | None") -> "list[Node]":
    """What `prepare(…).bind(…)` is given."""
    member = prepare.parent if prepare is not None else None
    call = member.parent if member is not None and member.type == "member_expression" else None
    if member is None or call is None or call.type != "call_expression":
        return []
    if field_text(member, "property") != "bind":
        return []
    return list(takewhile(lambda child: child.type != "spread_element", arguments_of(call)))


def _is_written(sql: Expression) -> bool:
    """Whether it begins, as far as is known here, like a statement."""
    first = first_of(sql)
    if isinstance(first, Text):
        return begins_like_sql(first.text)
    return isinstance(first, Import | Member | Parameter)


def _needs_this(function: "Node") -> bool:
    """Whether a method does nothing without its object."""
    return function.type == "method_definition" and _THIS.search(function.text or b"") is not None


def _can_be_used(found: Expression) -> bool:
    """Whether another file can take text from it."""
    parts = tuple(within(found))
    is_hole = len(parts) == 1 and isinstance(parts[0], Hole)
    return not is_hole and any(
        isinstance(part, Function | Import) or (has_text(part)) for part in parts
    )
