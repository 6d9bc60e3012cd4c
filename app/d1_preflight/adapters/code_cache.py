"""Keeps what was read of source files in the user's cache, never in the project.

A file of the project could be brought by a pull request, and say that all is well. What cannot be
read or written is only slower.
"""

import json
import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from d1_preflight.adapters.own_cache import table_of_mine, user_cache, write_mine

_MOST_BYTES = 200_000_000
_MOST_RESULTS = 24
_FILES = "files.json"
_READERS = ("code", "core/engine", "core/schema", "core/sql")


class CodeCache:
    """The cache of one repository: what each blob holds, and whole results."""

    def __init__(self, root: Path, folder: Path | None = None) -> None:
        name = sha256(os.fsencode(os.path.realpath(root))).hexdigest()[:16]
        base = folder or user_cache()
        self._folder = base / "code" / name
        self._version = _version()
        self._kept: dict[str, Any] | None = None
        self._used: dict[str, Any] = {}
        self._changed = False

    def get(self, key: str) -> Any:
        """What is kept under a key; None for nothing."""
        if key not in self._used:
            if self._kept is None:
                self._kept = self._load(f"blobs-{self._version}.json")
            if key in self._kept:
                self._used[key] = self._kept[key]
        return self._used.get(key)

    def put(self, key: str, value: Any) -> None:
        """Keep a value that JSON holds, from the next `save` on."""
        self._used[key] = value
        self._changed = True

    def save(self) -> None:
        """Write what was used; what no file of today holds is dropped."""
        if self._changed:
            self._write(f"blobs-{self._version}.json", self._used)
            self._prune("blobs-*.json", 1)

    def result(self, key: str) -> dict[str, Any]:
        """A whole result; empty where none is kept."""
        return self._load(f"result-{self._version}-{key[:32]}.json")

    def keep_result(self, key: str, value: dict[str, Any]) -> None:
        """Keep a whole result."""
        self._write(f"result-{self._version}-{key[:32]}.json", value)
        self._prune("result-*.json", _MOST_RESULTS)

    def files(self) -> dict[str, Any]:
        """What was last seen of the working tree's files."""
        return self._load(_FILES)

    def keep_files(self, known: dict[str, Any]) -> None:
        """Keep what was seen of them."""
        self._write(_FILES, known)

    def _load(self, name: str) -> dict[str, Any]:
        return table_of_mine(self._folder / name, _MOST_BYTES)

    def _write(self, name: str, value: dict[str, Any]) -> None:
        with suppress(OSError, RecursionError):
            write_mine(self._folder / name, json.dumps(value, separators=(",", ":")))

    def _prune(self, pattern: str, most: int) -> None:
        with suppress(OSError):
            found = sorted(
                self._folder.glob(pattern), key=lambda p: p.stat().st_mtime, reverse=True
            )
            for path in found[most:]:
                path.unlink()


def _version() -> str:
    """A digest of the program's own readers: what another version read is read again."""
    app = Path(__file__).resolve().parents[1]
    digest = sha256()
    for folder in _READERS:
        for path in sorted((app / folder).glob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
