"""GO: the plan, the proofs and the abort criteria are frozen as bytes and signed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from d1_preflight.actions.context import StepAction, StepContext
from d1_preflight.actions.deploy_order import require_same_code
from d1_preflight.actions.pending import others_pending
from d1_preflight.actions.preconditions import require_bookmark
from d1_preflight.actions.running_code import code_first_prompts, frozen_version
from d1_preflight.actions.timing import require_window
from d1_preflight.core.checklist.checklist import Prompt, PromptKind
from d1_preflight.core.errors import NotAllowed
from d1_preflight.core.format import plural, timestamp
from d1_preflight.core.record.apply_facts import GO_DECISION, AbortCriteria, GoFacts
from d1_preflight.core.record.change_facts import CopyFacts, RehearsalFacts
from d1_preflight.core.record.facts import NO_ITEMS, NO_TEXT
from d1_preflight.core.record.file import history_sha256
from d1_preflight.core.record.gate import open_items
from d1_preflight.core.record.record import Outcome, Record, Status
from d1_preflight.core.record.safety_facts import (
    BackupFacts,
    BookmarkFacts,
    DeployOrderFacts,
    RollbackPlanFacts,
    order_words,
)
from d1_preflight.core.record.signed_plan import (
    GO_FILE,
    GO_SIGNATURE,
    PlannedDatabase,
    PlannedFiles,
    PlannedHistory,
    PlannedStep,
    PlannedTools,
    Proofs,
    SignedPlan,
)
from d1_preflight.core.record.signing import GO
from d1_preflight.core.summary.form import PRESENT_FORM
from d1_preflight.core.summary.markdown import summary_bytes
from d1_preflight.core.summary.summary import SUMMARY_FILE, go_copy


def go_prompts(context: StepContext) -> Sequence[Prompt]:
    """The one question of the gate; it has no default."""
    name = context.environment.project.database.name
    label = f"GO: I have read the plan for {name}, its losses and the rollback path"
    return (
        *signer_prompts(context),
        *code_first_prompts(context),
        Prompt("go", PromptKind.CONFIRM, label),
    )


def signer_prompts(context: StepContext) -> Sequence[Prompt]:
    """Ask before the first signature creates anything."""
    missing = context.environment.signer.missing
    if not missing:
        return ()
    return (Prompt("prepare", PromptKind.CONFIRM, f"First signature: {'; '.join(missing)}"),)


def prepare_signer(context: StepContext) -> None:
    """Create what the operator agreed to."""
    if context.answers.get("prepare") is True:
        context.environment.signer.prepare()


async def sign_go(context: StepContext) -> Outcome:
    """Write `go.toml`, sign its exact bytes, verify at once."""
    still_open = open_items(context.record, context.checklist, context.kind)
    if still_open:
        names = ", ".join(item.step.title for item in still_open[:3])
        raise NotAllowed(
            f"{plural(len(still_open), 'item')} open: {names}.", hint="Answer them first."
        )
    require_bookmark(context)
    require_window(context)
    await require_same_code(context)
    version, evidence = await frozen_version(context)
    environment = context.environment
    prepare_signer(context)
    now = context.record.not_before(environment.clock.now())
    expires = now + timedelta(minutes=environment.settings.go_minutes)
    plan = plan_to_sign(context, now, expires, version)
    document = plan.document
    with context.terminal:
        signature = environment.signer.sign(document, GO)
    facts = GoFacts(
        decision=plan.decision,
        go_sha256=environment.store.write(GO_FILE, document),
        signature_sha256=environment.store.write(GO_SIGNATURE, signature),
        signer=plan.decided_by,
        fingerprint=environment.signer.fingerprint,
        signed_at=plan.decided_at,
        expires_at=plan.expires_at,
        criteria=plan.criteria,
        checklist=plan.checklist,
        worker_version=version or NO_TEXT,
        summary_form=PRESENT_FORM,
    )
    words = f"GO by {plan.decided_by}, good until {timestamp(expires)}."
    outcome = Outcome(Status.ATTESTED, words, facts, evidence)
    return replace(outcome, facts=replace(facts, summary=_keep_summary(context, outcome, now)))


def _keep_summary(context: StepContext, outcome: Outcome, now: datetime) -> str:
    """Write `SUMMARY.md` as of GO, and GO's own copy; the sha256 of both."""
    data = summary_bytes(context.record.finish(outcome, at=now))
    store = context.environment.store
    for number, attempt in enumerate(context.record.attempts, 1):  # a killed GO leaves its copy
        is_go = attempt.step == GoFacts.step
        if is_go and not GoFacts.from_attempt(attempt).summary and store.read(go_copy(number)):
            store.remove(go_copy(number))
    store.write(go_copy(len(context.record.attempts)), data)
    return store.write(SUMMARY_FILE, data)


def plan_to_sign(
    context: StepContext, decided_at: datetime, expires_at: datetime, version: str = ""
) -> SignedPlan:
    """What is signed: which bytes go where, on what proofs, and when to abort.

    `version` is that of the Worker which has to run when it is applied.
    """
    environment, record, before = (
        context.environment,
        context.record,
        context.checklist.before("go"),
    )
    return SignedPlan(
        schema=record.schema,
        decision=GO_DECISION,
        decided_by=environment.signer.identity,
        decided_at=decided_at,
        expires_at=expires_at,
        migration=record.migration,
        kind=context.kind,
        checklist=record.checklist,
        rows_at_risk=context.facts(RehearsalFacts).rows_lost,
        subjects=PlannedFiles.read(dict(sorted(record.subjects.items()))),
        database=PlannedDatabase.of(record.database),
        tools=PlannedTools.read(dict(sorted(record.tools.items()))),
        proofs=_proofs(context, version),
        criteria=AbortCriteria.of(environment.settings.verification),
        history=_history(record),
        steps=tuple(
            PlannedStep(id=step.id, status=attempt.status.value, words=attempt.words)
            for step in context.checklist.steps_for(context.kind)
            if step in before and (attempt := record.standing(step))
        ),
    )


def _history(record: Record) -> PlannedHistory | None:
    """The attempts before this GO, so that none can be dropped or reworded afterwards."""
    if record.schema == 1:
        return None
    before = [attempt for attempt in record.attempts if attempt.status is not Status.RUNNING]
    return PlannedHistory(attempts=len(before), sha256=history_sha256(before))


def _proofs(context: StepContext, version: str) -> Proofs:
    order = context.facts(DeployOrderFacts)
    copied, rehearsed = context.facts(CopyFacts), context.facts(RehearsalFacts)
    bookmark = context.facts(BookmarkFacts)
    return Proofs(
        schema_before=copied.schema,
        schema_rehearsed=rehearsed.schema_after,
        ledger_rows=copied.ledger_rows,
        predicted_ms=rehearsed.predicted_ms,
        bookmark=bookmark.bookmark,
        bookmark_good_until=bookmark.good_until,
        way_back=context.facts(RollbackPlanFacts).chosen,
        backup=context.facts(BackupFacts).tables,
        other_pending=others_pending(context),
        out_of_order=order.out_of_order,
        rows_read=context.record.rows_read or None,
        rows_written=context.record.rows_written or None,
        worker=order.worker if version else NO_TEXT,
        worker_version=version or NO_TEXT,
        deploy_order=order_words(order) or NO_TEXT,
        also_writes=tuple(row.sql for row in copied.beside) or NO_ITEMS,
    )


STEPS: Mapping[str, StepAction] = {
    "sign_go": StepAction(sign_go, prompts=go_prompts),
}
