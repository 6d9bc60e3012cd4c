"""A new migration's text: its name, its header, and the empty down migration."""

import re
from collections.abc import Iterable
from datetime import datetime

from d1_preflight.core.errors import UsageError
from d1_preflight.core.findings import Kind
from d1_preflight.core.project.migration import leading_number
from d1_preflight.core.project.naming import HOUSE, Convention, judged_part, split_number

_RULE = f"-- {'=' * 76}"
_TYPES = {
    Kind.ADDITIVE: ("Additive (low risk)", "Not required (what is new and unused is harmless)"),
    Kind.TRANSFORMATIVE: ("Transformative (medium risk)", "See the down migration"),
    Kind.DESTRUCTIVE: ("Destructive (high risk)", "Restore from backup; see the down migration"),
}
_LAST = 9999
_LEAST_WORDS = 2


def next_number(names: Iterable[str]) -> int:
    """One more than the highest number in use."""
    return max(_numbers(names), default=0) + 1


def migration_name(
    words: str, taken: Iterable[str], now: datetime, convention: Convention = HOUSE
) -> str:
    """The file's name for what the operator typed; raises UsageError where it says too little.

    It follows the folder's convention; a number that was typed is kept, if it is free.
    """
    taken = tuple(taken)
    text = re.sub(r"[\s_-]+", "_", words.strip().lower().removesuffix(".sql")).strip("_")
    given = re.match(r"(\d{4,})_(.+)$", text)
    following = _following(convention, taken, now)
    number = given[1] if given else following
    if convention == HOUSE and int(number) > _LAST:
        raise UsageError(f"{number} has more than four digits.", hint="Squash the history first.")
    parts = (given[2] if given else text).split("_")
    name = convention.file(number, parts)
    if len(parts) < _LEAST_WORDS or not convention.fits(name):
        raise UsageError(
            f"{name} does not say what it does: {convention.shown}.",
            hint="Two words or more, a–z and 0–9: preflight new add_users_last_login",
        )
    twin = next((other for other in taken if leading_number(other) == int(number)), None)
    if twin is not None:
        raise UsageError(
            f"The number {number} is used by {twin}.",
            hint=f"Leave the number out; the next free one is {following}.",
        )
    return name


def _following(convention: Convention, taken: Iterable[str], now: datetime) -> str:
    numbers = _numbers(taken) if not convention.is_stamped else _all_numbers(taken)
    return convention.number(numbers, now)


def _numbers(names: Iterable[str]) -> list[int]:
    """Those that count up: a larger one is a date."""
    return [number for number in _all_numbers(names) if number <= _LAST]


def _all_numbers(names: Iterable[str]) -> list[int]:
    return [number for number in map(leading_number, names) if number is not None]


def migration_text(name: str, kind: Kind, description: str) -> str:
    """The header of a new migration, as the team writes it."""
    stem = name.removesuffix(".sql")
    declared, rollback = _TYPES[kind]
    lines = [
        f"-- Migration: {stem}",
        f"-- Description: {description or _words_of(name)}",
        f"-- Type: {declared}",
        f"-- Rollback: {rollback}",
    ]
    if kind is Kind.DESTRUCTIVE:
        lines.append("-- CRITICAL: Backup required before applying")
    return "\n".join([*lines, _RULE, "", ""])


def _words_of(name: str) -> str:
    """What a name says, without its number."""
    return re.sub(r"[_-]+", " ", split_number(judged_part(name))[1])


def down_text(name: str) -> str:
    """The empty down migration: comments only, until a person writes it."""
    stem = name.removesuffix(".sql")
    return (
        f"-- Down migration of {stem}\n"
        "-- Leave this empty and preflight offers a draft; it never applies this file by itself.\n"
        f"{_RULE}\n"
    )
