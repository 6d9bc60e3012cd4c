"""Which routes reach a query: those of Hono, itty, express, of a `switch` or `if` by path.

They are followed along the calls.

They are proposals for what to call after a migration: a name that two functions share may lead to
a route too many, and a route that is made another way is not found.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from d1_preflight.code.declarations import arguments_of, text_of
from d1_preflight.code.routers import joined, literal_of, method_of, router_of
from d1_preflight.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from tree_sitter import Node

    from d1_preflight.code.scopes import Walked

Place = tuple[str, int]
Prefixes = Callable[[str, str], Iterable[str]]
"""Below which paths a router of a file answers."""
_Named = tuple[str, str]  # a file, and a function in it
_METHODS = frozenset({"get", "post", "put", "patch", "delete", "all", "head", "options"})
_NAMES = ("identifier", "member_expression")
_DEPTH = 5
_MOST = 50
_LONGEST = 1000
_PATH = r"(?:\bpathname|\bpath)\)?"
_TEXT = r"""["'`](/[^"'`$]*)["'`]"""
_EQUAL = re.compile(rf"{_PATH}\s*===?\s*{_TEXT}|{_TEXT}\s*===?\s*[\w$.]*{_PATH}")
_BELOW = re.compile(rf"(?<!!){_PATH}\.startsWith\(\s*{_TEXT}\s*\)")
_NEGATED = re.compile(r"!\s*[\w$.]*$")
_METHOD = re.compile(r"""\bmethod\s*===?\s*["']([A-Za-z]+)["']""")
_BY_PATH = re.compile(rf"{_PATH}(?:\}}`|\b)")
_WITH_METHOD = re.compile(r"([A-Z]+)\s*:?\s*(/.*)")


@dataclass(frozen=True, slots=True)
class Part:
    """A route or a named function: its lines, and the names that are called in it.

    `route` is "" for a function; `router` is the variable of the router that has it.
    """

    name: str
    first: int
    last: int
    calls: frozenset[str]
    route: str = ""
    router: str = ""

    def holds(self, line: int) -> bool:
        """Whether a line lies in it."""
        return self.first <= line <= self.last


Parts = tuple[Part, ...]
"""The routes and the named functions of a file, the innermost last."""


def parts_of(walked: "Walked") -> tuple[Part, ...]:
    """The routes and the named functions of a parsed file, the innermost last."""
    calls = list(_named_calls(walked))
    called = _Called([node.start_point[0] + 1 for node, _ in calls], [name for _, name in calls])
    found = [*_routes(calls, called), *_branches(walked, called), *_functions(walked, called)]
    return tuple(sorted(found, key=lambda part: (part.first, -part.last)))


def routes_to(
    places: Iterable[Place],
    parts: Callable[[str], tuple[Part, ...]],
    importers: Callable[[str], Iterable[str]],
    prefixes: Prefixes,
) -> tuple[str, ...]:
    """The routes that reach these places, directly or through functions of the project."""
    found: dict[str, None] = {}
    names: dict[_Named, None] = {}
    for path, line in places:
        _take(path, [p for p in parts(path) if p.holds(line)], prefixes, found, names)
    level = list(names)
    for _ in range(_DEPTH):
        following: dict[_Named, None] = {}
        for path, name in level:
            for other in (path, *importers(path)):
                callers = [p for p in parts(other) if name in p.calls and p.name != name]
                _take(other, callers, prefixes, found, following)
        level = [key for key in following if key not in names]
        names |= following
        if not level or len(found) >= _MOST:
            break
    return tuple(sorted(found, key=lambda route: route.partition(" ")[2])[:_MOST])


def _take(
    path: str,
    holders: list[Part],
    prefixes: Prefixes,
    found: dict[str, None],
    names: dict[_Named, None],
) -> None:
    """The innermost route that holds it is found; else the function around it is followed."""
    routes = [part for part in holders if part.route]
    for part in routes:
        within = (p for p in routes if part.first <= p.first and p.last <= part.last)
        if all(p.route == part.route or _lines(p) == _lines(part) for p in within):
            found |= dict.fromkeys(_shown(part, prefixes(path, part.router)))
    if not routes:
        names |= dict.fromkeys((path, part.name) for part in holders)


def _lines(part: Part) -> int:
    return part.last - part.first


def _shown(part: Part, prefixes: Iterable[str]) -> Iterator[str]:
    """The route below each path at which its router answers."""
    method, _, path = part.route.partition(" ")
    for prefix in prefixes if part.router else ("",):
        yield f"{method} {joined(prefix, path) or '/'}" if prefix else part.route


@dataclass(frozen=True, slots=True)
class _Called:
    """The lines of a file's calls, in order, and the names that are called there."""

    lines: list[int]
    names: list[str]

    def within(self, first: int, last: int) -> frozenset[str]:
        """The names that are called in these lines."""
        lines = self.lines
        return frozenset(self.names[bisect_left(lines, first) : bisect_right(lines, last)])


def _routes(calls: "Sequence[tuple[Node, str]]", called: _Called) -> Iterator[Part]:
    for node, name in calls:
        method = name.lower()
        arguments = arguments_of(node) if method in _METHODS else ()
        if len(arguments) < 2 or not method_of(node):  # noqa: PLR2004
            continue
        path = literal_of(arguments[0])
        if not path.startswith("/"):
            continue
        first, last = arguments[0].start_point[0] + 1, node.end_point[0] + 1
        handed = {text_of(a).rpartition(".")[2] for a in arguments[1:] if a.type in _NAMES}
        names = called.within(first, last) | handed
        shown = f"{'ANY' if method == 'all' else method.upper()} {path}"
        yield Part(shown, first, last, names, shown, router_of(node))


def _branches(walked: "Walked", called: _Called) -> Iterator[Part]:
    for node in walked.branches:
        for route, first, last in _routes_of(node):
            yield Part(route, first, last, called.within(first, last), route)


def _functions(walked: "Walked", called: _Called) -> Iterator[Part]:
    for function in walked.functions.values():
        if function.name:
            first, last = function.node.start_point[0] + 1, function.node.end_point[0] + 1
            yield Part(function.name, first, last, called.within(first, last))


def _named_calls(walked: "Walked") -> Iterator[tuple["Node", str]]:
    for call in walked.calls:
        is_plain = call.kind == "identifier" or (call.is_method and call.name[:1] != "#")
        if is_plain and call.name:
            yield call.node, call.name


def _routes_of(node: "Node") -> Iterator[tuple[str, int, int]]:
    """The routes of one `if` or `switch` of a Worker without a router, and their lines."""
    if node.type == "if_statement":
        condition, then = (node.child_by_field_name(n) for n in ("condition", "consequence"))
        if condition is not None and then is not None:
            for route in _conditions(text_of(condition)):
                yield route, condition.start_point[0] + 1, then.end_point[0] + 1
    else:
        yield from _cases(node)


def _cases(node: "Node") -> Iterator[tuple[str, int, int]]:
    value, body = node.child_by_field_name("value"), node.child_by_field_name("body")
    if value is None or body is None:
        return
    chosen = text_of(value)[:_LONGEST]
    waiting: list[str] = []
    for case in body.named_children:
        if case.type not in ("switch_case", "switch_default"):
            continue
        first, last = case.start_point[0] + 1, case.end_point[0] + 1
        waiting += _case(case, chosen)
        if case.child_by_field_name("body") is not None:  # else the next one's is done
            yield from ((route, first, last) for route in waiting)
            waiting = []


def _case(case: "Node", chosen: str) -> Iterator[str]:
    value = case.child_by_field_name("value")
    if value is None:
        return
    if chosen.strip("() ") == "true":
        yield from _conditions(text_of(value))
    elif _BY_PATH.search(chosen):
        literal = literal_of(value)
        named = _WITH_METHOD.fullmatch(literal)
        if named:
            yield f"{named[1]} {named[2]}"
        elif literal.startswith("/"):
            yield f"ANY {literal}"


def _conditions(text: str) -> Iterator[str]:
    """The routes that a condition lets in; one that is negated lets in all others."""
    if len(text) > _LONGEST:
        return
    methods = _METHOD.findall(text) or ["ANY"]
    paths = [one or other for one, other in _EQUAL.findall(text)]
    below = (f for f in _BELOW.finditer(text) if not _NEGATED.search(text[: f.start()]))
    paths += [f"{found[1].rstrip('/')}/*" for found in below]
    for path in dict.fromkeys(paths):
        yield from (f"{method.upper()} {path}" for method in dict.fromkeys(methods))
