"""Section 6: after the apply. Everything is compared with what the rehearsal showed."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from urllib.parse import urlsplit

from d1_preflight.actions.context import Environment, StepAction, StepContext
from d1_preflight.actions.copy_rows import held_by_reads
from d1_preflight.actions.other_ledgers import ledgers_beside, missing_beside
from d1_preflight.actions.tail_watch import watch_by_tail, watch_facts
from d1_preflight.actions.target import execute_args, shown
from d1_preflight.actions.timing import worker_page
from d1_preflight.actions.values import differing_tables, fresh_look, rehearsed_tables
from d1_preflight.actions.workspace import Folder
from d1_preflight.core.checklist.checklist import Prompt, PromptKind
from d1_preflight.core.errors import NoAnalytics, RemoteFailed
from d1_preflight.core.format import count, noun_for, plural
from d1_preflight.core.ports import Evidence
from d1_preflight.core.project.setting_types import Endpoint
from d1_preflight.core.record.apply_facts import (
    AbortCriteria,
    ApplyFacts,
    CheckedTable,
    EndpointAnswer,
    EndpointFacts,
    GoFacts,
    LedgerFacts,
    RowCheckFacts,
    SchemaCheckFacts,
)
from d1_preflight.core.record.change_facts import CopyFacts, RehearsalFacts, row_counts
from d1_preflight.core.record.facts import NO_ITEMS, NO_TEXT, instant, is_absent, moment
from d1_preflight.core.record.record import Outcome, Status
from d1_preflight.core.record.safety_facts import DeployOrderFacts
from d1_preflight.core.rows.values import Values
from d1_preflight.core.schedule.analytics import ERRORS_QUERY, Sample, error_rate, error_samples
from d1_preflight.core.schema.schema import diff
from d1_preflight.core.target.api_place import PRACTICE
from d1_preflight.core.target.snapshot import Question

_POLL_S = 5.0
_READING = ("GET", "HEAD", "OPTIONS")
_SHOWN = 3  # differences in one sentence
_TRAFFIC_SHARE = 100  # one row in a hundred …
_TRAFFIC_ROWS = 10  # … or ten may be added between two reads; a missing row needs an explanation


def verify_plan(context: StepContext) -> Sequence[str]:
    """The batched read that ledger, schema and rows share."""
    environment = context.environment
    question = Question(
        environment.project.database.migrations_table, rehearsed_tables(context), checks=True
    )
    return (shown(environment, execute_args(environment, question.sql)),)


def ledger_prompts(context: StepContext) -> Sequence[Prompt]:
    """Where only a person's words say how the apply ended, they may say so of its row, too.

    They may also say why there are several.
    """
    last, applied = context.record.last("ledger"), context.record.last(ApplyFacts.step)
    attested = applied is not None and applied.status is Status.ATTESTED
    several = LedgerFacts.from_attempt(last).rows
    if not (attested or several) or last is None or last.status is not Status.FAILED:
        return ()
    what = "there be several rows" if several else "the row be missing"
    label = f"Why may {what}? Leave it empty to read the ledger again"
    return (Prompt("explanation", PromptKind.TEXT, label, help=last.words, optional=True),)


async def verify_ledger(context: StepContext) -> Outcome:
    """The ledger has this migration's row, and so has each other tool's."""
    seen, evidence = await fresh_look(context)
    row = seen.ledger_row(context.environment.name)
    if row is None:
        words = f"The ledger has no row for {context.environment.name}."
        if context.answer("explanation"):
            words = f"{words} Explained: {context.answer('explanation')}"
            return Outcome(Status.ATTESTED, words, evidence=evidence)
        return Outcome(Status.FAILED, f"{words} See the emergency card.", evidence=evidence)
    facts = LedgerFacts(id=row.id, name=row.name, applied_at=row.applied_at)
    if (times := seen.times(row.name)) > 1:
        return _several(context, replace(facts, rows=times), evidence)
    words = f"Row {row.id}: {row.name}, {row.applied_at} UTC."
    if missing := await missing_beside(context):
        lacking = " ".join(f"{m.table} has no row for it: {m.sql}" for m in missing)
        words = f"{words} But {lacking} Until it has, its tool would apply the file again."
        return Outcome(Status.FAILED, words, facts, evidence)
    if beside := ledgers_beside(context):
        words += f" {', '.join(beside)} {noun_for(len(beside), 'has', 'have')} its row, too."
    return Outcome(Status.PROVED, words, facts, evidence)


def _several(context: StepContext, facts: LedgerFacts, evidence: tuple[Evidence, ...]) -> Outcome:
    """Several rows for one migration: it may have been applied as often."""
    words = f"The ledger has {facts.rows} rows for {facts.name}: it may have been applied as often."
    if context.answer("explanation"):
        words = f"{words} Explained: {context.answer('explanation')}"
        return Outcome(Status.ATTESTED, words, facts, evidence)
    return Outcome(Status.FAILED, f"{words} See the emergency card.", facts, evidence)


async def verify_schema(context: StepContext) -> Outcome:
    """Compare every table, index, trigger and view with the rehearsal's."""
    seen, evidence = await fresh_look(context)
    rehearsed = context.environment.local.schema(Folder.REHEARSAL.of(context.environment))
    differences = tuple(change.words for change in diff(rehearsed, seen.schema))
    facts = SchemaCheckFacts(
        equal=not differences, fingerprint=seen.schema.fingerprint, differences=differences
    )
    if rehearsed.fingerprint != context.facts(RehearsalFacts).schema_after:
        words = "The rehearsed schema on this machine is not the one in the record."
        return Outcome(Status.UNKNOWN, words, facts, evidence)
    if differences:
        words = f"{plural(len(differences), 'difference')} from the rehearsal: {differences[0]}"
        return Outcome(Status.FAILED, words, facts, evidence)
    words = f"{plural(len(seen.schema.objects), 'object')}, equal to the rehearsal."
    return Outcome(Status.PROVED, words, facts, evidence)


def row_prompts(context: StepContext) -> Sequence[Prompt]:
    """Ask for an explanation of the difference in counts that the last attempt showed."""
    last = context.record.last("rows")
    if last is None or last.status is not Status.FAILED:
        return ()
    label = "What explains the difference? Leave it empty to count again"
    return (Prompt("explanation", PromptKind.TEXT, label, help=last.words, optional=True),)


async def verify_rows(context: StepContext) -> Outcome:
    """Counts and values against the rehearsal's; quick_check, foreign_key_check."""
    expected = expected_counts(context)
    if is_absent(context.facts(RehearsalFacts).counts_after):
        return Outcome(Status.UNKNOWN, "There are no rehearsed row counts to compare with.")
    seen, evidence = await fresh_look(context)
    values = context.environment.cache.values or Values({}, {})
    differing, read = await differing_tables(context, seen.schema, values)
    tables = tuple(
        replace(
            _checked(table, n, seen.counts.get(table)), same_values=_same(table, values, differing)
        )
        for table, n in expected.items()
    )
    facts = RowCheckFacts(
        tables=tables, quick_check=seen.quick_check, broken_references=seen.broken_references
    )
    evidence = (*evidence, *read)
    if seen.quick_check != "ok" or seen.broken_references:
        broken = plural(seen.broken_references, "broken reference")
        words = f"quick_check: {seen.quick_check}; {broken}."
        return Outcome(Status.FAILED, words, facts, evidence)
    wrong = [_count_words(table) for table in tables if not table.ok]
    wrong += [f"{words}." for words in differing.values()]
    if wrong:
        words = " ".join(wrong[:_SHOWN])
        if context.answer("explanation"):
            words = f"{words} Explained: {context.answer('explanation')}"
            return Outcome(Status.ATTESTED, words, facts, evidence)
        return Outcome(Status.FAILED, words, facts, evidence)
    compared = len(values.found)
    words = f"{plural(len(tables), 'table')} as rehearsed" if tables else "No table is left"
    words += f", {plural(compared, 'table')} value for value" if compared else ""
    return Outcome(
        Status.PROVED, f"{words}; quick_check ok, no broken references.", facts, evidence
    )


def _same(table: str, values: Values, differing: Collection[str]) -> bool | None:
    """Whether the table holds the rehearsed values; None where they were not compared."""
    if table in values.found or table in values.unsure:
        return table not in differing
    return None


def _count_words(table: CheckedTable) -> str:
    should = plural(table.expected or 0, "row")
    return f"{table.table} should hold {should} and holds {count(table.found or 0)}."


async def probe_endpoints(context: StepContext) -> Outcome:
    """Ask the endpoints from the settings; none configured is not a pass."""
    endpoints = context.environment.settings.verification.endpoints
    if not endpoints:
        words = "No endpoints are configured: name them under [verification] in preflight.toml."
        return Outcome(Status.UNKNOWN, " ".join((words, *endpoint_plan(context))))
    uncalled = uncalled_routes(context.facts(DeployOrderFacts).routes, endpoints)
    facts = EndpointFacts(endpoints=(), uncalled=uncalled or NO_ITEMS)
    for endpoint in endpoints:
        answer = await probed(context.environment, endpoint)
        facts = replace(facts, endpoints=(*facts.endpoints, answer))
        context.progress(facts)
    wrong = [answer for answer in facts.endpoints if not answer.ok]
    if wrong:
        words = f"{wrong[0].method} {wrong[0].url}: {wrong[0].words}. See the emergency card."
        return Outcome(Status.FAILED, words, facts)
    answered = len(facts.endpoints)
    words = f"{plural(answered, 'endpoint')} {noun_for(answered, 'answers', 'answer')} as expected."
    if uncalled:
        words += f" Not called, though the change touches them: {', '.join(uncalled)}."
    return Outcome(Status.PROVED, words, facts)


def held_by_endpoints(context: StepContext) -> str:
    """Why a person starts the calls: one whose method is not for reading may change something."""
    endpoints = context.environment.settings.verification.endpoints
    writing = [e for e in endpoints if e.method not in _READING]
    return f"It sends {writing[0].method} {writing[0].url}." if writing else ""


async def probed(environment: Environment, endpoint: Endpoint) -> EndpointAnswer:
    """Ask one endpoint; raises ProjectError where a token that it needs is not set."""
    probe = await environment.web.probe(endpoint)
    return EndpointAnswer(
        method=endpoint.method,
        url=endpoint.url,
        status=probe.status or 0,
        ms=probe.milliseconds,
        ok=probe.ok,
        words=probe.words,
    )


def watch_plan(context: StepContext) -> Sequence[str]:
    """The Worker's metrics page, to look at beside the watch."""
    return () if context.environment.target == PRACTICE else worker_page(context.environment)


async def watch_errors(context: StepContext) -> Outcome:
    """Watch the Worker's error rate for the watch time; over the limit fails at once."""
    environment = context.environment
    since = _since(context)
    limit, minutes = signed_limits(context)
    watch = timedelta(minutes=minutes)
    try:
        baseline = error_rate(await traffic_of(environment, since - timedelta(hours=1), since))
    except NoAnalytics:
        return await watch_by_tail(context, limit, minutes)
    started = environment.clock.monotonic()
    while True:
        watched = timedelta(seconds=environment.clock.monotonic() - started)
        samples = await traffic_of(environment, since, environment.clock.now())
        facts = replace(
            watch_facts(samples, limit, watched, watch),
            baseline=NO_TEXT if baseline is None else str(baseline),
        )
        left_s = (watch - watched).total_seconds()
        context.progress(replace(facts, left_s=max(0, int(left_s))))
        rate = error_rate(samples)
        if rate is not None and rate > limit:
            words = f"Error rate {rate} % is over the limit of {limit} %. See the emergency card."
            return Outcome(Status.FAILED, words, facts)
        if left_s <= 0:
            break
        await environment.clock.sleep(min(_POLL_S, left_s))
    if rate is None:
        words = "No request came in during the watch; the error rate is unknown."
        return Outcome(Status.UNKNOWN, words, facts)
    before = "before: unknown" if baseline is None else f"before {baseline} %"
    words = f"{rate} % over {minutes} min (limit {limit} %, {before})."
    return Outcome(Status.PROVED, words, facts)


def signed_limits(context: StepContext) -> tuple[Decimal, int]:
    """The error rate and the minutes that GO fixed; today's settings move neither."""
    signed = context.facts(GoFacts).criteria or AbortCriteria()
    rate, minutes = signed.error_rate_percent, signed.watch_minutes
    now = context.environment.settings.verification
    return (
        Decimal(rate) if rate else now.error_rate_percent,
        now.watch_minutes if minutes is None else minutes,
    )


def expected_counts(context: StepContext) -> Mapping[str, int]:
    """By table: as rehearsed, or as just before the apply plus the rehearsed change."""
    rehearsal = context.facts(RehearsalFacts)
    known = row_counts(rehearsal.counts_before)
    copied = known or row_counts(context.facts(CopyFacts).tables)
    just_before = row_counts(context.facts(ApplyFacts).counts_before)
    return {
        table: max(0, just_before[table] + rows - copied.get(table, 0))
        if table in just_before
        else rows
        for table, rows in row_counts(rehearsal.counts_after).items()
    }


def _checked(table: str, expected: int, found: int | None) -> CheckedTable:
    """One table's verdict: traffic may have added a few rows since."""
    if found is None:
        return CheckedTable(table=table, expected=expected, found=-1, ok=False)
    room = max(_TRAFFIC_ROWS, expected // _TRAFFIC_SHARE)
    ok = expected <= found <= expected + room
    return CheckedTable(table=table, expected=expected, found=found, ok=ok)


def _since(context: StepContext) -> datetime:
    """From the apply on; after a failed watch, from its end: a fix starts a new watch."""
    applied, before = _applied_at(context), context.before
    if before is None or before.status is not Status.FAILED or before.finished_at is None:
        return applied
    return max(applied, before.finished_at)


def _applied_at(context: StepContext) -> datetime:
    attempt = context.record.standing(context.checklist.step("applied"))
    applied_at = context.facts(ApplyFacts).applied_at
    try:
        return moment(applied_at.replace(" ", "T") + "Z")
    except ValueError:
        return attempt.started_at if attempt else context.environment.clock.now()


async def traffic_of(
    environment: Environment, since: datetime, until: datetime
) -> tuple[Sample, ...]:
    """The Worker's requests and errors; raises RemoteFailed where they cannot be read."""
    worker = environment.named_worker("its error rate cannot be read")
    variables = {
        "account": environment.web.account(environment.project.config.account_id), "script": worker,
        "since": instant(since), "until": instant(until),
    }  # fmt: skip
    try:
        return error_samples(await environment.web.analytics(ERRORS_QUERY, variables))
    except ValueError as error:
        raise RemoteFailed(
            f"The error rate cannot be read: {error}.",
            hint="Look at the dashboard, then waive this step with what you saw.",
        ) from error


def endpoint_plan(context: StepContext) -> Sequence[str]:
    """The routes whose queries touch the change, where they can be told."""
    routes = context.facts(DeployOrderFacts).routes
    return (f"the change touches: {', '.join(routes)}",) if routes else ()


def uncalled_routes(routes: Sequence[str], endpoints: Sequence[Endpoint]) -> tuple[str, ...]:
    """The routes that no configured endpoint calls, whatever stands for their parameters."""
    called = [(e.method.upper(), urlsplit(e.url).path) for e in endpoints]
    return tuple(route for route in routes if not any(_calls(one, route) for one in called))


def _calls(called: tuple[str, str], route: str) -> bool:
    """Whether a call ends in the route's path: a router may lie below another path."""
    method, _, pattern = route.partition(" ")
    parts = (re.escape(p) if p[:1] != ":" else "[^/]+" for p in pattern.strip("/").split("/"))
    path = f"(?:^|/){'/'.join(parts).replace(re.escape('*'), '.*')}/?$"
    return method in ("ANY", called[0]) and re.search(path, called[1]) is not None


STEPS: Mapping[str, StepAction] = {
    "verify_ledger": StepAction(verify_ledger, prompts=ledger_prompts, plan=verify_plan),
    "verify_schema": StepAction(verify_schema),
    "verify_rows": StepAction(verify_rows, prompts=row_prompts, held=held_by_reads),
    "probe_endpoints": StepAction(probe_endpoints, plan=endpoint_plan, held=held_by_endpoints),
    "watch_errors": StepAction(watch_errors, plan=watch_plan),
}
