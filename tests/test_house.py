"""The house: arrows only fall, one door, no god class, and every room says what it is for."""

import ast
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from app_source import APP, Nodes, nodes_of, of_kind, tree_of, walked
from bench.house import circles, floors, room_graph

MODULES = sorted(APP.rglob("*.py"))
NAMES = {path: ".".join(path.relative_to(APP).with_suffix("").parts) for path in MODULES}

# Which rooms a room may look into; the last match by prefix counts.
MAY_IMPORT = {
    "core": {"core"},
    "disk": {"core"},
    "lazy_dataclass": set(),
    "adapters": {"core", "disk", "adapters"},
    "practice": {"core", "practice"},
    "actions": {"core", "disk", "actions"},
    "session": {"core", "actions"},
    "unattended": {"core", "actions", "session"},
    "report": {"core", "report"},
    "code": {"core", "code"},
    "deploy_order": {"core", "code", "adapters"},
    "lint": {"core", "code", "lint"},
    "tui": {"core", "session", "unattended", "board", "report", "tui"},
    "plain": {"core", "session", "unattended", "report", "plain"},
    "board": {"board", "core", "session", "actions", "project_context"},
    "commands": {
        "core", "actions", "session", "report", "lint", "plain", "tui", "board", "project_context",
        "adapters", "practice", "disk", "commands", "code", "deploy_order",
    },
    "project_context": {
        "core", "actions", "session", "adapters", "practice", "deploy_order",
    },
    "cli": {"core", "commands"},
    "__init__": set(),
    "__main__": {"cli"},
}  # fmt: skip
_LAZY = ("Field", "dataclass", "declared", "field", "fields", "replace")
EVERYWHERE = ("__version__", *(f"lazy_dataclass.{name}" for name in _LAZY))
ONLY_IN = {
    "textual": ("tui",),
    "questionary": ("plain",),
    "tree_sitter": ("code",),
    "tree_sitter_javascript": ("code",),
    "tree_sitter_typescript": ("code",),
    "subprocess": ("adapters",),
}
WORLD = ("adapters", "practice")  # processes, browsers and sockets
WORLDLY = frozenset({
    "subprocess", "multiprocessing", "concurrent.futures.ProcessPoolExecutor",
    "concurrent.futures.process", "asyncio.subprocess", "asyncio.create_subprocess_exec",
    "asyncio.create_subprocess_shell", "asyncio.open_connection", "asyncio.start_server",
    "asyncio.open_unix_connection", "asyncio.start_unix_server", "webbrowser", "antigravity", "pty",
    "posix", "_posixsubprocess", "ctypes", "socket", "socketserver", "ssl", "select", "selectors",
    "http", "urllib.request", "ftplib", "smtplib", "poplib", "imaplib", "telnetlib", "xmlrpc",
    "httpx", "requests", "aiohttp", "os.system", "os.popen", "os.startfile",
})  # fmt: skip
STARTS = re.compile(r"os\.(exec|spawn|posix_spawn|fork)[a-z]*")
METHODS = frozenset({  # of an event loop, and of Textual's App, which opens a browser by itself
    "subprocess_exec", "subprocess_shell", "create_connection", "create_server",
    "create_datagram_endpoint", "open_url",
})  # fmt: skip
ENTRIES = ("cli", "__main__")


@cache
def imports(path: Path) -> tuple[str, ...]:
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[str]:
    for taken in of_kind(path, ast.ImportFrom):
        if taken.module:
            yield from (f"{taken.module}.{alias.name}" for alias in taken.names)
    for whole in of_kind(path, ast.Import):
        yield from (alias.name for alias in whole.names)


def room(name: str) -> str:
    return name.split(".", maxsplit=1)[0]


def each_module(check: Callable[[Path], None]) -> Callable[[], None]:
    """One test over all modules: a test for each would cost more than what it checks."""

    def over_all() -> None:
        for path in MODULES:
            check(path)

    return over_all


@each_module
def test_arrows_only_fall(path: Path) -> None:
    allowed = MAY_IMPORT[room(NAMES[path])]
    for target in imports(path):
        if not target.startswith("d1_preflight."):
            continue
        inner = target.removeprefix("d1_preflight.")
        fits = any(inner == a or inner.startswith(f"{a}.") for a in allowed)
        assert fits or inner in EVERYWHERE, f"{NAMES[path]} must not import {inner}"


@each_module
def test_what_touches_the_world_stays_in_its_room(path: Path) -> None:
    for target in imports(path):
        rooms = ONLY_IN.get(target.split(".")[0])
        assert rooms is None or room(NAMES[path]) in rooms, f"{NAMES[path]} imports {target}"


def test_the_page_about_the_house_names_every_room() -> None:
    page = (APP / "README.md").read_text()
    rooms = {r for r in MAY_IMPORT if not r.startswith("__")} | set(room_graph("core"))

    assert {r for r in rooms if not re.search(rf"`{r}(/|\.py)?`", page)} == set()
    assert len(page.splitlines()) <= 120


@each_module
def test_faces_read_the_session_and_never_its_tools(path: Path) -> None:
    attributes = of_kind(path, ast.Attribute)
    if room(NAMES[path]) in ("tui", "plain"):
        assert [n.lineno for n in attributes if n.attr == "tools"] == [], NAMES[path]


def worldly(nodes: Nodes) -> Iterator[str]:
    """What a module takes of processes, browsers and sockets, by import or by a dotted name."""
    names = {"asyncio": "asyncio", "os": "os", "importlib": "importlib", "urllib": "urllib"}
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.asname: alias.name for alias in node.names if alias.asname}
            yield from (alias.name for alias in node.names if _is_worldly(alias.name))
        elif isinstance(node, ast.ImportFrom) and not node.level:
            full = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name for name in full if _is_worldly(name))
    for node in nodes:
        if isinstance(node, ast.Attribute):
            first, _, rest = dotted(node).partition(".")
            name = f"{names.get(first, first)}.{rest}"
            if _is_worldly(name) or node.attr in METHODS:
                yield name
        elif isinstance(node, ast.Call):
            yield from _loaded(node)


def dotted(node: ast.expr) -> str:
    """The name as it is written, such as `os.path.join`; "?" for what is no name."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def _loaded(call: ast.Call) -> Iterator[str]:
    """A module that is loaded by name and is not one of our own."""
    name = dotted(call.func).rpartition(".")[2]
    if name in ("import_module", "__import__"):
        words = [n.value for n in ast.walk(call) if isinstance(n, ast.Constant)]
        if not str(next(iter(words), "")).startswith("d1_preflight."):
            yield name


def _is_worldly(name: str) -> bool:
    parts = name.split(".")
    known = any(".".join(parts[:n]) in WORLDLY for n in range(1, len(parts) + 1))
    return known or STARTS.fullmatch(name) is not None


@each_module
def test_processes_browsers_and_sockets_stay_with_the_adapters(path: Path) -> None:
    if room(NAMES[path]) not in WORLD:
        found = sorted(set(worldly(nodes_of(path))))
        assert not found, f"{NAMES[path]} uses {found}: hand it in as a port"


@pytest.mark.parametrize(
    "source",
    [
        "import webbrowser",
        "import urllib.request as web",
        "from urllib import request",
        "from os import execv",
        "import os\nos.system('ls')",
        "import os as o\no.posix_spawn('ls', [], {})",
        "import asyncio\nasyncio.create_subprocess_exec('ls')",
        "from asyncio import create_subprocess_shell",
        "from asyncio import subprocess",
        "from http.client import HTTPConnection",
        "import concurrent.futures as c\nc.ProcessPoolExecutor()",
        "import importlib\nimportlib.import_module('subprocess')",
        "__import__('socket')",
        "def f(app): app.open_url('https://example.com')",
        "def f(loop): loop.create_connection(None)",
        "import pty",
    ],
)
def test_each_door_to_the_world_is_seen(source: str) -> None:
    assert list(worldly(walked(source)))


def test_every_room_is_reached_from_the_door() -> None:
    by_name = {name.removesuffix(".__init__"): path for path, name in NAMES.items()}
    reached, ways = set[str](), list(ENTRIES)
    while ways:
        name = ways.pop()
        if name in by_name and name not in reached:
            reached.add(name)
            ways += called_by_name(by_name[name])
            for target in imports(by_name[name]):
                inner = target.removeprefix("d1_preflight.")
                ways += [inner, inner.rpartition(".")[0]]
    rooms = {name for name, path in by_name.items() if path.name != "__init__.py"}
    assert not rooms - reached, "imported by tests alone, or by nobody"


def called_by_name(path: Path) -> Iterator[str]:
    """The commands, which the command line imports by their names."""
    if path.name == "cli.py":
        for node in nodes_of(path):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value.removeprefix("d1_preflight.")
                yield f"commands.{node.value}"


def test_the_core_imports_only_what_it_may() -> None:
    allowed = {"d1_preflight", "sqlglot", "apsw", "tomli_w", *sys.stdlib_module_names}
    for path in (APP / "core").rglob("*.py"):
        foreign = {target.split(".")[0] for target in imports(path)} - allowed
        assert not foreign, f"{path.name} imports {foreign}"


FILE_METHODS = frozenset({
    "absolute", "chmod", "copy", "copyfile", "exists", "expanduser", "fsync", "glob", "is_dir",
    "is_file", "iterdir", "lstat", "mkdir", "open", "read_bytes", "read_text", "readlink",
    "rename", "resolve", "rglob", "rmdir", "samefile", "stat", "symlink_to", "touch", "unlink",
    "walk", "write_bytes", "write_text",
})  # fmt: skip
FILE_MODULES = ("io", "shutil", "tempfile", "sqlite3", "mmap", "fcntl", "glob", "d1_preflight.disk")
# What ships with the package is found and read here: the definitions, which are its own text.
READS_DEFINITIONS = {"core.checklist.definitions": {"is_file", "read_text", "resolve"}}


def file_access(nodes: Nodes) -> Iterator[str]:
    """What a module does with files: by import, by a method of a path, by opening a database."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.startswith(FILE_MODULES))
        elif isinstance(node, ast.ImportFrom) and node.module:
            full = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (n for n in full if n.startswith(FILE_MODULES) or _is_os_call(n))
        elif isinstance(node, ast.Call):
            name = called(node)
            text = dotted(node.func)
            of_a_path = name in FILE_METHODS and len(node.args) < 2  # ours take two and more
            if text == "open" or _is_os_call(text) or of_a_path:
                yield name
            elif name == "Connection" and ast.unparse(node.args[0]) != "':memory:'":
                yield text
            elif name in ("execute", "executemany") and "ATTACH" in ast.unparse(node).upper():
                yield "ATTACH"


def _is_os_call(name: str) -> bool:
    return name.startswith("os.") and not name.startswith("os.path.norm")


@each_module
def test_the_core_touches_no_file(path: Path) -> None:
    if room(NAMES[path]) == "core":
        found = set(file_access(nodes_of(path)))
        assert found == READS_DEFINITIONS.get(NAMES[path], set()), f"{NAMES[path]}: hand it in"


@pytest.mark.parametrize(
    "source",
    [
        "open('x')",
        "import os\nos.unlink('x')",
        "from os import fsync",
        "import shutil",
        "from tempfile import mkdtemp",
        "path.read_text()",
        "Path('x').open('w')",
        "apsw.Connection(path)",
        "apsw.Connection(':memory:').execute('ATTACH ? AS x', (path,))",
        "from d1_preflight.disk import writing",
    ],
)
def test_each_way_to_a_file_is_seen(source: str) -> None:
    assert list(file_access(walked(source)))


def _modules(target: str) -> Iterator[str]:
    """The modules that an import may mean: the name itself, and what it is taken from."""
    while target:
        yield target
        target = target.rpartition(".")[0]


def test_no_circle() -> None:
    known = set(NAMES.values())
    graph = {
        name: {
            inner
            for target in imports(path)
            for inner in _modules(target.removeprefix("d1_preflight."))
            if inner in known and target.startswith("d1_preflight.")
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


def test_the_core_is_rooms_that_a_stranger_takes_in() -> None:
    folders = Counter(path.parent for path in MODULES if "core" in path.relative_to(APP).parts)
    assert {f.name: n for f, n in folders.items() if n > 12} == {}
    graph = room_graph("core")
    assert circles(graph) == []
    assert len(graph) <= 22
    assert max(floors(graph).values()) < 7


@each_module
def test_rooms_stay_small(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400, (
        f"{NAMES[path]} has grown two reasons to change?"
    )
    functions: list[ast.FunctionDef | ast.AsyncFunctionDef] = []
    functions += of_kind(path, ast.FunctionDef)
    functions += of_kind(path, ast.AsyncFunctionDef)
    for function in functions:
        length = (function.end_lineno or 0) - function.lineno + 1
        assert length <= 40, f"{NAMES[path]}.{function.name} has {length} lines"
    for node in of_kind(path, ast.ClassDef):
        length = (node.end_lineno or 0) - node.lineno + 1
        assert length <= 240, f"{NAMES[path]}.{node.name} has {length} lines"


@each_module
def test_every_room_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(tree_of(path)), f"{NAMES[path]} has no docstring"


def test_no_room_is_called_by_a_word_that_means_nothing() -> None:
    banned = {"utils", "util", "helpers", "helper", "manager", "common", "misc"}
    assert not [name for name in NAMES.values() if set(name.split(".")) & banned]


@each_module
def test_no_shell_no_swallowed_error_and_no_stray_print(path: Path) -> None:
    assert not [n for n in of_kind(path, ast.keyword) if n.arg == "shell"], NAMES[path]
    for handler in of_kind(path, ast.ExceptHandler):
        if len(handler.body) == 1:
            broad = isinstance(handler.type, ast.Name) and handler.type.id == "Exception"
            assert not (broad and isinstance(handler.body[0], ast.Pass)), NAMES[path]
    for call in of_kind(path, ast.Call):
        if getattr(call.func, "id", "") == "print":
            assert room(NAMES[path]) in {"cli", "commands", "plain", "practice"}, NAMES[path]


STARTERS = {
    "ask", "ask_bounded", "converse", "launch", "run", "Popen", "Command", "program_outside",
    "on_path",
}  # fmt: skip


def names_git(call: ast.Call) -> bool:
    """Whether one of the words of a call is the program git, alone or first in a tuple."""
    words = [*call.args, *(keyword.value for keyword in call.keywords)]
    words += [w.elts[0] for w in words if isinstance(w, ast.Tuple | ast.List) and w.elts]
    values = [word.value for word in words if isinstance(word, ast.Constant)]
    return any(isinstance(v, str) and v.rpartition("/")[2] == "git" for v in values)


def called(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def test_git_is_started_through_one_door() -> None:
    doors = {
        NAMES[path]
        for path in MODULES
        for node in of_kind(path, ast.Call)
        if called(node) in STARTERS and names_git(node)
    }
    assert doors == {"adapters.git.door"}


def test_no_command_line_begins_with_git_elsewhere() -> None:
    for path in MODULES:
        lists: list[ast.Tuple | ast.List] = []
        lists += of_kind(path, ast.Tuple)
        lists += of_kind(path, ast.List)
        for node in lists:
            if len(node.elts) > 1:
                words = [e.value for e in node.elts if isinstance(e, ast.Constant)]
                is_pair = isinstance(node.elts[1], ast.Name)  # a title and what looks at it
                assert is_pair or words[:1] != ["git"] or NAMES[path] == "adapters.git.door", NAMES[
                    path
                ]


# Whoever prints all that a record holds, whatever it is, may know facts without their types.
MAY_KNOW_RAW_FACTS = ("core.record.", "report.", "plain.text")


def facts_by_string(nodes: Nodes) -> Iterator[str]:
    """Where a fact is read or written by its key instead of through its step's type."""
    for node in nodes:
        if isinstance(node, ast.Subscript) and _holds_facts(node.value):
            yield ast.unparse(node)
        elif isinstance(node, ast.Compare) and _is_text(node.left):
            yield from (ast.unparse(node) for other in node.comparators if _holds_facts(other))
        elif isinstance(node, ast.Call) and called(node) in ("get", "pop", "setdefault"):
            function = node.func
            if isinstance(function, ast.Attribute) and _holds_facts(function.value):
                yield ast.unparse(node)
        elif isinstance(node, ast.Call) and called(node) in ("Outcome", "Attempt"):
            named = (keyword.value for keyword in node.keywords if keyword.arg == "facts")
            values = [*node.args, *named]
            tables = (v for v in values if isinstance(v, ast.Dict) and any(map(_is_text, v.keys)))
            yield from (ast.unparse(table) for table in tables)


def _holds_facts(node: ast.expr) -> bool:
    if isinstance(node, ast.BoolOp):
        return any(map(_holds_facts, node.values))
    written = isinstance(node, ast.Call) and called(node) == "written"
    return written or (isinstance(node, ast.Attribute) and node.attr in ("facts", "extra"))


def _is_text(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


@each_module
def test_a_fact_is_read_through_the_type_of_its_step(path: Path) -> None:
    name = NAMES[path]
    if not name.startswith("core.record."):
        assert list(facts_by_string(nodes_of(path))) == [], name
    if not name.startswith(MAY_KNOW_RAW_FACTS):
        ours = (t for t in imports(path) if t.startswith("d1_preflight.core.record."))
        raw = {"Fact", "Facts", "load_facts"} & {target.rpartition(".")[2] for target in ours}
        assert not raw, f"{name} knows {raw}"


# The verifier compares a signed plan with the record, key by key; the cache of verdicts keeps a
# record's link as the record has it.
MAY_WRITE_FACTS = ("core.record.", "core.verify.signatures", "adapters.kept_verdicts")


@each_module
def test_facts_are_written_in_one_place(path: Path) -> None:
    calls = of_kind(path, ast.Call)
    assert NAMES[path].startswith(MAY_WRITE_FACTS) or "written" not in map(called, calls)


@pytest.mark.parametrize(
    "source",
    [
        "attempt.facts['schema']",
        "attempt.facts.get('schema', '')",
        "(attempt.facts or {}).get('schema')",
        "'half_way' in attempt.facts",
        "work.facts(CopyFacts).written()['schema']",
        "copied.extra.get('newer')",
        "Outcome(Status.PROVED, 'words', {'end': 'it stands'})",
        "Outcome(Status.PROVED, 'words', facts={'end': 'it stands'})",
    ],
)
def test_each_way_to_a_fact_by_string_is_seen(source: str) -> None:
    assert list(facts_by_string(walked(source)))
