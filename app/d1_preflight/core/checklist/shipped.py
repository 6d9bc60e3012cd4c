"""Every shipped checklist by sha256: a record is verified with the one it was made with."""

import re
from functools import cache

from d1_preflight.core.checklist.checklist import Checklist
from d1_preflight.core.checklist.definitions import read_definition
from d1_preflight.core.checklist.file import load_checklist, shipped_checklist, shipped_sha256
from d1_preflight.core.errors import ChecklistInvalid

ADOPT = "adopt_ledger"
"""The action by which the checklist of an adoption is known."""
_SHA256 = re.compile("[0-9a-f]{64}")  # it comes out of a record, and becomes a file's name


@cache
def earlier_checklist(sha256: str) -> Checklist | None:
    """The shipped checklist of that sha256, this version's or an earlier one's; None if unknown.

    Raises ChecklistInvalid where the file that is kept is not the one that shipped.
    """
    if sha256 == shipped_sha256():
        return shipped_checklist()
    name = f"{sha256}.toml"
    text = read_definition(f"shipped/{name}") if _SHA256.fullmatch(sha256) else None
    if text is None:
        return None
    checklist = load_checklist(text, name)
    if checklist.sha256 != sha256:
        raise ChecklistInvalid(
            f"{name} is not the checklist that shipped: its sha256 is {checklist.sha256}.",
            hint="Install the package again: pip install --force-reinstall d1-preflight",
        )
    return checklist


def is_shipped(checklist: Checklist) -> bool:
    """Whether these bytes shipped with this or an earlier version."""
    return earlier_checklist(checklist.sha256) is not None


@cache
def adoption_checklist() -> Checklist:
    """The checklist of an adoption, which a project's own does not replace."""
    return load_checklist(read_definition("adopt.toml") or "", "adopt.toml")


def is_adoption(checklist: Checklist) -> bool:
    """Whether it is that of an adoption: it writes ledger rows, and applies no migration."""
    return any(step.action == ADOPT for step in checklist.steps)


def measure_of(checklist: Checklist) -> Checklist:
    """What a checklist must satisfy: a shipped one itself, a project's own the present one."""
    return checklist if is_shipped(checklist) else shipped_checklist()


def walked_checklist(sha256: str, present: Checklist) -> Checklist:
    """The checklist that a record names by its sha256, else the present one.

    A project's own checklist stays the measure of its records: a record that names a shipped one
    would be free of the steps that the project added.
    """
    if present.sha256 == sha256:
        return present
    named = earlier_checklist(sha256)
    is_free = is_shipped(present) or (named is not None and is_adoption(named))
    return named or present if is_free else present
