"""The text of the plain face: steps, outcomes and open steps, as lines."""

from collections.abc import Iterator
from difflib import unified_diff
from itertools import islice

from d1_preflight.core.checklist.checklist import Step
from d1_preflight.core.checklist.file import shipped_checklist
from d1_preflight.core.checklist.policy import advice
from d1_preflight.core.format import count, plural, rows_read
from d1_preflight.core.record.apply_facts import ErrorRateFacts
from d1_preflight.core.record.change_facts import AdoptedFacts, CopyFacts, RehearsalFacts
from d1_preflight.core.record.facts import Fact, StepFacts
from d1_preflight.core.record.gate import expired_answer
from d1_preflight.core.record.record import MARKS, Attempt, Status
from d1_preflight.core.record.safety_facts import (
    BackupFacts,
    DeployOrderFacts,
    DownTestFacts,
    RollbackPlanFacts,
    changed_words,
    order_words,
    rollback_words,
)
from d1_preflight.core.recovery.runbook import Scenario
from d1_preflight.core.remedies.fix import Fix
from d1_preflight.report.document import Table, table_of
from d1_preflight.report.fact_text import fact_text, is_for_people, label
from d1_preflight.report.text import clean, table_lines
from d1_preflight.session import Session

_INDENT = "  "
_MINUTE = 60
_TOP = "the top level, not an environment"
_HASHES = frozenset({"sha256", "file", "values"})


def opening(session: Session) -> Iterator[str]:
    """The migration, the target, and the progress of the record."""
    record, database = session.record, session.record.database
    yield f"{record.migration}   {session.kind.upper()}"
    yield f"on {database.label} · {database.target.upper()} ({database.id})"
    chosen_by = session.project.chosen_by
    if chosen_by:
        named = f"environment {database.environment}" if database.environment else _TOP
        yield f"{_INDENT}{chosen_by} chose {named}."
    answered = sum(session.status_of(step).is_answered for step in session.path)
    if record.attempts:
        yield f"Resuming: {answered} of {plural(len(session.path), 'step')} answered."
    own = () if record.is_adoption else advice(session.checklist, shipped_checklist())
    for lacking in own:
        yield lacking.words
        yield from (f"{_INDENT}{line}" for line in lacking.lines.splitlines())
    last = record.attempts[-1] if record.attempts else None
    if last is not None and last.status is Status.INTERRUPTED:
        yield f"{MARKS[last.status]} {last.status}: {last.step}. {clean(last.words)}"


def outdated_lines(session: Session) -> Iterator[str]:
    """The steps whose proof a later write has made stale."""
    for step in session.path:
        if since := session.later_write(step):
            yield f"{_INDENT}stale: {step.title}; since then {clean(since)}"


def question(session: Session, step: Step) -> Iterator[str]:
    """A step before it runs: title, reason, state, and the commands it will run."""
    yield ""
    yield step.title
    yield f"{_INDENT}{step.why}"
    attempt = session.attempt(step.id)
    stale = session.staleness(step)
    if stale:
        yield f"{_INDENT}so far: {MARKS[Status.PENDING]} {stale}"
    elif attempt is not None:
        yield f"{_INDENT}so far: {MARKS[attempt.status]} {attempt.status}. {clean(attempt.words)}"
    if expired := expired_answer(session.record, step):
        yield f"{_INDENT}{clean(expired)}"
    plan = session.plan(step)
    if plan:
        yield f"{_INDENT}It will:"
        yield from (f"{_INDENT}  {clean(line)}" for line in plan)


def outcome(attempt: Attempt) -> Iterator[str]:
    """A step after it ran: mark and word, the result, and its figures."""
    yield f"{MARKS[attempt.status]} {attempt.status}: {clean(attempt.words)}"
    for key, value in attempt.facts.items():
        if is_for_people(key):
            yield from _fact_lines(key, value)


def go_summary(session: Session) -> Iterator[str]:
    """The plan in short: the last text before GO."""
    record = session.record
    states = [session.status_of(s) for s in session.path]
    tally = (f"{word} {states.count(word)}" for word in Status if states.count(word))
    yield "GO / NO-GO"
    yield f"{_INDENT}apply   {record.migration} (sha256 {record.subjects.get('migration', '?')})"
    yield f"{_INDENT}to      {record.database.name} ({record.database.id}) and nothing else"
    if record.is_adoption:
        yield f"{_INDENT}writes  {_adopted(session)}"
    else:
        yield from _rows_and_order(session)
    if record.rows_read:
        yield f"{_INDENT}read    {rows_read(record.rows_read, record.rows_written)}"
    yield f"{_INDENT}steps   {', '.join(tally)}"


def _adopted(session: Session) -> str:
    """The rows that an adoption writes; nothing else of the database changes."""
    names = AdoptedFacts.from_attempt(session.attempt(AdoptedFacts.step)).names
    return clean(f"{plural(len(names), 'row')} of the ledger, no other: {', '.join(names)}")


def _rows_and_order(session: Session) -> Iterator[str]:
    """What the migration takes and changes, and what brings it back."""
    yield f"{_INDENT}loses   {_losses(session)}"
    if changes := _changes(session):
        yield f"{_INDENT}rows    {changes}"
    for row in CopyFacts.from_attempt(session.attempt(CopyFacts.step)).beside:
        yield f"{_INDENT}also    {clean(row.sql)}"
    yield f"{_INDENT}undo    {_rollback_path(session)}"
    if order := order_words(DeployOrderFacts.from_attempt(session.attempt("deploy_order"))):
        yield f"{_INDENT}order   {clean(order)}"


def emergency(situations: tuple[Scenario, ...]) -> Iterator[str]:
    """The card: what happened, and the commands for it."""
    yield "EMERGENCY: what happened?"
    for number, situation in enumerate(situations, 1):
        yield ""
        yield f"{number}  {situation.title}. {situation.when}"
        for letter, act in zip(situation.labels, situation.steps, strict=True):
            yield f"   {letter}. {act.words}"
            if act.command:
                yield f"     $ {act.command}"


def rewrite(found: Fix) -> Iterator[str]:
    """A proved rewrite: what it does, what it leaves and why, and the diff."""
    yield "The safe way:" if found.is_offered else "No proved rewrite was found."
    for answer in found.done:
        yield f"{_INDENT}{answer.finding.rule}: it {answer.what}"
    if found.is_offered:
        yield f"{_INDENT}Proved on {found.proof.rows}: no row or value of yours is lost."
        for difference in found.proof.differences:
            yield f"{_INDENT}The final schema differs from yours: {clean(difference)}"
        yield from (f"{_INDENT}{note}" for note in found.notes)
    for rule, reason in found.reasons:
        yield f"{_INDENT}{rule} stays: {clean(reason)}"
    old, new = found.before.splitlines(), found.after.splitlines()
    for line in islice(unified_diff(old, new, lineterm=""), 2, None):
        yield f"{_INDENT}{clean(line)}"
    for name, further in found.files:
        yield f"{_INDENT}new file {clean(name)}"
        yield from (f"{_INDENT}+{clean(line)}" for line in further.splitlines())


def step_progress(found: StepFacts) -> str:
    """The progress of a running step, short enough to be read aloud."""
    if isinstance(found, ErrorRateFacts) and found.left_s:
        return f"{-(-found.left_s // _MINUTE)} min left"
    if isinstance(found, CopyFacts | BackupFacts) and found.tables:
        return f"{plural(len(found.tables), 'table')} so far"
    return ""


def status_line(session: Session, step: Step) -> str:
    """A step in one line: mark, word, title, and how old its answer is where it is too old."""
    status, stale = session.status_of(step), session.staleness(step)
    return f"{MARKS[status]} {status:<12}{step.title}{f' ({stale})' if stale else ''}"


def _fact_lines(key: str, value: Fact) -> Iterator[str]:
    table = table_of(value)
    if table is not None:
        yield f"{_INDENT}{label(key)}:"
        yield from (f"{_INDENT}{line}" for line in table_lines(_without_hashes(table)))
    elif value not in ("", (), {}):
        yield f"{_INDENT}{label(key)}: {clean(fact_text(key, value))}"


def _without_hashes(table: Table) -> Table:
    """Eighty columns are few: hashes and file names stay in the record."""
    kept = [n for n, name in enumerate(table.columns) if name not in _HASHES]
    return Table(
        tuple(table.columns[n] for n in kept),
        tuple(tuple(row[n] for n in kept) for row in table.rows),
        frozenset(place for place, n in enumerate(kept) if n in table.right),
    )


def _losses(session: Session) -> str:
    attempt = session.attempt(RehearsalFacts.step)
    if attempt is None:
        return "unknown: not rehearsed"
    lost = {t.table: t.lost or 0 for t in RehearsalFacts.from_attempt(attempt).tables}
    named = [f"{count(n)} of {table}" for table, n in lost.items() if n]
    return plural(sum(lost.values()), "row") + (f": {', '.join(named)}" if named else "")


def _changes(session: Session) -> str:
    rehearsed = RehearsalFacts.from_attempt(session.attempt(RehearsalFacts.step))
    return changed_words(rehearsed, DownTestFacts.from_attempt(session.attempt(DownTestFacts.step)))


def _rollback_path(session: Session) -> str:
    plan = RollbackPlanFacts.from_attempt(session.attempt(RollbackPlanFacts.step))
    return clean(rollback_words(plan)) or "not decided"
