"""An outcome as it is recorded: the rows that D1 read and wrote for it, its SQL by digest."""

from dataclasses import replace

from d1_preflight.actions.context import Environment
from d1_preflight.actions.ports import Store
from d1_preflight.core.errors import PreflightError
from d1_preflight.core.ports import Evidence
from d1_preflight.core.record.record import Outcome
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
