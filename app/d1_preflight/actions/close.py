"""Close: the operator says how it ended, the database is compared once more, then it is signed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from d1_preflight.actions.context import StepAction, StepContext
from d1_preflight.actions.go import prepare_signer, signer_prompts
from d1_preflight.actions.verification import look_after
from d1_preflight.actions.workspace import copy_folder, rehearsal_folder
from d1_preflight.core.checklist.answers import (
    ANSWER_LABELS,
    FIXED_MANUALLY,
    KEPT,
    ROLLED_BACK,
    answer_label,
)
from d1_preflight.core.checklist.checklist import Prompt, PromptKind
from d1_preflight.core.errors import NotAllowed
from d1_preflight.core.record.apply_facts import CloseFacts, GoFacts
from d1_preflight.core.record.change_facts import CopyFacts, RehearsalFacts
from d1_preflight.core.record.facts import instant
from d1_preflight.core.record.record import Outcome, Status
from d1_preflight.core.schema.schema import Schema, diff
from d1_preflight.core.target.snapshot import Observation

_ROLLED_BACK, _FIXED = answer_label("end", ROLLED_BACK), answer_label("end", FIXED_MANUALLY)


def close_prompts(context: StepContext) -> Sequence[Prompt]:
    """How it ended: the answer is compared with the database before anything is signed."""
    ends = ANSWER_LABELS["end"]
    end = Prompt(
        "end", PromptKind.CHOOSE, "How did it end?",
        choices=tuple(ends), labels=tuple(ends.values()),
    )  # fmt: skip
    return (*signer_prompts(context), end)


async def sign_close(context: StepContext) -> Outcome:
    """The operator's closing words, if the database says the same; the session signs the record.

    The database is read again: since the verification it may have been rolled back.
    """
    require_checklist_of_go(context)
    seen, evidence = await look_after(context)
    end = context.answer("end")
    wrong = _contradicted(context, seen)
    if wrong:
        return Outcome(Status.FAILED, wrong, CloseFacts(end=end), evidence)
    prepare_signer(context)
    facts = CloseFacts(
        signer=context.environment.signer.identity,
        closed_at=instant(context.environment.clock.now()),
        end=end,
    )
    words = context.answer("verdict")
    if end == KEPT:
        return Outcome(Status.ATTESTED, words, facts, evidence)
    rehearsed = context.environment.local.schema(rehearsal_folder(context.environment))
    left = tuple(change.words for change in diff(rehearsed, seen.schema))
    summary = f"{answer_label('end', end).capitalize()}. {words}"
    return Outcome(Status.ATTESTED, summary, replace(facts, differs=left), evidence)


def _contradicted(context: StepContext, seen: Observation) -> str:
    """How the database contradicts the answer; "" if it agrees."""
    recorded = context.facts(RehearsalFacts).schema_after
    is_rehearsed = _is_same(context, seen.schema, recorded, rehearsal_folder(context.environment))
    recorded = context.facts(CopyFacts).schema
    is_before = _is_same(context, seen.schema, recorded, copy_folder(context.environment))
    if context.answer("end") == FIXED_MANUALLY:
        if not is_before and not is_rehearsed:
            return ""  # the record lists the differences from the rehearsal
        words = "the rehearsed one" if is_rehearsed else "the one from before"
        return f"The schema is {words}: nothing was fixed manually. Choose how it really ended."
    if context.answer("end") == ROLLED_BACK:
        if is_before:
            return ""
        return f"The schema is not the one from before. If it is neither, choose “{_FIXED}”."
    if seen.ledger_row(context.environment.name) is None:
        return f"The ledger no longer has a row for {context.environment.name}: it was not kept."
    if not is_rehearsed:
        return f"The schema is no longer the rehearsed one: “{_ROLLED_BACK}”, or “{_FIXED}”?"
    return ""


def _is_same(context: StepContext, now: Schema, recorded: str, persist: Path) -> bool:
    """Whether the schema is the recorded one: the same text, else the same structure.

    The text alone does not decide: SQLite versions write a renamed table differently.
    """
    if now.fingerprint == recorded:
        return True
    if not context.environment.local.file(persist).is_file():
        return False
    kept = context.environment.local.schema(persist)
    return kept.fingerprint == recorded and not diff(kept, now)


def require_checklist_of_go(context: StepContext) -> None:
    """Require the checklist that the record's GO was signed with; raises NotAllowed."""
    go = context.facts(GoFacts)
    if not go.is_by(context.record.checklist):
        raise NotAllowed(
            f"{context.checklist.source} is not the checklist that GO was signed with.",
            hint=f"Restore that checklist (its sha256 is {go.checklist}), then close.",
        )


STEPS: Mapping[str, StepAction] = {
    "sign_close": StepAction(sign_close, prompts=close_prompts, seals=True),
}
