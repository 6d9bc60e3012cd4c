"""Checks the reviews beside a record: which are valid, which are not, which is missing."""

from collections.abc import Iterator

from d1_preflight.core.errors import PreflightError
from d1_preflight.core.record.apply_facts import CloseFacts
from d1_preflight.core.record.review import (
    AGAIN,
    CLOSED_RECORD,
    PLAN,
    Review,
    StaleReview,
    Verdict,
    last_words,
    read_review,
    seen_reviews,
    standing_reviews,
    statements_about,
)
from d1_preflight.core.summary.verdict import closed_attempt
from d1_preflight.core.verify.problem import Bundle, Id, Problem, Weight, no_signers

_FROM_GIT = "Restore the record and its reviews from git."


def good_reviews(bundle: Bundle) -> tuple[Review, ...]:
    """The valid reviews; `review_problems` reports the others."""
    if bundle.verifier is None:
        return ()
    both = (
        standing_reviews(bundle.files, bundle.record, subject, bundle.verifier)
        for subject in (PLAN, CLOSED_RECORD)
    )
    return last_words(review for found in both for review in found)


def review_problems(bundle: Bundle) -> Iterator[Problem]:
    """What is wrong with the reviews, and which one is missing."""
    found: list[Review] = []
    subjects = (PLAN, CLOSED_RECORD)
    known = [name for subject in subjects for name in statements_about(bundle.files, subject)]
    for name in sorted(n for n in bundle.files if ".review." in n):
        if name.removesuffix(".sig") not in known:
            words = "belongs to no review that could be checked"
            yield Problem(Id.REVIEW_UNPAIRED, name, words, AGAIN)
    for name in known:
        if bundle.verifier is None:
            yield no_signers(name)
            continue
        try:
            found.append(read_review(bundle.files, bundle.record, name, bundle.verifier))
        except StaleReview as error:
            yield Problem(Id.REVIEW_STALE, name, error.message, error.hint, Weight.OPEN)
        except PreflightError as error:
            yield Problem(Id.REVIEW_INVALID, name, error.message, error.hint)
    found = list(last_words(found))
    for review in found:
        if review.verdict is Verdict.SENT_BACK:
            words = f"{review.signer.principal} sent it back: {review.reason}"
            hint = "Answer it; the reviewer looks again."
            yield Problem(Id.SENT_BACK, review.name, words, hint, Weight.OPEN)
    yield from _second_person_problems(bundle, found)
    yield from _named_problems(bundle, found)


def _named_problems(bundle: Bundle, found: list[Review]) -> Iterator[Problem]:
    """The reviews that a close names are those that it was closed with, no more and no less."""
    close = closed_attempt(bundle.record)
    facts = CloseFacts.from_attempt(close)
    if close is None or facts.summary_form is None or bundle.verifier is None:
        return
    bound = {line.partition("  ")[2] for line in facts.files}
    there = seen_reviews(r for r in found if r.subject is PLAN and r.name in bound)
    for review in (*(r for r in facts.reviews if r not in there),
                   *(r for r in there if r not in facts.reviews)):  # fmt: skip
        words = f"names other reviews of GO than it was closed with: {review.file} by {review.by}"
        yield Problem(Id.REVIEWS_DIFFER, CLOSED_RECORD.file, words, _FROM_GIT)


def _second_person_problems(bundle: Bundle, found: list[Review]) -> Iterator[Problem]:
    if bundle.kind not in bundle.second_person or PLAN.file not in bundle.files:
        return
    if not any(r.subject is PLAN and r.verdict is Verdict.APPROVED for r in found):
        words = f"a second person has to approve a {bundle.kind} migration's GO"
        hint = "preflight review --go, by someone who is not the operator."
        yield Problem(Id.SECOND_PERSON_MISSING, PLAN.file, words, hint, Weight.OPEN)
