"""The source of the app, parsed once for all tests that read it."""

import ast
import gc
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

APP = Path(__file__).resolve().parents[1] / "app" / "d1_preflight"
Node = TypeVar("Node", bound=ast.AST)
Nodes = tuple[ast.AST, ...]
CHILDLESS = frozenset({ast.Name, ast.Constant, ast.alias})  # over half of all nodes


def nodes_of(path: Path) -> Nodes:
    """Every node of a module of the app, its tree first."""
    return _whole_app()[path]


def of_kind(path: Path, kind: type[Node]) -> Sequence[Node]:
    """The nodes of a module that are of this kind."""
    return _whole_app_by_kind()[path].get(kind, [])


def tree_of(path: Path) -> ast.Module:
    """A module of the app as a tree."""
    tree = nodes_of(path)[0]
    assert isinstance(tree, ast.Module)
    return tree


def walked(source: str) -> Nodes:
    """Every node of a text, the tree first, as `ast.walk` has them but without load and store."""
    found: list[ast.AST] = [ast.parse(source)]
    for node in found:
        if type(node) in CHILDLESS:
            continue
        for name in node._fields:
            value = getattr(node, name)
            if isinstance(value, list):
                found.extend([each for each in value if isinstance(each, ast.AST)])
            elif isinstance(value, ast.AST) and not isinstance(value, ast.expr_context):
                found.append(value)
    return tuple(found)


@cache
def _whole_app_by_kind() -> Mapping[Path, Mapping[type[ast.AST], list[Any]]]:
    found: dict[Path, dict[type[ast.AST], list[Any]]] = {}
    for path, nodes in _whole_app().items():
        kinds = found[path] = defaultdict(list)
        for node in nodes:
            kinds[type(node)].append(node)
    return found


@cache
def _whole_app() -> Mapping[Path, Nodes]:
    gc.disable()  # else it looks a hundred times at half a million nodes, which all stay
    try:
        return {path: walked(path.read_text()) for path in sorted(APP.rglob("*.py"))}
    finally:
        gc.freeze()
        gc.enable()
