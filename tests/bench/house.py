"""Prints the plan of the house, drawn from its imports: `python tests/bench/house.py [PACKAGE]`.

A room is a module or a folder directly below the package (default: core); an arrow is an import
from one room into another; a floor is the longest way down from a room.
"""

import ast
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from app_source import APP, nodes_of

ROOT = "d1_preflight"


def modules() -> dict[str, Path]:
    """Every module of the app by its dotted name, a folder's `__init__` by the folder's."""
    found = {}
    for path in sorted(APP.rglob("*.py")):
        parts = path.relative_to(APP).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(path: Path, known: Mapping[str, Path]) -> Iterator[str]:
    """The modules of the app that this one imports, each as often as it is named."""
    for node in nodes_of(path):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(ROOT):
            inner = (node.module or "").removeprefix(ROOT).removeprefix(".")
            for alias in node.names:
                deeper = f"{inner}.{alias.name}".removeprefix(".")
                yield deeper if deeper in known else inner
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith(f"{ROOT}."):
                    yield alias.name.removeprefix(f"{ROOT}.")


def room_of(name: str, package: str) -> str:
    """The room below the package in which a module lies; "" for one outside of it."""
    if not name.startswith(f"{package}."):
        return ""
    return name.removeprefix(f"{package}.").split(".")[0]


def room_graph(package: str) -> dict[str, set[str]]:
    """Which room imports which, within the package."""
    known = modules()
    graph: dict[str, set[str]] = defaultdict(set)
    for name, path in known.items():
        here = room_of(name, package)
        if not here:
            continue
        graph[here] |= set()
        for target in imported(path, known):
            there = room_of(target, package)
            if there and there != here:
                graph[here].add(there)
    return dict(graph)


def circles(graph: Mapping[str, set[str]]) -> list[tuple[str, ...]]:
    """Every circle, as the rooms on it, found from each room once."""
    found: set[tuple[str, ...]] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        if name in trail:
            loop = trail[trail.index(name) :]
            least = loop.index(min(loop))
            found.add(loop[least:] + loop[:least])
            return
        for other in sorted(graph.get(name, ())):
            visit(other, (*trail, name))

    for room in graph:
        visit(room, ())
    return sorted(found)


def floors(graph: Mapping[str, set[str]]) -> dict[str, int]:
    """Each room's floor: 0 imports no other room. Only for a graph without circles."""
    known: dict[str, int] = {}

    def floor(name: str) -> int:
        if name not in known:
            known[name] = 1 + max((floor(other) for other in graph[name]), default=-1)
        return known[name]

    for room in graph:
        floor(room)
    return known


def _longest(kind: type[ast.AST] | tuple[type[ast.AST], ...]) -> tuple[int, str]:
    sizes = []
    for name, path in modules().items():
        for node in nodes_of(path):
            if isinstance(node, kind):
                length = (getattr(node, "end_lineno", 0) or 0) - getattr(node, "lineno", 0) + 1
                sizes.append((length, f"{name}.{getattr(node, 'name', '')}"))
    return max(sizes)


def main() -> None:
    """Print the figures."""
    package = sys.argv[1] if len(sys.argv) > 1 else "core"
    graph, known = room_graph(package), modules()
    loops = circles(graph)
    arrows = sum(len(others) for others in graph.values())
    print(f"{package}: {len(graph)} rooms, {arrows} arrows, {len(loops)} circles")
    for loop in loops:
        print(f"  circle: {' -> '.join(loop)}")
    if not loops:
        levels = floors(graph)
        print(f"  {max(levels.values()) + 1} floors")
        for level in range(max(levels.values()), -1, -1):
            print(f"  {level}: {', '.join(sorted(r for r, at in levels.items() if at == level))}")
    lines = {name: len(path.read_text().splitlines()) for name, path in known.items()}
    folders = Counter(str(path.parent.relative_to(APP)) for path in known.values())
    importers = Counter(
        target for name, path in known.items() for target in set(imported(path, known)) - {name}
    )
    largest = max(lines, key=lambda name: lines[name])
    print(f"app: {len(known)} modules, {sum(lines.values())} lines")
    print(f"  largest module: {lines[largest]} lines, {largest}")
    print(
        "  largest function: {} lines, {}".format(
            *_longest((ast.FunctionDef, ast.AsyncFunctionDef))
        )
    )
    print("  largest class: {} lines, {}".format(*_longest(ast.ClassDef)))
    print(f"  modules with one importer: {sum(count == 1 for count in importers.values())}")
    print(f"  fullest folders: {folders.most_common(4)}")
    core = {folder: count for folder, count in folders.items() if folder.startswith("core")}
    print(f"  files a folder in core: {core}")


if __name__ == "__main__":
    main()
