"""Every difference that the rehearsal made to the schema, and whether the migration declares it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from d1_preflight.core.findings import Analysis
from d1_preflight.core.record.change_facts import SchemaChange
from d1_preflight.core.rows.loss_check import renamed
from d1_preflight.core.rows.row_diff import Renames
from d1_preflight.core.schema.schema import Change, Schema, diff


def schema_facts(
    before: Schema, after: Schema, analysis: Analysis, renames: Renames
) -> tuple[SchemaChange, ...]:
    """Every difference, and whether the migration declares it.

    What is as before but for a new name is declared by the rename; what a renamed table has else
    is held against its old name.
    """
    changes = diff(before, after)
    if not renames.tables and not renames.columns:
        return tuple(_facts(changes, analysis, before))
    left = diff(renamed(before, renames), after)
    kept = {(change.object, change.name) for change in left}
    seen = {(change.object, change.name) for change in changes}
    only_renamed = [c for c in changes if (c.object, c.name) not in kept]
    others = [c for c in changes if (c.object, c.name) in kept]
    hidden = [c for c in left if (c.object, c.name) not in seen]
    return (
        *(_fact(change, declared=True) for change in only_renamed),
        *_facts(others, analysis, before),
        *_facts(hidden, analysis, before, renames),
    )


def _facts(
    changes: Sequence[Change], analysis: Analysis, prior: Schema, renames: Renames | None = None
) -> Iterator[SchemaChange]:
    old_names = {new.lower(): old for old, new in (renames or Renames()).tables.items()}
    for change in changes:
        table, dot, rest = change.name.partition(".")
        name = f"{old_names.get(table.lower(), table)}{dot}{rest}"
        declared = is_declared(replace(change, name=name), analysis, prior)
        yield _fact(change, declared=declared)


def _fact(change: Change, *, declared: bool) -> SchemaChange:
    return SchemaChange(
        change=change.kind,
        object=change.object,
        name=change.name,
        words=change.words,
        declared=declared,
    )


def is_declared(change: Change, analysis: Analysis, prior: Schema) -> bool:
    """New things are the point of a migration; what disappears must be in an effect or finding."""
    if change.kind == "added":
        return True
    if change.object == "column" and change.after == f"{change.before} NOT NULL":
        return True  # it only refuses more, and the rehearsal's rows have passed it
    effects = analysis.effects
    table = change.name.split(".")[0]
    owner = next((o.table for o in prior.objects if o.name == change.name), table)
    if table in effects.tables_dropped or owner in effects.tables_dropped:
        return True
    if change.object == "column" and change.name in (
        *effects.columns_dropped,
        *effects.columns_renamed,
    ):
        return True
    if change.object in ("index", "trigger", "view") and (
        change.name in effects.objects_dropped or _is_a_reason(analysis, change)
    ):
        return True
    answered = (f for f in analysis.findings if not f.rows_at_risk)
    return any({table, owner, change.name} & set(f.tables) for f in answered)


def _is_a_reason(analysis: Analysis, change: Change) -> bool:
    # By the whole name: a view "v" is not meant wherever a "v" stands.
    named = f'{change.object} "{change.name}"'
    texts = (reason.text for reason in analysis.reasons if named in reason.text)
    return any(change.kind != "removed" or not text.startswith("Changes ") for text in texts)
