"""The incident runbook: what happened, and what to do now, in order."""

import shlex
from collections.abc import Sequence

from d1_preflight.core.checklist.checklist import Step
from d1_preflight.core.record.apply_facts import (
    ApplyFacts,
    EndpointFacts,
    ErrorRateFacts,
    LedgerFacts,
    RowCheckFacts,
    SchemaCheckFacts,
)
from d1_preflight.core.record.facts import StepFacts
from d1_preflight.core.record.record import MARKS, Record, Status
from d1_preflight.core.recovery.runbook import (
    AFTERWARDS,
    BY_HAND,
    SCHEMA,
    SOUND,
    Known,
    RunbookStep,
    Scenario,
    Target,
    choice,
    count_query,
    database_paths,
    deployments_command,
    ledger_query,
    stop_writes,
    whole_database,
    worker_back,
    worker_paths,
)

_NOTHING, _HALF_WAY, _WRONG_DATA, _FAILING, _LOOK = range(5)
_OF_DATA, _OF_WORKER = (SchemaCheckFacts, RowCheckFacts), (EndpointFacts, ErrorRateFacts)


def runbook(target: Target, record: Record | None = None) -> tuple[Scenario, ...]:
    """The five scenarios; without a record, the names it would hold are asked for in words."""
    known = Known(target, record)
    scenarios = (_nothing, _half_way, _wrong_data, _failing, _look)
    return tuple(scenario(known) for scenario in scenarios)


def likely(record: Record | None) -> int:
    """Which scenario (0 to 4) the record speaks for; without one: look."""
    attempt = record.last(ApplyFacts.step) if record else None
    if record is None or attempt is None:
        return _LOOK
    ledger = record.last(LedgerFacts.step)
    if ledger is not None and ledger.status is Status.PROVED:
        if _has_failed(record, _OF_DATA):
            return _WRONG_DATA
        if _has_failed(record, _OF_WORKER):
            return _FAILING
    match attempt.status:
        case Status.PROVED:
            return _WRONG_DATA
        case Status.FAILED:
            return _HALF_WAY if ApplyFacts.from_attempt(attempt).half_way else _NOTHING
        case _:
            return _LOOK


def on_leaving(record: Record, path: Sequence[Step]) -> tuple[str, ...]:
    """What to tell whoever leaves a migration that was sent and is not closed.

    What failed or is unknown since the apply, in its own words, and the next step.
    """
    ids = [step.id for step in path]
    if record.last(ApplyFacts.step) is None or ApplyFacts.step not in ids:
        return ()
    since = path[ids.index(ApplyFacts.step) :]
    attempts = [(step, record.last(step.id)) for step in since]
    wrong = [(step, a) for step, a in attempts if a and not a.status.is_answered]
    if wrong:
        said = [f"{MARKS[a.status]} {step.short}: {a.words or a.status}" for step, a in wrong]
        return (*said, f"Next: {record.command}, then ! for the emergency card.")
    left = [step.short for step, attempt in attempts if attempt is None]
    if not left:
        return ()
    return (f"Applied, but not done: {', '.join(left)}. Next: {record.command}",)


def _has_failed(record: Record, kinds: tuple[type[StepFacts], ...]) -> bool:
    checks = (record.last(kind.step) for kind in kinds)
    return any(check is not None and check.status is Status.FAILED for check in checks)


def _nothing(known: Known) -> Scenario:
    return Scenario(
        "nothing was applied",
        "The ledger has no row for it and the schema is as before: D1 rolls a failed file back.",
        (
            RunbookStep("Make sure: read the newest ledger rows", ledger_query(known)),
            RunbookStep(
                "Nothing is lost. Read the error in the output, fix the file, then start again."
            ),
            RunbookStep("What is still pending?", known.target.pending),
        ),
    )


def _half_way(known: Known) -> Scenario:
    return Scenario(
        "it failed half-way",
        "The schema changed, but the ledger has no row; or some files of several were applied.",
        (
            RunbookStep("See what the ledger holds", ledger_query(known)),
            RunbookStep("See the tables as they are", known.target.query(SCHEMA)),
            RunbookStep("Is the data intact?", known.target.query(SOUND)),
            stop_writes(known),
            *choice([whole_database(known), (BY_HAND,)]),
        ),
    )


def _wrong_data(known: Known) -> Scenario:
    return Scenario(
        "applied, but data is wrong",
        "Stop the writes first: each new write makes a rollback lose more.",
        (
            stop_writes(known),
            *worker_back(known),
            RunbookStep("How many rows, in which tables?", count_query(known)),
            *choice(database_paths(known)),
            RunbookStep("Without a backup: look in application logs and external systems."),
            AFTERWARDS,
        ),
    )


def _failing(known: Known) -> Scenario:
    worker = shlex.join(("wrangler", "tail", known.worker, "--status=error", *known.target.flags))
    return Scenario(
        "applied, the app fails",
        "The ledger has its row and the data is intact, but requests fail: the code may be at "
        "fault.",
        (
            RunbookStep("What fails? Read the Worker's errors", worker)
            if known.worker
            else RunbookStep("What fails? Read the Worker's errors", "wrangler tail <worker>"),
            RunbookStep("Is the data intact? If not, see 3", known.target.query(SOUND)),
            RunbookStep("Which Worker runs?", deployments_command(known)),
            stop_writes(known, "If the database is rolled back, stop the writes first"),
            *choice([*worker_paths(known), *database_paths(known)]),
            AFTERWARDS,
        ),
    )


def _look(known: Known) -> Scenario:
    return Scenario(
        "don't know: look",
        "Reading changes nothing. Do not apply again before you have looked.",
        (
            RunbookStep("Is it in the ledger?", ledger_query(known)),
            RunbookStep("What is still pending?", known.target.pending),
            RunbookStep("What do the tables look like?", known.target.query(SCHEMA)),
            RunbookStep("Is the data intact?", known.target.query(SOUND)),
            RunbookStep(
                "What is the current bookmark?",
                known.target.d1("time-travel", "info", known.target.database),
            ),
            RunbookStep(
                "Ledger row there and rows are wrong: see 3; requests fail: see 4. No row, schema "
                "as before: see 1. Else: see 2."
            ),
        ),
    )
