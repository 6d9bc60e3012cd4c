"""Why a finding stays: its answer is not in the file, or D1 refuses the file."""

from collections.abc import Mapping

from d1_preflight.core.findings import Finding
from d1_preflight.core.remedies.remedy import Reading

WHY_NOT: Mapping[str, str] = {
    "delete-without-where": "Only the author knows which rows may go.",
    "delete-rows": "Only the author knows which rows may go.",
    "delete-cascades": "Only the author knows which rows may go, and which with them.",
    "update-without-where": "Only the author knows which rows should change.",
    "update-not-invertible": "Only the author knows whether the old values are needed.",
    "drop-table": "Only the author knows whether the table may be dropped for good.",
    "drop-column": "Only the author knows whether the column may be dropped for good.",
    "drop-unknown": "These files do not show what it drops.",
    "rebuild-without-copy": "The file does not say which rows the new table should hold.",
    "copy-filtered": "The file does not say whether the rows that the copy leaves out may go.",
    "copy-or-ignore": "Only the author knows which of two clashing rows stays.",
    "copy-or-replace": "Only the author knows which of two clashing rows stays.",
    "replace-drops-rows": "Only the author knows which of two clashing rows stays.",
    "column-not-copied": "Only the author knows whether the new value is intended.",
    "trigger-deletes": "Only the author knows whether the trigger should fire here.",
    "several-changes": "It needs a second file: preflight fix NAME --rule several-changes.",
    "primary-key-forgotten": "The file does not say which columns should be the key.",
}
"""Why a rule has no remedy: the answer is not in the file."""
_NO_REMEDY = "preflight knows no rewrite for it."
_OF_DROPS = ("drop-table", "rebuild-without-copy", "foreign-key-dangling", "view-broken")
_REFUSED = "D1 refuses the file as it is, so there is nothing to prove a rewrite against."
_ROWS_DECIDE = (
    "The file does not show whether the rows fit: the rehearsal runs it on a copy of them."
)
_NAME_IS_READ = (
    "The file does not show whether running code reads the old name: preflight new NAME --pattern "
    "rename writes the pair."
)
_NAME_STAYS = "fix keeps the name of a file: rename it before it is applied anywhere."
_DROPPED = "Only the author knows whether to drop what refers to it, or to change that."
_OF_RENAMES = ("rename-column", "rename-table")
_BY_TOOL = (
    "The file does not show whether running code reads the old name: deploy code that reads both "
    "first."
)
_UNWRITTEN: Mapping[str, str] = {
    "name-pattern": _NAME_STAYS,
    "rename-column": _NAME_IS_READ,
    "rename-table": _NAME_IS_READ,
    "rollback-undocumented": "Only the author knows how to roll it back.",
    "duplicate-number": _NAME_STAYS,
    "number-out-of-order": _NAME_STAYS,
    "number-behind": _NAME_STAYS,
    "down-file": _NAME_STAYS,
    "unindexed-child-key": "An index is a change of its own: write it in an earlier file.",
    "correlated-backfill": "Only the rehearsal with real rows shows whether it is too slow.",
    "cast-loses": "Only the author knows what becomes of a value that CAST cannot read.",
    "foreign-key-dangling": _DROPPED,
    "foreign-key-missing-parent": "The file does not say which table it means.",
    "view-broken": _DROPPED,
    "view-unwritable": _DROPPED,
    "update-breaks-check": "Only the author knows which value to write instead.",
    "empty-file": "The file does not say what it should do.",
    "index-on-rows": _ROWS_DECIDE,
    "unique-added": _ROWS_DECIDE,
    "not-null-added": _ROWS_DECIDE,
    "check-added": _ROWS_DECIDE,
    "foreign-key-added": _ROWS_DECIDE,
}
"""Why no remedy is written for a rule, where that can be said."""


def why_not(reading: Reading, finding: Finding) -> str:
    """Why a finding whose rule has no remedy stays."""
    trace = reading.trace_of(finding) if finding.rule in _OF_DROPS else None
    if trace is not None and (refused := reading.refused_again(trace.target)):
        return refused
    if reading.context.name_is_kept and finding.rule in _OF_RENAMES:
        return _BY_TOOL
    said = WHY_NOT.get(finding.rule) or _UNWRITTEN.get(finding.rule)
    return said or (_REFUSED if finding.refusal else _NO_REMEDY)
