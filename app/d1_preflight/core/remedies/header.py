"""Remedies of the header: its fields from what the statements do."""

import re

from d1_preflight.core.findings import Finding, Kind
from d1_preflight.core.project.template import migration_text
from d1_preflight.core.remedies.edits import Edit, newline
from d1_preflight.core.remedies.remedy import NoRemedy, Reading, Rewrite

_NO_KIND = NoRemedy("What the file does is not known, so its type cannot be written.")
_FIELD = r"(?im)^(--[ \t]*{name}[ \t]*:)[^\r\n]*"


def header_written(reading: Reading, _finding: Finding) -> Rewrite | NoRemedy:
    """Write the fields of the template that the header lacks, on top of the file."""
    context = reading.context
    kind = context.verdict.kind
    known = context.migration.header
    if kind not in (Kind.ADDITIVE, Kind.TRANSFORMATIVE, Kind.DESTRUCTIVE):
        return _NO_KIND
    lines = migration_text(context.migration.name.rpartition("/")[2], kind, "").splitlines()
    wanted = [name.capitalize() for name in known.missing]
    if kind is Kind.DESTRUCTIVE and not known.critical:
        wanted.append("CRITICAL")
    chosen = [line for line in lines if any(line.startswith(f"-- {w}:") for w in wanted)]
    whole = len(known.missing) == len(("migration", "description", "type", "rollback"))
    chosen += [line for line in lines if whole and line.startswith("-- ==")]
    end = newline(reading.text)
    start = int(reading.text.startswith("\ufeff"))
    edit = Edit(start, start, "".join(f"{line}{end}" for line in chosen) + (end if whole else ""))
    return Rewrite((edit,), f"writes the header: {', '.join(wanted)}")


def header_name(reading: Reading, _finding: Finding) -> Rewrite | NoRemedy:
    """Write the file's own name into its header."""
    stem = reading.context.migration.stem.rpartition("/")[2]
    return _field(reading, "Migration", stem)


def header_type(reading: Reading, _finding: Finding) -> Rewrite | NoRemedy:
    """Write the type that the statements have."""
    kind = reading.context.verdict.kind
    if kind not in (Kind.ADDITIVE, Kind.TRANSFORMATIVE, Kind.DESTRUCTIVE):
        return _NO_KIND
    return _field(reading, "Type", kind.value.capitalize())


def header_critical(reading: Reading, _finding: Finding) -> Rewrite | NoRemedy:
    """Ask for the backup behind the header's rollback line."""
    found = re.search(_FIELD.format(name="Rollback"), reading.text)
    if not found:
        return NoRemedy("The header has no line for the rollback.")
    line = "-- CRITICAL: Backup required before applying"
    edit = Edit(found.end(), found.end(), newline(reading.text) + line)
    return Rewrite((edit,), "asks for the backup in the header")


def _field(reading: Reading, name: str, value: str) -> Rewrite | NoRemedy:
    found = re.search(_FIELD.format(name=name), reading.text)
    if not found:
        return NoRemedy(f"The header has no line {name}.")
    edit = Edit(found.end(1), found.end(), f" {value}")
    return Rewrite((edit,), f"writes {name}: {value} into the header")
