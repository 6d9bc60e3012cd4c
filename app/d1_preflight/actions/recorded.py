"""An outcome as it is recorded: the rows that D1 read for it, and its SQL by digest."""

from dataclasses import replace

from d1_preflight.actions.context import Environment
from d1_preflight.actions.ports import Store
from d1_preflight.core.errors import PreflightError
from d1_preflight.core.ports import Evidence
from d1_preflight.core.record.record import Outcome
from d1_preflight.core.target.query_texts import QUERIES, by_digest, with_texts


def recorded(environment: Environment, outcome: Outcome) -> Outcome:
    """The outcome with its price; the text of each query is kept once, in the evidence.

    `environment` is the attempt's own, whose meter counted the rows that D1 read for it.
    """
    rows = environment.meter.rows_read
    priced = replace(outcome.facts, rows_read=rows) if rows else outcome.facts
    return replace(outcome, facts=priced, evidence=_evidence(environment.store, outcome.evidence))


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
