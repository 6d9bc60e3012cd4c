"""The close of a record: what it binds beside its own bytes, before they are signed."""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from d1_preflight.actions.context import Environment
from d1_preflight.actions.recorded import failed
from d1_preflight.core.errors import PreflightError
from d1_preflight.core.record.apply_facts import ChainLink, CloseFacts, GoFacts, SeenReview
from d1_preflight.core.record.facts import NO_ITEMS
from d1_preflight.core.record.record import Outcome, Record
from d1_preflight.core.record.review import PLAN, seen_reviews, standing_reviews
from d1_preflight.core.summary.form import PRESENT_FORM
from d1_preflight.core.summary.markdown import summary_bytes
from d1_preflight.core.summary.summary import SUMMARY_FILE, go_copy
from d1_preflight.core.target.kept_outputs import OUTPUTS, archived, fits_archive, read_outputs
from d1_preflight.core.verify.bound import bound_files, evidence_names
from d1_preflight.core.verify.chain import chain_key, next_link
from d1_preflight.core.verify.timeline import TIMELINE, read_until

_LARGEST = 16 * 1024 * 1024  # a larger output stays a file of its own


def sealed(environment: Environment, record: Record, outcome: Outcome, at: datetime) -> Record:
    """The record as it is signed: its close names the folder's files and the records before it.

    One of schema 1 is closed as it was begun.
    """
    finished = record.finish(outcome, at=at)
    if finished.schema == 1:
        return finished
    facts = outcome.facts if isinstance(outcome.facts, CloseFacts) else CloseFacts()
    facts = replace(
        facts,
        fingerprint=environment.signer.fingerprint,
        reviews=_reviews(environment, finished) or NO_ITEMS,
        summary_form=PRESENT_FORM,
    )
    finished = record.finish(replace(outcome, facts=facts), at=at)
    timeline = read_until(environment.store.read(TIMELINE) or b"", facts.timeline)
    environment.store.write(SUMMARY_FILE, summary_bytes(finished, timeline.entries))
    _keep_together(environment, finished)
    bound = bound_files(finished, environment.store.sums(), timeline_is_bound=bool(facts.timeline))
    facts = replace(facts, files=bound, chain=_link(environment, finished))
    return record.finish(replace(outcome, facts=facts), at=at)


def put_away(environment: Environment) -> None:
    """Take away the outputs that the archive of a record holds, once it is closed and signed.

    Where that fails they stay, and the record is as good with them.
    """
    store = environment.store
    with suppress(PreflightError):
        for name, data in read_outputs(store.read(OUTPUTS) or b"").files.items():
            if store.read(name) == data:
                store.remove(name)


def unsealed(environment: Environment, record: Record, error: PreflightError) -> Outcome:
    """A close that could not be signed: the summary is GO's again, and the outputs are files."""
    of_go = ((n, a) for n, a in enumerate(record.attempts, 1) if a.step == GoFacts.step)
    signed = (n for n, attempt in of_go if GoFacts.from_attempt(attempt).summary)
    kept = environment.store.read(go_copy(max(signed, default=0)))
    if kept is not None:
        with suppress(PreflightError):  # the next close writes it again
            environment.store.write(SUMMARY_FILE, kept)
            environment.store.remove(OUTPUTS)
    return failed(error)


def _keep_together(environment: Environment, record: Record) -> None:
    """Write the outputs that the record names into one archive."""
    names = sorted(name for name in set(evidence_names(record)) if fits_archive(name))
    read = ((name, environment.store.read(name)) for name in names)
    found = {name: data for name, data in read if data is not None and len(data) <= _LARGEST}
    if found and sum(map(len, found.values())) <= _LARGEST:
        environment.store.write(OUTPUTS, archived(found))


def _reviews(environment: Environment, record: Record) -> tuple[SeenReview, ...]:
    """The reviews of GO that are here and good."""
    files = environment.store.files()
    return seen_reviews(standing_reviews(files, record, PLAN, environment.signer))


def _link(environment: Environment, finished: Record) -> ChainLink:
    """Its place after the records of the same database, by the ledger as the close saw it."""
    mine = chain_key(finished.database)
    closed = [record for record in environment.closed_records() if record.database == mine]
    seen = environment.cache.observation
    return next_link(closed, seen.ledger if seen else (), finished.migration)
