"""Keeps what was judged of a record by its bytes, so that the same bytes are not judged again.

A verdict is kept under a hash of every file of the record, of this program, and of all else that it
rests on; only a good or an open one, and never where time alone could change it. What other records
can change, a record's place in its chain, is judged every time.
"""

from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from d1_preflight.adapters.own_cache import KeptEntries, program_mark
from d1_preflight.core.record.apply_facts import ChainLink
from d1_preflight.core.record.record import DatabaseRef, Record
from d1_preflight.core.verify.chain import RECORD_SIGNATURE, ClosedRecord, read_closed
from d1_preflight.core.verify.links import InChain, Verification
from d1_preflight.core.verify.problem import Id, Problem, Weight

Files = Mapping[str, bytes]

_T = TypeVar("_T")
_CLOSE = ("migration", "database", "sha256", "closed_at", "end", "reviews")
_CACHE = KeptEntries("d1-preflight record verdicts, 2", "kept", most=5_000, largest=64_000_000)


class KeptVerdicts:
    """The verdicts of earlier runs in a file, and those of this one."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._program = program_mark().encode()
        self._kept = _CACHE.read(file)
        self._used: dict[str, dict[str, Any]] = {}
        self._is_new = False

    def key(self, files: Files) -> str:
        """What these files, judged by this program, are known by."""
        digest = sha256(self._program)
        for name in sorted(files):
            told = name.encode("utf-8", "surrogateescape")
            digest.update(b"\n%d %s %d\n" % (len(told), told, len(files[name])))
            digest.update(files[name])
        return digest.hexdigest()

    def head(self, key: str) -> Record | None:
        """The record without its attempts: what it is of, and by which checklist."""
        return self._get(key, "head", lambda kept: _record(**kept))

    def put_head(self, key: str, record: Record) -> None:
        """Keep what the record of these bytes is of."""
        named = ("name", "id", "environment", "target")
        self._put(key, {
            "head": {
                "migration": record.migration,
                "database": {name: getattr(record.database, name) for name in named},
                "checklist": record.checklist,
                "subjects": dict(record.subjects),
                "schema": record.schema,
            },
        })  # fmt: skip

    def has(self, key: str, rests_on: str) -> bool:
        """Whether a verdict on these bytes rests on the same."""
        return bool(rests_on) and rests_on in self._entry(key)

    def verification(self, key: str, rests_on: str) -> Verification | None:
        """The verdict on these bytes, if it rests on the same; without its chain's."""
        return self._get(key, rests_on, _verification)

    def put_verification(self, key: str, rests_on: str, found: Verification) -> None:
        """Keep a verdict, if it refuses nothing: a refusal is found again every time."""
        if found.in_chain is not None and found.exit_code <= 1:
            head = self._entry(key).get("head")
            self._put(key, {"head": head, rests_on: _written(found, found.in_chain)})

    def closed(self, files: Files) -> ClosedRecord | None:
        """The record's place in its chain; None where it is not closed."""
        if RECORD_SIGNATURE not in files:
            return None
        key = f"closed {self.key(files)}"
        found = self._get(key, "closed", _closed)
        if found is None and (found := read_closed(files)) is not None:
            self._put(key, {"closed": _written_close(found)})
        return found

    def save(self) -> None:
        """Keep what is new; a cache that cannot be written is only slower."""
        if self._is_new:
            before = {key: self._kept[key] for key in self._kept if key not in self._used}
            _CACHE.write(self._file, {**before, **self._used})

    def _entry(self, key: str) -> dict[str, Any]:
        if key not in self._used and isinstance(known := self._kept.get(key), dict):
            self._used[key] = known
        return self._used.get(key, {})

    def _get(self, key: str, name: str, read: Callable[[Any], _T]) -> _T | None:
        try:
            return read(self._entry(key)[name])
        except (LookupError, TypeError, ValueError, AttributeError):
            return None  # it is not there, or damaged

    def _put(self, key: str, entry: dict[str, Any]) -> None:
        self._used[key] = entry
        self._is_new = True


def _record(*, database: dict[str, str], **known: Any) -> Record:
    return Record(database=DatabaseRef(**database), **known)


def _written(found: Verification, in_chain: InChain) -> dict[str, Any]:
    closed = in_chain.closed
    return {
        "problems": [[p.id, p.file, p.words, p.hint, p.weight] for p in found.problems],
        "facts": dict(found.facts),
        "closed": None if closed is None else _written_close(closed),
        "reviews": in_chain.reviews,
    }


def _verification(kept: dict[str, Any]) -> Verification:
    closed = None if kept["closed"] is None else _closed(kept["closed"])
    problems = tuple(
        Problem(Id(name), file, words, hint, Weight(weight))
        for name, file, words, hint, weight in kept["problems"]
    )
    found = Verification(
        problems, dict(kept["facts"]), in_chain=InChain(closed, _frozen(kept["reviews"]))
    )
    if found.exit_code > 1:
        raise ValueError("no refusal is kept")
    return found


def _written_close(closed: ClosedRecord) -> dict[str, Any]:
    own = {name: getattr(closed, name) for name in _CLOSE}
    return {**own, "link": None if closed.link is None else closed.link.written()}


def _closed(kept: dict[str, Any]) -> ClosedRecord:
    link = None if kept["link"] is None else ChainLink.read(_frozen(kept["link"]))
    return ClosedRecord(**{**_frozen(kept), "link": link})


def _frozen(kept: Any) -> Any:
    """What JSON holds, with tuples for its lists."""
    if isinstance(kept, dict):
        return {name: _frozen(value) for name, value in kept.items()}
    return tuple(map(_frozen, kept)) if isinstance(kept, list) else kept
