"""The house: arrows only fall, one door, no god class, and every room says what it is for."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

APP = Path(__file__).resolve().parents[1] / "app" / "d1_preflight"
MODULES = sorted(APP.rglob("*.py"))
NAMES = {path: ".".join(path.relative_to(APP).with_suffix("").parts) for path in MODULES}

# Which rooms a room may look into; the last match by prefix counts.
MAY_IMPORT = {
    "core": {"core"},
    "adapters": {"core", "adapters"},
    "practice": {"core", "practice"},
    "actions": {"core", "actions"},
    "session": {"core", "actions"},
    "report": {"core", "report"},
    "lint": {"core", "lint"},
    "tui": {"core", "report", "tui"},
    "plain": {"core", "session", "report", "plain"},
    "board": {"core", "session", "actions"},
    "commands": {
        "core", "actions", "session", "report", "lint", "plain", "tui", "board", "wiring",
        "adapters", "practice", "commands",
    },
    "wiring": {"core", "actions", "session", "board", "adapters", "practice"},
    "cli": {"core", "commands"},
    "__init__": set(),
    "__main__": {"cli"},
}  # fmt: skip
ONLY_IN = {
    "textual": ("tui",),
    "questionary": ("plain",),
    "subprocess": ("adapters",),
    "httpx": ("adapters",),
}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def room(name: str) -> str:
    return name.split(".", maxsplit=1)[0]


@pytest.mark.parametrize("path", MODULES, ids=NAMES.values())
def test_arrows_only_fall(path: Path) -> None:
    allowed = MAY_IMPORT[room(NAMES[path])]
    for target in imports(path):
        if not target.startswith("d1_preflight."):
            continue
        inner = target.removeprefix("d1_preflight.")
        fits = any(inner == a or inner.startswith(f"{a}.") for a in allowed)
        assert fits or inner == "__version__", f"{NAMES[path]} must not import {inner}"


@pytest.mark.parametrize("path", MODULES, ids=NAMES.values())
def test_what_touches_the_world_stays_in_its_room(path: Path) -> None:
    for target in imports(path):
        rooms = ONLY_IN.get(target.split(".")[0])
        assert rooms is None or room(NAMES[path]) in rooms, f"{NAMES[path]} imports {target}"


def test_the_core_imports_only_what_it_may() -> None:
    allowed = {"d1_preflight", "sqlglot", "apsw", "tomli_w", *sys.stdlib_module_names}
    for path in (APP / "core").rglob("*.py"):
        foreign = {target.split(".")[0] for target in imports(path)} - allowed
        assert not foreign, f"{path.name} imports {foreign}"


def test_no_circle() -> None:
    graph = {
        name: {
            other
            for target in imports(path)
            for other in NAMES.values()
            if (other != name and target.removeprefix("d1_preflight.").startswith((f"{other}.",)))
            or target == f"d1_preflight.{other}"
        }
        for path, name in NAMES.items()
    }
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, f"circle: {' -> '.join((*trail, name))}"
        if name not in done:
            for other in graph.get(name, set()) - {name}:
                visit(other, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("path", MODULES, ids=NAMES.values())
def test_rooms_stay_small(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    assert len(text.splitlines()) <= 400, f"{NAMES[path]} has grown two reasons to change?"
    for function in functions(tree):
        length = (function.end_lineno or 0) - function.lineno + 1
        assert length <= 40, f"{NAMES[path]}.{function.name} has {length} lines"
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= 240, f"{NAMES[path]}.{node.name} has {length} lines"


@pytest.mark.parametrize("path", MODULES, ids=NAMES.values())
def test_every_room_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text())), f"{NAMES[path]} has no docstring"


def test_no_room_is_called_by_a_word_that_means_nothing() -> None:
    banned = {"utils", "util", "helpers", "helper", "manager", "common", "misc"}
    assert not [name for name in NAMES.values() if set(name.split(".")) & banned]


@pytest.mark.parametrize("path", MODULES, ids=NAMES.values())
def test_no_shell_no_swallowed_error_and_no_stray_print(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.keyword) and node.arg == "shell":
            pytest.fail(f"{NAMES[path]} passes shell=")
        if isinstance(node, ast.ExceptHandler) and len(node.body) == 1:
            broad = isinstance(node.type, ast.Name) and node.type.id == "Exception"
            assert not (broad and isinstance(node.body[0], ast.Pass)), NAMES[path]
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print":
            assert room(NAMES[path]) in {"cli", "commands", "plain", "practice"}, NAMES[path]
