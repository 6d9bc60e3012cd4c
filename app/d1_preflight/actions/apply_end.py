"""How an apply ended, by what the database says; wrangler's exit code proves nothing.

It was 0 for a failure and 1 after a commit (both shown by runs). A statement of which nobody saw
the end may still be at work: D1 stops a query after 30 s, so until then nothing is concluded.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import StrEnum
from math import ceil

from d1_preflight.actions.context import StepContext
from d1_preflight.actions.rehearse_again import carried
from d1_preflight.actions.target import Look, failure_words, observe
from d1_preflight.actions.values import (
    as_database,
    local_of,
    look_after,
    rows_now,
    touched_tables,
    value_question,
)
from d1_preflight.actions.workspace import Folder
from d1_preflight.core.errors import PreflightError
from d1_preflight.core.ports import Evidence
from d1_preflight.core.record.apply_facts import ApplyFacts
from d1_preflight.core.record.change_facts import CopyFacts, RehearsalFacts
from d1_preflight.core.record.facts import instant
from d1_preflight.core.record.record import Outcome, Status
from d1_preflight.core.schema.schema import Schema
from d1_preflight.core.target.snapshot import Observation
from d1_preflight.core.target.wrangler_output import may_have_arrived, says_applied, says_refused

SETTLED_S = 45.0
"""After this time no statement of ours can still commit: D1 stops a query after 30 s."""

_LOOK_S = 5.0


class By(StrEnum):
    """Who applied a migration whose row the ledger holds."""

    US = "us"
    ANOTHER = "another"
    UNKNOWN = "unknown"


class Found(StrEnum):
    """What the touched tables hold while the ledger has no row."""

    BEFORE = "before"
    CHANGED = "changed"
    UNKNOWN = "unknown"


async def conclude(
    context: StepContext, before: Observation, facts: ApplyFacts, evidence: Sequence[Evidence]
) -> Outcome:
    """Decide by what the database says now; the last evidence is that of the apply."""
    environment, ran = context.environment, evidence[-1]
    try:
        look = await _look_at_once(context, ran, facts)
    except PreflightError as error:
        words = f"The apply ran, but its result could not be read: {error.message}"
        return Outcome(
            Status.UNKNOWN,
            f"{words} Check the target before you do anything else.",
            facts,
            (*evidence,),
        )
    seen, everything = look.observation, (*evidence, *look.evidence)
    if environment.name in seen.applied:
        facts = replace(facts, by=_by(ran, environment.name))
        return applied(context, seen, facts, everything)
    writing = environment.wrangler.is_writing()
    if writing or may_have_arrived(ran):
        words = (
            f"Not in the ledger yet: {context.own_reason(ran)} It may still be running. Check "
            "again."
        )
        if not writing:  # the time in which it can commit begins when its sender is gone
            facts = looked(context, facts)
        return Outcome(Status.UNKNOWN, words, facts, everything)
    reason = context.own_reason(ran) if ran.exit_code else "wrangler reported no error."
    if seen.schema.fingerprint != before.schema.fingerprint:
        words = f"Half-way: {reason} The ledger has no row, but the schema changed."
        half_way = replace(facts, half_way=True)
        return Outcome(Status.FAILED, f"{words} See the emergency card.", half_way, everything)
    if ran.exit_code == 0:  # it said that it worked: what it wrote, if anything, has to be seen
        return await _without_row(context, look, facts, everything)
    words = f"Not applied: {reason} Ledger and schema are as before."
    return Outcome(Status.FAILED, words, facts, everything)


async def look_unseen(
    context: StepContext, what: str, is_there: Callable[[Observation], bool]
) -> tuple[Look, tuple[Evidence, ...]] | Outcome:
    """After a write whose end nobody saw: look until it is certain, and write nothing.

    Beside the look the evidence that was left; an outcome where there is nothing to see yet.
    """
    wrangler = context.environment.wrangler
    if wrangler.is_writing():
        words = f"The earlier {what} is still running on this machine. Check again in a moment."
        return Outcome(Status.UNKNOWN, words)
    left: tuple[Evidence, ...] = ()
    try:
        left = wrangler.recover(context.step.id)
        return await settled(context, is_there), left
    except PreflightError as error:  # whatever the cause, not having looked tells nothing
        words = f"The target could not be read: {failure_words(error)}"
        return Outcome(Status.UNKNOWN, words, evidence=left)


async def observe_unseen(context: StepContext) -> Outcome:
    """After an apply whose end nobody saw: what became of it."""
    environment = context.environment
    found = await look_unseen(
        context, "apply", lambda seen: seen.ledger_row(environment.name) is not None
    )
    if isinstance(found, Outcome):
        return found
    look, left = found
    seen, evidence = look.observation, (*left, *look.evidence)
    facts = ApplyFacts(observed=True)
    if environment.name in seen.applied:
        ours = any(says_applied(ran, environment.name) for ran in left)
        by = By.US if ours else By.UNKNOWN
        return applied(context, seen, replace(facts, by=by), evidence)
    if seen.schema.fingerprint != context.facts(CopyFacts).schema:
        words = "Checked: the ledger has no row, but the schema changed. See the emergency card."
        return Outcome(Status.FAILED, words, replace(facts, half_way=True), evidence)
    return await _without_row(context, look, facts, evidence)


def applied(
    context: StepContext, seen: Observation, facts: ApplyFacts, evidence: Sequence[Evidence]
) -> Outcome:
    """The ledger holds the row; the words say who put it there, as far as that is known."""
    name = context.environment.name
    row, times = next(row for row in seen.ledger if row.name == name), seen.times(name)
    facts = replace(facts, ledger_id=row.id, applied_at=row.applied_at)
    where = f"ledger row {row.id} at {row.applied_at} UTC"
    match facts.by:
        case By.US:
            words = f"Applied: {where}."
        case By.ANOTHER:
            words = f"Applied by somebody else: {where}. The apply of this record was refused."
        case _:
            words = (
                f"Applied, but it is unknown by whom: {where}; preflight saw no reply to its own "
                "apply."
            )
    if times > 1:
        facts = replace(facts, ledger_rows=times)
        words += f" The ledger has {times} rows for it: it may have been applied more than once."
    if facts.moved_elsewhere:
        words += f" Meanwhile rows changed in {', '.join(facts.moved_elsewhere)}."
    return Outcome(Status.PROVED, words, facts, tuple(evidence))


async def look_again(context: StepContext) -> Look:
    """Ledger and schema as they are now."""
    keep = f"{context.evidence_name}-observed"
    return await observe(context.environment, keep=keep, emit=context.emit)


async def _look_at_once(context: StepContext, ran: Evidence, facts: ApplyFacts) -> Look:
    """What the verification compares, too, where wrangler says that it applied it.

    The ledger's row is what matters here: it is asked alone where all of it cannot be read.
    """
    if says_applied(ran, context.environment.name) and not facts.rehearsed_again:
        try:
            return await look_after(context, f"{context.evidence_name}-observed")
        except PreflightError:
            context.emit(
                "Not everything could be read at once, so only the ledger was read.", "out"
            )
    return await look_again(context)


async def settled(context: StepContext, is_there: Callable[[Observation], bool]) -> Look:
    """The first look that finds what was sent, else the one after which nothing can commit.

    The wait is measured by time that only grows: a clock that is set meanwhile ends nothing early.
    """
    clock = context.environment.clock
    look = await look_again(context)
    until = clock.monotonic() + SETTLED_S - _waited(context)
    while not is_there(look.observation) and clock.monotonic() < until:
        left = until - clock.monotonic()
        context.emit(f"No row yet. A statement can run for 30 s; next look in {left:.0f} s.", "out")
        while (left := until - clock.monotonic()) > 0:
            await clock.sleep(min(_LOOK_S, max(0.1, left)))
        look = await look_again(context)
    return look


def looked(context: StepContext, facts: ApplyFacts) -> ApplyFacts:
    """The facts of a look that found nothing, with the time from which the wait is measured."""
    clock = context.environment.clock
    return replace(
        facts,
        looked_at=instant(clock.now()),
        looked_boot=clock.boot(),
        looked_uptime=ceil(clock.monotonic()),
    )


def _waited(context: StepContext) -> float:
    """The seconds since the first look that found nothing, where they are sure; else none.

    The machine's date may have been set since; what counts from another boot says nothing.
    """
    earlier, clock = ApplyFacts.from_attempt(context.before), context.environment.clock
    if earlier.looked_uptime is None or earlier.looked_boot != clock.boot():
        return 0.0
    return max(0.0, clock.monotonic() - earlier.looked_uptime)


async def _without_row(
    context: StepContext, look: Look, facts: ApplyFacts, evidence: Sequence[Evidence]
) -> Outcome:
    """No row, and the schema as before: of a change of data alone only the values tell."""
    found, tables, more = await _held_by(context, look.observation)
    everything = (*evidence, *more)
    if found is Found.BEFORE:
        words = "Checked: it was not applied; ledger, schema and values are as before."
        return Outcome(Status.FAILED, f"{words} It may be tried again.", facts, everything)
    names = ", ".join(tables)
    if found is Found.CHANGED:
        words = f"Half-way: the ledger has no row, but {names} has what the migration writes."
        half_way = replace(facts, half_way=True)
        return Outcome(Status.FAILED, f"{words} See the emergency card.", half_way, everything)
    words = (
        f"It is unknown whether it was applied: {names} has neither the earlier values nor the "
        "rehearsed ones."
    )
    stands = context.answer("stands")
    if stands:
        return Outcome(Status.ATTESTED, f"{words} Attested: {stands}", facts, everything)
    return Outcome(Status.UNKNOWN, words, replace(facts, moved=tables), everything)


async def _held_by(
    context: StepContext, seen: Observation
) -> tuple[Found, tuple[str, ...], tuple[Evidence, ...]]:
    """What the touched tables hold; the schema is as before."""
    environment, touched = context.environment, touched_tables(context)
    if context.facts(RehearsalFacts).schema_after != context.facts(CopyFacts).schema:
        return Found.BEFORE, (), ()  # one transaction: it would have changed the schema, too
    if not touched or not environment.local.file(Folder.COPY.of(environment)).is_file():
        return (Found.UNKNOWN, touched, ()) if touched else (Found.BEFORE, (), ())
    question = value_question(environment, Folder.COPY.of(environment), touched)
    look = await observe(environment, extra=question.statements, emit=context.emit)
    values = question.read(look.extra)
    if not values.moved and not values.unsure:
        return Found.BEFORE, (), look.evidence
    rehearsed = local_of(environment, Folder.REHEARSAL.of(environment), touched)
    if not values.unsure and dict(values.found) == {t: rehearsed.get(t) for t in values.found}:
        return Found.CHANGED, values.moved, look.evidence
    return await _by_rows(context, seen.schema, (*values.moved, *values.unsure))


async def _by_rows(
    context: StepContext, schema: Schema, tables: tuple[str, ...]
) -> tuple[Found, tuple[str, ...], tuple[Evidence, ...]]:
    """Read the rows again: those that the migration changes hold the one or the other."""
    async with rows_now(context, tables) as rows:
        states = carried(context, as_database(context, rows, schema))
    done, left = sum(state.done for state in states), sum(state.left for state in states)
    if rows.copied.moved or bool(done) is bool(left):
        return Found.UNKNOWN, tables, rows.evidence
    return (Found.CHANGED if done else Found.BEFORE), tables, rows.evidence


def _by(ran: Evidence, name: str) -> By:
    """Our own reply proves ours; a refusal proves another; a lost reply proves nothing."""
    if says_applied(ran, name):
        return By.US
    return By.ANOTHER if says_refused(ran) else By.UNKNOWN
