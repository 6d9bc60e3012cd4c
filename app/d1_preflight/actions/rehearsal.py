"""Runs SQL on local copies with the real wrangler, and accounts for what became of the rows."""

from collections.abc import Collection, Sequence
from pathlib import Path

from d1_preflight.actions.tools import Tools, Work
from d1_preflight.core.findings import Analysis, Effects
from d1_preflight.core.ports import Evidence
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.record.change_facts import SchemaChange, TableChange
from d1_preflight.core.rows.loss_check import explain, renames_by
from d1_preflight.core.rows.row_diff import Account, Renames, TableAccount, account
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
) -> Account:
    """The row account of two local databases; with `effects`, renames and rebuilds are known."""
    prior = tools.local.schema(before)
    renames = renames_by(tools.migration(), prior) if effects else Renames()
    return account(
        tools.local.file(before),
        tools.local.file(after),
        renames=renames,
        ignore=(tools.project.database.migrations_table,),
        rebuilt=effects.tables_rebuilt if effects else (),
    )


def explained_facts(
    found: Account, analysis: Analysis, declared: Collection[str]
) -> tuple[TableChange, ...]:
    """The rehearsal's table for record and screen: every loss explained, or not ok."""
    judged = explain(found, analysis, declared)
    return tuple(
        _change(one.account, one.words or "unchanged", ok=not one.blocks) for one in judged
    )


def account_facts(found: Account) -> tuple[TableChange, ...]:
    """The same table without a judgement: what is not as it was."""
    changes = (
        _change(table, "as before" if table.is_untouched else "differs", ok=table.is_untouched)
        for table in found.tables
    )
    return tuple(sorted(changes, key=lambda change: bool(change.ok)))


def schema_facts(
    changes: Sequence[Change], analysis: Analysis, prior: Schema
) -> tuple[SchemaChange, ...]:
    """Every difference of the schema, and whether the migration says it in so many words."""
    return tuple(
        SchemaChange(
            change=change.kind,
            object=change.object,
            name=change.name,
            words=change.words,
            declared=_is_declared(change, analysis, prior),
        )
        for change in changes
    )


def predicted_ms(wrangler_ms: int, sql_ms: int | None) -> int:
    """How long the statement may take on the target: measured in SQLite, else what is left."""
    return sql_ms if sql_ms is not None else max(0, wrangler_ms - _START_MS)


def _change(table: TableAccount, words: str, *, ok: bool) -> TableChange:
    # Up to where ids are issued is written where an AUTOINCREMENT mark falls.
    falls = table.reissues and None not in (table.issued_before, table.issued_after)
    return TableChange(
        table=table.table,
        before=-1 if table.before is None else table.before,
        after=-1 if table.after is None else table.after,
        lost=table.lost,
        added=table.added,
        changed=table.changed,
        nulled=sum(count for _, count in table.nulled),
        verdict=words,
        ok=ok,
        issued_before=table.issued_before if falls else None,
        issued_after=table.issued_after if falls else None,
    )


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
