"""The judgement as JSON, schema 1: for programs."""

import json
from collections.abc import Sequence

from d1_preflight.core.findings import Effects, Finding
from d1_preflight.lint.judged import Judged

SCHEMA = 1
"""Raised when a key changes its meaning or goes; a new key alone does not raise it."""


def as_json(judged: Sequence[Judged]) -> str:
    """One document, all findings in it."""
    document = {"schema": SCHEMA, "migrations": [_migration(one) for one in judged]}
    return json.dumps(document, indent=2) + "\n"


def _migration(one: Judged) -> dict[str, object]:
    found = one.analysis
    return {
        "path": one.path,
        "name": one.migration.name,
        "sha256": one.migration.sha256,
        "class": found.kind.value,
        "risk": found.risk.value,
        "reasons": [f"line {reason.line}: {reason.text}" for reason in found.reasons],
        "effects": _effects(found.effects),
        "findings": [_finding(finding) for finding in found.findings],
    }


def _effects(effects: Effects) -> dict[str, object]:
    shown = ("rows_deleted_in", "references_nulled_in", "tables_dropped", "columns_dropped")
    return {key: list(getattr(effects, key)) for key in shown}


def _finding(finding: Finding) -> dict[str, object]:
    """A finding; `allowed` and `declared` are there only where a comment in the file says so."""
    answers = {"allowed": finding.allowed, "declared": finding.declared}
    answered = {key: reason for key, reason in answers.items() if reason}
    return {
        "rule": finding.rule,
        "severity": finding.severity.value,
        "line": finding.line,
        "column": finding.column,
        "message": finding.message,
        "instead": list(finding.instead),
        "tables": list(finding.tables),
        **answered,
    }
