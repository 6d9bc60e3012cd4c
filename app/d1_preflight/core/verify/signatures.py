"""Checks the operator's two signatures: the plan at GO, and the record at its close.

The plan cannot be rewritten afterwards: the signed record holds the sha256 of `go.toml` and of
its signature, and every line of the plan must be what the record's own history says.
"""

from collections.abc import Generator, Iterator
from hashlib import sha256

from d1_preflight.core.errors import BadSignature, RecordInvalid
from d1_preflight.core.record.apply_facts import GO_DECISION, ApplyFacts, CloseFacts, GoFacts
from d1_preflight.core.record.change_facts import ClassFacts, RehearsalFacts
from d1_preflight.core.record.facts import AnyStep, instant
from d1_preflight.core.record.file import attempt_sections
from d1_preflight.core.record.record import Attempt, Record
from d1_preflight.core.record.signed_plan import (
    GO_FILE,
    GO_SIGNATURE,
    PlannedDatabase,
    PlannedHistory,
    SignedPlan,
)
from d1_preflight.core.record.signing import CLOSE, GO, Signature
from d1_preflight.core.summary.verdict import closed_attempt
from d1_preflight.core.verify.problem import Bundle, Id, Problem, Weight, last_go, no_signers
from d1_preflight.lazy_dataclass import replace

RECORD_FILE, RECORD_SIGNATURE = "record.toml", "record.toml.sig"
_RESTORE = "Restore it from git; if it is gone, this GO proves nothing."
_DIFFERENT = "Plan and record belong to different GOs."


def go_problems(bundle: Bundle) -> Iterator[Problem]:
    """What is wrong with the signed plan of the current GO, or of the GO of the apply."""
    go = last_go(bundle.record)
    if go is None:
        return
    document, signature = bundle.files.get(GO_FILE), bundle.files.get(GO_SIGNATURE)
    signed = GoFacts.from_attempt(go)
    for key in signed.unread:
        yield Problem(Id.GO_UNREADABLE, RECORD_FILE, f"has no readable {key} for its GO", _RESTORE)
    for name, data, digest in (
        (GO_FILE, document, signed.go_sha256),
        (GO_SIGNATURE, signature, signed.signature_sha256),
    ):
        if data is None:
            yield Problem(Id.GO_MISSING, name, "is missing, but the record has a GO", _RESTORE)
        elif sha256(data).hexdigest() != digest:
            words = "is not the one the record names (its sha256 differs)"
            yield Problem(Id.GO_CHANGED, name, words, _RESTORE)
    if document is None or signature is None:
        return
    yield from _plan_problems(bundle, go, document)
    signer = yield from _signed_by(bundle, GO_SIGNATURE, document, signature, GO)
    if signer and (signed.signer, signed.fingerprint) != (signer.principal, signer.fingerprint):
        told = signed.signer or "nobody"
        words = f"is by {signer.principal} {signer.fingerprint}; the record says {told}"
        yield Problem(Id.SIGNER_DIFFERS, GO_SIGNATURE, words, _RESTORE)
    if bundle.record.schema > 1 and signed.signer and go.by != signed.signer:
        words = f"names {signed.signer} as GO's signer, and {go.by} as who signed GO"
        yield Problem(Id.SIGNER_DIFFERS, RECORD_FILE, words, _RESTORE)
    yield from _apply_problems(bundle.record, go)


def close_problems(bundle: Bundle) -> Iterator[Problem]:
    """What is wrong with the closing signature over the record's exact bytes."""
    document, signature = bundle.files[RECORD_FILE], bundle.files.get(RECORD_SIGNATURE)
    close = bundle.record.last("close")
    is_closed = close is not None and close.status.is_answered
    if signature is None:
        words = "is closed but carries no signature" if is_closed else "is not closed yet"
        hint = f"{bundle.record.command} closes and signs it."
        identity = Id.SIGNATURE_MISSING if is_closed else Id.NOT_CLOSED
        yield Problem(identity, RECORD_FILE, words, hint, Weight.OPEN)
        return
    if not is_closed:
        words = "is there, but the record does not say that it was closed"
        hint = "Restore both files from git."
        yield Problem(Id.SIGNATURE_WITHOUT_CLOSE, RECORD_SIGNATURE, words, hint)
    signer = yield from _signed_by(bundle, RECORD_SIGNATURE, document, signature, CLOSE)
    if signer is None:
        return
    if close is not None and close.by != signer.principal:
        words = f"is by {signer.principal}, but {close.by} closed the record"
        hint = "A record must be signed by whoever closes it."
        yield Problem(Id.SIGNER_DIFFERS, RECORD_SIGNATURE, words, hint)
    # The name and key that the close gives for itself, and its summary repeats.
    named = CloseFacts.from_attempt(closed_attempt(bundle.record))
    said = (named.signer or signer.principal, named.fingerprint or signer.fingerprint)
    if bundle.record.schema > 1 and said != (signer.principal, signer.fingerprint):
        words = f"is by {signer.principal} {signer.fingerprint}; the close says {' '.join(said)}"
        yield Problem(Id.SIGNER_DIFFERS, RECORD_SIGNATURE, words, _RESTORE)


def closing_signer(bundle: Bundle) -> Signature | None:
    """Who closed the record, if the signature is good."""
    document, signature = bundle.files[RECORD_FILE], bundle.files.get(RECORD_SIGNATURE)
    if signature is None or bundle.verifier is None:
        return None
    try:
        return bundle.verifier.verify(document, signature, CLOSE)
    except BadSignature:
        return None


def _signed_by(
    bundle: Bundle, name: str, document: bytes, signature: bytes, namespace: str
) -> Generator[Problem, None, Signature | None]:
    """Who signed a document, if the signature is good; else why it does not count."""
    if bundle.verifier is None:
        yield no_signers(name)
        return None
    try:
        return bundle.verifier.verify(document, signature, namespace)
    except BadSignature as error:
        yield Problem(Id.SIGNATURE_BAD, name, error.message, error.hint)
        return None


def _plan_problems(bundle: Bundle, go: Attempt, document: bytes) -> Iterator[Problem]:
    try:
        plan = SignedPlan.from_bytes(document)
    except RecordInvalid as error:
        yield Problem(Id.PLAN_INVALID, GO_FILE, error.message, error.hint)
        return
    if plan.document != document:
        words = "has the same content, but other bytes than preflight writes"
        yield Problem(Id.PLAN_EDITED, GO_FILE, words, _RESTORE)
    expected_plan = _expected(bundle, go, plan)
    yield from _history_problems(plan.history, expected_plan.history)
    said = plan.written()
    for key, expected in replace(expected_plan, history=plan.history).written().items():
        if said[key] != expected:
            words = f"says {key} = {said[key]!r}; the record says {expected!r}"
            yield Problem(Id.PLAN_DIFFERS, GO_FILE, words, _DIFFERENT)
    yield from _plan_checklist_problems(bundle.record, go, plan)
    yield from _plan_step_problems(bundle.record, go, plan)


def _history_problems(
    signed: PlannedHistory | None, found: PlannedHistory | None
) -> Iterator[Problem]:
    """What was tried before GO can be dropped or reworded no more."""
    if signed is None or found is None or signed == found:
        return
    words = "covers another history: "
    if signed.attempts != found.attempts:
        words += f"{signed.attempts} attempts before it; the record has {found.attempts}"
    else:
        words += f"one of the {signed.attempts} attempts before it was changed since"
    yield Problem(Id.HISTORY_CHANGED, GO_FILE, words, _RESTORE)


def _expected(bundle: Bundle, go: Attempt, plan: SignedPlan) -> SignedPlan:
    """The plan according to the record's own history, as far as it is known."""
    record = bundle.record
    signed = GoFacts.from_attempt(go)
    return replace(
        plan,
        schema=_expected_schema(record, go, plan),
        decision=GO_DECISION,
        decided_by=signed.signer,
        decided_at=signed.signed_at,
        expires_at=signed.expires_at,
        migration=record.migration,
        kind=_before(record, go, ClassFacts).kind,
        rows_at_risk=_before(record, go, RehearsalFacts).rows_lost,
        database=PlannedDatabase.of(record.database),
        criteria=signed.criteria,
        history=_expected_history(bundle, go, plan),
    )


def _expected_schema(record: Record, go: Attempt, plan: SignedPlan) -> int:
    """The record's own; a GO of schema 1 that was never used may stay beside a newer record."""
    was_used = any(a.step == ApplyFacts.step for a in _since(record, go))
    return record.schema if was_used or plan.schema not in (1, record.schema) else plan.schema


def _expected_history(bundle: Bundle, go: Attempt, plan: SignedPlan) -> PlannedHistory | None:
    if plan.schema == 1:
        return None
    before = bundle.record.attempts[: bundle.record.attempts.index(go)]
    written = bundle.sections[: len(before)] or attempt_sections(before)
    return PlannedHistory(attempts=len(before), sha256=sha256(b"".join(written)).hexdigest())


def _since(record: Record, go: Attempt) -> tuple[Attempt, ...]:
    return record.attempts[record.attempts.index(go) :]


def _before(record: Record, go: Attempt, kind: type[AnyStep]) -> AnyStep:
    """The facts of the last attempt at a step when GO was signed."""
    attempts = record.attempts[: record.attempts.index(go)]
    return kind.from_attempt(next((a for a in reversed(attempts) if a.step == kind.step), None))


def _plan_checklist_problems(record: Record, go: Attempt, plan: SignedPlan) -> Iterator[Problem]:
    """The record continues with the checklist that was signed, else it needs another GO."""
    if plan.checklist == record.checklist:
        return
    since = _since(record, go)
    words = (
        f"was signed with another checklist (sha256 {plan.checklist[:12]}…) than the "
        f"record's ({record.checklist[:12]}…)"
    )
    if any(a.step == ApplyFacts.step and a.status.is_answered for a in since):
        hint = "After the apply a record is closed with the checklist of its GO; restore that one."
        yield Problem(Id.PLAN_CHECKLIST, GO_FILE, words, hint)
    else:
        yield Problem(Id.PLAN_CHECKLIST, GO_FILE, words, "Sign GO again.", Weight.OPEN)


def _plan_step_problems(record: Record, go: Attempt, plan: SignedPlan) -> Iterator[Problem]:
    """Each proof in the plan is the history's last one before the GO."""
    index = record.attempts.index(go)
    last = {attempt.step: attempt for attempt in record.attempts[:index]}
    for step in plan.steps:
        attempt = last.get(step.id)
        if attempt is None or (attempt.status, attempt.words) != (step.status, step.words):
            words = f"has another outcome for step “{step.id}” than the record"
            yield Problem(Id.PLAN_DIFFERS, GO_FILE, words, _DIFFERENT)
    if plan.subjects.migration != go.subjects.get("migration"):
        words = "covers another text of the migration than the record's GO"
        yield Problem(Id.PLAN_DIFFERS, GO_FILE, words, _DIFFERENT)


def _apply_problems(record: Record, go: Attempt) -> Iterator[Problem]:
    """The apply came after this GO and before it expired."""
    index = record.attempts.index(go)
    expires = GoFacts.from_attempt(go).expires_at
    for number, attempt in enumerate(record.attempts):
        if attempt.step != ApplyFacts.step or not attempt.status.is_answered:
            continue
        if number < index:
            words = "was applied before its GO was signed"
            yield Problem(Id.APPLIED_BEFORE_GO, RECORD_FILE, words, _RESTORE)
            continue
        observed = ApplyFacts.from_attempt(attempt).observed is True
        if not observed and (expires is None or attempt.started_at > expires):
            until = instant(expires) if expires else "no time is named"
            words = f"was applied after its GO expired ({until})"
            yield Problem(Id.GO_EXPIRED, RECORD_FILE, words, _RESTORE)
