"""Finds, by a file's bytes alone, the names that it uses otherwise than by calling them.

One too many only costs a parse; where a function is handed on, its file must not be missed.
"""

import re
from collections.abc import Iterable, Iterator

_PROPERTY = re.compile(
    rb"\.([A-Za-z_$#][\w$]*)"
    rb"(?=[ \t]*(?:[,;)\]}|&?:\r\n]|as\b|satisfies\b|!(?!=)|\.(?:bind|call|apply)\b|$))"
)
_TAKEN = tuple(
    re.compile(word + rb"\s*\{([^{}]{1,4000})\}\s*=")  # its letters are looked for at once
    for word in (rb"const", rb"let", rb"var")
)
_KEY = re.compile(rb"(?:^|[,{])\s*([A-Za-z_$#][\w$]*)\s*(?=[,:=]|$)")
_IN_BRACKETS = re.compile(rb"\[\s*[\"']([\w$]+)[\"']\s*\]")
_CLAUSE = re.compile(rb"import\b\s*([^{}()=;'\"]{0,300})(?:\{([^{}]{1,20000})\})?\s*from\b")
_REQUIRED = re.compile(rb"=\s*(?:await\s+)?(?:import|require)\s*\(")
_LAST = re.compile(rb"[\w$]+$")
_LONGEST, _LONGEST_NAME = 4_000, 100
_ALIASED = re.compile(rb"[\w$]+\s+as\s+|[\w$]+\s*:\s*|\btype\s+[\w$]+(?:\s+as\s+[\w$]+)?")
_NAME = re.compile(rb"[A-Za-z_$][\w$]*")
_BYTES = frozenset(
    bytes([c]) for c in b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_$0123456789"
)
_SPACE = frozenset(b" \t\r\n")
_CALLED = frozenset(b"(<")


def handed(data: bytes) -> frozenset[str]:
    """The imported names and the properties that stand somewhere as values."""
    found = {name for name in _imported(data) if _count(data, name, 2) > 1}
    found.update(_PROPERTY.findall(data))
    found.update(_IN_BRACKETS.findall(data))
    for taken in (part for pattern in _TAKEN for part in pattern.findall(data)):
        found.update(_KEY.findall(taken))
    return frozenset(name.decode() for name in found)


def used_as_values(data: bytes, names: Iterable[str]) -> frozenset[str]:
    """Those of the names of a file's own functions that stand somewhere as values."""
    return frozenset(name for name in names if _count(data, name.encode(), 1))


def _imported(data: bytes) -> Iterator[bytes]:
    """The names that a file's imports bring."""
    seen: set[bytes] = set()
    for others, listed in _CLAUSE.findall(data):
        seen.update(_NAME.findall(others))
        seen.update(_NAME.findall(_ALIASED.sub(b"", listed)))
    may_require = b"import(" in data or b"require(" in data
    for match in _REQUIRED.finditer(data) if may_require else ():
        seen.update(_kept_in(data[max(0, match.start() - _LONGEST) : match.start()].rstrip()))
    yield from seen - {b"type", b"as"}


def _kept_in(before: bytes) -> Iterator[bytes]:
    """The names that are given what stands behind."""
    if before.endswith(b"}"):
        listed = before[before.rfind(b"{") + 1 : -1]
        yield from _NAME.findall(_ALIASED.sub(b"", listed))
    else:
        yield from _LAST.findall(before[-_LONGEST_NAME:])


def _count(data: bytes, name: bytes, most: int) -> int:
    """How often a name stands where it is not called and given no value, as far as `most`."""
    found, at = 0, data.find(name)
    while at >= 0 and found < most:
        end = at + len(name)
        is_whole = data[end : end + 1] not in _BYTES and data[at - 1 : at] not in _BYTES
        if is_whole and not _is_called_or_set(data, end):
            found += 1
        at = data.find(name, end)
    return found


def _is_called_or_set(data: bytes, end: int) -> bool:
    while end < len(data) and data[end] in _SPACE:
        end += 1
    behind = data[end : end + 2]
    if behind[:1] == b"=":
        return behind[1:] not in (b"=", b">")
    return bool(behind) and behind[0] in _CALLED
