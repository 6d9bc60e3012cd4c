"""Formats one fact of a record by the unit that its key names."""

import re
from collections.abc import Iterator, Mapping

from d1_preflight.core.checklist.answers import answer_label
from d1_preflight.core.format import count, duration, loss, short_hash, size
from d1_preflight.core.record.facts import Fact

_MANY = 24
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def fact_text(key: str, value: Fact) -> str:
    """One fact for people."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return _number(key, value)
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        return f"{value[:10]} {value[11:19]} UTC"
    if isinstance(value, str):
        return short_hash(value) if key == "sha256" else answer_label(key, value)
    if isinstance(value, Mapping):
        return " · ".join(f"{name}: {fact_text(name, item)}" for name, item in value.items())
    if len(value) > _MANY and all(isinstance(item, int) for item in value):
        return f"{count(len(value))} values"
    return ", ".join(fact_text(key, item) for item in value)


def single_values(facts: Mapping[str, Fact]) -> Iterator[tuple[str, str]]:
    """The single facts of a step under their names, as they are: to be copied, not to be read."""
    for key, value in facts.items():
        name = key.replace("_", " ")
        if isinstance(value, Mapping):
            yield from ((f"{name}, {inner}", text) for inner, text in single_values(value))
        elif isinstance(value, tuple):
            yield name, ", ".join(str(one) for one in value if not isinstance(one, Mapping))
        elif not isinstance(value, bool):
            yield name, str(value)


def _number(key: str, value: int) -> str:
    if key == "ms" or key.endswith("_ms"):
        return duration(value)
    if key == "bytes":
        return size(value)
    if key.endswith("_s"):
        return duration(value * 1000)
    if key in {"lost", "nulled"}:
        return loss(value)
    return str(value) if key in {"ledger_id", "id", "line", "number", "status"} else count(value)
