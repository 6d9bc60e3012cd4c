"""An outcome as it is recorded: the rows that D1 read and wrote for it, its SQL by digest.

And that of a step which an error or the operator stopped.
"""

from dataclasses import replace

from d1_preflight.actions.context import Environment
from d1_preflight.actions.ports import Store
from d1_preflight.core.checklist.checklist import Effect, Step
from d1_preflight.core.errors import PreflightError
from d1_preflight.core.ports import Evidence
from d1_preflight.core.record.record import Outcome, Status
from d1_preflight.core.target.query_texts import QUERIES, by_digest, with_texts


def recorded(environment: Environment, outcome: Outcome) -> Outcome:
    """The outcome with its price; the text of each query is kept once, in the evidence.

    `environment` is the attempt's own, whose meter counted the rows.
    """
    meter, facts = environment.meter, outcome.facts
    if meter.rows_read:
        facts = replace(facts, rows_read=meter.rows_read)
    if meter.rows_written:
        facts = replace(facts, rows_written=meter.rows_written)
    return replace(outcome, facts=facts, evidence=_evidence(environment.store, outcome.evidence))


def _evidence(store: Store, evidence: tuple[Evidence, ...]) -> tuple[Evidence, ...]:
    """By digest, once the texts are kept; a full disk must not lose what a step found."""
    found, texts = by_digest(evidence)
    try:
        before = store.read(QUERIES) or b""
        after = with_texts(before, texts)
        if after != before:
            store.write(QUERIES, after)
    except PreflightError:
        return evidence
    return found


def failed(error: PreflightError | OSError) -> Outcome:
    """The error that stopped the step; after one of this machine its state is unknown."""
    if isinstance(error, OSError):
        place = f": {error.filename}" if error.filename else ""
        reason = error.strerror or type(error).__name__
        words = f"The operating system reported an error ({reason}{place})."
        return Outcome(Status.UNKNOWN, f"{words} Fix that, then run the step again.")
    learnt = error.exit_code != 3  # noqa: PLR2004 - 3: wrangler or network
    words = f"{error.message} {error.hint}".strip()
    return Outcome(Status.FAILED if learnt else Status.UNKNOWN, words)


def broken_off(step: Step, error: BaseException) -> Outcome:
    """The operator quit, or this program failed in the step."""
    if isinstance(error, Exception):
        return Outcome(Status.UNKNOWN, "preflight failed here; nothing is proved.")
    look = "; look at the database first" if step.effect is Effect.REMOTE_WRITE else ""
    return Outcome(Status.INTERRUPTED, f"Quit while it ran{look}.")
