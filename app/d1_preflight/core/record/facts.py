"""Reads single facts out of an attempt with their type; what is absent is said as unknown."""

from collections.abc import Mapping

from d1_preflight.core.record.record import Fact, Facts


def text(facts: Facts, key: str) -> str:
    """A fact as text, "" where it is not known."""
    value = facts.get(key, "")
    return value if isinstance(value, str) else str(value)


def number(facts: Facts, key: str) -> int | None:
    """A fact as a whole number, None where it is not known."""
    value = facts.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def flag(facts: Facts, key: str) -> bool | None:
    """A fact as yes or no, None where it is not known."""
    value = facts.get(key)
    return value if isinstance(value, bool) else None


def rows(facts: Facts, key: str) -> tuple[Facts, ...]:
    """A fact that lists tables or other things, each with facts of its own."""
    value: Fact = facts.get(key, ())
    return tuple(v for v in value if isinstance(v, Mapping)) if isinstance(value, tuple) else ()


def words(facts: Facts, key: str) -> tuple[str, ...]:
    """A fact that lists words."""
    value: Fact = facts.get(key, ())
    return tuple(str(v) for v in value) if isinstance(value, tuple) else ()


def group(facts: Facts, key: str) -> Facts:
    """A fact that holds further facts."""
    value = facts.get(key, {})
    return value if isinstance(value, Mapping) else {}


def lost_rows(rehearsed: Facts) -> int:
    """How many rows a rehearsal lost, over all tables."""
    return sum(number(row, "lost") or 0 for row in rows(rehearsed, "tables"))
