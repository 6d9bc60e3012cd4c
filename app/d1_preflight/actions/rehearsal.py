"""Section 2: the migration on this machine, on a copy of the target, with the real wrangler."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from d1_preflight.actions.classification import judged_again, refusal_words, stale_answers
from d1_preflight.actions.context import Environment, StepAction, StepContext
from d1_preflight.actions.copy_rows import (
    copy_facts,
    copy_rows,
    held_by_reads,
    plan_reading,
)
from d1_preflight.actions.losses import declared_losses, declares_after_rehearsal
from d1_preflight.actions.other_ledgers import ledgers_beside, rows_beside, sql_beside
from d1_preflight.actions.pending import pending_names
from d1_preflight.actions.reading_cost import cost_prompts, stopped_by_plan
from d1_preflight.actions.schema_changes import schema_facts
from d1_preflight.actions.target import relative, shown
from d1_preflight.actions.values import values_facts, watched_values
from d1_preflight.actions.workspace import Folder
from d1_preflight.core.errors import PreflightError
from d1_preflight.core.findings import Analysis, Effects, Kind
from d1_preflight.core.format import count, duration, plural
from d1_preflight.core.ports import Evidence
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.record.change_facts import (
    CopyFacts,
    FindingsFacts,
    MeasuredLoss,
    RehearsalFacts,
    TableChange,
    TableCount,
    table_counts,
)
from d1_preflight.core.record.facts import NO_ITEMS, instant
from d1_preflight.core.record.record import Outcome, Status
from d1_preflight.core.rows.loss_check import check_losses, renames_by
from d1_preflight.core.rows.row_diff import (
    Failing,
    Renames,
    RowDiff,
    TableDiff,
    diff_rows,
)
from d1_preflight.core.target.snapshot import Observation
from d1_preflight.disk import writing

LOCAL_TIMEOUT_S = 900.0
_START_MS = 2300  # an apply --local with nothing to do: Node, wrangler and workerd starting
_UNTOLD = "D1's own message is not kept, because it may quote a row."


def copy_plan(context: StepContext) -> Sequence[str]:
    """What will be read, from where, to where."""
    environment = context.environment
    name = environment.project.database.name
    return (
        f"read ledger, schema and every row of {name} (wrangler d1 execute --remote --json)",
        f"into {relative(environment, Folder.COPY.of(environment))}, private, never in git",
    )


async def copy_target(context: StepContext) -> Outcome:
    """Every row of the target, exact, as a local D1 database."""
    environment = context.environment
    if (stopped := await stopped_by_plan(context)) is not None:
        return stopped
    started = environment.clock.monotonic()
    reading = await plan_reading(context)
    if said := _not_to_be_rehearsed(environment, reading.observation):
        return Outcome(Status.FAILED, said, evidence=reading.evidence)
    beside = await rows_beside(context, reading.observation)
    copied = await copy_rows(context, reading, Folder.COPIED_ROWS.of(environment))
    seen, copies = reading.observation, copied.copies
    await asyncio.to_thread(
        environment.local.make, Folder.COPY.of(environment), seen.schema, copies, seen.ledger
    )
    total = sum(copy.rows for copy in copies)
    held = await asyncio.to_thread(watched_values, context, Folder.COPY.of(environment))
    facts = CopyFacts(
        tables=copy_facts(copies, held),
        rows=total,
        bytes=sum(copy.bytes for copy in copies),
        ledger_rows=len(seen.ledger),
        last_applied=seen.ledger[-1].name if seen.ledger else "",
        pending=pending_names(environment, seen),
        schema=seen.schema.fingerprint,
        file=relative(environment, Folder.COPY.of(environment)),
        read_ms=round((environment.clock.monotonic() - started) * 1000),
        taken_at=instant(seen.taken_at),
        beside=beside or NO_ITEMS,
    )
    summary = f"{plural(total, 'row')} in {plural(len(copies), 'table')}"
    if copied.moved:
        moved = ", ".join(copied.moved)
        summary += f"; {moved} changed while it was read (the copy holds what was read)"
    if beside:
        summary += f"; the apply also writes the row of {', '.join(r.table for r in beside)}"
    return Outcome(Status.PROVED, f"{summary}.", facts, reading.evidence)


def _not_to_be_rehearsed(environment: Environment, seen: Observation) -> str:
    """Why a rehearsal would show nothing of the apply; "" where it does."""
    name, ledger = environment.name, environment.project.database.migrations_table
    if name in seen.applied:
        return f"{name} is already in the target's ledger; there is nothing to rehearse."
    if seen.ledger_triggers:
        which = f"The trigger {seen.ledger_triggers[0]} on {ledger} would run with the apply"
        return f"{which}, and no rehearsal shows it. Drop it, then copy."
    return ""


async def check_syntax(context: StepContext) -> Outcome:
    """D1's engine version, limits and permissions, on the target's schema and then its rows."""
    analysis = context.environment.analysis()
    if analysis.engine.refused:
        return Outcome(Status.FAILED, refusal_words(analysis.engine.refused[0]))
    if analysis.kind is Kind.UNKNOWN:
        return Outcome(Status.UNKNOWN, "Not every statement was understood; see section 1.")
    return await asyncio.to_thread(_tried, context)


def _tried(context: StepContext) -> Outcome:
    """The whole file on one more copy: only there is an answer that depends on rows."""
    environment = context.environment
    if not environment.local.file(Folder.COPY.of(environment)).is_file():
        words = "The target's copy is not on this machine. Copy the target, then try again."
        for undecided in environment.analysis().engine.undecided[:1]:
            words = f"{refusal_words(undecided)} {words}"
        return Outcome(Status.UNKNOWN, words)
    verdict = environment.local.trial(
        Folder.COPY.of(environment), Folder.TRIAL.of(environment), environment.migration()
    )
    for status, refusals in ((Status.FAILED, verdict.refused), (Status.UNKNOWN, verdict.undecided)):
        if refusals:
            found = refusals[0]
            refusal = replace(found, reason=_UNTOLD) if context.quotes_rows() else found
            return Outcome(status, f"With the rows of the target: {refusal_words(refusal)}")
    return Outcome(Status.PROVED, "SQLite 3.54.1 with D1's limits accepts every statement.")


def rehearse_plan(context: StepContext) -> Sequence[str]:
    """The command of the rehearsal."""
    environment = context.environment
    persist = str(Folder.REHEARSAL.of(environment))
    return (shown(environment, apply_local_args(environment, "<staged>/wrangler.json", persist)),)


async def rehearse(context: StepContext) -> Outcome:
    """Apply it to a copy of the copy; explain every changed row and schema object."""
    environment = context.environment
    more = stale_answers(context)
    if more:
        return Outcome(Status.FAILED, f"{more} Answer the findings again.")
    persist, before = Folder.REHEARSAL.of(environment), Folder.COPY.of(environment)
    await asyncio.to_thread(environment.local.duplicate, before, persist)
    keep = None if context.quotes_rows() else context.evidence_name
    ran = await apply_local(context, persist, keep=keep)
    if environment.name not in {row.name for row in environment.local.ledger(persist)}:
        reason = context.own_reason(ran) if ran.exit_code else "the ledger has no row for it"
        said = f"It fails on a copy of the target: {reason}"
        facts = RehearsalFacts(wrangler_ms=ran.milliseconds)
        return Outcome(Status.FAILED, said, facts, (ran,))
    if ran.exit_code != 0:
        said = f"It was applied to the copy, but wrangler failed: {context.own_reason(ran)}"
        facts = RehearsalFacts(wrangler_ms=ran.milliseconds)
        return Outcome(Status.FAILED, said, facts, (ran,))
    facts = await asyncio.to_thread(_compared, context, ran.milliseconds)
    return Outcome(*_verdict(context, facts), facts, (ran,))


def _compared(context: StepContext, wrangler_ms: int) -> RehearsalFacts:
    environment = context.environment
    analysis = environment.analysis()
    before, after = Folder.COPY.of(environment), Folder.REHEARSAL.of(environment)
    olds, news = environment.local.schema(before), environment.local.schema(after)
    found = compare_states(context, before, after, effects=analysis.effects)
    sql_ms = _timed(context)
    predicted = predicted_ms(wrangler_ms, sql_ms)
    declared = None if declares_after_rehearsal(context) else declared_losses(context)
    return RehearsalFacts(
        tables=explained_facts(found, analysis, declared, context.facts(FindingsFacts).measured),
        schema=schema_facts(olds, news, analysis, renames_by(environment.migration(), olds)),
        wrangler_ms=wrangler_ms,
        predicted_ms=predicted,
        schema_after=news.fingerprint,
        counts_before=_counts(environment, before),
        counts_after=_counts(environment, after),
        rows=sum(table.before or 0 for table in found.tables if not table.content),
        downtime=_downtime(predicted),
        sql_ms=sql_ms,
        values_after=values_facts(watched_values(context, after)),
    )


def _counts(environment: Environment, persist: Path) -> tuple[TableCount, ...]:
    return table_counts(environment.local.counts(persist))


def _timed(context: StepContext) -> int | None:
    """Time the SQL alone, on one more copy: wrangler's own start hides it."""
    environment = context.environment
    persist = environment.workspace / "timing" / "d1"
    environment.local.duplicate(Folder.COPY.of(environment), persist)
    try:
        return environment.local.run_sql(persist, environment.migration().text)
    except PreflightError:
        return None  # wrangler's run is the verdict; only the finer figure is missing


def _verdict(context: StepContext, facts: RehearsalFacts) -> tuple[Status, str]:
    wrong = [table for table in facts.tables if not table.ok]
    if wrong:
        return Status.FAILED, f"{wrong[0].table}: {wrong[0].verdict}."
    hidden = [change for change in facts.schema if not change.declared]
    if hidden:
        words = f"Not declared: {hidden[0].words}."
        return Status.FAILED, f"{words} Keep it as it was, or change it in its own migration."
    limit = context.environment.settings.verification.statement_seconds * 1000
    predicted = facts.predicted_ms or 0
    if predicted > limit // 3:
        return (
            Status.FAILED,
            f"SQL: {duration(predicted)} locally; D1 stops a query after {limit // 1000} s.",
        )
    lost = facts.rows_lost
    kept = f"{plural(facts.rows or 0, 'row')}: {count(lost)} lost"
    later = any(table.undeclared for table in facts.tables)
    kept += (", to be declared" if later else " as declared") if lost else ""
    kept += f", {count(facts.rows_changed)} changed" if facts.rows_changed else ""
    return Status.PROVED, f"{kept}, {plural(len(facts.schema), 'schema change')}. {facts.downtime}"


def _downtime(predicted: int) -> str:
    """Whether users will notice that it runs."""
    shown_time = "under 1 s" if predicted < 1000 else f"about {duration(predicted)}"  # noqa: PLR2004
    return f"Queries wait {shown_time} while it runs."


async def apply_local(context: StepContext, persist: Path, *, keep: str | None) -> Evidence:
    """`wrangler d1 migrations apply --local` of exactly this migration on a local copy."""
    environment = context.environment
    staged, more = persist.parent / "staged", sql_beside(context)
    config = environment.files.stage(environment.migration(), staged, more)
    return await environment.wrangler.run(
        apply_local_args(environment, str(config), str(persist)),
        cwd=config.parent,
        emit=context.emit,
        keep=keep,
        timeout=LOCAL_TIMEOUT_S,
    )


def apply_local_args(environment: Environment, config: str, persist: str) -> tuple[str, ...]:
    """The argv of the rehearsal; `--persist-to` needs an explicit `--local`."""
    name = environment.project.database.name
    where = ("--local", "--config", config, "--persist-to", persist)
    return ("d1", "migrations", "apply", name, *where)


async def run_local_file(
    context: StepContext, script: Migration, persist: Path, *, keep: str | None
) -> Evidence:
    """`wrangler d1 execute --local --file` on a local copy: how a down migration is tried."""
    environment = context.environment
    config = environment.files.stage(environment.migration(), persist.parent / "staged")
    path = persist.parent / "script.sql"
    with writing(path):
        path.write_text(script.text, encoding="utf-8")
    name = environment.project.database.name
    where = ("--local", "--config", str(config), "--persist-to", str(persist))
    return await environment.wrangler.run(
        ("d1", "execute", name, *where, "--json", f"--file={path}"),
        cwd=config.parent,
        emit=context.emit,
        keep=keep,
        timeout=LOCAL_TIMEOUT_S,
    )


def compare_states(
    context: StepContext, before: Path, after: Path, *, effects: Effects | None = None
) -> RowDiff:
    """The row diff of two local databases; with `effects`, renames and rebuilds are known."""
    environment = context.environment
    prior = environment.local.schema(before)
    renames = renames_by(environment.migration(), prior) if effects else Renames()
    rebuilt = effects.tables_rebuilt if effects else ()
    ledger = (environment.project.database.migrations_table, *ledgers_beside(context))
    local = environment.local
    failing = Failing(local.failing_indexes(before), local.failing_indexes(after))
    with local.attached(before=local.file(before), after=local.file(after)) as connection:
        return diff_rows(
            connection, renames=renames, ignore=ledger, rebuilt=rebuilt, failing=failing
        )


def explained_facts(
    found: RowDiff,
    analysis: Analysis,
    declared: Collection[str] | None,
    confirmed: Sequence[MeasuredLoss] = (),
) -> tuple[TableChange, ...]:
    """The rehearsal's table for record and screen: a loss that nothing explains is not ok.

    Of the tables in `confirmed` no more may be lost than the operator saw when declaring.
    """
    measured = {m.table.lower(): (m.lost or 0, m.nulled or 0) for m in confirmed}
    judged = check_losses(found, analysis, declared, measured)
    return tuple(
        _change(one.diff, one.words or "unchanged", ok=not one.blocks, undeclared=one.undeclared)
        for one in judged
    )


def diff_facts(found: RowDiff) -> tuple[TableChange, ...]:
    """The same table without a verdict: what changed."""
    changes = (
        _change(table, "as before" if table.is_untouched else "differs", ok=table.is_untouched)
        for table in found.tables
    )
    return tuple(sorted(changes, key=lambda change: bool(change.ok)))


def predicted_ms(wrangler_ms: int, sql_ms: int | None) -> int:
    """Predicted time on the target: measured in SQLite, else wrangler's run less its start-up."""
    return sql_ms if sql_ms is not None else max(0, wrangler_ms - _START_MS)


def _change(table: TableDiff, words: str, *, ok: bool, undeclared: bool = False) -> TableChange:
    # A lowered AUTOINCREMENT mark has no rows; its line says from where ids are issued again.
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
        undeclared=undeclared or None,
    )


STEPS: Mapping[str, StepAction] = {
    "copy_target": StepAction(
        copy_target, prompts=cost_prompts, plan=copy_plan, held=held_by_reads
    ),
    "check_syntax": StepAction(check_syntax),
    "rehearse": StepAction(rehearse, plan=rehearse_plan, settles=judged_again),
}
