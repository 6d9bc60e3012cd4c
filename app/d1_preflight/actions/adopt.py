"""Adoption: ledger rows for files that are applied already, found by comparing, then written.

The target has no ledger of wrangler's, or another tool's: each file is compared with the live
schema, a person confirms, and one batch writes the rows. Like an apply it is never repeated
blindly: what it did is observed.
"""

from collections.abc import Container, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from d1_preflight.actions.apply_end import By, look_again, look_unseen, looked
from d1_preflight.actions.context import Environment, StepAction, StepContext
from d1_preflight.actions.preconditions import (
    require_bookmark,
    require_second_person,
    require_signed_criteria,
    require_signed_plan,
    require_still_valid,
    signed_plan,
)
from d1_preflight.actions.target import execute_args, observe, shown
from d1_preflight.core.analysis import made_outside, schemas_between
from d1_preflight.core.checklist.checklist import Prompt, PromptKind
from d1_preflight.core.errors import NotAllowed, PreflightError, RemoteFailed
from d1_preflight.core.findings import Kind
from d1_preflight.core.format import first, plural
from d1_preflight.core.ports import Evidence
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.project.pending import pending_set
from d1_preflight.core.record.apply_facts import ApplyFacts
from d1_preflight.core.record.change_facts import (
    AdoptedFacts,
    ComparedFacts,
    JudgedFileFacts,
    table_counts,
)
from d1_preflight.core.record.record import Outcome, Record, Status
from d1_preflight.core.schema.schema import Schema, tables_of
from d1_preflight.core.target.adopted import Applied, JudgedFile, gaps, judge_files, with_ledger
from d1_preflight.core.target.ledger_rows import adoption_sql, undo_sql
from d1_preflight.core.target.ledgers import (
    false_rows,
    foreign_ledgers,
    recorded_names,
    recorded_question,
)
from d1_preflight.core.target.snapshot import Observation
from d1_preflight.core.target.wrangler_output import (
    explain_failure,
    may_have_arrived,
    parse_execute,
)

_NAMED = 3
_PUT_RIGHT = "Nothing is adopted beside such rows: bring the file back, or remove the row first."


@dataclass(frozen=True, slots=True)
class _Recorded:
    """What one ledger has of our files."""

    whose: str
    names: frozenset[str]


async def compare_files(context: StepContext) -> Outcome:
    """Hold each file against the target's schema and against every ledger that is there."""
    environment = context.environment
    first = await observe(environment, keep=context.evidence_name, emit=context.emit)
    live = first.observation.schema
    ledgers = [ledger.table for ledger in foreign_ledgers(live)]
    tables = {table.name: table for table in tables_of(live)}
    questions = {name: recorded_question(tables[name]) for name in ledgers}
    asked = [name for name in ledgers if questions[name]]
    look = await observe(  # what another tool wrote stays out of the evidence
        environment, tables=ledgers, extra=[questions[name] for name in asked], emit=context.emit
    )
    migrations = tuple(environment.files.migrations())
    recorded = [
        _Recorded(name, recorded_names(migrations, (row["recorded"] for row in rows)))
        for name, rows in zip(asked, look.extra, strict=True)
    ]
    seen = look.observation
    files, outside = _judged(migrations, seen.schema.without(*ledgers), recorded, seen.applied)
    facts = ComparedFacts(
        files=tuple(_facts_of(file, m) for file, m in zip(files, migrations, strict=True)),
        schema=seen.schema.fingerprint,
        in_ledger=tuple(row.name for row in seen.ledger),
        ledgers=table_counts(seen.counts),
        outside=tuple(o.name for o in outside.objects),
    )
    evidence = (*first.evidence, *look.evidence)
    extra = pending_set((migration.name for migration in migrations), facts.in_ledger).extra
    names = [migration.name for migration in migrations]
    gone = {said for m in migrations if (said := m.naming.gone_from(names))}
    if wrong := [*false_rows(facts.in_ledger, extra), *gone]:
        words = f"{' '.join(wrong)} {_PUT_RIGHT}"
        return Outcome(Status.FAILED, words, facts, evidence)
    return _compared(files, facts, evidence)


def _judged(
    migrations: Sequence[Migration],
    live: Schema,
    recorded: Sequence[_Recorded],
    applied: frozenset[str],
) -> tuple[tuple[JudgedFile, ...], Schema]:
    """The verdicts, and the schema that no file makes."""
    outside = made_outside(migrations, live)
    steps, refused = schemas_between(migrations, outside)
    files = judge_files([migration.name for migration in migrations], steps, live)
    files = tuple(
        JudgedFile(f.name, Applied.UNKNOWN, f"it does not run here ({why})") if why else f
        for f, why in zip(files, refused, strict=True)
    )
    for one in recorded:
        files = tuple(
            with_ledger(f, one.whose, is_recorded=f.name in one.names, others_in_it=bool(one.names))
            for f in files
        )
    whose = "wrangler's ledger"
    return tuple(
        with_ledger(f, whose, is_recorded=True, others_in_it=True) if f.name in applied else f
        for f in files
    ), outside


def _facts_of(file: JudgedFile, migration: Migration) -> JudgedFileFacts:
    return JudgedFileFacts(
        file=file.name,
        applied=file.applied.value,
        evidence=file.evidence,
        sha256=migration.sha256,
    )


def _compared(
    files: Sequence[JudgedFile], facts: ComparedFacts, evidence: tuple[Evidence, ...]
) -> Outcome:
    """Nothing may be written while a file is there in part, or is contradicted."""
    blocking = [file for file in files if file.applied.blocks]
    counts = ", ".join(
        f"{n} {state}" for state in Applied if (n := sum(f.applied is state for f in files))
    )
    if blocking:
        named = "; ".join(f"{f.name} ({f.applied}: {f.evidence})" for f in blocking[:_NAMED])
        words = f"{counts}. Nothing can be adopted until these match the target: {named}."
        return Outcome(Status.FAILED, words, facts, evidence)
    if not files:
        return Outcome(Status.FAILED, "There is no migration file to adopt.", facts, evidence)
    before = gaps(files)
    gap = f" Not applied, though a later one is: {', '.join(before[:_NAMED])}." if before else ""
    return Outcome(Status.PROVED, f"{counts}.{gap}", facts, evidence)


def confirm_prompts(context: StepContext) -> Sequence[Prompt]:
    """Which rows are meant; of a file that shows nothing, only a person knows."""
    compared = context.facts(ComparedFacts)
    found, unknown = _names(compared, Applied.YES), _names(compared, Applied.UNKNOWN)
    asked = []
    if unknown:
        label = "The schema does not show these. Which of them have run on this database?"
        asked.append(
            Prompt(
                "ran", PromptKind.CHOOSE_MANY, label,
                choices=unknown, optional=True, deliberate=True,
            )
        )  # fmt: skip
        why = Prompt(
            "how", PromptKind.TEXT, "How do you know that they ran?", after="ran", sentence=True
        )
        asked.append(why)
    rows = plural(len(found), "file")
    label = f"The list is right: {rows} shown as applied, and those that I chose, get a row"
    return (*asked, Prompt("confirmed", PromptKind.CONFIRM, label))


def _names(compared: ComparedFacts, state: Applied) -> tuple[str, ...]:
    """The files in a state that wrangler's ledger lacks."""
    return tuple(
        f.file for f in compared.files if f.applied == state and f.file not in compared.in_ledger
    )


async def confirm_adopted(context: StepContext) -> Outcome:
    """The names whose rows are written, in wrangler's order."""
    compared = context.facts(ComparedFacts)
    chosen = context.answers.get("ran", ())
    by_words = chosen if isinstance(chosen, tuple) else ()
    wanted = {*_names(compared, Applied.YES), *by_words}
    names = tuple(f.file for f in compared.files if f.file in wanted)
    if not names:
        words = "There is nothing to write: the ledger lists every file that is applied."
        return Outcome(Status.FAILED, words)
    adoption_sql(_table(context.environment), names)  # too long is known before GO
    facts = AdoptedFacts(
        found=Kind.ADDITIVE, kind=Kind.ADDITIVE, risk="low", names=names, by_words=by_words
    )
    words = f"{plural(len(names), 'row')} for the ledger: {first(names, _NAMED)}."
    if by_words:
        words += f" Attested: {first(by_words, _NAMED)}."
    return Outcome(Status.ATTESTED, words, facts)


def adopt_plan(context: StepContext) -> Sequence[str]:
    """What will be run, with its target, and what takes it back."""
    environment = context.environment
    name = environment.project.database.name
    if context.must_observe_first:
        return (f"read ledger and schema of {name}; write nothing",)
    names = context.facts(AdoptedFacts).names
    table = _table(environment)
    return (
        f"re-check ledgers and schema of {name}",
        shown(environment, execute_args(environment, adoption_sql(table, names))),
        "read the ledger again",
        f"to undo it: {undo_sql(table, names)}",
    )


async def adopt_ledger(context: StepContext) -> Outcome:
    """Write the rows in one batch, or find out what an interrupted try has done."""
    if context.must_observe_first:
        return await _observe_unseen(context)
    environment, names = context.environment, context.facts(AdoptedFacts).names
    await _recheck(context)
    ran = await environment.wrangler.run(
        execute_args(environment, adoption_sql(_table(environment), names)),
        cwd=environment.files.target_config().parent,
        emit=context.emit,
        keep=context.evidence_name,
        protect=True,
    )
    exit_code = -1 if ran.exit_code is None else ran.exit_code
    with suppress(RemoteFailed):  # what it cost; whether it was written is seen below
        environment.meter.count(parse_execute(ran.stdout, ran.shown))
    facts = ApplyFacts(ms=ran.milliseconds, exit_code=exit_code, rechecked=_RECHECKED)
    try:
        look = await look_again(context)
    except PreflightError as error:
        words = f"The rows were sent, but the ledger could not be read: {error.message}"
        return Outcome(
            Status.UNKNOWN, f"{words} Check the target before you do anything else.", facts, (ran,)
        )
    evidence = (ran, *look.evidence)
    if _are_there(look.observation, names):
        facts = replace(facts, by=By.US if ran.exit_code == 0 else By.UNKNOWN)
        return _written(look.observation, names, facts, evidence)
    writing = environment.wrangler.is_writing()
    if writing or may_have_arrived(ran):
        if not writing:
            facts = looked(context, facts)
        words = f"Not in the ledger yet: {explain_failure(ran).message} It may still be running."
        return Outcome(Status.UNKNOWN, f"{words} Check again.", facts, evidence)
    return _not_written(look.observation, names, explain_failure(ran).message, facts, evidence)


async def _observe_unseen(context: StepContext) -> Outcome:
    """After a write whose end nobody saw: what became of it."""
    names = context.facts(AdoptedFacts).names
    found = await look_unseen(context, "write", lambda seen: _are_there(seen, names))
    if isinstance(found, Outcome):
        return found
    look, left = found
    evidence, facts = (*left, *look.evidence), ApplyFacts(observed=True)
    if _are_there(look.observation, names):
        return _written(look.observation, names, replace(facts, by=By.UNKNOWN), evidence)
    return _not_written(look.observation, names, "checked", facts, evidence)


def _are_there(seen: Observation, names: Sequence[str]) -> bool:
    return seen.applied.issuperset(names)


def _written(
    seen: Observation, names: Sequence[str], facts: ApplyFacts, evidence: tuple[Evidence, ...]
) -> Outcome:
    last = seen.ledger_row(names[-1])
    if last is not None:
        facts = replace(facts, ledger_id=last.id, applied_at=last.applied_at)
    words = f"Written: the ledger has {plural(len(names), 'row')} for them."
    if facts.by is not By.US:
        words += " It is unknown who wrote them: preflight saw no reply to its own write."
    return Outcome(Status.PROVED, words, facts, evidence)


def _not_written(
    seen: Observation,
    names: Sequence[str],
    reason: str,
    facts: ApplyFacts,
    evidence: tuple[Evidence, ...],
) -> Outcome:
    there = [name for name in names if name in seen.applied]
    if there:
        has = first(there, _NAMED)
        words = f"Partly written: the ledger has {has} but not the others; {reason}"
        half_way = replace(facts, half_way=True)
        return Outcome(
            Status.FAILED, f"{words} Somebody else is writing there.", half_way, evidence
        )
    words = f"Not written: {reason.rstrip('.')}. The ledger has none of the rows; try again."
    return Outcome(Status.FAILED, words, facts, evidence)


_RECHECKED = ("file", "configuration", "schema", "ledger", "GO signature")


async def _recheck(context: StepContext) -> None:
    """Compare what GO relied on with the present; raises NotAllowed for any change."""
    environment, plan = context.environment, signed_plan(context)
    require_second_person(context)
    require_signed_criteria(context, plan)
    require_bookmark(context)
    require_signed_plan(context, plan)
    compared = context.facts(ComparedFacts)
    ledgers = [count.table for count in compared.ledgers]
    try:
        look = await observe(
            environment, tables=ledgers, keep=f"{context.evidence_name}-recheck", emit=context.emit
        )
    except PreflightError as error:
        raise NotAllowed(
            f"The target could not be re-checked: {error.message}",
            hint=f"Nothing was written. {error.hint}",
        ) from error
    require_still_valid(context, plan)
    now, changed = look.observation, []
    if plan.subjects.config != environment.files.config_sha256():
        changed.append("the configuration")
    if plan.subjects.migration != environment.migration().sha256:
        changed.append("the migration files")
    if plan.tools.wrangler != environment.wrangler.version:
        changed.append("wrangler's version")
    if now.schema.fingerprint != compared.schema:
        changed.append("the schema of the target")
    if tuple(row.name for row in now.ledger) != compared.in_ledger:
        changed.append("wrangler's ledger")
    if now.ledger_triggers:
        changed.append(f"the triggers of the ledger ({', '.join(now.ledger_triggers)})")
    if table_counts(now.counts) != compared.ledgers:
        changed.append("another tool's ledger")
    if changed:
        raise NotAllowed(
            f"Since the files were compared, {' and '.join(changed)} changed.",
            hint="Nothing was written. Compare them again, then sign GO.",
        )


def compared_files(record: Record | None) -> Container[str] | None:
    """The files that an adoption is about once it was begun to write; None for the folder's.

    A migration that is added meanwhile is none of them.
    """
    if record is None or record.last(ApplyFacts.step) is None:
        return None
    return {f.file for f in record.last_facts(ComparedFacts).files}


def _table(environment: Environment) -> str:
    return environment.project.database.migrations_table


STEPS: Mapping[str, StepAction] = {
    "compare_files": StepAction(compare_files),
    "confirm_adopted": StepAction(confirm_adopted, prompts=confirm_prompts),
    "adopt_ledger": StepAction(adopt_ledger, plan=adopt_plan),
}
