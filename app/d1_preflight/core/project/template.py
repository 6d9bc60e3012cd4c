"""A new migration's text: its name, its header, and the empty down migration."""

import re
from collections.abc import Iterable

from d1_preflight.core.errors import UsageError
from d1_preflight.core.findings import Kind
from d1_preflight.core.project.migration import NAME_PATTERN, leading_number

_RULE = f"-- {'=' * 76}"
_TYPES = {
    Kind.ADDITIVE: ("Additive (low risk)", "Not required (what is new and unused is harmless)"),
    Kind.TRANSFORMATIVE: ("Transformative (medium risk)", "See the down migration"),
    Kind.DESTRUCTIVE: ("Destructive (high risk)", "Restore from backup; see the down migration"),
}
_LAST = 9999


def next_number(names: Iterable[str]) -> int:
    """One more than the highest number in use."""
    numbers = [n for n in map(leading_number, names) if n is not None]
    return max((n for n in numbers if n <= _LAST), default=0) + 1


def migration_name(words: str, taken: Iterable[str]) -> str:
    """The file's name for what the operator typed; raises UsageError where it says too little.

    Spaces and dashes become underscores; a number that was typed is kept, if it is free.
    """
    taken = tuple(taken)
    text = re.sub(r"[\s-]+", "_", words.strip().lower().removesuffix(".sql"))
    given = re.match(r"(\d{4})_(.+)$", text)
    number = int(given[1]) if given else next_number(taken)
    if number > _LAST:
        raise UsageError(f"{number} has more than four digits.", hint="Squash the history first.")
    name = f"{number:04d}_{given[2] if given else text}.sql"
    if not NAME_PATTERN.match(name):
        raise UsageError(
            f"{name} does not say what it does: NNNN_descriptive_action.sql.",
            hint="Two words or more, a–z and 0–9: preflight new add_users_last_login",
        )
    twin = next((other for other in taken if leading_number(other) == number), None)
    if twin is not None:
        raise UsageError(
            f"The number {number:04d} is used by {twin}.",
            hint=f"Leave the number out; the next free one is {next_number(taken):04d}.",
        )
    return name


def migration_text(name: str, kind: Kind, description: str) -> str:
    """The header of a new migration, as the team writes it."""
    stem = name.removesuffix(".sql")
    declared, rollback = _TYPES[kind]
    lines = [
        f"-- Migration: {stem}",
        f"-- Description: {description or _words_of(stem)}",
        f"-- Type: {declared}",
        f"-- Rollback: {rollback}",
    ]
    if kind is Kind.DESTRUCTIVE:
        lines.append("-- CRITICAL: Backup required before applying")
    return "\n".join([*lines, _RULE, "", ""])


def _words_of(stem: str) -> str:
    """What a name says, without its number."""
    return re.sub(r"[_-]+", " ", re.sub(r"^\d+[_-]+", "", stem))


def down_text(name: str) -> str:
    """The empty down migration: comments only, until a person writes it."""
    stem = name.removesuffix(".sql")
    return (
        f"-- Down migration of {stem}\n"
        "-- Leave this empty and preflight offers a draft; it never applies this file by itself.\n"
        f"{_RULE}\n"
    )
