"""Which routes reach a query: `app.get("/x", …)` of Hono, itty and express, along the calls.

They are proposals for what to call after a migration: a name that two functions share may lead to
a route too many, and a route that is made another way is not found.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from d1_preflight.code.declarations import text_of
from d1_preflight.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from tree_sitter import Node

    from d1_preflight.code.scopes import Walked

Place = tuple[str, int]
_Named = tuple[str, str]  # a file, and a function in it
_METHODS = frozenset({"get", "post", "put", "patch", "delete", "all", "head", "options"})
_DEPTH = 5
_MOST = 50


@dataclass(frozen=True, slots=True)
class Part:
    """A route or a named function: its lines, and the names that are called in it.

    `route` is "" for a function.
    """

    name: str
    first: int
    last: int
    calls: frozenset[str]
    route: str = ""

    def holds(self, line: int) -> bool:
        """Whether a line lies in it."""
        return self.first <= line <= self.last


def parts_of(walked: "Walked") -> tuple[Part, ...]:
    """The routes and the named functions of a parsed file, the innermost last."""
    called = [(node.start_point[0] + 1, name) for node, name in _named_calls(walked)]
    found = [*_routes(walked, called), *_functions(walked, called)]
    return tuple(sorted(found, key=lambda part: (part.first, -part.last)))


def routes_to(
    places: Iterable[Place],
    parts: Callable[[str], tuple[Part, ...]],
    importers: Callable[[str], Iterable[str]],
) -> tuple[str, ...]:
    """The routes that reach these places, directly or through functions of the project."""
    found: dict[str, None] = {}
    names: dict[_Named, None] = {}
    for path, line in places:
        _take(path, [p for p in parts(path) if p.holds(line)], found, names)
    level = list(names)
    for _ in range(_DEPTH):
        following: dict[_Named, None] = {}
        for path, name in level:
            for other in (path, *importers(path)):
                callers = [p for p in parts(other) if name in p.calls and p.name != name]
                _take(other, callers, found, following)
        level = [key for key in following if key not in names]
        names |= following
        if not level or len(found) >= _MOST:
            break
    return tuple(sorted(found, key=lambda route: route.partition(" ")[2])[:_MOST])


def _take(
    path: str,
    holders: list[Part],
    found: dict[str, None],
    names: dict[_Named, None],
) -> None:
    """A route that holds it is found; else the function around it is followed."""
    routes = [part for part in holders if part.route]
    found |= dict.fromkeys(part.route for part in routes)
    if not routes:
        names |= dict.fromkeys((path, part.name) for part in holders)


def _routes(walked: "Walked", called: list[tuple[int, str]]) -> Iterator[Part]:
    for node, name in _named_calls(walked):
        method, arguments = name.lower(), _arguments(node)
        if method not in _METHODS or len(arguments) < 2 or not _is_member(node):  # noqa: PLR2004
            continue
        path = _literal(arguments[0])
        if not path.startswith("/"):
            continue
        first, last = node.start_point[0] + 1, node.end_point[0] + 1
        handed = {text_of(a).rpartition(".")[2] for a in arguments[1:] if _is_name(a)}
        names = {one for line, one in called if first <= line <= last} | handed
        shown = "ANY" if method == "all" else method.upper()
        yield Part(f"{shown} {path}", first, last, frozenset(names), f"{shown} {path}")


def _functions(walked: "Walked", called: list[tuple[int, str]]) -> Iterator[Part]:
    for function in walked.functions.values():
        if function.name:
            first, last = function.node.start_point[0] + 1, function.node.end_point[0] + 1
            names = frozenset(name for line, name in called if first <= line <= last)
            yield Part(function.name, first, last, names)


def _named_calls(walked: "Walked") -> Iterator[tuple["Node", str]]:
    for node, _ in walked.calls:
        called = node.child_by_field_name("function")
        if called is None:
            continue
        named = called.child_by_field_name("property") if _is_member(node) else called
        if named is not None and named.type in ("identifier", "property_identifier"):
            yield node, text_of(named)


def _arguments(node: "Node") -> list["Node"]:
    given = node.child_by_field_name("arguments")
    children = given.named_children if given is not None else []
    return [child for child in children if child.type != "comment"]


def _is_member(node: "Node") -> bool:
    called = node.child_by_field_name("function")
    return called is not None and called.type == "member_expression"


def _is_name(node: "Node") -> bool:
    return node.type in ("identifier", "member_expression")


def _literal(node: "Node") -> str:
    if node.type not in ("string", "template_string"):
        return ""
    return text_of(node)[1:-1] if "${" not in text_of(node) else ""
