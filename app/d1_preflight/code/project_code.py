"""Reads one code of a project: from its roots along the imports to all the queries it holds."""

import posixpath
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from d1_preflight.code.linked import Linked, ground_of
from d1_preflight.code.linking import Linker
from d1_preflight.code.readings import LEFT_OUT, Means, Readings
from d1_preflight.code.routers import RouterPaths
from d1_preflight.code.routes import Place, routes_to
from d1_preflight.code.scripts import is_source
from d1_preflight.code.source import Cache, Scope, SourceTree
from d1_preflight.code.wrapper_names import Renamed, WrapperNames
from d1_preflight.code.wrappers import Query, Wrappers

_MOST_FILES = 20_000
_ROUNDS = 16


Routes = Callable[[Iterable[Place]], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class ProjectCode:
    """One code: its queries, the libraries that hide others, and what was left out, in words.

    `routes` finds those that reach places of it; files are parsed for it only when it is asked.
    """

    name: str
    queries: tuple[Query, ...] = ()
    files: int = 0
    orms: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    left_out: int = 0
    routes: Routes = field(default=lambda _places: (), compare=False)


def read_code(
    tree: SourceTree, scope: Scope, cache: Cache, means: Means | None = None
) -> ProjectCode:
    """Read a tree's code; nothing of it is executed."""
    return _Reading(tree, scope, Readings(tree, cache, scope.wrappers, means or Means())).code()


class _Reading:
    """One reading of one tree."""

    def __init__(self, tree: SourceTree, scope: Scope, files: Readings) -> None:
        self._tree = tree
        self._scope = scope
        self._files = files
        self._reached: dict[str, frozenset[str]] = {}
        self._notes: list[str] = list(tree.notes)
        self._linked = Linked(ground_of(tree, files.means.grounds), tree.blobs)
        self._specifiers = self._linked.ground.specifiers

    def code(self) -> ProjectCode:
        paths = self._reachable()
        files = self._files
        linker = Linker(files, self._specifiers.find, files.text, files.returned)
        names = WrapperNames(linker, self._imports, self._renames(paths))
        wrappers = Wrappers(linker, self._linked, self._scope.wrappers, names)
        for path in paths:
            if files.scans[path].sql:
                wrappers.add_sinks(path, files[path].sinks)
        for _ in range(_ROUNDS):
            wanted, own = wrappers.names(), wrappers.own()
            wrappers.add_named(wanted, files.named(paths, wanted, own) if wanted or own else {})
            if wrappers.is_done:
                break
        orms = Counter(name for path in paths for name in files.scans[path].orms)
        problems = [(p, files.problem(p)) for p in paths]
        notes = [f"{path} {problem}" for path, problem in problems if problem]
        return ProjectCode(
            self._tree.name,
            wrappers.queries(),
            len(paths),
            dict(orms),
            tuple(dict.fromkeys((*self._notes, *notes))),
            sum(problem.endswith(LEFT_OUT) for _, problem in problems)
            + sum(note.endswith(LEFT_OUT) for note in dict.fromkeys(self._notes)),
            partial(self._routes, paths),
        )

    def _renames(self, paths: Sequence[str]) -> Mapping[str, Sequence[Renamed]]:
        """What files import or export under another name, by the name that it had."""
        found: dict[str, list[Renamed]] = {}
        for path in paths:
            for name, local, specifier in self._files.scans[path].renames:
                found.setdefault(name, []).append((path, local, specifier))
        return found

    def _routes(self, paths: Sequence[str], places: Iterable[Place]) -> tuple[str, ...]:
        importers: dict[str, list[str]] = {}
        for path in paths:
            for other in self._files_reached(path) - {path}:
                importers.setdefault(other, []).append(path)

        def around(path: str) -> Iterable[str]:
            return importers.get(path, ())

        known = RouterPaths(self._files.routers, around, self._specifiers.find)
        return routes_to(places, self._files.parts, around, known.prefixes)

    def _imports(self, path: str, other: str) -> bool:
        """Whether a file imports another, itself or through one that exports it on."""
        return other in self._files_reached(path)

    def _files_reached(self, path: str) -> frozenset[str]:
        """The files that a file imports, and those that they import."""
        if path not in self._reached:
            targets = {self._specifiers.find(path, one) for one in self._files.scan(path).imports}
            for target in filter(is_source, tuple(targets)):
                through = self._files.scan(target).imports
                targets |= {self._specifiers.find(target, one) for one in through}
            self._reached[path] = frozenset(targets - {""})
        return self._reached[path]

    def _reachable(self) -> list[str]:
        """The source files from the roots along the imports, else those below the folder."""
        roots = list(self._roots())
        seen: dict[str, None] = dict.fromkeys(roots)
        level = roots
        while level and len(seen) <= _MOST_FILES:
            self._files.look(level)
            following = dict.fromkeys(t for path in level for t in self._targets(path))
            level = [t for t in following if t not in seen and not self._scope.excludes(t)]
            seen |= dict.fromkeys(level)
        if level:
            self._notes.append(f"more than {_MOST_FILES:,} files: the rest is {LEFT_OUT}")
        return [path for path in seen if path in self._files.scans]

    def _targets(self, path: str) -> Iterator[str]:
        found = self._files.scans[path]
        for specifier in found.imports:
            target = self._specifiers.find(path, specifier)
            if target and is_source(target):
                yield target
            elif not target and specifier.startswith("."):
                if self._is_missing(path, specifier):
                    self._notes.append(f"{path} imports {specifier}, no file here: {LEFT_OUT}")
            elif not target:
                folder = self._specifiers.package_folder(specifier)
                yield from self._below(folder) if folder is not None else ()
        if found.whole_folder:
            yield from self._below(self._scope.folder)

    def _is_missing(self, path: str, specifier: str) -> bool:
        """Whether a file's import leads to no code here, and the tree did not say why."""
        named = posixpath.normpath(posixpath.join(posixpath.dirname(path), specifier))
        is_said = any(note.startswith(named) for note in self._tree.notes)
        return not is_said and self._specifiers.is_missing(path, specifier)

    def _roots(self) -> Iterator[str]:
        base = self._scope.folder
        if self._scope.roots:
            for root in self._scope.roots:
                path = posixpath.normpath(posixpath.join(base, root))
                found = list(self._below("" if path == "." else path))
                if not found:
                    self._notes.append(f"code.roots: {root} holds no source file")
                yield from found
            return
        main = self._scope.main
        target = (
            self._specifiers.find(posixpath.join(base, "wrangler"), f"./{main}") if main else ""
        )
        if target and is_source(target):
            yield target
        else:
            yield from self._below(base)

    def _below(self, folder: str) -> Iterator[str]:
        for path in self._tree.blobs:
            inside = not folder or path == folder or path.startswith(f"{folder}/")
            if inside and is_source(path) and not self._scope.excludes(path):
                yield path
