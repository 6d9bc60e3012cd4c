"""What a migration changes and takes, why, and what came back."""

from collections.abc import Sequence

from d1_preflight.core.format import count, plural
from d1_preflight.core.record.apply_facts import CloseFacts, SchemaCheckFacts
from d1_preflight.core.record.change_facts import (
    FindingsFacts,
    LossesFacts,
    RehearsalFacts,
    SchemaChange,
)
from d1_preflight.core.record.record import Record
from d1_preflight.core.summary.changed_rows import ChangedTable
from d1_preflight.core.summary.form import SPLIT_FORM
from d1_preflight.core.summary.text import joined, sentence
from d1_preflight.core.summary.verdict import closed_attempt

_NAMED = 4
_REMOVED = "removed"


def schema_changes(record: Record, form: int) -> str:
    """The schema's changes by the rehearsal, and how the target differs from them now."""
    rehearsed = record.last_facts(RehearsalFacts)
    changes = joined((_change(change, form) for change in rehearsed.schema), _NAMED)
    told = changes or ("unchanged" if rehearsed.schema_after else "")
    checked = record.last_facts(SchemaCheckFacts)
    closed = record.last_facts(CloseFacts)
    differs = closed.differs if closed_attempt(record) else checked.differences
    if differs:
        told += f" · now it differs from the rehearsed one: {joined(differs, _NAMED)}"
    elif checked.equal:
        same = "the target's was as rehearsed"
        told += f" · {same if form < SPLIT_FORM else 'the target has the rehearsed schema'}"
    return told


def declared_losses(record: Record, form: int) -> str:
    """Which losses are intended, and why; in earlier forms with the findings' justifications."""
    found = record.last_facts(FindingsFacts)
    measured = record.last_facts(LossesFacts)
    declared = measured if measured.losses or measured.declared_losses else found
    told = joined(declared.losses or declared.declared_losses, _NAMED)
    if told and declared.loss_reason:
        told = f"{told}. Because: {sentence(declared.loss_reason)}"
    why = "" if form >= SPLIT_FORM else accepted_findings(record)
    return " · ".join(part for part in (told, f"accepted: {why}" if why else "") if part)


def accepted_findings(record: Record) -> str:
    """The findings that the operator justified, and how."""
    found = record.last_facts(FindingsFacts)
    return joined((f"{f.rule}: {f.answer}" for f in found.findings if f.answer), _NAMED)


def given_back(record: Record, tables: Sequence[ChangedTable], form: int) -> str:
    """The rows that were gone and are there again; only an emergency gives back."""
    gone = [t for t in tables if t.gone and t.now is not None]
    if not gone or not closed_attempt(record):
        return ""
    parts = (
        f"{t.table}: {count(t.back)} of {plural(t.gone, 'row')}"
        + (f", {count(t.gone - t.back)} still missing" if form > 1 and t.back < t.gone else "")
        for t in gone
    )
    return joined(parts, _NAMED)


def _change(change: SchemaChange, form: int) -> str:
    if change.declared is None:
        return change.words
    if form < SPLIT_FORM:
        return f"{change.words}, {'declared' if change.declared else 'undeclared'}"
    declared = "a declared loss" if change.change == _REMOVED else "declared"
    return f"{change.words} ({declared if change.declared else 'not declared'})"
