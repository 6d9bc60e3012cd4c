"""Formats one fact of a record: by the unit that its key names, under a name that people use."""

import re
from collections.abc import Iterator, Mapping

from d1_preflight.core.checklist.answers import answer_label
from d1_preflight.core.format import count, duration, loss, short_hash, size
from d1_preflight.core.record.facts import Fact

_MANY = 24
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_LABELS: Mapping[str, str] = {
    "by": "applied by",
    "fits_words": "planned time",
    "frozen": "version at GO",
    "gives_back": "table restore, tried",
    "loss_reason": "reason",
    "ms": "took",
    "new_breaks": "new code breaks",
    "deployed_breaks": "deployed code breaks",
    "nulled": "set to NULL",
    "predicted_ms": "predicted time",
    "read_ms": "reading took",
    "same_values": "same values",
    "sql_ms": "SQL took",
    "takes_ms": "takes",
    "undeclared": "to declare",
    "watch_s": "to watch",
    "watched_s": "watched",
    "way": "rollback path",
    "ways": "rollback paths",
    "whole": "complete",
    "wrangler_ms": "wrangler took",
}
_SAID_ELSEWHERE = frozenset(
    {
        *("counts_before", "counts_after"),  # in the tables
        *("values", "values_before", "values_after"),  # fingerprints
        *("declared_losses", "loss_reason"),  # in the answers
        *("summary_form", "new_breaks_at_home", "digest"),  # for the program alone
        *("looked_boot", "looked_uptime"),  # so is by which clock the wait is measured
    }
)


def label(key: str) -> str:
    """What people call a fact or an answer."""
    return _LABELS.get(key, key.replace("_", " "))


def is_for_people(key: str) -> bool:
    """Whether the report shows the fact; the record and its JSON hold every one."""
    return key not in _SAID_ELSEWHERE


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
        said = ((name, fact_text(name, item)) for name, item in value.items())
        return " · ".join(f"{label(name)}: {text}" for name, text in said if text)
    if many := _numbers(value):
        return f"{count(many)} values"
    texts = [fact_text(key, item) for item in value]
    if any(text.endswith(".") for text in texts):
        return "; ".join(text.removesuffix(".") for text in texts)
    return ", ".join(texts)


def _numbers(value: tuple[Fact, ...]) -> int:
    """How many numbers it holds, packed in strings too, where nobody would read them; else 0."""
    words = [word for item in value if isinstance(item, int | str) for word in str(item).split()]
    is_number = len(words) >= len(value) and all(word.isdigit() for word in words)
    return len(words) if is_number and len(words) > _MANY else 0


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
