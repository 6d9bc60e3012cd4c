"""Before the apply: everything GO rests on is re-checked against what was signed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from d1_preflight.actions.context import Environment, StepContext
from d1_preflight.actions.losses import declared_losses
from d1_preflight.actions.other_ledgers import ledgers_beside, require_rows_as_signed
from d1_preflight.actions.pending import pending_names
from d1_preflight.actions.running_code import require_frozen_version
from d1_preflight.actions.standing import read_signed_plan
from d1_preflight.actions.surroundings import require_same_files
from d1_preflight.actions.table_restore import opened_copy
from d1_preflight.actions.target import Look, relative
from d1_preflight.actions.timing import WINDOW, require_window
from d1_preflight.actions.values import (
    decisive_tables,
    local_of,
    look_with_values,
    rows_now,
    value_question,
    with_shadows,
)
from d1_preflight.actions.workspace import Folder
from d1_preflight.core.errors import NotAllowed, PreflightError, RemoteFailed
from d1_preflight.core.format import timestamp
from d1_preflight.core.ports import Evidence
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.record.apply_facts import AbortCriteria, ApplyFacts, GoFacts, WindowFacts
from d1_preflight.core.record.change_facts import CopyFacts, RehearsalFacts
from d1_preflight.core.record.facts import moment
from d1_preflight.core.record.gate import out_of_time, staleness
from d1_preflight.core.record.review import go_review, second_person_kinds
from d1_preflight.core.record.safety_facts import BookmarkFacts, CountFacts
from d1_preflight.core.record.signed_plan import SignedPlan
from d1_preflight.core.rows.values import ValueQuestion, Values
from d1_preflight.core.target.snapshot import Observation
from d1_preflight.lazy_dataclass import dataclass


def signed_plan(context: StepContext) -> SignedPlan:
    """The plan that was signed, from the very bytes that the record names; raises NotAllowed."""
    return read_signed_plan(context.environment, context.facts(GoFacts))


@dataclass(frozen=True, slots=True)
class Rechecked:
    """The target just before the apply.

    `moved` names the touched and read tables whose values are not those of the copy,
    `moved_words` how; `as_rehearsed` those of them that hold exactly what the rehearsal came to;
    `elsewhere` the tables that changed too, but that no statement reads.
    """

    observation: Observation
    evidence: tuple[Evidence, ...]
    moved: tuple[str, ...] = ()
    moved_words: str = ""
    elsewhere: tuple[str, ...] = ()
    as_rehearsed: tuple[str, ...] = ()


async def recheck(context: StepContext, plan: SignedPlan) -> Rechecked:
    """Compare everything that GO relied on with the present; raises NotAllowed for any change.

    Values that moved in a decisive table are no exception but a finding: what to do about them is
    the apply's to decide.
    """
    environment, ticks = context.environment, Ticks(context)
    _require_on_this_machine(context, plan, ticks)
    await require_frozen_version(context, plan)
    look, values = await _look(context)
    now = look.observation
    require_still_valid(context, plan)
    ticks.tick("file", "configuration", WindowFacts.step)
    if environment.name in now.applied:
        if was_sent(context):
            return Rechecked(now, look.evidence)
        raise NotAllowed(
            f"{environment.name} is already in the ledger, and not by this record.",
            hint="Nothing was sent. Someone else applied it: read the ledger and ask them.",
        )
    changed = _changes(context, plan, now)
    if changed:
        raise NotAllowed(
            f"Since the rehearsal, {' and '.join(changed)} changed.",
            hint="Nothing was applied. Copy and rehearse again, then sign GO.",
        )
    if values is None:
        raise NotAllowed(
            "The target could not say which values its tables hold.",
            hint="Nothing was applied. Try again; if it fails again, run: preflight doctor",
        )
    ticks.tick("pending", "schema", "ledger")
    rechecked = await _with_moved(context, look, values)
    require_rows_as_signed(context, plan, now, rechecked.elsewhere)
    ticks.tick(*(() if rechecked.moved else ("values",)))
    return rechecked


def _require_on_this_machine(context: StepContext, plan: SignedPlan, ticks: "Ticks") -> None:
    """What needs no question to the target: what was signed, the backup, the local databases."""
    require_second_person(context)
    require_signed_criteria(context, plan)
    require_bookmark(context)
    require_signed_plan(context, plan)
    ticks.tick("GO signature")
    for table in plan.proofs.backup:
        opened_copy(context.environment, table)  # a missing or changed one cannot be restored
    ticks.tick(*(("backup",) if plan.proofs.backup else ()))
    require_local_databases(context.environment)


class Ticks:
    """Reports each thing that was compared, as soon as it was."""

    def __init__(self, context: StepContext) -> None:
        self._context, self._done = context, ApplyFacts(rechecked=())

    def tick(self, *words: str) -> None:
        """These are as signed."""
        if words:
            self._done = replace(self._done, rechecked=(*self._done.rechecked, *words))
            self._context.progress(self._done)


def require_still_valid(context: StepContext, plan: SignedPlan) -> None:
    """What time alone can end: settings as they were read, GO, the age of proofs, the window."""
    require_same_files(context.environment)
    require_unexpired(context, plan)
    require_fresh(context)
    require_window(context)


def require_fresh(context: StepContext) -> None:
    """Require that no proof grew too old while the target was read; raises NotAllowed."""
    now = context.environment.clock.now()
    for step in context.checklist.before(ApplyFacts.step):
        words = "" if step.action == WINDOW else staleness(context.record, step, now)
        if words:
            raise NotAllowed(
                f"“{step.title}” is {words}.",
                hint="Nothing was applied. Prove it again, then sign GO.",
            )


async def _with_moved(context: StepContext, look: Look, values: Values) -> Rechecked:
    """Which tables hold other values than the copy; rows are read again where no query tells."""
    decisive = with_shadows(context.environment, decisive_tables(context))
    ledgers = ledgers_beside(context)
    unsure = [table for table in values.unsure if table in (*decisive, *ledgers)]
    read_again = await _differing(context, unsure) if unsure else ()
    moved = tuple(table for table in decisive if table in (*values.moved, *read_again))
    changed = (*values.moved, *(table for table in read_again if table in ledgers))
    elsewhere = tuple(table for table in changed if table not in decisive)
    rehearsed = local_of(context.environment, Folder.REHEARSAL.of(context.environment), moved)
    same = tuple(t for t in moved if t in rehearsed and values.found.get(t) == rehearsed[t])
    return Rechecked(look.observation, look.evidence, moved, values.words(moved), elsewhere, same)


async def _differing(context: StepContext, tables: Sequence[str]) -> tuple[str, ...]:
    """The tables whose rows, read once more, are not those of the copy."""
    environment, copy = context.environment, Folder.COPY.of(context.environment)
    async with rows_now(context, tables) as rows:
        return tuple(c.table for c in rows.copied.copies if environment.local.compare_copy(c, copy))


def signed_migration(environment: Environment, plan: SignedPlan) -> Migration:
    """The file, read for the last time: its bytes are those that were signed."""
    migration = environment.migration()
    if migration.sha256 != plan.subjects.migration:
        raise NotAllowed(
            f"{migration.name} is not the file that was signed.",
            hint="Nothing was applied. It was edited since GO: go through the checklist again.",
        )
    return migration


async def _look(context: StepContext) -> tuple[Look, Values | None]:
    """One batched read: ledger, schema, values of the watched tables, counts of the others."""
    question = _value_question(context)
    try:
        try:
            return await _ask(context, question)
        except RemoteFailed as error:
            if "no such" not in error.message:
                raise
            look, _ = await _ask(context, ValueQuestion())
            return look, None  # the schema changed: that is said, or nothing is applied
    except PreflightError as error:
        # Nothing was sent yet, so this attempt may be repeated without an observation.
        raise NotAllowed(
            f"The target could not be re-checked: {error.message}",
            hint=f"Nothing was applied. {error.hint}",
        ) from error


async def _ask(context: StepContext, question: ValueQuestion) -> tuple[Look, Values]:
    counted = [c.table for c in context.facts(CountFacts).tables if c.table not in question.tables]
    return await look_with_values(context, question, counted, f"{context.evidence_name}-recheck")


def _value_question(context: StepContext) -> ValueQuestion:
    """Ask for the values that the copy holds; raises NotAllowed where that copy was changed."""
    environment, persist = context.environment, Folder.COPY.of(context.environment)
    recorded = recorded_values(context)
    shadowed = with_shadows(environment, decisive_tables(context))
    wanted = {*recorded, *shadowed, *ledgers_beside(context)}
    if not wanted:
        return ValueQuestion()
    question = value_question(environment, persist, wanted)
    for table, values in recorded.items():
        held = question.local.get(table)
        if held is None or held.text != values:
            raise NotAllowed(
                f"{table} in the copy on this machine is not as it was when it was copied.",
                hint="Nothing was applied. Copy the target and rehearse again, then sign GO.",
            )
    return question


def was_sent(context: StepContext) -> bool:
    """Whether an earlier try of this record sent the apply; one that was held sent nothing."""
    tries = [a for a in context.record.attempts if a.step == ApplyFacts.step]
    return any(
        attempt.status.is_unobserved or ApplyFacts.from_attempt(attempt).exit_code is not None
        for attempt in tries
    )


def recorded_values(context: StepContext) -> Mapping[str, str]:
    """The fingerprints of the copy by the record: of the last rehearsal, be it at the apply."""
    values: dict[str, str] = {}
    for attempt in context.record.attempts:
        if attempt.step == CopyFacts.step:
            copied = CopyFacts.from_attempt(attempt).tables
            values = {table.table: table.values for table in copied if table.values}
        elif attempt.step == ApplyFacts.step:
            again = ApplyFacts.from_attempt(attempt).values_before
            values |= {table.table: table.values for table in again}
    return values


def require_second_person(context: StepContext) -> None:
    """Require that no reviewer rejected GO and, where the policy asks, that one approved it."""
    environment = context.environment
    review = go_review(environment.store.files(), context.record, environment.signer)
    asked = context.kind in second_person_kinds(environment.settings.signing.second_person)
    if asked and review is None:
        raise NotAllowed(
            "GO waits for a second person; the team's policy asks for one.",
            hint=f"They run, in their checkout: preflight review --go {environment.stem}",
        )


def require_unexpired(context: StepContext, plan: SignedPlan) -> None:
    """Require that the plan, as it was signed, has not expired; raises NotAllowed."""
    now = context.environment.clock.now()
    lapse = out_of_time(plan.decided_at, plan.expires_at or now, now)
    if plan.expires_at is None or lapse:
        words = lapse.partition(";")[0] or "The signed GO has no expiry time"
        raise NotAllowed(f"{words}.", hint="Nothing was applied. Sign GO again.")


def require_local_databases(environment: Environment) -> None:
    """Require copy and rehearsal: values, verification and table restore are compared with them."""
    for folder in (Folder.COPY.of(environment), Folder.REHEARSAL.of(environment)):
        if not environment.local.file(folder).is_file():
            raise NotAllowed(
                f"{relative(environment, folder)} is no longer on this machine.",
                hint="Nothing was applied. Apply where it was copied, or copy and rehearse here.",
            )


def require_signed_criteria(context: StepContext, plan: SignedPlan) -> None:
    """The limits in the settings are still those that were signed."""
    if AbortCriteria.of(context.environment.settings.verification) != plan.criteria:
        raise NotAllowed(
            "The abort criteria in preflight.toml are not those that were signed.",
            hint="Nothing was applied. Put them back, or sign GO again.",
        )


def require_bookmark(context: StepContext) -> None:
    """Time Travel, the rollback path that always exists, must outlast the watch."""
    until = context.facts(BookmarkFacts).good_until
    watch = timedelta(minutes=context.environment.settings.verification.watch_minutes)
    if until and moment(until) < context.environment.clock.now() + watch:
        raise NotAllowed(
            f"The Time Travel bookmark is good until {timestamp(moment(until))}: it would expire "
            "before the watch ends.",
            hint="Capture a new one (3 Data safety, bookmark), and make a new backup with it.",
        )


def require_signed_plan(context: StepContext, plan: SignedPlan) -> None:
    """Checklist, class and rows at risk are still those that were signed."""
    for signed, name, now in (
        (plan.checklist, "the checklist", context.record.checklist),
        (str(plan.kind), "the class", str(context.kind)),
        (plan.rows_at_risk, "the number of rows at risk", context.facts(RehearsalFacts).rows_lost),
    ):
        if signed != now:
            raise NotAllowed(
                f"Since GO was signed, {name} changed: {signed!r} then, {now!r} now.",
                hint="Nothing was applied. Sign GO again.",
            )


def _changes(context: StepContext, plan: SignedPlan, now: Observation) -> list[str]:
    found, environment, copied = [], context.environment, context.facts(CopyFacts)
    if plan.subjects.config != environment.files.config_sha256():
        found.append("the configuration")
    if now.schema.fingerprint != plan.proofs.schema_before:
        found.append("the schema of the target")
    if plan.tools.wrangler != environment.wrangler.version:
        found.append("wrangler's version")
    if now.ledger_triggers:
        found.append(f"the triggers of the ledger ({', '.join(now.ledger_triggers)})")
    found += [f"the rows of {table}, which may be lost," for table in moved_at_risk(context, now)]
    if pending_names(environment, now) != copied.pending:
        found.append("the set of pending migrations")
    last = now.ledger[-1].name if now.ledger else ""
    if (len(now.ledger), last) != (plan.proofs.ledger_rows, copied.last_applied):
        found.append("the ledger (someone applied a migration)")
    return found


def moved_at_risk(context: StepContext, now: Observation) -> tuple[str, ...]:
    """The losing tables whose count is no longer the signed one."""
    copied = context.facts(CopyFacts).tables
    signed = {table.table: table.rows for table in copied if not table.values}  # else by values
    losing = set(declared_losses(context))
    for table in context.facts(RehearsalFacts).tables:
        if table.lost or table.nulled:
            losing.add(table.table)
    return tuple(t for t in sorted(losing & signed.keys()) if now.counts.get(t) != signed[t])
