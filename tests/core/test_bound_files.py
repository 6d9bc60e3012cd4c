"""A closed record of schema 2 names every file of its folder, and GO every attempt before it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256

import pytest

from core.record_values import ANA, BEN, KEYS, SQL, START, closed_in_chain, shipped_checklist
from d1_preflight.core.checklist.answers import ROLLED_BACK
from d1_preflight.core.record.file import dump_facts, dump_record, load_record
from d1_preflight.core.record.record import Attempt, Record, Status
from d1_preflight.core.record.review import CLOSED_RECORD, PLAN, Verdict, statement
from d1_preflight.core.record.signed_plan import SignedPlan
from d1_preflight.core.record.signing import CLOSE, REVIEW
from d1_preflight.core.target.query_texts import QUERIES, with_texts
from d1_preflight.core.verify.place import Place
from d1_preflight.core.verify.problem import Id
from d1_preflight.core.verify.timeline import new_timeline, next_line
from d1_preflight.core.verify.verify import verify_record

CHECKLIST = shipped_checklist()
SHA = sha256(SQL).hexdigest()
QUERIES_FILE = {QUERIES: with_texts(b"", [b"SELECT 1;"])}
OPEN_GO = closed_in_chain()
HERE = "marketplace-production/0057_add_team_billing"


def reviewed(files: Mapping[str, bytes], verdict: Verdict = Verdict.APPROVED) -> dict[str, bytes]:
    """GO's review by a second person."""
    reason = "" if verdict is Verdict.APPROVED else "too early"
    document = statement(
        files, load_record(files["record.toml"]), PLAN, verdict, reason, reviewer=BEN, at=START
    )
    signature = KEYS.sign(document, REVIEW, BEN)
    return {"go.review.toml": document, "go.review.toml.sig": signature}


REVIEW_OF_GO = reviewed(OPEN_GO)
CLOSED = closed_in_chain(more={**QUERIES_FILE, **REVIEW_OF_GO})
RECORD = load_record(CLOSED["record.toml"])


def told(files: Mapping[str, bytes], place: Place | None = None) -> list[str]:
    found = verify_record(files, CHECKLIST, KEYS, place=place)
    return [f"{p.weight} {p.id} {p.file}: {p.words}" for p in found.problems]


def ids(files: Mapping[str, bytes], place: Place | None = None) -> set[str]:
    return {p.id for p in verify_record(files, CHECKLIST, KEYS, place=place).problems}


def resigned(record: Record) -> dict[str, bytes]:
    document = dump_record(record)
    return {**CLOSED, "record.toml": document, "record.toml.sig": KEYS.sign(document, CLOSE, ANA)}


def changed(step: str, change: Callable[[Attempt], Attempt]) -> Record:
    attempts = tuple(change(a) if a.step == step else a for a in RECORD.attempts)
    return replace(RECORD, attempts=attempts)


def test_a_closed_record_with_all_its_files_is_good() -> None:
    assert told(CLOSED) == []


@pytest.mark.parametrize("name", sorted({"SUMMARY.md", *QUERIES_FILE, *REVIEW_OF_GO}))
def test_a_file_that_the_close_saw_can_neither_go_nor_change(name: str) -> None:
    gone = {key: data for key, data in CLOSED.items() if key != name}

    words = "is missing; the record was closed with it"
    assert f"invalid file-missing {name}: {words}" in told(gone)
    words = "is not the file that the record was closed with (its sha256 differs)"
    assert f"invalid file-changed {name}: {words}" in told(CLOSED | {name: b"other"})


@pytest.mark.parametrize(
    "name", ["evidence/099-made-up.out", "notes.txt", "evidence/deep/er.out", "allowed_signers"]
)
def test_a_file_that_the_close_did_not_see_is_none_of_the_records(name: str) -> None:
    place = Place(HERE)

    assert told(CLOSED | {name: b"x"}, place) == [
        f"invalid file-unlisted {name}: is not a file of this record: the close does not name it"
    ]


@pytest.mark.parametrize("name", ["postmortem.md", "0057_add_team_billing.sql", "allowed_signers"])
def test_notes_the_migration_and_the_signers_may_lie_beside_a_record_read_alone(name: str) -> None:
    assert told(CLOSED | {name: b"x"}) == []


def test_a_review_may_follow_the_close() -> None:
    document = statement(
        CLOSED, RECORD, CLOSED_RECORD, Verdict.APPROVED, "", reviewer=BEN, at=START
    )
    signature = KEYS.sign(document, REVIEW, BEN)

    later = {"record.review.toml": document, "record.review.toml.sig": signature}
    assert told(CLOSED | later) == []


def test_a_timeline_that_preflight_did_not_write_is_none_of_the_records() -> None:
    written = new_timeline("0057")
    written += next_line(written, START, "ana  ran it")

    assert told(CLOSED | {"timeline.md": written.encode()}) == []
    assert ids(CLOSED | {"timeline.md": b"# All was well\n"}) == {Id.FILE_UNLISTED}


def test_a_close_that_names_nothing_is_incomplete() -> None:
    facts = {"end": "it stands", "signer": ANA}
    found = told(resigned(changed("close", lambda a: replace(a, facts=facts))))

    words = "was closed without naming its files and its place in the chain"
    assert f"invalid close-incomplete record.toml: {words}" in found


def test_attempts_after_the_close_are_no_part_of_a_closed_record() -> None:
    later = replace(RECORD.attempts[-2], started_at=START.replace(year=2027), finished_at=None)
    later = replace(later, status=Status.FAILED)

    found = ids(resigned(replace(RECORD, attempts=(*RECORD.attempts, later))))

    assert Id.CLOSE_INCOMPLETE in found


def test_the_history_of_go_is_the_lines_of_the_record_before_it() -> None:
    """What the page on the record does with awk."""
    plan = SignedPlan.from_bytes(CLOSED["go.toml"])
    assert plan.history is not None
    mark = b"[[attempt]]\n"
    sections = CLOSED["record.toml"].split(mark)[1 : (plan.history.attempts or 0) + 1]

    lines = b"".join(mark + section for section in sections)
    assert sha256(lines).hexdigest() == plan.history.sha256


def test_an_attempt_before_go_can_not_be_dropped_by_the_operator() -> None:
    failed = replace(RECORD.attempts[1], status=Status.FAILED)
    assert failed.step == RECORD.attempts[1].step
    dropped = replace(RECORD, attempts=(RECORD.attempts[0], *RECORD.attempts[2:]))

    before = next(n for n, a in enumerate(RECORD.attempts) if a.step == "go")
    words = f"covers another history: {before} attempts before it; "
    words += f"the record has {before - 1}"
    assert f"invalid history-changed go.toml: {words}" in told(resigned(dropped))


@pytest.mark.parametrize(
    "change",
    [
        lambda a: replace(a, answers={"reason": "other"}),
        lambda a: replace(a, facts={**a.facts, "made": "up"}),
        lambda a: replace(a, evidence=()),
        lambda a: replace(a, by=BEN),
    ],
)
def test_an_attempt_before_go_can_not_be_changed_by_the_operator(
    change: Callable[[Attempt], Attempt],
) -> None:
    found = told(resigned(changed("named", change)))

    before = next(n for n, a in enumerate(RECORD.attempts) if a.step == "go")
    words = f"covers another history: one of the {before} attempts before it was changed "
    assert f"invalid history-changed go.toml: {words}since" in found


def test_a_waiver_before_go_can_not_become_a_proof() -> None:
    found = ids(resigned(changed("named", lambda a: replace(a, status=Status.ATTESTED))))

    assert {Id.HISTORY_CHANGED, Id.PLAN_DIFFERS} <= found


def test_a_go_without_a_history_is_no_go_of_schema_2() -> None:
    from d1_preflight.core.record.file import load_facts

    plan = load_facts(CLOSED["go.toml"], "go.toml")
    document = dump_facts({key: value for key, value in plan.items() if key != "history"})

    assert Id.PLAN_INVALID in ids(CLOSED | {"go.toml": document})


ABSENT = Place(HERE, is_project=True, database_id=RECORD.database.id, lacks_migration=True)


def test_a_migration_that_is_gone_is_named() -> None:
    assert told(CLOSED, ABSENT) == [
        (
            "invalid migration-missing 0057_add_team_billing.sql: "
            "is no longer among the project's migrations"
        )
    ]


def test_a_migration_that_was_renamed_is_named() -> None:
    renamed = replace(ABSENT, renamed_to="0058_other.sql")

    assert told(CLOSED, renamed) == [
        (
            "invalid migration-renamed 0057_add_team_billing.sql: "
            "was renamed to 0058_other.sql: wrangler would apply it again"
        )
    ]


def test_a_migration_that_was_rolled_back_may_go() -> None:
    record = changed("close", lambda a: replace(a, facts={**a.facts, "end": ROLLED_BACK}))

    assert Id.MIGRATION_MISSING not in ids(resigned(record), ABSENT)
