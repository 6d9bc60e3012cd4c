"""The routes of a Worker without a router: `switch (pathname)` and `if (url.pathname === "/x")`."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from d1_preflight.code.declarations import text_of
from d1_preflight.code.routers import literal_of

if TYPE_CHECKING:
    from tree_sitter import Node

Branch = tuple[str, int, int]
"""A route and its lines."""

_LONGEST = 1000
_PATH = r"(?:\bpathname|\bpath)\)?"
_TEXT = r"""["'`](/[^"'`$]*)["'`]"""
_EQUAL = re.compile(rf"{_PATH}\s*===?\s*{_TEXT}|{_TEXT}\s*===?\s*[\w$.]*{_PATH}")
_BELOW = re.compile(rf"(?<!!){_PATH}\.startsWith\(\s*{_TEXT}\s*\)")
_NEGATED = re.compile(r"!\s*[\w$.]*$")
_METHOD = re.compile(r"""\bmethod\s*===?\s*["']([A-Za-z]+)["']""")
_BY_PATH = re.compile(rf"{_PATH}(?:\}}`|\b)")
_WITH_METHOD = re.compile(r"([A-Z]+)\s*:?\s*(/.*)")


def branches_of(node: "Node") -> Iterator[Branch]:
    """The routes of one `if` or `switch`."""
    if node.type == "if_statement":
        condition, then = (node.child_by_field_name(n) for n in ("condition", "consequence"))
        if condition is not None and then is not None:
            for route in _conditions(text_of(condition)):
                yield route, condition.start_point[0] + 1, then.end_point[0] + 1
    else:
        yield from _cases(node)


def _cases(node: "Node") -> Iterator[Branch]:
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
