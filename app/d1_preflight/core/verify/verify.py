"""Judges a record by its bytes alone, without trust in any operator's machine.

Nothing here reads a disk or runs a process: the files come as bytes, signatures are checked
through a port. What cannot be checked is a problem, never a pass.
"""

from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256

from d1_preflight.core.checklist.answers import ROLLED_BACK, answer_label
from d1_preflight.core.checklist.checklist import Checklist
from d1_preflight.core.checklist.file import require_acts, shipped_checklist
from d1_preflight.core.checklist.shipped import (
    adoption_checklist,
    is_adoption,
    is_shipped,
    measure_of,
)
from d1_preflight.core.errors import ChecklistInvalid, RecordInvalid
from d1_preflight.core.findings import Kind
from d1_preflight.core.record.apply_facts import CloseFacts, GoFacts
from d1_preflight.core.record.facts import instant
from d1_preflight.core.record.file import attempt_sections, dump_record, load_record
from d1_preflight.core.record.gate import tally
from d1_preflight.core.record.record import Record, Status, kind_of
from d1_preflight.core.record.review import Review
from d1_preflight.core.record.signing import Verifier
from d1_preflight.core.summary.summary import SUMMARY_FILE
from d1_preflight.core.summary.text import step_name
from d1_preflight.core.target.api_place import PRACTICE, REMOTE
from d1_preflight.core.target.kept_outputs import OUTPUTS, fits_archive, read_outputs
from d1_preflight.core.target.query_texts import QUERIES, digests_of, read_queries
from d1_preflight.core.verify.bound import bound_problems
from d1_preflight.core.verify.chain import read_closed
from d1_preflight.core.verify.history import history_problems, path_problems
from d1_preflight.core.verify.links import InChain, Verification
from d1_preflight.core.verify.place import Place, place_problems
from d1_preflight.core.verify.problem import Bundle, Id, Problem
from d1_preflight.core.verify.reviews import good_reviews, review_problems
from d1_preflight.core.verify.signatures import close_problems, closing_signer, go_problems
from d1_preflight.core.verify.summaries import summary_problems
from d1_preflight.core.verify.timeline import timeline_problems

RECORD_FILE = "record.toml"
_SUMMED_UP = frozenset({SUMMARY_FILE, RECORD_FILE, f"{RECORD_FILE}.sig"})
_MISSING = Problem(Id.RECORD_MISSING, RECORD_FILE, "is not there", "Name the folder that holds it.")
_FROM_GIT = "Restore it from git."
_NOT_HERE = "not in this checkout: only the record was read"


def verify_record(
    files: Mapping[str, bytes],
    checklist: Checklist,
    verifier: Verifier | None,
    *,
    migration_sha256: str | None = None,
    second_person: frozenset[Kind] = frozenset(),
    place: Place | None = None,
    parsed: Record | None = None,
) -> Verification:
    """Verify a record's files with the checklist, the allowed signers and the migration's text.

    `files` maps names relative to the record's folder to bytes; `migration_sha256` is that of the
    file in the checkout, None where it is not there; `second_person` are the classes whose GO
    needs a second signature; `place` is where the record lies in a project, None outside of one.
    `parsed` is the record as it was read from these very files.
    """
    if RECORD_FILE not in files:
        return Verification((_MISSING,), {})
    try:
        record = parsed or load_record(files[RECORD_FILE], RECORD_FILE)
    except RecordInvalid as error:
        unread = Problem(Id.RECORD_INVALID, RECORD_FILE, error.message, error.hint)
        return Verification((unread,), {})
    sections = attempt_sections(record.attempts) if record.schema > 1 else ()
    bundle = Bundle(files, record, checklist, verifier, second_person, sections)
    problems = (
        *_file_problems(bundle, migration_sha256, place),
        *close_problems(bundle),  # an edited record is said before what follows from its edit
        *history_problems(bundle),
        *path_problems(bundle),
        *go_problems(bundle),
        *review_problems(bundle),
        *timeline_problems(bundle),
        *summary_problems(bundle),
    )
    in_chain = _in_chain(bundle)
    problems += tuple(in_chain.problems(place.chain)) if place and place.chain else ()
    facts = _facts(bundle, migration_sha256) | _summary_fact(bundle, problems)
    return Verification(problems, facts, in_chain=in_chain)


def _in_chain(bundle: Bundle) -> InChain:
    reviews = tuple((review.name, review.heads) for review in good_reviews(bundle))
    return InChain(read_closed(bundle.files), reviews)


def _file_problems(
    bundle: Bundle, migration_sha256: str | None, place: Place | None
) -> Iterator[Problem]:
    """What is wrong with the files themselves, whatever they say."""
    yield from _checklist_problems(bundle)
    yield from place_problems(bundle.record, place)
    yield from _bytes_problems(bundle)
    yield from _migration_problems(bundle.record, migration_sha256, place)
    yield from _evidence_problems(bundle)
    yield from bound_problems(bundle, is_in_project=place is not None and place.is_bound)


def _checklist_problems(bundle: Bundle) -> Iterator[Problem]:
    """A record is only as good as its checklist: a weakened checklist proves too little."""
    checklist = bundle.checklist
    if is_adoption(checklist) and not bundle.record.is_adoption:
        words = "is the checklist for adoptions, and the record covers a migration"
        hint = "Use the checklist for migrations; this one has no rehearsal."
        yield Problem(Id.CHECKLIST_WEAK, checklist.source, words, hint)
    measure = measure_of(checklist)
    if measure is checklist:
        return
    try:
        require_acts(checklist, measure)
    except ChecklistInvalid as error:
        yield Problem(Id.CHECKLIST_WEAK, checklist.source, error.message, error.hint)


def _bytes_problems(bundle: Bundle) -> Iterator[Problem]:
    if dump_record(bundle.record, bundle.sections) != bundle.files[RECORD_FILE]:
        words = "has the same content, but other bytes than preflight writes: it was edited"
        hint = "Restore it from git; a record is changed through preflight only."
        yield Problem(Id.RECORD_EDITED, RECORD_FILE, f"{words} manually", hint)


def _migration_problems(
    record: Record, found: str | None, place: Place | None
) -> Iterator[Problem]:
    lacks = place is not None and place.lacks_migration and not record.is_adoption
    if found is None and place is not None and lacks and record.schema > 1:
        yield from _absent_migration(record, place)
    if found is not None and found != record.subjects.get("migration"):
        words = "is not the text that this record covers (its sha256 differs)"
        hint = "Restore the old text; after the apply, changes belong in a new migration."
        yield Problem(Id.MIGRATION_CHANGED, record.migration, words, hint)


def _absent_migration(record: Record, place: Place) -> Iterator[Problem]:
    """A record whose file is gone proves nothing of this project; what was rolled back may go."""
    if place.renamed_to:
        words = f"was renamed to {place.renamed_to}: wrangler would apply it again"
        hint = f"Give it its name back: {record.migration}"
        yield Problem(Id.MIGRATION_RENAMED, record.migration, words, hint)
    elif record.last_facts(CloseFacts).end != ROLLED_BACK:
        words = "is no longer among the project's migrations"
        yield Problem(Id.MIGRATION_MISSING, record.migration, words, _FROM_GIT)


def _evidence_problems(bundle: Bundle) -> Iterator[Problem]:
    is_damaged = OUTPUTS in bundle.files and not read_outputs(bundle.files[OUTPUTS]).is_whole
    if is_damaged:
        words = "is damaged or changed: the outputs of the steps cannot be read from it"
        yield Problem(Id.EVIDENCE_CHANGED, OUTPUTS, words, _FROM_GIT)
    for attempt in bundle.record.attempts:
        for evidence in attempt.evidence:
            for name, expected in evidence.files.items():
                if not (is_damaged and name not in bundle.files and fits_archive(name)):
                    data = bundle.files.get(name)
                    yield from _evidence_problem(data, name, expected, attempt.step)
    yield from _query_problems(bundle)


def _query_problems(bundle: Bundle) -> Iterator[Problem]:
    """The text of each query that the record names by its digest."""
    ran = [evidence for attempt in bundle.record.attempts for evidence in attempt.evidence]
    digests = tuple(dict.fromkeys(digests_of(ran)))
    found = read_queries(bundle.files.get(QUERIES, b""))
    for digest in digests:
        if digest not in found.texts:
            words = f"does not hold the query with sha256 {digest[:12]}…, which the record names"
            yield Problem(Id.QUERY_MISSING, QUERIES, words, _FROM_GIT)
    if not found.is_whole:
        words = "holds more than the queries of the record"
        yield Problem(Id.QUERY_MISSING, QUERIES, words, _FROM_GIT)


def _evidence_problem(data: bytes | None, name: str, expected: str, step: str) -> Iterator[Problem]:
    if data is None:
        words = f"is missing; step “{step}” relies on it"
        yield Problem(Id.EVIDENCE_MISSING, name, words, _FROM_GIT)
    elif sha256(data).hexdigest() != expected:
        words = f"is not what step “{step}” saw (its sha256 differs)"
        yield Problem(Id.EVIDENCE_CHANGED, name, words, _FROM_GIT)


def _facts(bundle: Bundle, migration_sha256: str | None) -> dict[str, str]:
    record, checklist = bundle.record, bundle.checklist
    counts = tally(record, checklist, bundle.kind)
    facts = {
        "migration": record.migration,
        "sha256": record.subjects.get("migration", "unknown"),
        "file": "the same text in this checkout" if migration_sha256 else _NOT_HERE,
        "database": f"{record.database.name} {record.database.id} ({record.database.target})",
        "class": kind_of(record, checklist, Kind.UNKNOWN).value,
        "checklist": _which(checklist),
        "steps": ", ".join(f"{n} {status}" for status, n in counts.items() if n),
    }
    if record.database.target == PRACTICE:
        facts["practice"] = "a practice record: it proves nothing about a real database"
    elif record.database.target != REMOTE:
        facts["answered by"] = f"{record.database.target}, which is not Cloudflare's own API"
    go = record.standing(checklist.step("go")) if checklist.has("go") else None
    if go is not None and go.status.is_answered:
        signed = GoFacts.from_attempt(go)
        signed_at = instant(signed.signed_at) if signed.signed_at else ""
        facts["go"] = " ".join((signed.signer or "unknown", signed.fingerprint, signed_at)).strip()
    facts |= _closing_facts(bundle)
    facts |= _review_facts(good_reviews(bundle))
    if migration_sha256 and migration_sha256 != facts["sha256"]:
        facts["file"] = "another text in this checkout"
    if counts[Status.WAIVED]:
        facts["waived"] = ", ".join(_waived(record))
    return facts


def _summary_fact(bundle: Bundle, problems: Iterable[Problem]) -> dict[str, str]:
    """That the summary was compared; nothing where it was not, it differs, or the record is bad."""
    was_compared = bundle.record.schema > 1 and SUMMARY_FILE in bundle.files
    if not was_compared or any(one.file in _SUMMED_UP for one in problems):
        return {}
    return {"summary": "matches the record"}


def _waived(record: Record) -> Iterator[str]:
    last = {attempt.step: attempt.status for attempt in record.attempts}
    return (step_name(step) for step, status in last.items() if status is Status.WAIVED)


def _review_facts(reviews: Iterable[Review]) -> dict[str, str]:
    """Each review that counts, by what it is about; a second one of the same file has a number."""
    facts: dict[str, str] = {}
    for review in reviews:
        about = f"review of {review.subject.stem}"
        number = sum(name.partition(" (")[0] == about for name in facts) + 1
        told = f"{review.signer.principal} {review.signer.fingerprint} ({review.verdict})"
        facts[f"{about} ({number})" if number > 1 else about] = told
    return facts


def _closing_facts(bundle: Bundle) -> dict[str, str]:
    """Who closed the record and how, and its place in the chain; nothing without a signature."""
    closer = closing_signer(bundle)
    if closer is None:
        return {}
    closed = bundle.record.last_facts(CloseFacts)
    facts = {"closed": f"{closer.principal} {closer.fingerprint}"}
    if closed.chain and closed.chain.sequence:
        after = " and ".join(head.migration for head in closed.chain.previous)
        place = f"after {after}" if after else "the first"
        facts["chain"] = f"record {closed.chain.sequence} of this database, {place}"
    if closed.end:
        facts["end"] = answer_label("end", closed.end)
    return facts


def _which(checklist: Checklist) -> str:
    present = adoption_checklist() if is_adoption(checklist) else shipped_checklist()
    if checklist.sha256 == present.sha256:
        return "as shipped"
    if is_shipped(checklist):
        return f"as shipped, an earlier version (sha256 {checklist.sha256})"
    return f"the project's own (sha256 {checklist.sha256})"
