"""Runs SQL on local copies with the real wrangler, and accounts for what became of the rows."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from d1_preflight.actions.tools import Tools, Work
from d1_preflight.core.findings import Analysis, Effects
from d1_preflight.core.ports import Evidence
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.record.record import Fact
from d1_preflight.core.rows.loss_check import check_losses, renames_by
from d1_preflight.core.rows.row_diff import Renames, RowDiff, TableDiff, diff_rows
from d1_preflight.core.schema.schema import Change, Schema
from d1_preflight.disk import writing

LOCAL_TIMEOUT_S = 900.0
_START_MS = 2300  # an apply --local with nothing to do: Node, wrangler and workerd starting


async def apply_local(work: Work, persist: Path, *, keep: str | None) -> Evidence:
    """`wrangler d1 migrations apply --local` of exactly this migration on a local copy."""
    tools = work.tools
    config = tools.files.stage(tools.migration(), persist.parent / "staged")
    return await tools.wrangler.run(
        apply_local_args(tools, str(config), str(persist)),
        cwd=config.parent,
        emit=work.emit,
        keep=keep,
        timeout=LOCAL_TIMEOUT_S,
    )


def apply_local_args(tools: Tools, config: str, persist: str) -> tuple[str, ...]:
    """The argv of the rehearsal; `--persist-to` needs an explicit `--local`."""
    name = tools.project.database.name
    where = ("--local", "--config", config, "--persist-to", persist)
    return ("d1", "migrations", "apply", name, *where)


async def run_local_file(
    work: Work, script: Migration, persist: Path, *, keep: str | None
) -> Evidence:
    """`wrangler d1 execute --local --file` on a local copy: how a down migration is tried."""
    tools = work.tools
    config = tools.files.stage(tools.migration(), persist.parent / "staged")
    path = persist.parent / "script.sql"
    with writing(path):
        path.write_text(script.text, encoding="utf-8")
    name = tools.project.database.name
    where = ("--local", "--config", str(config), "--persist-to", str(persist))
    return await tools.wrangler.run(
        ("d1", "execute", name, *where, "--json", f"--file={path}"),
        cwd=config.parent,
        emit=work.emit,
        keep=keep,
        timeout=LOCAL_TIMEOUT_S,
    )


def compare_states(
    tools: Tools, before: Path, after: Path, *, effects: Effects | None = None
) -> RowDiff:
    """The row diff of two local databases; with `effects`, renames and rebuilds are known."""
    prior = tools.local.schema(before)
    renames = renames_by(tools.migration(), prior) if effects else Renames()
    rebuilt = effects.tables_rebuilt if effects else ()
    ledger = (tools.project.database.migrations_table,)
    files = {"before": tools.local.file(before), "after": tools.local.file(after)}
    with tools.local.attached(**files) as connection:
        return diff_rows(connection, renames=renames, ignore=ledger, rebuilt=rebuilt)


def explained_facts(
    found: RowDiff, analysis: Analysis, declared: Collection[str]
) -> tuple[Mapping[str, Fact], ...]:
    """The rehearsal's table for record and screen: every loss explained, or not ok."""
    judged = check_losses(found, analysis, declared)
    return tuple(_row(one.diff, one.words or "unchanged", ok=not one.blocks) for one in judged)


def diff_facts(found: RowDiff) -> tuple[Mapping[str, Fact], ...]:
    """The same table without a judgement: what is not as it was."""
    rows = (
        _row(table, "as before" if table.is_untouched else "differs", ok=table.is_untouched)
        for table in found.tables
    )
    return tuple(sorted(rows, key=lambda row: bool(row["ok"])))


def schema_facts(
    changes: Sequence[Change], analysis: Analysis, prior: Schema
) -> tuple[Mapping[str, Fact], ...]:
    """Every difference of the schema, and whether the migration says it in so many words."""
    return tuple(
        {
            "change": change.kind,
            "object": change.object,
            "name": change.name,
            "words": change.words,
            "declared": _is_declared(change, analysis, prior),
        }
        for change in changes
    )


def predicted_ms(wrangler_ms: int, sql_ms: int | None) -> int:
    """How long the statement may take on the target: measured in SQLite, else what is left."""
    return sql_ms if sql_ms is not None else max(0, wrangler_ms - _START_MS)


def _row(table: TableDiff, words: str, *, ok: bool) -> Mapping[str, Fact]:
    return {
        "table": table.table,
        "before": -1 if table.before is None else table.before,
        "after": -1 if table.after is None else table.after,
        "lost": table.lost,
        "added": table.added,
        "changed": table.changed,
        "nulled": sum(count for _, count in table.nulled),
        "verdict": words,
        "ok": ok,
        **_numbers(table),
    }


def _numbers(table: TableDiff) -> Mapping[str, Fact]:
    """Up to where ids are issued, where an AUTOINCREMENT mark falls."""
    if not table.reissues or table.issued_before is None or table.issued_after is None:
        return {}
    return {"issued_before": table.issued_before, "issued_after": table.issued_after}


def _is_declared(change: Change, analysis: Analysis, prior: Schema) -> bool:
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
    if change.object in ("index", "trigger", "view") and _drops(analysis, change.name):
        return True
    answered = (f for f in analysis.findings if not f.rows_at_risk)
    return any({table, owner, change.name} & set(f.tables) for f in answered)


def _drops(analysis: Analysis, name: str) -> bool:
    return any(name in reason.text for reason in analysis.reasons)
