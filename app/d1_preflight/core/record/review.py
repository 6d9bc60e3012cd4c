"""A signed review statement about exact bytes, in a role of its own.

The statement binds the file and the operator's signature by their sha256, so that it cannot be
carried over to another record. A reviewer is never the operator, neither by name nor by key.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from d1_preflight.core.errors import (
    BadSignature,
    NotAllowed,
    PreflightError,
    RecordInvalid,
    Rejected,
)
from d1_preflight.core.findings import Kind
from d1_preflight.core.project.setting_types import SecondPerson
from d1_preflight.core.record.apply_facts import SeenReview
from d1_preflight.core.record.facts import NO_TEXT, instant, moment
from d1_preflight.core.record.file import dump_facts, load_facts, load_table, read_facts
from d1_preflight.core.record.record import Record
from d1_preflight.core.record.signing import CLOSE, GO, REVIEW, Signature, Verifier
from d1_preflight.lazy_dataclass import dataclass

STATEMENT_SUFFIX = ".review.toml"
_KEYS = {
    "schema", "statement", "verdict", "reason", "reviewer", "reviewed_at", "migration",
    "database", "file", "file_sha256", "signature_sha256", "heads",
}  # fmt: skip
AGAIN = "preflight review RECORD makes a new one."


class StaleReview(PreflightError):
    """A review is about other bytes than the present ones: it is no longer valid."""

    exit_code = 1


class Verdict(StrEnum):
    """What a reviewer decides."""

    APPROVED = "approved"
    SENT_BACK = "sent back"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is reviewed: a file, and the operator's signature over it in its namespace."""

    file: str
    namespace: str

    @property
    def signature(self) -> str:
        """The name of the operator's signature."""
        return f"{self.file}.sig"

    @property
    def stem(self) -> str:
        """The start of the statements' names about it."""
        return self.file.removesuffix(".toml")


PLAN = Subject("go.toml", GO)
CLOSED_RECORD = Subject("record.toml", CLOSE)


@dataclass(frozen=True, slots=True)
class Review:
    """One reviewer's valid statement: signed, allowed, and about the present bytes.

    `heads` are the ends of the database's chain that the reviewer saw, as `sha256sum` writes them.
    """

    name: str
    subject: Subject
    verdict: Verdict
    reason: str
    signer: Signature
    at: datetime
    heads: tuple[str, ...] = ()


def second_person_kinds(policy: SecondPerson) -> frozenset[Kind]:
    """The classes for which a policy asks for a second person's approval of GO."""
    match policy:
        case SecondPerson.NEVER:
            return frozenset()
        case SecondPerson.DESTRUCTIVE:
            return frozenset({Kind.DESTRUCTIVE, Kind.UNKNOWN})
        case SecondPerson.ALWAYS:
            return frozenset(Kind)


def statement(
    files: Mapping[str, bytes],
    record: Record,
    subject: Subject,
    verdict: Verdict,
    reason: str,
    *,
    reviewer: str,
    at: datetime,
    heads: Iterable[str] = (),
) -> bytes:
    """The bytes that a reviewer signs; raises NotAllowed if nothing is signed yet."""
    document, signature = files.get(subject.file), files.get(subject.signature)
    if document is None or signature is None:
        raise NotAllowed(
            f"{subject.file} is not signed by its operator yet.",
            hint="A review needs the operator's signature; wait for it.",
        )
    if verdict is Verdict.SENT_BACK and not reason.strip():
        raise Rejected("Sending back needs a reason.", hint="Say what has to change.")
    return dump_facts(
        {
            "schema": record.schema,
            "statement": "review",
            "verdict": verdict.value,
            "reason": reason.strip(),
            "reviewer": reviewer,
            "reviewed_at": instant(at),
            "migration": record.migration,
            "database": record.database.id,
            "file": subject.file,
            "file_sha256": sha256(document).hexdigest(),
            "signature_sha256": sha256(signature).hexdigest(),
            **({} if record.schema == 1 else {"heads": tuple(heads)}),
        }
    )


def refuse_operator(operators: tuple[Signature, ...], reviewer: Signature) -> None:
    """Four eyes: raises NotAllowed where the reviewer signed this record as its operator."""
    for operator in operators:
        if reviewer.fingerprint == operator.fingerprint:
            raise NotAllowed(
                f"This key ({reviewer.fingerprint}) signed as the operator.",
                hint="The reviewer must be a second person with a key of their own.",
            )
        if reviewer.principal == operator.principal:
            raise NotAllowed(
                f"{reviewer.principal} is the operator of this record.",
                hint="The reviewer must be a second person.",
            )


def operators_of(files: Mapping[str, bytes], verifier: Verifier) -> tuple[Signature, ...]:
    """Who signed as operator; raises BadSignature where a signature is not good."""
    return tuple(
        verifier.verify(files[subject.file], files[subject.signature], subject.namespace)
        for subject in (PLAN, CLOSED_RECORD)
        if subject.file in files and subject.signature in files
    )


def statement_name(
    files: Mapping[str, bytes], record: Record, subject: Subject, signer: str
) -> str:
    """A statement's file name: the first free one, or that of this reviewer's earlier one.

    Beside a closed record of schema 2 none is replaced: the close or the chain may name it.
    """
    is_kept = record.schema > 1 and CLOSED_RECORD.signature in files
    number = 1
    while True:
        name = f"{subject.stem}{f'-{number}' if number > 1 else ''}{STATEMENT_SUFFIX}"
        if name not in files or (_reviewer_of(files[name]) == signer and not is_kept):
            return name
        number += 1


def go_review(files: Mapping[str, bytes], record: Record, verifier: Verifier) -> Review | None:
    """The approval of the present `go.toml` by a second person; None where there is none.

    Raises NotAllowed where anybody sent it back and has not approved it since, and BadSignature,
    RecordInvalid or NotAllowed where a review lies there that is not good.
    """
    found = []
    for name in statements_about(files, PLAN):
        with suppress(StaleReview):  # it was about an earlier GO
            found.append(read_review(files, record, name, verifier))
    standing = last_words(found)
    for review in standing:
        if review.verdict is Verdict.SENT_BACK:
            raise NotAllowed(
                f"{review.signer.principal} sent this GO back: {review.reason}",
                hint=f"Answer it. Then they approve: preflight review --go {record.migration}; "
                "or sign GO again.",
            )
    return standing[0] if standing else None


def standing_reviews(
    files: Mapping[str, bytes], record: Record, subject: Subject, verifier: Verifier
) -> tuple[Review, ...]:
    """The reviews of a subject that are good and count; those that are not are left out."""
    found = []
    for name in statements_about(files, subject):
        with suppress(PreflightError):
            found.append(read_review(files, record, name, verifier))
    return last_words(found)


def seen_reviews(reviews: Iterable[Review]) -> tuple[SeenReview, ...]:
    """The reviews as a close names them."""
    return tuple(
        SeenReview(
            file=review.name,
            by=review.signer.principal,
            fingerprint=review.signer.fingerprint,
            verdict=review.verdict.value,
            reason=review.reason or NO_TEXT,
        )
        for review in reviews
    )


def last_words(reviews: Iterable[Review]) -> tuple[Review, ...]:
    """The reviews that count: a person's later word on a subject replaces their earlier one."""
    # Of two in the same second the one that sent it back counts: unknown is never a pass.
    order = sorted(reviews, key=lambda r: (r.at, r.verdict is Verdict.SENT_BACK))
    last = {(review.subject, review.signer.principal): review for review in order}
    return tuple(sorted(last.values(), key=lambda review: review.name))


def statements_about(files: Mapping[str, bytes], subject: Subject) -> tuple[str, ...]:
    """The names of the statements about the plan, or about the record."""
    names = (n for n in files if n.endswith(STATEMENT_SUFFIX) and "/" not in n)
    return tuple(sorted(n for n in names if n.split(".")[0].split("-")[0] == subject.stem))


def read_review(
    files: Mapping[str, bytes], record: Record, name: str, verifier: Verifier
) -> Review:
    """Check one statement whole.

    Raises RecordInvalid, BadSignature, StaleReview, or NotAllowed for the operator's own.
    """
    subject = PLAN if name.startswith(PLAN.stem) else CLOSED_RECORD
    document, signature = files[name], files.get(f"{name}.sig")
    if signature is None:
        raise BadSignature(f"{name} is not signed.", hint=AGAIN)
    signer = verifier.verify(document, signature, REVIEW)
    stated = load_table(document, name, AGAIN)
    stated.only(_KEYS)
    verdict, reason = stated.choice("verdict", Verdict), stated.text("reason")
    reviewed_at = stated.parsed("reviewed_at", moment, "a moment like 2026-11-23T14:00:00Z")
    if dump_facts(read_facts(stated)) != document:
        raise RecordInvalid(f"{name} is not written as preflight writes it.", hint=AGAIN)
    expected = {
        "statement": "review",
        "reviewer": signer.principal,
        "migration": record.migration,
        "database": record.database.id,
        "file": subject.file,
        "file_sha256": sha256(files.get(subject.file, b"")).hexdigest(),
        "signature_sha256": sha256(files.get(subject.signature, b"")).hexdigest(),
    }
    if stated.whole("schema") != record.schema:
        raise StaleReview(f"{name} is of another schema.", hint=AGAIN)
    for key, value in expected.items():
        if stated.text(key) != value:
            raise StaleReview(f"{name} is about another {key}: {stated.text(key)!r}.", hint=AGAIN)
    refuse_operator(operators_of(files, verifier), signer)
    heads = () if record.schema == 1 else stated.texts("heads")
    return Review(name, subject, verdict, reason, signer, reviewed_at, heads)


def _reviewer_of(document: bytes) -> str:
    try:
        return str(load_facts(document, "review").get("reviewer", ""))
    except RecordInvalid:
        return ""
