"""Reads the files of one tree, each when it is asked for: from the cache, here, or beside.

What is read of a file is kept by the id of its bytes. Many files at once are read in processes
beside this one, where there are any.
"""

import json
import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from d1_preflight.code import file_job
from d1_preflight.code.expression import Expression
from d1_preflight.code.extraction import Extraction, extract
from d1_preflight.code.facts import FileFacts, Named
from d1_preflight.code.file_job import Kind
from d1_preflight.code.kept import from_json, to_json
from d1_preflight.code.linked import Ground
from d1_preflight.code.routers import FileRouters
from d1_preflight.code.routes import Part, Parts
from d1_preflight.code.scan import Scan, scan
from d1_preflight.code.scripts import MOST_BYTES, is_source
from d1_preflight.code.source import MANY, Beside, Cache, SourceTree

LEFT_OUT = "left out"
_SOME = 25
"""How many files are worth processes that have been started."""

_NOTHING: Mapping[str, Sequence[str]] = {}

_Returned = Expression | None
Parsed = dict[tuple[str, str], Extraction | str]
"""The parsed files of several trees, by path and blob."""


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Means:
    """With what the files of several trees are read: none is parsed once it `is_late`.

    What is `parsed`, and what is `known`, `scanned` or `called` of a file by its key, is not read
    again; the `likely` calls of wrappers come with its first look. Many are read `beside`.
    """

    is_late: Callable[[], bool] = _never
    parsed: Parsed = field(default_factory=dict)
    known: dict[str, FileFacts] = field(default_factory=dict)
    scanned: dict[str, Scan] = field(default_factory=dict)
    called: dict[str, Named] = field(default_factory=dict)
    grounds: list[Ground] = field(default_factory=list)
    likely: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    beside: Beside | None = None


class Readings(Mapping[str, FileFacts]):
    """The facts of every file of a tree by path, and what else is read of it."""

    def __init__(
        self, tree: SourceTree, cache: Cache, wrappers: Sequence[str], means: Means
    ) -> None:
        self.scans: dict[str, Scan] = {}
        self._tree = tree
        self._cache = cache
        self._wrappers = ",".join(wrappers)
        self._tags = [name.rpartition(".")[2] for name in wrappers]
        self.means = means
        self._facts: dict[str, FileFacts | None] = {}
        self._bytes: dict[str, bytes] = {}
        self._parts: dict[str, tuple[Part, ...]] = {}
        self._routers: dict[str, FileRouters] = {}

    def __getitem__(self, path: str) -> FileFacts:
        """The facts of a file; KeyError for no source of this tree."""
        if path not in self._facts:
            self._facts[path] = self._read_facts(path)
        found = self._facts[path]
        if found is None:
            raise KeyError(path)
        return found

    def __iter__(self) -> Iterator[str]:
        """The files that were read."""
        return iter(self._facts)

    def __len__(self) -> int:
        """How many they are."""
        return len(self._facts)

    def scan(self, path: str) -> Scan:
        """The quick look at a file."""
        if path not in self.scans:
            self.look([path])
        return self.scans.get(path, Scan())

    def look(self, paths: Iterable[str]) -> None:
        """Scan files, all that are new in one reading."""
        unknown: list[str] = []
        for path in paths:
            known = self._known_scan(self._tree.blobs[path])
            if known is None:
                unknown.append(path)
            else:
                self.scans[path] = known
        self._bytes |= self._tree.read(unknown)
        self._ask_beside(Kind.LOOK, [p for p in unknown if p in self._bytes])
        for path in unknown:
            if path in self.scans:
                continue
            if path in self._bytes:
                self._take_scan(path, to_json(Scan, scan(self._bytes[path])))
            else:
                why = f"could not be read, or is larger than {MOST_BYTES:,} bytes"
                self.scans[path] = Scan(problem=f"{why}: {LEFT_OUT}")

    def _known_scan(self, blob: str) -> Scan | None:
        if blob not in self.means.scanned:
            kept = self._cache.get(f"scan:{blob}")
            if kept is None:
                return None
            self.means.scanned[blob] = from_json(Scan, kept)
        return self.means.scanned[blob]

    def problem(self, path: str) -> str:
        """Why a file, or a part of it, was not read; "" where it was."""
        facts = self.get(path) if self.scans[path].sql else None
        return self.scans[path].problem or (facts.problem if facts else "")

    def named(
        self, paths: Sequence[str], names: frozenset[str], own: Mapping[str, frozenset[str]]
    ) -> dict[str, Named]:
        """Where functions with one of these names are called or used as values, by file.

        `own` are names that only one file knows, by that file.
        """
        given: dict[str, list[str]] = {}
        for path in paths:
            seen = self.scans[path]
            here = (names & seen.called) | (names & seen.handed) | own.get(path, frozenset())
            if here:
                given[path] = sorted(here)
        called = self.means.called
        keys = {p: f"{self._key('calls', p)}:{_digest(given[p])}" for p in given}
        fresh = [path for path in given if keys[path] not in called]
        for path in fresh:
            self._take_likely(path, given[path], keys[path])
        unread = [path for path in fresh if self._cache.get(keys[path]) is None]
        for path, found in self._ask_beside(Kind.CALLS, unread, given).items():
            self._cache.put(keys[path], found)
        for path in fresh:
            kept = self._cache.get(keys[path])
            if kept is None:
                extraction = self._extraction(path)
                if isinstance(extraction, str):
                    continue
                kept = file_job.calls(extraction, given[path])
                self._cache.put(keys[path], kept)
            called[keys[path]] = from_json(Named, kept)
        return {path: called[keys[path]] for path in given if keys[path] in called}

    def returned(self, path: str, function: str) -> Expression | None:
        """What a function of a file returns; None where that is no text."""
        key = f"{self._key('returned', path)}:{function}"
        kept = self._cache.get(key)
        if kept is None:
            extraction = self._extraction(path)
            if isinstance(extraction, str):
                return None
            kept = [to_json(_Returned, extraction.returned(function))]
            self._cache.put(key, kept)
        found: Expression | None = from_json(_Returned, kept[0])
        return found

    def parts(self, path: str) -> tuple[Part, ...]:
        """The routes and functions of a file."""
        if path not in self._parts:
            self._parts[path] = from_json(Parts, self._routes(path).get("parts", ()))
        return self._parts[path]

    def routers(self, path: str) -> FileRouters:
        """The routers of a file."""
        if path not in self._routers:
            raw = self._routes(path).get("routers")
            self._routers[path] = from_json(FileRouters, raw) if raw else FileRouters()
        return self._routers[path]

    def text(self, path: str) -> str:
        """The text of a file."""
        return (self._data(path) or b"").decode("utf-8", "replace")

    def _routes(self, path: str) -> Mapping[str, Any]:
        key = self._key("routes", path)
        kept = self._cache.get(key)
        if kept is None:
            extraction = self._extraction(path)
            if isinstance(extraction, str):
                return {}
            kept = file_job.routes(extraction)
            self._cache.put(key, kept)
        return kept if isinstance(kept, dict) else {}

    def _read_facts(self, path: str) -> FileFacts | None:
        if path not in self._tree.blobs or not is_source(path):
            return None
        key = self._facts_key(path)
        if key not in self.means.known:
            kept = self._cache.get(key)
            if kept is None:
                return self._new_facts(path, key)
            self.means.known[key] = from_json(FileFacts, kept)
        return self.means.known[key]

    def _new_facts(self, path: str, key: str) -> FileFacts:
        found = self._extraction(path)
        if isinstance(found, str):
            return FileFacts(problem=found)
        self.means.known[key] = found.facts(self._tags)
        self._cache.put(key, to_json(FileFacts, self.means.known[key]))
        return self.means.known[key]

    def _extraction(self, path: str) -> Extraction | str:
        key = (path, self._tree.blobs[path])
        if key not in self.means.parsed:
            data = self._data(path)
            if data is None or self.means.is_late():
                reason = "is unreadable" if data is None else "was not reached in time"
                return f"{reason}: {LEFT_OUT}"
            self.means.parsed[key] = extract(path, data)
        return self.means.parsed[key]

    def _data(self, path: str) -> bytes | None:
        if path not in self._bytes:
            self._bytes.update(self._tree.read([path]))
        return self._bytes.get(path)

    def _key(self, kind: str, path: str) -> str:
        return f"{kind}:{self._tree.blobs[path]}:{posixpath.splitext(path)[1]}"

    def _facts_key(self, path: str) -> str:
        return f"{self._key('facts', path)}:{self._wrappers}"

    def _take_scan(self, path: str, raw: list[Any]) -> None:
        self.scans[path] = from_json(Scan, raw)
        self._cache.put(f"scan:{self._tree.blobs[path]}", raw)

    def _ask_beside(
        self, kind: Kind, paths: Sequence[str], given: Mapping[str, Sequence[str]] = _NOTHING
    ) -> dict[str, Any]:
        """What processes beside this one read; nothing where there are none, or too few files."""
        beside = self.means.beside
        if beside is None or len(paths) < (_SOME if beside.is_running else MANY):
            return {}
        sent = [path for path in paths if self._data(path) is not None]
        jobs = (
            file_job.job(kind, path, given.get(path, self._tags), self._bytes[path])
            for path in sent
        )
        answers: dict[str, Any] = {}
        for number, answer in beside.answers(jobs, self.means.is_late):
            path = sent[number]
            if answer is None:
                self.means.parsed[path, self._tree.blobs[path]] = f"ended its reader: {LEFT_OUT}"
            else:
                answers[path] = json.loads(answer)
                if kind is Kind.LOOK:
                    self._take_look(path, answers[path])
        return answers

    def _take_likely(self, path: str, names: Sequence[str], key: str) -> None:
        """Keep the calls of these names that came with the first look, where all of them did."""
        found = self.means.likely.get(self._key("likely", path))
        if found is not None and {*names} <= {*found["names"]}:
            meant = [[one for one in listed if one[0] in names] for listed in found["named"]]
            self._cache.put(key, meant)

    def _take_look(self, path: str, found: Mapping[str, Any]) -> None:
        self._take_scan(path, found["scan"])
        facts = from_json(FileFacts, found["facts"]) if "facts" in found else None
        if facts is not None:
            self._facts[path] = facts
        if facts is not None and "parts" in found:
            self.means.known[self._facts_key(path)] = facts
            self.means.likely[self._key("likely", path)] = found["likely"]
            self._cache.put(self._facts_key(path), found["facts"])
            routes = {"parts": found["parts"], "routers": found["routers"]}
            self._cache.put(self._key("routes", path), routes)


def _digest(names: Sequence[str]) -> str:
    return sha256("\0".join(names).encode()).hexdigest()[:16]
