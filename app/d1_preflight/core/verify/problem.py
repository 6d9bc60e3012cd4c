"""The input and the findings of a record's checks."""

from collections.abc import Mapping
from enum import StrEnum

from d1_preflight.core.checklist.checklist import Checklist
from d1_preflight.core.findings import Kind
from d1_preflight.core.record.apply_facts import GoFacts
from d1_preflight.core.record.record import Attempt, Record, kind_of
from d1_preflight.core.record.signing import Verifier
from d1_preflight.lazy_dataclass import dataclass


class Weight(StrEnum):
    """Whether something is not done yet, or wrong."""

    OPEN = "open"
    INVALID = "invalid"


class Id(StrEnum):
    """What is wrong, by a name that stays: for programs, and for the page on the record."""

    RECORD_MISSING = "record-missing"
    RECORD_INVALID = "record-invalid"
    RECORD_EDITED = "record-edited"
    NOT_CLOSED = "not-closed"
    STEPS_OPEN = "steps-open"
    STEP_UNKNOWN = "step-unknown"
    TIME_ORDER = "time-order"
    ATTEMPT_WITHOUT_END = "attempt-without-end"
    CLASS_LOWERED = "class-lowered"
    WAIVER_FORBIDDEN = "waiver-forbidden"
    WAIVER_WITHOUT_REASON = "waiver-without-reason"
    PROOF_STALE = "proof-stale"
    CHECKLIST_INVALID = "checklist-invalid"
    CHECKLIST_UNKNOWN = "checklist-unknown"
    CHECKLIST_WEAK = "checklist-weak"
    WRONG_FOLDER = "wrong-folder"
    WRONG_DATABASE = "wrong-database"
    DATABASE_UNKNOWN = "database-unknown"
    MIGRATION_CHANGED = "migration-changed"
    MIGRATION_MISSING = "migration-missing"
    MIGRATION_RENAMED = "migration-renamed"
    SIGNERS_MISSING = "signers-missing"
    SIGNATURE_MISSING = "signature-missing"
    SIGNATURE_WITHOUT_CLOSE = "signature-without-close"
    SIGNATURE_BAD = "signature-bad"
    SIGNER_DIFFERS = "signer-differs"
    GO_MISSING = "go-missing"
    GO_CHANGED = "go-changed"
    GO_UNREADABLE = "go-unreadable"
    GO_EXPIRED = "go-expired"
    APPLIED_BEFORE_GO = "applied-before-go"
    PLAN_INVALID = "plan-invalid"
    PLAN_EDITED = "plan-edited"
    PLAN_DIFFERS = "plan-differs"
    PLAN_CHECKLIST = "plan-checklist"
    HISTORY_CHANGED = "history-changed"
    EVIDENCE_MISSING = "evidence-missing"
    EVIDENCE_CHANGED = "evidence-changed"
    CLOSE_INCOMPLETE = "close-incomplete"
    CLOSE_DIFFERS = "close-differs"
    FILE_UNLISTED = "file-unlisted"
    FILE_MISSING = "file-missing"
    FILE_CHANGED = "file-changed"
    QUERY_MISSING = "query-missing"
    SUMMARY_MISSING = "summary-missing"
    SUMMARY_CHANGED = "summary-changed"
    SUMMARY_DIFFERS = "summary-differs"
    CHAIN_MISSING = "chain-missing"
    CHAIN_REPLACED = "chain-replaced"
    CHAIN_REVIEW_REMOVED = "chain-review-removed"
    REVIEW_HEAD_MISSING = "review-head-missing"
    CHAIN_BROKEN = "chain-broken"
    CHAIN_ORDER = "chain-order"
    CHAIN_GAP = "chain-gap"
    CHAIN_FORK = "chain-fork"
    CHAIN_OLD_SCHEMA = "chain-old-schema"
    BASE_MISSING = "base-missing"
    BASE_CHANGED = "base-changed"
    LEDGER_ROW_MISSING = "ledger-row-missing"
    LEDGER_ROW_DIFFERS = "ledger-row-differs"
    LEDGER_RECORD_MISSING = "ledger-record-missing"
    LEDGER_RECORD_OPEN = "ledger-record-open"
    TIMELINE_MISSING = "timeline-missing"
    TIMELINE_CHANGED = "timeline-changed"
    REVIEW_UNPAIRED = "review-unpaired"
    REVIEW_INVALID = "review-invalid"
    REVIEW_STALE = "review-stale"
    REVIEWS_DIFFER = "reviews-differ"
    SENT_BACK = "sent-back"
    SECOND_PERSON_MISSING = "second-person-missing"


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with which file, and what to do."""

    id: Id
    file: str
    words: str
    hint: str = ""
    weight: Weight = Weight.INVALID


@dataclass(frozen=True, slots=True)
class Bundle:
    """A record with all its files, and what it is verified against.

    `sections` are its attempts as a record of schema 2 is written.
    """

    files: Mapping[str, bytes]
    record: Record
    checklist: Checklist
    verifier: Verifier | None
    second_person: frozenset[Kind] = frozenset()
    sections: tuple[bytes, ...] = ()

    @property
    def kind(self) -> Kind:
        """The class whose path the record must have walked; unknown walks every step."""
        return kind_of(self.record, self.checklist, Kind.UNKNOWN)

    @property
    def knows_checklist(self) -> bool:
        """Whether the record was made with the checklist it is verified against."""
        return self.record.checklist == self.checklist.sha256


def no_signers(file: str) -> Problem:
    """That a signature cannot be checked, as nobody says who may sign."""
    hint = "Name the file of allowed signers: --allowed-signers FILE"
    return Problem(Id.SIGNERS_MISSING, file, "cannot be checked: no allowed_signers", hint)


def last_go(record: Record) -> Attempt | None:
    """The attempt that signed the last GO."""
    signed = (a for a in reversed(record.attempts) if a.step == GoFacts.step)
    return next((attempt for attempt in signed if attempt.status.is_answered), None)
