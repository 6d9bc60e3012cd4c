"""Section 2: the migration on this machine, on a copy of the target, with the real wrangler."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from d1_preflight.actions.classification import outgrown, refusal_words
from d1_preflight.actions.copying import check_size, copy_facts, copy_rows, plan_reading
from d1_preflight.actions.folders import copied_rows, copy_folder, rehearsal_folder, trial_folder
from d1_preflight.actions.pending import pending_names
from d1_preflight.actions.rehearsal import (
    apply_local,
    apply_local_args,
    compare_states,
    explained_facts,
    predicted_ms,
    schema_facts,
)
from d1_preflight.actions.remote import relative, shown
from d1_preflight.actions.tools import Tools, Work
from d1_preflight.core.errors import PreflightError
from d1_preflight.core.findings import Kind
from d1_preflight.core.format import count, duration, plural
from d1_preflight.core.record.facts import number, rows, words
from d1_preflight.core.record.file import instant
from d1_preflight.core.record.record import Fact, Facts, Outcome, Status
from d1_preflight.core.schema.schema import diff

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
    facts: dict[str, Fact] = {
        "tables": copy_facts(copies),
        "rows": total,
        "bytes": sum(copy.bytes for copy in copies),
        "ledger_rows": len(seen.ledger),
        "last_applied": seen.ledger[-1].name if seen.ledger else "",
        "pending": pending_names(tools, seen),
        "schema": seen.schema.fingerprint,
        "file": relative(tools, copy_folder(tools)),
        "read_ms": round((tools.clock.monotonic() - started) * 1000),
        "taken_at": instant(seen.taken_at),
    }
    summary = f"{plural(total, 'row')} in {plural(len(copies), 'table')}"
    if copied.moved:
        moved = ", ".join(copied.moved)
        summary += f"; {moved} changed while it was read (the copy holds what was read)"
    return Outcome(Status.PROVED, f"{summary}.", facts, reading.evidence)


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
    more = outgrown(work)
    if more:
        return Outcome(Status.FAILED, f"{more} Answer section 1 again.")
    persist, before = rehearsal_folder(tools), copy_folder(tools)
    await asyncio.to_thread(tools.local.duplicate, before, persist)
    keep = None if work.quotes_rows() else work.evidence_name
    ran = await apply_local(work, persist, keep=keep)
    if tools.name not in {row.name for row in tools.local.ledger(persist)}:
        reason = work.own_reason(ran) if ran.exit_code else "the ledger has no row for it"
        said = f"It fails on a copy of the target: {reason}"
        return Outcome(Status.FAILED, said, {"wrangler_ms": ran.milliseconds}, (ran,))
    facts = await asyncio.to_thread(_compared, work, ran.milliseconds)
    return Outcome(*_verdict(work, facts), facts, (ran,))


def _compared(work: Work, wrangler_ms: int) -> dict[str, Fact]:
    tools = work.tools
    analysis = tools.analysis()
    before, after = copy_folder(tools), rehearsal_folder(tools)
    olds, news = tools.local.schema(before), tools.local.schema(after)
    found = compare_states(tools, before, after, effects=analysis.effects)
    declared = words(work.facts_of("findings"), "declared_losses")
    sql_ms = _timed(work)
    predicted = predicted_ms(wrangler_ms, sql_ms)
    facts: dict[str, Fact] = {
        "tables": explained_facts(found, analysis, declared),
        "schema": schema_facts(diff(olds, news), analysis, olds),
        "wrangler_ms": wrangler_ms,
        "predicted_ms": predicted,
        "schema_after": news.fingerprint,
        "counts_before": _counts(tools, before),
        "counts_after": _counts(tools, after),
        "rows": sum(table.before or 0 for table in found.tables),
        "downtime": _downtime(predicted),
    }
    return facts if sql_ms is None else facts | {"sql_ms": sql_ms}


def _counts(tools: Tools, persist: Path) -> tuple[Mapping[str, Fact], ...]:
    counts = tools.local.counts(persist)
    return tuple({"table": table, "rows": count} for table, count in counts.items())


def _timed(work: Work) -> int | None:
    """The SQL alone, on one more copy: what wrangler's own start hides."""
    tools = work.tools
    persist = tools.workspace / "timing" / "d1"
    tools.local.duplicate(copy_folder(tools), persist)
    try:
        return tools.local.run_sql(persist, tools.migration().text)
    except PreflightError:
        return None  # wrangler's run is the verdict; only the finer figure is missing


def _verdict(work: Work, facts: Facts) -> tuple[Status, str]:
    tables, changes = rows(facts, "tables"), rows(facts, "schema")
    wrong = [row for row in tables if not row["ok"]]
    if wrong:
        first = wrong[0]
        return Status.FAILED, f"{first['table']}: {first['verdict']}; not declared."
    hidden = [change for change in changes if not change["declared"]]
    if hidden:
        words = f"Not declared: {hidden[0]['words']}."
        return Status.FAILED, f"{words} Keep it as it was, or change it in its own migration."
    limit = work.tools.settings.verification.statement_seconds * 1000
    predicted = facts["predicted_ms"]
    if isinstance(predicted, int) and predicted > limit // 3:
        return (
            Status.FAILED,
            f"SQL: {duration(predicted)} locally; D1 stops a query after {limit // 1000} s.",
        )
    lost = sum(int(str(row["lost"])) for row in tables)
    kept = f"{plural(number(facts, 'rows'), 'row')}: {count(lost)} lost"
    kept += " as declared" if lost else ""
    return Status.PROVED, f"{kept}, {plural(len(changes), 'schema change')}. {facts['downtime']}"


def _downtime(predicted: int) -> str:
    """The first Zuhandenheit question: does it run without users noticing?"""
    shown_time = "under 1 s" if predicted < 1000 else f"about {duration(predicted)}"  # noqa: PLR2004
    return f"Queries wait {shown_time} while it runs."
