"""Wrangler's file patterns: which paths below the migrations folder are migrations.

Wrangler matches with minimatch: case counts, `*` and `**` take no name that begins with a dot,
`**` crosses folders only where it is a whole part. Forms that are rare and easy to get wrong
(`@(a|b)`, `!x`, `{1..3}`, `[a-z]`) are refused: a guess could hide a migration.
"""

import posixpath
import re
from collections.abc import Iterator, Sequence
from typing import Self

from d1_preflight.lazy_dataclass import dataclass

_MANY = "**"
_REFUSED = re.compile(r"[!?*+@]\(|^[!#]|\.\.(?=[^/{}]*\})|[\[\]]")


@dataclass(frozen=True, slots=True)
class Glob:
    """A pattern, its alternatives spelt out, each split at the slashes."""

    pattern: str
    alternatives: tuple[tuple[str, ...], ...]

    @classmethod
    def parse(cls, pattern: str) -> Self:
        """Read a pattern; raises ValueError for a form that is not understood."""
        refused = _REFUSED.search(pattern)
        if refused or pattern.count("{") != pattern.count("}"):
            form = refused[0] if refused else "an unmatched brace"
            raise ValueError(f"preflight does not understand the pattern's {form}")
        expanded = tuple(tuple(text.split("/")) for text in _alternatives(pattern))
        return cls(pattern, expanded)

    def matches(self, path: str) -> bool:
        """Whether a relative path with forward slashes is meant."""
        parts = path.split("/")
        return any(_match(parts, pattern) for pattern in self.alternatives)

    def may_hold(self, folder: str) -> bool:
        """Whether something below this folder could match."""
        parts = folder.split("/")
        return any(_match(parts, pattern, partial=True) for pattern in self.alternatives)


def normal_path(path: str) -> str:
    """A relative path as wrangler normalises it: forward slashes, no `./`, no final slash."""
    return posixpath.normpath(path.replace("\\", "/"))


def _alternatives(pattern: str) -> Iterator[str]:
    found = re.search(r"\{([^{}]*,[^{}]*)\}", pattern)
    if found is None:
        yield pattern
        return
    for choice in found[1].split(","):
        yield from _alternatives(pattern[: found.start()] + choice + pattern[found.end() :])


def _match(parts: Sequence[str], pattern: Sequence[str], *, partial: bool = False) -> bool:
    """Match part by part; `partial` asks only whether what stands here could go on to match."""
    if not parts:
        return partial or not pattern
    if not pattern:
        return False
    first, rest = pattern[0], pattern[1:]
    if first != _MANY:
        return _part(first, parts[0]) and _match(parts[1:], rest, partial=partial)
    if not rest:
        return not any(part.startswith(".") for part in parts)
    if _match(parts, rest, partial=partial):
        return True
    return not parts[0].startswith(".") and _match(parts[1:], pattern, partial=partial)


def _part(pattern: str, name: str) -> bool:
    if name.startswith(".") and not pattern.startswith("."):
        return False
    expression = "".join(_WILD.get(letter, re.escape(letter)) for letter in pattern)
    return bool(name) and re.fullmatch(expression, name, re.DOTALL) is not None


_WILD = {"*": ".*", "?": "."}
