"""Section 3: before anything is written, every row is counted and a bookmark is captured."""

from collections.abc import Sequence
from datetime import timedelta

from d1_preflight.actions.remote import (
    call_target,
    config_flags,
    first_object,
    observe,
    shown,
)
from d1_preflight.actions.tools import Tools, Work
from d1_preflight.core.errors import RemoteFailed
from d1_preflight.core.format import date, plural
from d1_preflight.core.record.file import instant
from d1_preflight.core.record.record import Facts, Outcome, Status
from d1_preflight.core.schema.table import countable, tables_of
from d1_preflight.core.target.wrangler_output import explain_failure


async def count_rows(work: Work) -> Outcome:
    """One batched call: the count of every table, and the schema again."""
    tools = work.tools
    tables = countable(tables_of(tools.prior_schema()))
    look = await observe(tools, tables=tables, keep=work.evidence_name, emit=work.emit)
    seen = look.observation
    if seen.schema.fingerprint != work.facts_of("copied").get("schema"):
        words = "The target's schema changed since it was copied. Copy and rehearse again."
        return Outcome(Status.FAILED, words, {}, look.evidence)
    total = sum(seen.counts.values())
    facts: Facts = {
        "tables": tuple({"table": table, "rows": n} for table, n in seen.counts.items()),
        "rows": total,
        "taken_at": instant(seen.taken_at),
    }
    words = f"{plural(total, 'row')} in {plural(len(seen.counts), 'table')}."
    return Outcome(Status.PROVED, words, facts, look.evidence)


async def take_bookmark(work: Work) -> Outcome:
    """Time Travel's bookmark of this moment, and until when it can be used."""
    tools = work.tools
    ran = await call_target(
        tools, bookmark_args(tools), emit=work.emit, keep=work.evidence_name, timeout=120
    )
    if ran.exit_code != 0:
        raise explain_failure(ran)
    bookmark = first_object(ran.stdout).get("bookmark")
    if not isinstance(bookmark, str) or not bookmark:
        raise RemoteFailed("wrangler gave no bookmark.", hint="Run the step again.")
    now = tools.clock.now()
    until = now + timedelta(days=tools.settings.data.time_travel_days)
    facts: Facts = {
        "bookmark": bookmark, "taken_at": instant(now), "good_until": instant(until),
    }  # fmt: skip
    return Outcome(
        Status.PROVED, f"{bookmark}, good until {date(until, tools.clock.now())}.", facts, (ran,)
    )


def bookmark_args(tools: Tools) -> tuple[str, ...]:
    """The argv of `wrangler d1 time-travel info`; it is remote by nature and takes no --remote."""
    name = tools.project.database.name
    return ("d1", "time-travel", "info", name, *config_flags(tools), "--json")


def bookmark_plan(work: Work) -> Sequence[str]:
    """The command, with its target."""
    return (shown(work.tools, bookmark_args(work.tools)),)
