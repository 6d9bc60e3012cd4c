"""Forgeries that their signer has signed again: for every check of verify, one that it alone finds.

A signature proves who signed, never that what was signed is true: plan and record are held
against each other, and against what this program could have written.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pytest

from core.record_values import (
    ANA,
    BEFORE_GO,
    BEN,
    KEYS,
    SQL,
    START,
    FakeKeys,
    FakeSigner,
    Walk,
    closed_files,
    signed_go,
)
from d1_preflight.core.findings import Kind
from d1_preflight.core.record.facts import Fact
from d1_preflight.core.record.file import dump_facts, dump_record, load_facts, load_record
from d1_preflight.core.record.record import Attempt, Record, Status
from d1_preflight.core.record.review import PLAN, Verdict, statement
from d1_preflight.core.record.signing import CLOSE, GO, REVIEW
from d1_preflight.core.verify.links import Verification
from d1_preflight.core.verify.place import Place
from d1_preflight.core.verify.verify import verify_record
from sampling import sampled

CLOSED, CHECKLIST = closed_files()
RECORD = load_record(CLOSED["record.toml"])
SHA = sha256(SQL).hexdigest()


def verified(files: Mapping[str, bytes], **more: object) -> Verification:
    return verify_record(files, CHECKLIST, KEYS, **more)  # type: ignore[arg-type]  # keywords


def told(found: Verification) -> list[str]:
    return [f"{p.weight} {p.file}: {p.words}" for p in found.problems]


def resigned(record: Record, **files: bytes) -> dict[str, bytes]:
    """The record's files after its signer has signed it again."""
    document = dump_record(record)
    signature = KEYS.sign(document, CLOSE, ANA)
    return {**CLOSED, **files, "record.toml": document, "record.toml.sig": signature}


def changed(step: str, change: Callable[[Attempt], Attempt]) -> Record:
    attempts = tuple(change(a) if a.step == step else a for a in RECORD.attempts)
    return replace(RECORD, attempts=attempts)


def with_plan(document: bytes, by: str = ANA, record: Record = RECORD) -> dict[str, bytes]:
    """Another plan in the record's place, signed, and named by a record that is signed again."""
    signature = KEYS.sign(document, GO, by)
    named = {
        "go_sha256": sha256(document).hexdigest(),
        "signature_sha256": sha256(signature).hexdigest(),
    }
    attempts = tuple(
        replace(a, facts={**a.facts, **named}) if a.step == "go" else a for a in record.attempts
    )
    files = resigned(replace(record, attempts=attempts))
    return files | {"go.toml": document, "go.toml.sig": signature}


def planned(**change: Fact) -> bytes:
    """The signed plan with some keys of other content."""
    plan = load_facts(CLOSED["go.toml"], "go.toml")
    return dump_facts({key: change.get(key, value) for key, value in plan.items()})


def of(key: str, **change: Fact) -> Fact:
    table = load_facts(CLOSED["go.toml"], "go.toml")[key]
    assert isinstance(table, Mapping)
    return {**table, **change}


def test_the_forger_changes_nothing_else() -> None:
    assert with_plan(CLOSED["go.toml"]) == CLOSED
    assert told(verified(with_plan(planned()))) == []


SAME_ACT = "invalid go.toml: says {} = "


@pytest.mark.parametrize(
    ("key", "value"),
    sampled(
        [
            ("decision", "no-go"),
            ("decided_by", BEN),
            ("decided_at", "2026-11-23T00:00:00Z"),
            ("expires_at", "2027-11-23T00:00:00Z"),
            ("migration", "0056_other.sql"),
            ("class", "additive"),
            ("rows_at_risk", 1),
            ("database", of("database", name="other")),
            ("database", of("database", id="b" * 36)),
            ("database", of("database", environment="staging")),
            ("database", of("database", target="practice")),
            ("criteria", of("criteria", error_rate_percent="50")),
            ("criteria", of("criteria", watch_minutes=0)),
        ],
        2,
    ),
)
def test_a_plan_that_says_else_than_the_record_is_found(key: str, value: Fact) -> None:
    found = verified(with_plan(planned(**{key: value})))

    assert [words.split(" = ")[0] + " = " for words in told(found)] == [SAME_ACT.format(key)]
    assert found.exit_code == 4


def test_a_plan_about_another_text_is_found() -> None:
    found = verified(with_plan(planned(subjects=of("subjects", migration="f" * 64))))

    words = "covers another text of the migration than the record's GO"
    assert told(found) == [f"invalid go.toml: {words}"]


@pytest.mark.parametrize(
    "change", [{"status": "waived"}, {"words": "0 rows lost"}, {"id": "never_done"}]
)
def test_a_plan_with_another_proof_than_the_history_is_found(change: Mapping[str, Fact]) -> None:
    steps = load_facts(CLOSED["go.toml"], "go.toml")["step"]
    assert isinstance(steps, tuple)
    first = steps[0]
    assert isinstance(first, Mapping)
    forged: Fact = ({**first, **change}, *steps[1:])

    found = verified(with_plan(planned(step=forged)))

    name = change.get("id", first["id"])
    words = f"has another outcome for step “{name}” than the record"
    assert told(found) == [f"invalid go.toml: {words}"]


def test_a_plan_in_other_bytes_is_found() -> None:
    found = verified(with_plan(b"# by hand\n" + CLOSED["go.toml"]))

    words = "has the same content, but other bytes than preflight writes"
    assert told(found) == [f"invalid go.toml: {words}"]


def test_a_plan_without_a_key_is_found() -> None:
    plan = load_facts(CLOSED["go.toml"], "go.toml")
    document = dump_facts({key: value for key, value in plan.items() if key != "rows_at_risk"})

    (words,) = told(verified(with_plan(document)))

    assert "is not a plan of preflight: “rows_at_risk” is missing" in words


def test_a_plan_that_somebody_else_signed_is_found() -> None:
    keys = FakeKeys({ANA: (GO, CLOSE), BEN: (GO,)})
    found = verify_record(with_plan(CLOSED["go.toml"], by=BEN), CHECKLIST, keys)

    words = f"is by {BEN} SHA256:{BEN}; the record says {ANA}"
    assert told(found) == [f"invalid go.toml.sig: {words}"]


def test_a_plan_signed_with_another_key_of_the_same_person_is_found() -> None:
    record = changed("go", lambda a: replace(a, facts={**a.facts, "fingerprint": "SHA256:other"}))

    found = verified(resigned(record))

    words = f"is by {ANA} SHA256:{ANA}; the record says {ANA}"
    assert told(found) == [f"invalid go.toml.sig: {words}"]


def test_a_plan_signed_by_a_key_that_may_not_is_found() -> None:
    found = verified(with_plan(CLOSED["go.toml"], by=BEN))

    assert told(found) == [f"invalid go.toml.sig: {BEN} may not sign for {GO}."]


@pytest.mark.parametrize("name", ["go.toml", "go.toml.sig"])
def test_another_plan_or_signature_than_the_record_names_is_found(name: str) -> None:
    key = "go_sha256" if name == "go.toml" else "signature_sha256"
    record = changed("go", lambda a: replace(a, facts={**a.facts, key: "f" * 64}))

    found = verified(resigned(record))

    words = "is not the one the record names (its sha256 differs)"
    assert told(found) == [f"invalid {name}: {words}"]


@pytest.mark.parametrize("name", ["go.toml", "go.toml.sig"])
def test_a_go_whose_plan_is_gone_is_found(name: str) -> None:
    files = {key: data for key, data in CLOSED.items() if key != name}

    assert told(verified(files)) == [f"invalid {name}: is missing, but the record has a GO"]


def test_a_go_that_cannot_be_read_is_found() -> None:
    record = changed("go", lambda a: replace(a, facts={**a.facts, "signer": 7}))

    found = told(verified(resigned(record)))

    assert "invalid record.toml: has no readable signer for its GO" in found
    assert any(words.endswith("the record says nobody") for words in found)


def test_an_apply_before_its_go_is_found() -> None:
    by_step = {a.step: n for n, a in enumerate(RECORD.attempts)}
    order = list(RECORD.attempts)
    go, applied = order[by_step["go"]], order[by_step["applied"]]
    order[by_step["go"]] = replace(
        applied, started_at=go.started_at, finished_at=go.finished_at, subjects=applied.subjects
    )
    order[by_step["applied"]] = replace(
        go, started_at=applied.started_at, finished_at=applied.finished_at
    )

    found = told(verified(resigned(replace(RECORD, attempts=tuple(order)))))

    assert "invalid record.toml: was applied before its GO was signed" in found


@pytest.mark.parametrize(
    ("late", "status", "facts", "is_found"),
    [
        (0, Status.PROVED, {}, False),
        (1, Status.PROVED, {}, True),
        (1, Status.ATTESTED, {}, True),
        (1, Status.PROVED, {"observed": False}, True),
        (1, Status.PROVED, {"observed": True}, False),
        (1, Status.FAILED, {}, False),
    ],
)
def test_an_apply_after_its_go_expired_is_found_unless_it_was_only_seen_then(
    late: int, status: Status, facts: Mapping[str, Fact], *, is_found: bool
) -> None:
    go = RECORD.last("go")
    applied = RECORD.last("applied")
    assert go is not None
    assert applied is not None
    signed = next(a for a in RECORD.attempts if a.step == "go")
    until = signed.started_at + timedelta(minutes=30)
    wait = until + timedelta(seconds=late) - applied.started_at
    at = RECORD.attempts.index(applied)
    later = tuple(
        replace(
            a, started_at=a.started_at + wait, finished_at=a.finished_at and a.finished_at + wait
        )
        for a in (replace(applied, status=status, facts=facts), *RECORD.attempts[at + 1 :])
    )

    found = told(verified(resigned(replace(RECORD, attempts=(*RECORD.attempts[:at], *later)))))

    expired = [words for words in found if "was applied after its GO expired" in words]
    assert bool(expired) is is_found


def history(change: Callable[[Attempt], Attempt], at: int = 1) -> list[str]:
    """What is told of a record with one changed attempt, without what the plan says of it."""
    attempts = tuple(change(a) if n == at else a for n, a in enumerate(RECORD.attempts))
    found = told(verified(resigned(replace(RECORD, attempts=attempts))))
    return [words for words in found if "go.toml" not in words and not words.startswith("open")]


SECOND = RECORD.attempts[1].step


def test_an_attempt_that_began_before_the_one_above_it_is_found() -> None:
    before = RECORD.attempts[0].started_at - timedelta(hours=1)

    found = history(lambda a: replace(a, started_at=before))

    words = f"attempt 2 (“{SECOND}”) began at 2026-11-23T13:00:00Z, before the one above it"
    assert found == [f"invalid record.toml: {words}"]


def test_an_attempt_that_ended_before_it_began_is_found() -> None:
    found = history(lambda a: replace(a, finished_at=a.started_at - timedelta(seconds=1)))

    assert found == [f"invalid record.toml: attempt 2 (“{SECOND}”) ended before it began"]


def test_an_attempt_may_end_in_the_second_in_which_it_began() -> None:
    assert history(lambda a: replace(a, finished_at=a.started_at)) == []


def test_an_attempt_may_begin_in_the_second_in_which_the_one_above_it_ended() -> None:
    above = RECORD.attempts[0].finished_at
    assert above is not None

    assert history(lambda a: replace(a, started_at=above)) == []


def test_an_attempt_that_never_ended_is_found() -> None:
    found = history(lambda a: replace(a, status=Status.RUNNING, finished_at=None))

    assert found == [
        f"invalid record.toml: attempt 2 (“{SECOND}”) never ended, yet others followed"
    ]


def test_an_answer_without_an_end_is_found() -> None:
    found = history(lambda a: replace(a, finished_at=None))

    assert found == [f"invalid record.toml: attempt 2 (“{SECOND}”) is proved without an end"]


def test_a_pending_attempt_is_found() -> None:
    found = history(lambda a: replace(a, status=Status.PENDING))

    words = f"attempt 2 (“{SECOND}”) is pending, which no attempt can be"
    assert found == [f"invalid record.toml: {words}"]


def test_a_running_attempt_at_the_end_is_a_walk_under_way() -> None:
    walk = Walk(CHECKLIST)
    walk.record = walk.record.begin(CHECKLIST.steps[0], {}, by=ANA, at=walk.now)

    found = verified({"record.toml": dump_record(walk.record)})

    assert found.exit_code == 1


@pytest.mark.parametrize(
    ("step", "words", "told_so"),
    [
        ("named", "an old name", ()),
        ("named", " ", ("waives “{}” without a reason",)),
        ("copied", "no time", ("waives “{}”, which cannot be waived",)),
    ],
)
def test_a_waiver_has_a_reason_and_a_step_that_may_be_waived(
    step: str, words: str, told_so: tuple[str, ...]
) -> None:
    walk = Walk(CHECKLIST).answer(step, Status.WAIVED, words=words)

    found = verified({"record.toml": dump_record(walk.record)})

    title = CHECKLIST.step(step).title
    assert [p.words for p in found.problems if p.weight == "invalid"] == [
        said.format(title) for said in told_so
    ]


KINDS = ("none", "additive", "transformative", "destructive", "unknown")


@pytest.mark.parametrize("found_kind", KINDS)
@pytest.mark.parametrize("confirmed", KINDS)
def test_a_class_is_never_lowered(found_kind: str, confirmed: str) -> None:
    weights = {"none": 0, "additive": 1, "transformative": 2, "destructive": 3, "unknown": 3}
    walk = Walk(CHECKLIST).answer("class", facts={"found": found_kind, "class": confirmed})

    found = verified({"record.toml": dump_record(walk.record)})

    lowered = [p.words for p in found.problems if "lowers the class" in p.words]
    expected = [f"lowers the class from {found_kind} to {confirmed}"]
    assert lowered == (expected if weights[confirmed] < weights[found_kind] else [])


def test_a_class_that_was_not_confirmed_lowers_nothing() -> None:
    facts = {"found": "destructive", "class": "additive"}
    walk = Walk(CHECKLIST).answer("class", Status.FAILED, facts)

    found = verified({"record.toml": dump_record(walk.record)})

    assert not any("lowers the class" in p.words for p in found.problems)


def test_evidence_that_is_gone_or_other_is_found_with_its_step() -> None:
    name = "evidence/001-named.out"
    gone = {key: data for key, data in CLOSED.items() if key != name}

    assert told(verified(gone)) == [f"invalid {name}: is missing; step “named” relies on it"]
    assert told(verified(CLOSED | {name: b"other"})) == [
        f"invalid {name}: is not what step “named” saw (its sha256 differs)"
    ]


def test_a_signature_over_a_record_that_was_not_closed_is_found() -> None:
    record = replace(RECORD, attempts=RECORD.attempts[:-1])

    found = verified(resigned(record))

    words = "is there, but the record does not say that it was closed"
    assert f"invalid record.toml.sig: {words}" in told(found)


@pytest.mark.parametrize(("closed", "words"), [(True, "is closed but carries no signature"),
                                               (False, "is not closed yet")])  # fmt: skip
def test_a_record_without_a_signature_is_open(words: str, *, closed: bool) -> None:
    attempts = RECORD.attempts if closed else RECORD.attempts[:-1]
    files = {key: data for key, data in CLOSED.items() if key != "record.toml.sig"}
    files["record.toml"] = dump_record(replace(RECORD, attempts=attempts))

    found = verified(files)

    assert f"open record.toml: {words}" in told(found)
    assert found.exit_code == 1
    assert "closed" not in found.facts


def test_a_close_signed_for_another_purpose_is_found() -> None:
    signature = KEYS.sign(CLOSED["record.toml"], GO, ANA)

    found = verified(CLOSED | {"record.toml.sig": signature})

    assert told(found) == ["invalid record.toml.sig: The signature does not fit the bytes."]
    assert "closed" not in found.facts


def test_a_folder_without_a_record_is_no_record() -> None:
    found = verified({"go.toml": CLOSED["go.toml"]})

    assert told(found) == ["invalid record.toml: is not there"]
    assert found.exit_code == 4


HERE = "marketplace-production/0057_add_team_billing"
THERE = "a1b2c3d4-0000-4000-8000-000000000001"
ABOUT = "invalid record.toml: covers marketplace-production"
ELSEWHERE = f"invalid record.toml: covers {RECORD.migration} on marketplace-production, but lies in"
PERHAPS = "open record.toml: may cover another database than the configured"
PERHAPS += " marketplace-production"


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (None, []),
        (Place(HERE, is_project=True, database_id=THERE), []),
        (Place(HERE), []),
        (Place("alone"), []),
        (
            Place("marketplace-production/0056_other"),
            [f"{ELSEWHERE} checklists/marketplace-production/0056_other"],
        ),
        (
            Place("alone", is_project=True, database_id=THERE),
            [f"{ELSEWHERE} checklists/alone"],
        ),
        (
            Place(HERE, is_project=True, database_id="b" * 36),
            [f"{ABOUT} {THERE}; the configuration has {'b' * 36} under that name"],
        ),
        (
            Place(HERE, is_project=True),
            [f"{PERHAPS}: one of the two has no id"],
        ),
        (
            Place(HERE, is_project=True, unknown="two have that name"),
            [f"{PERHAPS}: two have that name"],
        ),
        (Place("alone", database_id="b" * 36), []),
    ],
)
def test_a_record_belongs_in_one_place(place: Place | None, words: list[str]) -> None:
    assert told(verified(dict(CLOSED), place=place)) == words


@pytest.mark.parametrize("configured", [None, "b" * 36])
def test_a_record_without_a_database_id_may_be_about_another_one(configured: str | None) -> None:
    record = replace(RECORD, database=replace(RECORD.database, id=""))
    place = Place(HERE, is_project=True, database_id=configured)

    found = told(verified(resigned(record), place=place))

    assert f"{PERHAPS}: one of the two has no id" in found


def test_a_review_without_allowed_signers_is_no_pass() -> None:
    document = statement(CLOSED, RECORD, PLAN, Verdict.APPROVED, "", reviewer=BEN, at=START)
    files = {**CLOSED, "go.review.toml": document}
    files["go.review.toml.sig"] = KEYS.sign(document, REVIEW, BEN)

    found = verify_record(files, CHECKLIST, None)

    words = "cannot be checked: no allowed_signers"
    assert f"invalid go.review.toml: {words}" in told(found)
    assert "review of go" not in found.facts
    assert told(verified(files)) == []
    assert verified(files).facts["review of go"] == f"{BEN} SHA256:{BEN} (approved)"


def test_each_of_two_reviews_of_one_file_is_told() -> None:
    cleo = "cleo@example.com"
    keys = FakeKeys({**KEYS.allowed, cleo: (REVIEW,)})
    files = dict(CLOSED)
    for name, who, said in (("go", BEN, Verdict.APPROVED), ("go-2", cleo, Verdict.SENT_BACK)):
        words = statement(CLOSED, RECORD, PLAN, said, "counts?", reviewer=who, at=START)
        files |= {f"{name}.review.toml": words}
        files |= {f"{name}.review.toml.sig": keys.sign(words, REVIEW, who)}

    facts = verify_record(files, CHECKLIST, keys).facts

    told_so = {name: value for name, value in facts.items() if name.startswith("review")}
    assert sorted(told_so) == ["review of go", "review of go (2)"]
    assert {BEN in value or cleo in value for value in told_so.values()} == {True}
    assert len({value.split()[0] for value in told_so.values()}) == 2


def test_a_review_that_is_not_good_is_told_as_none() -> None:
    files = {**CLOSED, "go.review.toml": b"schema = 1\n", "go.review.toml.sig": b"x"}

    found = verified(files)

    assert found.exit_code == 4
    assert "review of go" not in found.facts


def test_a_second_person_is_asked_for_once_there_is_a_plan() -> None:
    files = {"record.toml": dump_record(Walk(CHECKLIST).record)}

    found = verified(files, second_person=frozenset(Kind))

    assert not any("second person" in problem.words for problem in found.problems)


@pytest.mark.parametrize(
    ("step", "status", "weight"),
    [
        ("applied", Status.PROVED, "invalid"),
        ("applied", Status.FAILED, "open"),
        ("applied", Status.UNKNOWN, "open"),
        ("named", Status.PROVED, "open"),
    ],
)
def test_another_checklist_than_its_gos_is_final_once_it_was_applied(
    step: str, status: Status, weight: str
) -> None:
    files: dict[str, bytes] = {}
    walk = Walk(CHECKLIST).through(*BEFORE_GO)
    signed_go(walk, files, FakeSigner(KEYS, ANA))
    walk.answer(step, status)
    files["record.toml"] = dump_record(replace(walk.record, checklist="f" * 64))

    found = told(verified(files))

    assert any(words.startswith(f"{weight} go.toml: was signed with another") for words in found)


def test_a_practice_record_in_a_real_project_says_what_it_is() -> None:
    record = replace(RECORD, database=replace(RECORD.database, target="practice"))
    place = Place(HERE, is_project=True, database_id="b" * 36)

    found = verified(resigned(record), place=place)

    assert any("record.toml: is a practice record of" in words for words in told(found))
    assert found.facts["practice"] == "a practice record: it proves nothing about a real database"


def test_what_is_known_of_a_good_record_is_told_for_people() -> None:
    found = verified(dict(CLOSED), migration_sha256=SHA)

    count = len(CHECKLIST.steps)
    attested = sum(step.attested for step in CHECKLIST.steps)
    assert found.facts == {
        "migration": "0057_add_team_billing.sql",
        "sha256": SHA,
        "file": "the same text in this checkout",
        "database": f"marketplace-production {THERE} (remote)",
        "class": "destructive",
        "checklist": "as shipped",
        "steps": f"{count - attested} proved, {attested} attested",
        "go": f"{ANA} SHA256:{ANA} {load_facts(CLOSED['go.toml'], 'go.toml')['decided_at']}",
        "closed": f"{ANA} SHA256:{ANA}",
    }
    assert verified(dict(CLOSED)).facts["file"] == "not in this checkout: only the record was read"
    assert (
        verified(dict(CLOSED), migration_sha256="0" * 64).facts["file"]
        == "another text in this checkout"
    )


def test_an_end_a_waiver_and_another_host_are_told() -> None:
    record = changed("close", lambda a: replace(a, facts={"end": "it stands"}))
    record = replace(record, database=replace(record.database, target="cloud.test"))
    waived = replace(
        record,
        attempts=tuple(
            replace(a, status=Status.WAIVED) if a.step == "errors" else a for a in record.attempts
        ),
    )

    facts = verified(resigned(waived)).facts

    assert facts["end"] == "kept"
    assert facts["waived"] == "error rate"
    assert facts["answered by"] == "cloud.test, which is not Cloudflare's own API"


def test_a_go_that_fell_is_not_told_as_one() -> None:
    files: dict[str, bytes] = {}
    walk = Walk(CHECKLIST).through(*BEFORE_GO)
    signed_go(walk, files, FakeSigner(KEYS, ANA))
    walk.answer("go", Status.FAILED)

    found = verified(files | {"record.toml": dump_record(walk.record)})

    assert "go" not in found.facts


def test_the_problems_of_each_section_are_told_once() -> None:
    walk = Walk(CHECKLIST, Kind.ADDITIVE).through("classification", "local")

    found = verified({"record.toml": dump_record(walk.record)})

    sections = [p.words.split(":")[0] for p in found.problems if "“" in p.words]
    assert sections == [
        "3 Data safety", "4 Rollback", "5 Timing", "GO", "Apply", "6 Verification", "Close",
    ]  # fmt: skip
    assert all(p.hint == "preflight run 0057_add_team_billing.sql continues it."
               for p in found.problems if "“" in p.words)  # fmt: skip


def test_an_apply_under_a_go_that_names_no_end_is_found() -> None:
    endless = changed(
        "go",
        lambda a: replace(a, facts={k: v for k, v in a.facts.items() if k != "expires_at"}),
    )

    found = verified(resigned(endless))

    assert "invalid record.toml: was applied after its GO expired (no time is named)" in told(found)
    assert found.exit_code == 4
