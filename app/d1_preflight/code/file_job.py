"""What is read of one source file, as JSON holds it: here, or in a process of its own.

A job is plain bytes, and so is its answer: a process that reads hostile files is believed nothing
but JSON.
"""

import gc
import json
import sys
from collections.abc import Callable, Collection, Sequence
from enum import StrEnum
from typing import IO, Any

from d1_preflight.code.extraction import Extraction, extract
from d1_preflight.code.facts import FileFacts, Named
from d1_preflight.code.kept import to_json
from d1_preflight.code.routers import FileRouters, routers_of
from d1_preflight.code.routes import Parts, parts_of
from d1_preflight.code.scan import Scan, scan
from d1_preflight.code.walking import grammar

_LENGTH = 4


class Kind(StrEnum):
    """What is read: a file's facts and routes behind its scan, or its calls of names."""

    LOOK = "look"
    CALLS = "calls"


def look(path: str, data: bytes, tags: Sequence[str]) -> dict[str, Any]:
    """The scan of a file; where it can hold SQL, its facts and routes too."""
    seen = scan(data)
    found: dict[str, Any] = {"scan": to_json(Scan, seen)}
    if seen.sql:
        parsed = extract(path, data)
        if isinstance(parsed, str):
            return {**found, "facts": to_json(FileFacts, FileFacts(problem=parsed))}
        found |= {"facts": to_json(FileFacts, parsed.facts(tags)), **routes(parsed)}
        likely = sorted(parsed.likely_names() | parsed.handed())
        found["likely"] = {"names": likely, "named": calls(parsed, frozenset(likely))}
    return found


def routes(found: Extraction) -> dict[str, Any]:
    """The routes, functions and routers of a parsed file."""
    return {
        "parts": to_json(Parts, parts_of(found.walked)),
        "routers": to_json(FileRouters, routers_of(found.walked)),
    }


def calls(found: Extraction, names: Collection[str]) -> Any:
    """The calls of functions with one of these names in a parsed file, and these as values."""
    return to_json(Named, found.calls(names))


def job(kind: Kind, path: str, given: Sequence[str], data: bytes) -> bytes:
    """A job for a process; `given` are tags of templates that are SQL, or names of functions."""
    return json.dumps([kind, path, list(given)]).encode() + b"\n" + data


def answer(asked: bytes) -> bytes:
    """The answer to a job; empty where the file cannot be read."""
    head, _, data = asked.partition(b"\n")
    kind, path, given = json.loads(head)
    if kind == Kind.LOOK:
        found = look(path, data, given)
    else:
        parsed = extract(path, data)
        found = to_json(Named, ((), ())) if isinstance(parsed, str) else calls(parsed, given)
    return json.dumps(found, separators=(",", ":")).encode()


def serve_with(answered: Callable[[bytes], bytes], asked: IO[bytes], answers: IO[bytes]) -> None:
    """Answer one job after the other, each behind its length, until there are no more.

    An answer of no length comes first: the reader is up.
    """
    answers.write(bytes(_LENGTH))
    answers.flush()
    while len(head := asked.read(_LENGTH)) == _LENGTH:
        found = answered(asked.read(int.from_bytes(head, "big")))
        answers.write(len(found).to_bytes(_LENGTH, "big") + found)
        answers.flush()


def main() -> None:
    """Serve the process that started this one."""
    gc.set_threshold(50_000, 20, 50)
    grammar("typescript")  # most files need it, and none has come yet
    serve_with(answer, sys.stdin.buffer, sys.stdout.buffer)
