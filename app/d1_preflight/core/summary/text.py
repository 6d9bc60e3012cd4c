"""The words of a summary: one line each, bounded, without what would drive a terminal."""

from collections.abc import Iterable

from d1_preflight.core.format import clean

_LONGEST = 200
_STEPS = {
    "applied": "apply",
    "way_back": "rollback plan",
    "errors": "error rate",
    "go": "GO",
    "rows": "row check",
    "schema": "schema check",
}


def sentence(text: str) -> str:
    """One cleaned line of bounded length."""
    line = " ".join(clean(text).split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 2].rstrip()} …"


def joined(parts: Iterable[str], most: int) -> str:
    """The first parts, and how many more there are."""
    found = list(parts)
    more = [f"{len(found) - most} more"] if len(found) > most else []
    return "; ".join([sentence(part) for part in found[:most]] + more)


def step_name(step: str) -> str:
    """A step by its id in words: a project may word its own checklist as it likes."""
    return sentence(_STEPS.get(step, step.replace("_", " ")))
