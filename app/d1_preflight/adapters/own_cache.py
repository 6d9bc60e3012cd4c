"""What the program keeps in the user's own cache: read and written as this user's alone.

A file that a pull request, another user or a CI cache could have brought is not read.
"""

import json
import os
import stat
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import d1_preflight
from d1_preflight.lazy_dataclass import dataclass

_NAME = "d1-preflight"
_OURS = (".py", ".toml")


def user_cache() -> Path:
    """The folder for what can be fetched or worked out again: XDG's, or macOS's own."""
    if (said := os.environ.get("XDG_CACHE_HOME", "")).strip():
        return Path(said) / _NAME
    return Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache") / _NAME


def bytes_of_mine(file: Path, largest: int) -> bytes:
    """The file's bytes; raises OSError where it, or its folder, is not this user's alone."""
    _require_mine(file.parent.stat(), stat.S_IWGRP | stat.S_IWOTH)
    handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as open_file:
        known = os.fstat(open_file.fileno())
        _require_mine(known, stat.S_IRWXG | stat.S_IRWXO)  # git never makes a file like that
        if not stat.S_ISREG(known.st_mode) or known.st_size > largest:
            raise OSError("it is not a file of preflight")
        return open_file.read(largest)


def table_of_mine(file: Path, largest: int) -> dict[str, Any]:
    """The JSON table in a file of this user's; empty where there is none that may be believed."""
    try:
        found = json.loads(bytes_of_mine(file, largest))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True)
class KeptEntries:
    """A form of cache file: entries by key under one name, the newest `most` of them."""

    form: str
    name: str
    most: int
    largest: int

    def read(self, file: Path) -> dict[str, Any]:
        """What the cache holds by key.

        Nothing where it is damaged, of another form, or others could have written it.
        """
        found = table_of_mine(file, self.largest)
        entries = found.get(self.name) if found.get("form") == self.form else None
        return entries if isinstance(entries, dict) else {}

    def write(self, file: Path, entries: Mapping[str, object]) -> None:
        """Keep these, the last as the newest; a cache that cannot be written is only slower."""
        newest = dict(list(entries.items())[-self.most :])
        with suppress(OSError, ValueError):
            text = json.dumps({"form": self.form, self.name: newest}, separators=(",", ":"))
            if len(text) <= self.largest:
                write_mine(file, text)


def _require_mine(known: os.stat_result, never: int) -> None:
    if known.st_uid != os.getuid() or known.st_mode & never:
        raise OSError("it is not private to this user")


def write_mine(file: Path, text: str) -> None:
    """Put a whole file in its place, which no other user can read; raises OSError."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    other = file.with_name(f".{os.getpid()}-{file.name}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(other, flags, 0o600), "w", encoding="utf-8") as open_file:
            open_file.write(text)
        other.replace(file)
    except OSError:
        other.unlink(missing_ok=True)
        raise


@cache
def program_mark() -> str:
    """A hash of which files this program is, by their times and sizes: another one judges anew."""
    from d1_preflight.core.checklist.definitions import checklists_dir

    package, shipped = Path(d1_preflight.__file__).parent, checklists_dir()
    places = [Path(folder) for folder, _, _ in os.walk(package)]
    found = [d1_preflight.__version__, sys.version]
    for place in (*places, shipped, shipped / "shipped"):
        with os.scandir(place) as entries:
            files = sorted(
                (entry.path, entry.stat()) for entry in entries if entry.name.endswith(_OURS)
            )
        found += [f"{n} {s.st_size} {s.st_mtime_ns} {s.st_ctime_ns}" for n, s in files]
    return sha256("\n".join(found).encode("utf-8", "surrogateescape")).hexdigest()
