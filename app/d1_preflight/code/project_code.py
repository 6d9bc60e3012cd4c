"""Reads one code of a project: from its roots along the imports to all the queries it holds."""

import posixpath
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256

from d1_preflight.code.expression import Expression, dump, load
from d1_preflight.code.extraction import Extraction, extract
from d1_preflight.code.facts import Call, FileFacts
from d1_preflight.code.imports import Specifiers
from d1_preflight.code.linking import Linker
from d1_preflight.code.routers import FileRouters, RouterPaths, routers_of
from d1_preflight.code.routes import Part, Place, parts_of, routes_to
from d1_preflight.code.scan import Scan, scan
from d1_preflight.code.scope import Scope
from d1_preflight.code.scripts import config_paths, is_source
from d1_preflight.code.source import Cache, SourceTree
from d1_preflight.code.wrappers import Query, Wrappers

_MOST_FILES = 20_000
_ROUNDS = 8
_LEFT_OUT = "left out"


Routes = Callable[[Iterable[Place]], tuple[str, ...]]


def _no_routes(places: Iterable[Place]) -> tuple[str, ...]:
    del places
    return ()


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
    routes: Routes = field(default=_no_routes, compare=False)


Parsed = dict[tuple[str, str], Extraction | str]
"""The parsed files of several trees, by path and blob."""


def read_code(
    tree: SourceTree,
    scope: Scope,
    cache: Cache,
    is_late: Callable[[], bool] = lambda: False,
    parsed: Parsed | None = None,
) -> ProjectCode:
    """Read a tree's code; nothing of it is executed, and nothing parsed once it `is_late`.

    What another tree has `parsed` is not parsed again.
    """
    return _Reading(tree, scope, cache, is_late, {} if parsed is None else parsed).code()


class _Reading:
    """One reading of one tree."""

    def __init__(
        self,
        tree: SourceTree,
        scope: Scope,
        cache: Cache,
        is_late: Callable[[], bool],
        parsed: Parsed,
    ) -> None:
        self._is_late = is_late
        self._tree = tree
        self._scope = scope
        self._cache = cache
        self._scans: dict[str, Scan] = {}
        self._parsed = parsed
        self._reached: dict[str, frozenset[str]] = {}
        self._bytes: dict[str, bytes] = {}
        self._notes: list[str] = list(tree.notes)
        self._known_parts: dict[str, tuple[Part, ...]] = {}
        self._known_routers: dict[str, FileRouters] = {}
        configs = tree.read(config_paths(tree.blobs))
        self._specifiers = Specifiers.of(frozenset(tree.blobs), configs)
        self._facts = _Facts(self)

    def code(self) -> ProjectCode:
        paths = self._reachable()
        linker = Linker(self._facts, self._specifiers.find, self._text, self._returned)
        wrappers = Wrappers(linker, self._scope.wrappers, self._imports)
        for path in paths:
            if self._scans[path].sql:
                wrappers.add_sinks(path, self._facts[path].sinks)
        for _ in range(_ROUNDS):
            names = wrappers.names()
            if not names:
                break
            wrappers.add_calls(names, self._calls(paths, names))
        orms = Counter(name for path in paths for name in self._scans[path].orms)
        problems = [(p, self._problem(p)) for p in paths]
        notes = [f"{path} {problem}" for path, problem in problems if problem]
        return ProjectCode(
            self._tree.name,
            wrappers.queries(),
            len(paths),
            dict(orms),
            tuple(dict.fromkeys((*self._notes, *notes))),
            sum(problem.endswith(_LEFT_OUT) for _, problem in problems)
            + sum(note.endswith(_LEFT_OUT) for note in self._tree.notes),
            partial(self._routes, paths),
        )

    def _parts(self, path: str) -> tuple[Part, ...]:
        """The routes and functions of a file."""
        if path not in self._known_parts:
            found = self._extraction(path)
            self._known_parts[path] = () if isinstance(found, str) else parts_of(found.walked)
        return self._known_parts[path]

    def _routes(self, paths: Sequence[str], places: Iterable[Place]) -> tuple[str, ...]:
        importers: dict[str, list[str]] = {}
        for path in paths:
            for other in self._files_reached(path) - {path}:
                importers.setdefault(other, []).append(path)

        def around(path: str) -> Iterable[str]:
            return importers.get(path, ())

        known = RouterPaths(self._routers, around, self._specifiers.find)
        return routes_to(places, self._parts, around, known.prefixes)

    def _routers(self, path: str) -> FileRouters:
        if path not in self._known_routers:
            found = self._extraction(path)
            known = FileRouters() if isinstance(found, str) else routers_of(found.walked)
            self._known_routers[path] = known
        return self._known_routers[path]

    def facts(self, path: str) -> FileFacts | None:
        """What a file holds, parsed now or read before; None for no source of this tree."""
        blob = self._tree.blobs.get(path)
        if blob is None or not is_source(path):
            return None
        suffix = posixpath.splitext(path)[1]
        key = f"facts:{blob}:{suffix}:{','.join(self._scope.wrappers)}"
        kept = self._cache.get(key)
        if kept is not None:
            return FileFacts.from_json(kept)
        found = self._extraction(path)
        tags = {name.rpartition(".")[2] for name in self._scope.wrappers}
        if isinstance(found, str):
            return FileFacts(problem=found)
        facts = found.facts(tags)
        self._cache.put(key, facts.to_json())
        return facts

    def _returned(self, path: str, function: str) -> Expression | None:
        key = f"returned:{self._tree.blobs[path]}:{posixpath.splitext(path)[1]}:{function}"
        kept = self._cache.get(key)
        if kept is None:
            extraction = self._extraction(path)
            if isinstance(extraction, str):
                return None
            found = extraction.returned(function)
            kept = [dump(found)] if found is not None else []
            self._cache.put(key, kept)
        return load(kept[0]) if kept else None

    def _extraction(self, path: str) -> Extraction | str:
        key = (path, self._tree.blobs[path])
        if key not in self._parsed:
            data = self._data(path)
            if data is None or self._is_late():
                reason = "is unreadable" if data is None else "was not reached in time"
                return f"{reason}: {_LEFT_OUT}"
            self._parsed[key] = extract(path, data)
        return self._parsed[key]

    def _calls(self, paths: Sequence[str], names: frozenset[str]) -> dict[str, tuple[Call, ...]]:
        digest = sha256("\0".join(sorted(names)).encode()).hexdigest()[:16]
        found: dict[str, tuple[Call, ...]] = {}
        for path in paths:
            called = names & self._scans[path].called
            if called:
                suffix = posixpath.splitext(path)[1]
                key = f"calls:{self._tree.blobs[path]}:{suffix}:{digest}"
                kept = self._cache.get(key)
                if kept is None:
                    extraction = self._extraction(path)
                    if isinstance(extraction, str):
                        continue
                    kept = [_dumped(call) for call in extraction.calls(called)]
                    self._cache.put(key, kept)
                found[path] = tuple(map(_loaded, kept))
        return found

    def _problem(self, path: str) -> str:
        facts = self._facts.get(path) if self._scans[path].sql else None
        return self._scans[path].problem or (facts.problem if facts else "")

    def _imports(self, path: str, other: str) -> bool:
        """Whether a file imports another, itself or through one that exports it on."""
        return other in self._files_reached(path)

    def _files_reached(self, path: str) -> frozenset[str]:
        """The files that a file imports, and those that they import."""
        if path not in self._reached:
            targets = {self._specifiers.find(path, one) for one in self._scan(path).imports}
            for target in filter(is_source, tuple(targets)):
                through = self._scan(target).imports
                targets |= {self._specifiers.find(target, one) for one in through}
            self._reached[path] = frozenset(targets - {""})
        return self._reached[path]

    def _text(self, path: str) -> str:
        return (self._data(path) or b"").decode("utf-8", "replace")

    def _data(self, path: str) -> bytes | None:
        if path not in self._bytes:
            self._bytes.update(self._tree.read([path]))
        return self._bytes.get(path)

    def _scan(self, path: str) -> Scan:
        if path not in self._scans:
            self._look([path])
        return self._scans.get(path, Scan())

    def _look(self, paths: Iterable[str]) -> None:
        """Scan files, all that are new in one reading."""
        unknown: list[str] = []
        for path in paths:
            kept = self._cache.get(f"scan:{self._tree.blobs[path]}")
            if kept is None:
                unknown.append(path)
            else:
                self._scans[path] = Scan.from_json(kept)
        read = self._tree.read(unknown)
        for path in unknown:
            if path in read:
                self._bytes[path] = read[path]
                self._scans[path] = scan(read[path])
                self._cache.put(f"scan:{self._tree.blobs[path]}", self._scans[path].to_json())
            else:
                self._scans[path] = Scan(problem="could not be read: left out")

    def _reachable(self) -> list[str]:
        """The source files from the roots along the imports, else those below the folder."""
        roots = list(self._roots())
        seen: dict[str, None] = dict.fromkeys(roots)
        level = roots
        while level and len(seen) <= _MOST_FILES:
            self._look(level)
            following = dict.fromkeys(t for path in level for t in self._targets(path))
            level = [t for t in following if t not in seen and not self._scope.excludes(t)]
            seen |= dict.fromkeys(level)
        if level:
            self._notes.append(f"more than {_MOST_FILES:,} files: the rest was not read")
        return [path for path in seen if path in self._scans]

    def _targets(self, path: str) -> Iterator[str]:
        found = self._scans[path]
        for specifier in found.imports:
            target = self._specifiers.find(path, specifier)
            if target and is_source(target):
                yield target
            elif not target and not specifier.startswith("."):
                folder = self._specifiers.package_folder(specifier)
                yield from self._below(folder) if folder is not None else ()
        if found.whole_folder:
            yield from self._below(self._scope.folder)

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


class _Facts(Mapping[str, FileFacts]):
    """The facts of every file of a tree, each read when it is asked for."""

    def __init__(self, reading: _Reading) -> None:
        self._reading = reading
        self._known: dict[str, FileFacts | None] = {}

    def __getitem__(self, path: str) -> FileFacts:
        if path not in self._known:
            self._known[path] = self._reading.facts(path)
        found = self._known[path]
        if found is None:
            raise KeyError(path)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


def _dumped(call: Call) -> list[object]:
    target = dump(call.target) if call.target is not None else None
    return [call.name, target, [dump(a) for a in call.arguments], call.line, call.function]


def _loaded(raw: Sequence[object]) -> Call:
    name, target, arguments, line, function = raw
    return Call(
        str(name),
        load(target) if isinstance(target, list) else None,
        tuple(load(a) for a in arguments) if isinstance(arguments, list) else (),
        int(str(line)),
        str(function),
    )
