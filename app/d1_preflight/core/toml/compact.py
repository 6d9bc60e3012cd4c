"""Writes a document as TOML in few lines: what fits a line stands in one.

The same document gives the same bytes. A table that is too wide for a line gives each of its keys
a line with a dotted name; a list of several items that is too wide gives each item a line.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeGuard

_WIDTH = 240
_quoted = json.JSONEncoder(ensure_ascii=False).encode
_BARE = re.compile(r"[A-Za-z0-9_-]+")

Value = str | int | bool | Sequence["Value"] | Mapping[str, "Value"]


def dumps(document: Mapping[str, Value]) -> str:
    """The document's text; the lists of tables at its top come last, as sections."""
    sections = {key: value for key, value in document.items() if _is_tables(value)}
    lines = [
        line
        for key, value in document.items()
        if key not in sections
        for line in _entry(_key(key), value)
    ]
    text = "".join(f"{line}\n" for line in lines)
    return text + "".join(section(key, item) for key, v in sections.items() for item in _items(v))


def section(key: str, table: Mapping[str, Value]) -> str:
    """One table of a list at the top of a document."""
    lines = (line for name, value in table.items() for line in _entry(_key(name), value))
    return "".join(f"{line}\n" for line in (f"[[{_key(key)}]]", *lines))


def _entry(name: str, value: Value) -> Iterator[str]:
    line = f"{name} = {_inline(value)}"
    if len(line) <= _WIDTH:
        yield line
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _entry(f"{name}.{_key(key)}", item)
    elif _is_list(value) and len(value) > 1:
        yield from (f"{name} = [", *(f"  {_inline(item)}," for item in value), "]")
    else:
        yield line


def _inline(value: Value) -> str:
    if isinstance(value, str):
        # JSON leaves DEL as it is, and TOML forbids it
        return _quoted(value).replace("\x7f", "\\u007f")
    if isinstance(value, int):
        return str(value).lower()
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{_key(key)} = {_inline(item)}" for key, item in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    return f"[{', '.join(map(_inline, value))}]"


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _inline(key)


def _is_list(value: Value) -> TypeGuard[Sequence[Value]]:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _is_tables(value: Value) -> bool:
    return _is_list(value) and bool(value) and all(isinstance(item, Mapping) for item in value)


def _items(value: Value) -> Iterator[Mapping[str, Value]]:
    if _is_list(value):
        yield from (item for item in value if isinstance(item, Mapping))
