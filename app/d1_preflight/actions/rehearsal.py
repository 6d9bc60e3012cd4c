"""Section 2: the migration on this machine, on a copy of the target, with the real wrangler."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from d1_preflight.actions.classification import refusal_words, stale_answers
from d1_preflight.actions.context import StepAction, Tools, Work
from d1_preflight.actions.copy_rows import check_size, copy_facts, copy_rows, plan_reading
from d1_preflight.actions.pending import pending_names
from d1_preflight.actions.target import relative, shown
from d1_preflight.actions.workspace import copied_rows, copy_folder, rehearsal_folder, trial_folder
from d1_preflight.core.errors import PreflightError
from d1_preflight.core.findings import Analysis, Effects, Kind
from d1_preflight.core.format import count, duration, plural
from d1_preflight.core.ports import Evidence
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.record.change_facts import (
    CopyFacts,
    FindingsFacts,
    RehearsalFacts,
    SchemaChange,
    TableChange,
    TableCount,
    table_counts,
)
from d1_preflight.core.record.file import instant
from d1_preflight.core.record.record import Outcome, Status
from d1_preflight.core.rows.loss_check import check_losses, renames_by
from d1_preflight.core.rows.row_diff import (
    Renames,
    RowDiff,
    TableDiff,
    diff_rows,
)
from d1_preflight.core.schema.schema import Change, Schema, diff
from d1_preflight.disk import writing

LOCAL_TIMEOUT_S = 900.0
_START_MS = 2300  # an apply --local with nothing to do: Node, wrangler and workerd starting
_UNTOLD = "D1's own message is not kept, because it may quote a row."


def copy_plan(work: Work) -> Sequence[str]:
    """What will be read, from where, to where."""
    tools = work.tools
    name = tools.project.database.name
    return (
        f"read ledger, schema and every row of {name} (wrangler d1 execute --remote --json)",
        f"into {relative(tools, copy_folder(tools))}, private, never in git",
    )


async def copy_target(work: Work) -> Outcome:
    """Every row of the target, exact, as a local D1 database."""
    tools = work.tools
    started = tools.clock.monotonic()
    reading = await plan_reading(work)
    if tools.name in reading.observation.applied:
        said = f"{tools.name} is already in the target's ledger; there is nothing to rehearse."
        return Outcome(Status.FAILED, said, {}, reading.evidence)
    check_size(tools, reading)
    copied = await copy_rows(work, reading, copied_rows(tools))
    seen, copies = reading.observation, copied.copies
    await asyncio.to_thread(tools.local.make, copy_folder(tools), seen.schema, copies, seen.ledger)
    total = sum(copy.rows for copy in copies)
    facts = CopyFacts(
        tables=copy_facts(copies),
        rows=total,
        bytes=sum(copy.bytes for copy in copies),
        ledger_rows=len(seen.ledger),
        last_applied=seen.ledger[-1].name if seen.ledger else "",
        pending=pending_names(tools, seen),
        schema=seen.schema.fingerprint,
        file=relative(tools, copy_folder(tools)),
        read_ms=round((tools.clock.monotonic() - started) * 1000),
        taken_at=instant(seen.taken_at),
    )
    summary = f"{plural(total, 'row')} in {plural(len(copies), 'table')}"
    if copied.moved:
        moved = ", ".join(copied.moved)
        summary += f"; {moved} changed while it was read (the copy holds what was read)"
    return Outcome(Status.PROVED, f"{summary}.", facts.written(), reading.evidence)


async def check_syntax(work: Work) -> Outcome:
    """D1's engine version, limits and permissions, on the target's schema and then its rows."""
    analysis = work.tools.analysis()
    if analysis.engine.refused:
        return Outcome(Status.FAILED, refusal_words(analysis.engine.refused[0]))
    if analysis.kind is Kind.UNKNOWN:
        return Outcome(Status.UNKNOWN, "Not every statement was understood; see section 1.")
    return await asyncio.to_thread(_tried, work)


def _tried(work: Work) -> Outcome:
    """The whole file on one more copy: an answer that depends on rows is given there alone."""
    tools = work.tools
    if not tools.local.file(copy_folder(tools)).is_file():
        words = "The target's copy is not on this machine. Copy the target, then try again."
        for undecided in tools.analysis().engine.undecided[:1]:
            words = f"{refusal_words(undecided)} {words}"
        return Outcome(Status.UNKNOWN, words)
    verdict = tools.local.trial(copy_folder(tools), trial_folder(tools), tools.migration())
    for status, refusals in ((Status.FAILED, verdict.refused), (Status.UNKNOWN, verdict.undecided)):
        if refusals:
            found = refusals[0]
            refusal = replace(found, reason=_UNTOLD) if work.quotes_rows() else found
            return Outcome(status, f"With the rows of the target: {refusal_words(refusal)}")
    return Outcome(Status.PROVED, "SQLite 3.54.1 with D1's limits accepts every statement.")


def rehearse_plan(work: Work) -> Sequence[str]:
    """The command of the rehearsal."""
    tools = work.tools
    persist = str(rehearsal_folder(tools))
    return (shown(tools, apply_local_args(tools, "<staged>/wrangler.json", persist)),)


async def rehearse(work: Work) -> Outcome:
    """Apply it to a copy of the copy; account for every row and every object of the schema."""
    tools = work.tools
    more = stale_answers(work)
    if more:
        return Outcome(Status.FAILED, f"{more} Answer section 1 again.")
    persist, before = rehearsal_folder(tools), copy_folder(tools)
    await asyncio.to_thread(tools.local.duplicate, before, persist)
    keep = None if work.quotes_rows() else work.evidence_name
    ran = await apply_local(work, persist, keep=keep)
    if tools.name not in {row.name for row in tools.local.ledger(persist)}:
        reason = work.own_reason(ran) if ran.exit_code else "the ledger has no row for it"
        said = f"It fails on a copy of the target: {reason}"
        facts = RehearsalFacts(wrangler_ms=ran.milliseconds)
        return Outcome(Status.FAILED, said, facts.written(), (ran,))
    facts = await asyncio.to_thread(_compared, work, ran.milliseconds)
    return Outcome(*_verdict(work, facts), facts.written(), (ran,))


def _compared(work: Work, wrangler_ms: int) -> RehearsalFacts:
    tools = work.tools
    analysis = tools.analysis()
    before, after = copy_folder(tools), rehearsal_folder(tools)
    olds, news = tools.local.schema(before), tools.local.schema(after)
    found = compare_states(tools, before, after, effects=analysis.effects)
    sql_ms = _timed(work)
    predicted = predicted_ms(wrangler_ms, sql_ms)
    return RehearsalFacts(
        tables=explained_facts(found, analysis, work.facts(FindingsFacts).declared_losses),
        schema=schema_facts(diff(olds, news), analysis, olds),
        wrangler_ms=wrangler_ms,
        predicted_ms=predicted,
        schema_after=news.fingerprint,
        counts_before=_counts(tools, before),
        counts_after=_counts(tools, after),
        rows=sum(table.before or 0 for table in found.tables),
        downtime=_downtime(predicted),
        sql_ms=sql_ms,
    )


def _counts(tools: Tools, persist: Path) -> tuple[TableCount, ...]:
    return table_counts(tools.local.counts(persist))


def _timed(work: Work) -> int | None:
    """The SQL alone, on one more copy: what wrangler's own start hides."""
    tools = work.tools
    persist = tools.workspace / "timing" / "d1"
    tools.local.duplicate(copy_folder(tools), persist)
    try:
        return tools.local.run_sql(persist, tools.migration().text)
    except PreflightError:
        return None  # wrangler's run is the verdict; only the finer figure is missing


def _verdict(work: Work, facts: RehearsalFacts) -> tuple[Status, str]:
    wrong = [table for table in facts.tables if not table.ok]
    if wrong:
        return Status.FAILED, f"{wrong[0].table}: {wrong[0].verdict}; not declared."
    hidden = [change for change in facts.schema if not change.declared]
    if hidden:
        words = f"Not declared: {hidden[0].words}."
        return Status.FAILED, f"{words} Keep it as it was, or change it in its own migration."
    limit = work.tools.settings.verification.statement_seconds * 1000
    predicted = facts.predicted_ms or 0
    if predicted > limit // 3:
        return (
            Status.FAILED,
            f"SQL: {duration(predicted)} locally; D1 stops a query after {limit // 1000} s.",
        )
    lost = facts.rows_lost
    kept = f"{plural(facts.rows or 0, 'row')}: {count(lost)} lost"
    kept += " as declared" if lost else ""
    return Status.PROVED, f"{kept}, {plural(len(facts.schema), 'schema change')}. {facts.downtime}"


def _downtime(predicted: int) -> str:
    """The first Zuhandenheit question: does it run without users noticing?"""
    shown_time = "under 1 s" if predicted < 1000 else f"about {duration(predicted)}"  # noqa: PLR2004
    return f"Queries wait {shown_time} while it runs."


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
) -> tuple[TableChange, ...]:
    """The rehearsal's table for record and screen: every loss explained, or not ok."""
    judged = check_losses(found, analysis, declared)
    return tuple(_change(one.diff, one.words or "unchanged", ok=not one.blocks) for one in judged)


def diff_facts(found: RowDiff) -> tuple[TableChange, ...]:
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


def _change(table: TableDiff, words: str, *, ok: bool) -> TableChange:
    # Up to where ids are issued is written where an AUTOINCREMENT mark falls.
    falls = table.reissues and None not in (table.issued_before, table.issued_after)
    return TableChange(
        table=table.table,
        before=-1 if table.before is None else table.before,
        after=-1 if table.after is None else table.after,
        lost=table.lost,
        added=table.added,
        changed=table.changed,
        nulled=sum(rows for _, rows in table.nulled),
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


STEPS: Mapping[str, StepAction] = {
    "copy_target": StepAction(copy_target, plan=copy_plan),
    "check_syntax": StepAction(check_syntax),
    "rehearse": StepAction(rehearse, plan=rehearse_plan),
}
