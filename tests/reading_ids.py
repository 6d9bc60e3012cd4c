"""Finds, in the source, every string that stands where an id of the checklist or a rule belongs."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app_source import APP, Nodes, nodes_of, walked

PARAMETERS = {"step_id": "step", "rule": "rule", "section": "section", "after": "prompt"}
ATTRIBUTES = {"rule": "rule", "step": "step", "action": "action", "section": "section",
              "id": "step or section"}  # fmt: skip
ANSWERS = frozenset({"answers", "answered"})
COLLECTIONS = frozenset({"frozenset", "set", "tuple", "list", "dict", "sorted"})


@dataclass(frozen=True, slots=True)
class Use:
    """One string in the source that is used as an id of this sort."""

    sort: str
    word: str
    place: str


@dataclass(slots=True)
class Sources:
    """All modules of a source tree: their constants, and which parameters take an id."""

    root: Path
    nodes: dict[str, Nodes] = field(default_factory=dict)
    constants: dict[str, dict[str, ast.expr]] = field(default_factory=dict)
    takers: dict[str, list[tuple[int, str, str]]] = field(default_factory=dict)

    @classmethod
    def read(cls, root: Path) -> "Sources":
        found = cls(root)
        for path in sorted(root.rglob("*.py")):
            name = ".".join(path.relative_to(root).with_suffix("").parts)
            nodes = nodes_of(path) if root == APP else walked(path.read_text())
            found.nodes[name] = nodes
            found.constants[name] = dict(_constants(nodes[0]))
            for taker, place, parameter, sort in _takers(found.nodes[name]):
                key = f"{name}.{taker}" if taker.startswith("_") else taker
                found.takers.setdefault(key, []).append((place, parameter, sort))
        return found

    def uses(self) -> Iterator[Use]:
        for name in self.nodes:
            yield from _Reader(self, name).uses()


def _constants(tree: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                yield from _bound(target, node.value)
        elif isinstance(node, ast.AnnAssign) and node.value and isinstance(node.target, ast.Name):
            yield node.target.id, node.value


def _bound(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    """The names that an assignment, or one turn of a loop, gives to parts of a value."""
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for one, part in zip(target.elts, value.elts, strict=False):
            yield from _bound(one, part)


def _takers(nodes: Nodes) -> Iterator[tuple[str, int, str, str]]:
    """Functions by the parameters that take an id; a dataclass's fields are parameters too."""
    methods = {id(node) for made in nodes if isinstance(made, ast.ClassDef) for node in made.body}
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            named = [*node.args.posonlyargs, *node.args.args]
            named = named[1:] if id(node) in methods and named else named
            pairs = [(one.arg, one.annotation) for one in (*named, *node.args.kwonlyargs)]
            yield from _taking(node.name, pairs)
        elif isinstance(node, ast.ClassDef):
            fields = [one for one in node.body if isinstance(one, ast.AnnAssign)]
            pairs = [(ast.unparse(one.target), one.annotation) for one in fields]
            yield from _taking(node.name, pairs)


def _taking(
    name: str, parameters: list[tuple[str, ast.expr | None]]
) -> Iterator[tuple[str, int, str, str]]:
    for place, (parameter, annotation) in enumerate(parameters):
        is_text = annotation is not None and ast.unparse(annotation) == "str"
        sort = PARAMETERS.get(parameter, "step" if parameter == "step" else "")
        if is_text and sort:
            yield name, place, parameter, sort


class _Reader:
    """One module, with what its names stand for."""

    def __init__(self, sources: Sources, module: str) -> None:
        self._sources, self._module = sources, module
        self._names: Mapping[str, list[ast.expr]] = {}

    def uses(self) -> Iterator[Use]:
        self._names = _meanings(self._sources, self._module)
        for node in self._sources.nodes[self._module]:
            for sort, expression in self._sites(node):
                for word in self._words(expression):
                    yield Use(sort, word, f"{self._module}:{getattr(node, 'lineno', 0)}")

    def _sites(self, node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
        match node:
            case ast.Call():
                yield from self._call(node)
            case ast.Compare(left=left, comparators=others):
                for one, other in ((left, others[0]), (others[0], left)):
                    if isinstance(one, ast.Attribute) and one.attr in ATTRIBUTES:
                        yield ATTRIBUTES[one.attr], other
            case ast.Subscript(value=value, slice=key):
                yield from _looked_up(value, key)
            case ast.ClassDef(body=body):  # the step that a class of facts is the key to
                for made in body:
                    match made:
                        case ast.Assign(targets=[ast.Name(id="step")], value=value):
                            yield "step", value

    def _call(self, node: ast.Call) -> Iterator[tuple[str, ast.expr]]:
        called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        called = node.func.id if isinstance(node.func, ast.Name) else called
        own = f"{self._module}.{called}" if called.startswith("_") else called
        for place, parameter, sort in self._sources.takers.get(own, ()):
            if place < len(node.args):
                yield sort, node.args[place]
            yield from ((sort, k.value) for k in node.keywords if k.arg == parameter)
        if called in ("answer", "Prompt") and node.args:
            yield "made prompt" if called == "Prompt" else "prompt", node.args[0]
        if isinstance(node.func, ast.Attribute) and called == "get" and node.args:
            yield from _looked_up(node.func.value, node.args[0])

    def _words(self, expression: ast.expr, depth: int = 0) -> Iterator[str]:
        match expression:
            case ast.Constant(value=str(word)):
                yield word
            case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts):
                for part in parts:
                    yield from self._words(part, depth)
            case ast.Dict(keys=keys):
                for key in keys:
                    yield from self._words(key, depth) if key else ()
            case ast.Call(func=ast.Name(id=name), args=parts) if name in COLLECTIONS:
                for part in parts:
                    yield from self._words(part, depth)
            case ast.BinOp(left=left, right=right):
                yield from self._words(left, depth)
                yield from self._words(right, depth)
            case ast.IfExp(body=body, orelse=other):
                yield from self._words(body, depth)
                yield from self._words(other, depth)
            case ast.Starred(value=value):
                yield from self._words(value, depth)
            case ast.Name(id=name) if depth < 4:
                for meant in self._names.get(name, ()):
                    yield from self._words(meant, depth + 1)


def _looked_up(value: ast.expr, key: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    """A table that is asked by an id, and answers that are asked by a prompt's key."""
    if isinstance(key, ast.Attribute) and key.attr in ATTRIBUTES:
        yield ATTRIBUTES[key.attr], value
    name = value.attr if isinstance(value, ast.Attribute) else getattr(value, "id", "")
    if name in ANSWERS:
        yield "prompt", key


def _meanings(sources: Sources, module: str) -> Mapping[str, list[ast.expr]]:
    """What the module's names may stand for: its constants, those it imports, and loops' turns."""
    found = {name: [value] for name, value in sources.constants[module].items()}
    for node in sources.nodes[module]:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("d1_preflight."):
            known = sources.constants.get(str(node.module).removeprefix("d1_preflight."), {})
            for alias in node.names:
                if alias.name in known:
                    found.setdefault(alias.asname or alias.name, []).append(known[alias.name])
        elif isinstance(node, ast.For | ast.comprehension):
            turns = [node.iter]
            if isinstance(node.iter, ast.Name):
                turns = found.get(node.iter.id, [])
            for turn in turns:
                for part in getattr(turn, "elts", ()):
                    for name, value in _bound(node.target, part):
                        found.setdefault(name, []).append(value)
    return found
