"""A new migration's text: its name, its header, and the empty down migration."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from d1_preflight.core.errors import UsageError
from d1_preflight.core.findings import Effects, Kind
from d1_preflight.core.project.migration import is_header_line, leading_number
from d1_preflight.core.project.naming import HOUSE, Convention, judged_part, split_number

_RULE = f"-- {'=' * 76}"
_TYPES = {
    Kind.ADDITIVE: ("Additive (low risk)", "Not required (what is new and unused is harmless)"),
    Kind.TRANSFORMATIVE: ("Transformative (medium risk)", "See the down migration"),
    Kind.DESTRUCTIVE: ("Destructive (high risk)", "Restore from backup; see the down migration"),
}
_LAST = 9999
_LEAST_WORDS = 2


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
    numbers = [number for number in map(leading_number, taken) if number is not None]
    if not convention.is_stamped:  # those that count up: a larger one is a date
        numbers = [number for number in numbers if number <= _LAST]
    return convention.number(numbers, now)


def migration_text(name: str, kind: Kind, description: str) -> str:
    """The header of a new migration, as the team writes it."""
    described = description or description_of(name)
    return _header(name.removesuffix(".sql"), described, kind, "", _TYPES[kind][1]) + "\n"


def found_header(stem: str, kind: Kind, effects: Effects, description: str, down: str = "") -> str:
    """The header of a migration as it was found to be; `down` names its down file, "" for none."""
    rollback = _TYPES.get(kind, _TYPES[Kind.TRANSFORMATIVE])[1]
    if down:
        rollback = f"See {down}"
    elif kind is Kind.TRANSFORMATIVE:
        rollback = "Restore from backup; no down migration is written"
    return _header(stem, description, kind, effect_words(effects), rollback)


def _header(stem: str, description: str, kind: Kind, effects: str, rollback: str) -> str:
    declared, _ = _TYPES.get(kind, _TYPES[Kind.TRANSFORMATIVE])
    lines = [f"-- Migration: {stem}", f"-- Description: {description}", f"-- Type: {declared}"]
    lines += [f"-- Effects: {effects}"] if effects else []
    lines.append(f"-- Rollback: {rollback}")
    if kind is Kind.DESTRUCTIVE:
        lines.append("-- CRITICAL: Backup required before applying")
    return "\n".join([*lines, _RULE, ""])


def down_header(stem: str, name: str, kind: Kind, gaps: Sequence[str], note: str = "") -> str:
    """The header of the down file of the migration `name`; `gaps` are what it does not undo."""
    lines = (
        f"-- Migration: {stem} (down)",
        f"-- Description: Undoes {stem}{note}",
        *((f"-- Type: {kind.value.capitalize()}",) if kind is not Kind.NONE else ()),
        f"-- Rollback: Apply {name} again",
        *(f"-- CRITICAL: {' '.join(gap.split())}" for gap in gaps),
        _RULE,
    )
    return "\n".join(lines) + "\n\n"


def with_header(text: str, header: str) -> str:
    """The file's text with this header; the lines of an earlier one go, all else stays."""
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = text.removeprefix(mark).splitlines(keepends=True)
    begins = (n for n, line in enumerate(lines) if line.strip() and line.strip()[:2] != "--")
    end = next(begins, len(lines))
    kept = [line for line in lines[:end] if not is_header_line(line)]
    while kept and not kept[0].strip():
        kept.pop(0)
    return mark + header.replace("\n", newline) + "".join([*kept, *lines[end:]])


def description_of(name: str) -> str:
    """What a migration's name says, in plain words."""
    return re.sub("[_-]+", " ", split_number(judged_part(name))[1])


def effect_words(effects: Effects) -> str:
    """What a migration does to tables and columns, in one line."""
    parts = (
        ("creates", effects.tables_created),
        ("drops", effects.tables_dropped),
        ("rebuilds", effects.tables_rebuilt),
        ("adds column", effects.columns_added),
        ("drops column", effects.columns_dropped),
        ("renames column", effects.columns_renamed),
        ("inserts into", effects.rows_inserted_in),
        ("updates", effects.rows_updated_in),
        ("deletes from", effects.rows_deleted_in),
    )
    found = ((verb, (" ".join(name.split()) for name in names)) for verb, names in parts if names)
    return "; ".join(f"{verb} {', '.join(names)}" for verb, names in found)


def down_text(name: str) -> str:
    """The empty down migration: comments only, until a person writes it."""
    stem = name.removesuffix(".sql")
    return (
        f"-- Down migration of {stem}\n"
        "-- Leave this empty and preflight offers a draft; it never applies this file by itself.\n"
        f"{_RULE}\n"
    )
