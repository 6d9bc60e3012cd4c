"""Four eyes: a review binds exact bytes, and is never by the operator."""

from dataclasses import replace
from datetime import timedelta

import pytest

from core.record_values import ANA, BEN, KEYS, START, FakeKeys, closed_files
from d1_preflight.core.errors import NotAllowed, Rejected
from d1_preflight.core.findings import Kind
from d1_preflight.core.record.file import load_record
from d1_preflight.core.record.review import (
    CLOSED_RECORD,
    PLAN,
    Subject,
    Verdict,
    go_review,
    operators_of,
    refuse_operator,
    statement,
    statement_name,
)
from d1_preflight.core.record.signing import CLOSE, GO, REVIEW, Signature
from d1_preflight.core.verify.links import Verification
from d1_preflight.core.verify.verify import verify_record

CLOSED, CHECKLIST = closed_files()
RECORD = load_record(CLOSED["record.toml"])


def reviewed(
    subject: Subject = CLOSED_RECORD,
    verdict: Verdict = Verdict.APPROVED,
    reason: str = "",
    who: str = BEN,
    files: dict[str, bytes] = CLOSED,
    *,
    later: int = 0,
) -> dict[str, bytes]:
    at = START + timedelta(minutes=later)
    document = statement(files, RECORD, subject, verdict, reason, reviewer=who, at=at)
    name = statement_name(files, RECORD, subject, who)
    return files | {name: document, f"{name}.sig": KEYS.sign(document, REVIEW, who)}


def verified(files: dict[str, bytes], second: frozenset[Kind] = frozenset()) -> Verification:
    return verify_record(files, CHECKLIST, KEYS, second_person=second)


def words(found: Verification) -> str:
    return "\n".join(f"{p.weight} {p.file}: {p.words}" for p in found.problems)


@pytest.mark.parametrize("subject", [PLAN, CLOSED_RECORD])
def test_a_counter_signature_is_good(subject: Subject) -> None:
    found = verified(reviewed(subject))

    assert found.problems == ()
    assert found.facts[f"review of {subject.stem}"] == f"{BEN} SHA256:{BEN} (approved)"


def test_the_second_persons_go_satisfies_the_policy() -> None:
    always = frozenset(Kind)

    assert verified(dict(CLOSED), always).exit_code == 1
    assert verified(reviewed(PLAN), always).exit_code == 0
    assert verified(reviewed(CLOSED_RECORD), always).exit_code == 1
    refused = verified(reviewed(PLAN, Verdict.SENT_BACK, "not yet"), always)
    assert "open go.toml: a second person has to approve" in words(refused)


def test_a_record_sent_back_is_open_with_its_reason() -> None:
    found = verified(reviewed(verdict=Verdict.SENT_BACK, reason="no backup of users"))

    assert "ben@example.com sent it back: no backup of users" in words(found)
    assert found.exit_code == 1


def test_the_operator_cannot_review_their_own_record() -> None:
    found = verified(reviewed(who=ANA))

    assert "signed as the operator" in words(found)
    assert found.exit_code == 4


def test_neither_name_nor_key_of_the_operator_may_review() -> None:
    ana = Signature(ANA, "SHA256:one")

    with pytest.raises(NotAllowed, match="signed as the operator"):
        refuse_operator((ana,), Signature(BEN, "SHA256:one"))
    with pytest.raises(NotAllowed, match="is the operator"):
        refuse_operator((ana,), Signature(ANA, "SHA256:two"))


def test_a_review_of_other_bytes_counts_for_nothing() -> None:
    files = reviewed(PLAN)
    files["go.toml"] += b"\n"

    found = verified(files, frozenset(Kind))

    assert "is about another file_sha256" in words(found)
    assert "a second person has to approve" in words(found)


def test_an_unsigned_review_is_refused() -> None:
    files = reviewed()
    del files["record.review.toml.sig"]

    assert "record.review.toml is not signed" in words(verified(files))


@pytest.mark.parametrize(
    "name", ["gone.review.toml", "go.review.sig", "record.review.toml.sig", "go.d/a.review.toml"]
)
def test_a_stray_review_is_told_never_passed_over(name: str) -> None:
    found = verified(CLOSED | {name: b"schema = 1\n"})

    assert f"{name}: belongs to no review" in words(found)
    assert found.exit_code == 4


@pytest.mark.parametrize("gone", ["go.toml", "go.toml.sig", "record.toml.sig"])
def test_whoever_signed_what_is_there_is_its_operator(gone: str) -> None:
    there = operators_of({name: data for name, data in CLOSED.items() if name != gone}, KEYS)

    assert {signature.principal for signature in there} == {ANA}
    assert len(there) == len(operators_of(CLOSED, KEYS)) - 1


def test_a_reviewers_key_signs_nothing_but_reviews() -> None:
    signature = KEYS.sign(CLOSED["record.toml"], CLOSE, BEN)

    found = verified(CLOSED | {"record.toml.sig": signature})

    assert f"{BEN} may not sign for {CLOSE}" in words(found)


def test_two_reviewers_stand_side_by_side() -> None:
    cat = "cat@example.com"
    keys = FakeKeys({ANA: (GO, CLOSE), BEN: (REVIEW,), cat: (REVIEW,)})
    files = reviewed(who=cat, files=reviewed(who=BEN))

    assert {"record.review.toml", "record-2.review.toml"} <= set(files)
    assert verify_record(files, CHECKLIST, keys).problems == ()


def test_a_reviewer_who_looks_again_replaces_their_own_word() -> None:
    files = reviewed(files=reviewed(verdict=Verdict.SENT_BACK, reason="wait"))

    assert "record-2.review.toml" not in files
    assert verified(files).problems == ()


def test_go_review_finds_the_second_person_or_nobody() -> None:
    assert go_review(dict(CLOSED), RECORD, KEYS) is None
    found = go_review(reviewed(PLAN), RECORD, KEYS)
    assert found is not None
    assert found.signer.principal == BEN


CAT = "cat@example.com"
THREE = FakeKeys({ANA: (GO, CLOSE), BEN: (REVIEW,), CAT: (REVIEW,)})


@pytest.mark.parametrize("first", [BEN, CAT])
def test_a_go_that_anybody_sent_back_is_refused_in_their_words(first: str) -> None:
    second = CAT if first == BEN else BEN
    files = reviewed(PLAN, who=first)
    files = reviewed(PLAN, Verdict.SENT_BACK, "it drops the wrong table", second, files)

    with pytest.raises(NotAllowed, match=f"{second} sent this GO back: it drops the wrong table"):
        go_review(files, RECORD, THREE)


def test_who_sent_a_go_back_and_approves_it_later_has_approved_it() -> None:
    files = reviewed(PLAN, Verdict.SENT_BACK, "wait", later=0)
    again = reviewed(PLAN, later=1)
    files |= {"go-2.review.toml": again["go.review.toml"]}
    files |= {"go-2.review.toml.sig": again["go.review.toml.sig"]}

    found = go_review(files, RECORD, KEYS)

    assert found is not None
    assert found.name == "go-2.review.toml"
    assert verified(files, frozenset(Kind)).problems == ()


@pytest.mark.parametrize("later", [0, 1])
def test_who_approved_a_go_and_sends_it_back_later_has_sent_it_back(later: int) -> None:
    files = reviewed(PLAN)
    again = reviewed(PLAN, Verdict.SENT_BACK, "wait", later=later)
    files |= {"go-2.review.toml": again["go.review.toml"]}
    files |= {"go-2.review.toml.sig": again["go.review.toml.sig"]}

    with pytest.raises(NotAllowed, match="sent this GO back: wait"):
        go_review(files, RECORD, KEYS)
    assert "sent it back: wait" in words(verified(files))


def test_what_was_sent_back_about_an_earlier_go_holds_nobody_up() -> None:
    earlier = CLOSED | {"go.toml": CLOSED["go.toml"] + b"# earlier\n"}
    files = reviewed(PLAN, Verdict.SENT_BACK, "wait", CAT, earlier) | CLOSED

    assert go_review(files, RECORD, THREE) is None
    found = go_review(reviewed(PLAN, files=files), RECORD, THREE)
    assert found is not None
    assert found.signer.principal == BEN


def test_sending_back_needs_a_reason() -> None:
    with pytest.raises(Rejected):
        reviewed(verdict=Verdict.SENT_BACK, reason="  ")


def test_what_nobody_signed_cannot_be_reviewed() -> None:
    with pytest.raises(NotAllowed, match="not signed by its operator"):
        reviewed(PLAN, files={"record.toml": CLOSED["record.toml"]})


def test_a_review_carried_over_to_another_database_is_refused() -> None:
    other = replace(RECORD, database=replace(RECORD.database, id="ffff"))
    document = statement(CLOSED, other, CLOSED_RECORD, Verdict.APPROVED, "", reviewer=BEN, at=START)
    files = CLOSED | {
        "record.review.toml": document,
        "record.review.toml.sig": KEYS.sign(document, REVIEW, BEN),
    }

    assert "is about another database" in words(verified(files))
