"""The close of a record: what it binds beside its own bytes, before they are signed."""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from d1_preflight.actions.context import Environment
from d1_preflight.actions.stopped import failed
from d1_preflight.core.errors import PreflightError
from d1_preflight.core.record.apply_facts import ChainLink, CloseFacts, GoFacts
from d1_preflight.core.record.record import Attempt, Outcome, Record
from d1_preflight.core.summary.markdown import summary_bytes
from d1_preflight.core.summary.summary import SUMMARY_FILE, go_copy
from d1_preflight.core.verify.bound import bound_files
from d1_preflight.core.verify.chain import chain_key, next_link
from d1_preflight.core.verify.timeline import TIMELINE, read_until


def sealed(environment: Environment, record: Record, outcome: Outcome, at: datetime) -> Record:
    """The record as it is signed: its close names the folder's files and the records before it.

    One of schema 1 is closed as it was begun.
    """
    finished = record.finish(outcome, at=at)
    if finished.schema == 1:
        return finished
    facts = outcome.facts if isinstance(outcome.facts, CloseFacts) else CloseFacts()
    facts = replace(facts, fingerprint=environment.signer.fingerprint)
    finished = record.finish(replace(outcome, facts=facts), at=at)
    timeline = read_until(environment.store.read(TIMELINE) or b"", facts.timeline)
    environment.store.write(SUMMARY_FILE, summary_bytes(finished, timeline.entries))
    bound = bound_files(finished, environment.store.sums(), timeline_is_bound=bool(facts.timeline))
    facts = replace(facts, files=bound, chain=_link(environment, finished))
    return record.finish(replace(outcome, facts=facts), at=at)


def unsealed(environment: Environment, record: Record, error: PreflightError) -> Outcome:
    """A close that could not be signed: the summary is GO's again."""
    signed = (n for n, a in enumerate(record.attempts, 1) if _summary(a))
    kept = environment.store.read(go_copy(max(signed, default=0)))
    if kept is not None:
        with suppress(PreflightError):  # the next close writes it again
            environment.store.write(SUMMARY_FILE, kept)
    return failed(error)


def _summary(attempt: Attempt) -> str:
    return GoFacts.from_attempt(attempt).summary if attempt.step == GoFacts.step else ""


def _link(environment: Environment, finished: Record) -> ChainLink:
    """Its place after the records of the same database, by the ledger as the close saw it."""
    mine = chain_key(finished.database)
    closed = [record for record in environment.closed_records() if record.database == mine]
    seen = environment.cache.observation
    return next_link(closed, seen.ledger if seen else (), finished.migration)
