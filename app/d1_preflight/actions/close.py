"""Close: how it ended, held against the database once more, in words that are signed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from d1_preflight.actions.context import StepAction, Work
from d1_preflight.actions.go import prepare_signer, signer_prompts
from d1_preflight.actions.verification import look_after
from d1_preflight.actions.workspace import copy_folder, rehearsal_folder
from d1_preflight.core.checklist.checklist import Prompt, PromptKind
from d1_preflight.core.errors import NotAllowed
from d1_preflight.core.record.apply_facts import CloseFacts, GoFacts
from d1_preflight.core.record.change_facts import CopyFacts, RehearsalFacts
from d1_preflight.core.record.file import instant
from d1_preflight.core.record.record import MENDED, STANDS, TAKEN_BACK, Outcome, Status
from d1_preflight.core.schema.schema import Schema, diff
from d1_preflight.core.target.snapshot import Observation


def close_prompts(work: Work) -> Sequence[Prompt]:
    """How it ended: what is answered is held against the database before anything is signed."""
    return (
        *signer_prompts(work),
        Prompt("end", PromptKind.CHOOSE, "How did it end?", choices=(STANDS, TAKEN_BACK, MENDED)),
    )


async def sign_close(work: Work) -> Outcome:
    """The operator's closing words, if the database says the same; the session signs the record.

    It is read once more, for between the verification and the close it may have been taken back.
    """
    require_checklist_of_go(work)
    seen, evidence = await look_after(work)
    end = work.answer("end")
    wrong = _contradicted(work, seen)
    if wrong:
        return Outcome(Status.FAILED, wrong, CloseFacts(end=end).written(), evidence)
    prepare_signer(work)
    facts = CloseFacts(
        signer=work.tools.signer.identity, closed_at=instant(work.tools.clock.now()), end=end
    )
    words = work.answer("verdict")
    if end == STANDS:
        return Outcome(Status.ATTESTED, words, facts.written(), evidence)
    rehearsed = work.tools.local.schema(rehearsal_folder(work.tools))
    left = tuple(change.words for change in diff(rehearsed, seen.schema))
    told = f"{end.capitalize()}. {words}"
    return Outcome(Status.ATTESTED, told, replace(facts, differs=left).written(), evidence)


def _contradicted(work: Work, seen: Observation) -> str:
    """What the database says against the answer; "" where it agrees."""
    recorded = work.facts(RehearsalFacts).schema_after
    is_rehearsed = _is_same(work, seen.schema, recorded, rehearsal_folder(work.tools))
    recorded = work.facts(CopyFacts).schema
    is_before = _is_same(work, seen.schema, recorded, copy_folder(work.tools))
    if work.answer("end") == MENDED:
        if not is_before and not is_rehearsed:
            return ""  # what it is now stands in the record, as its difference to the rehearsal
        words = "the rehearsed one" if is_rehearsed else "the one from before"
        return f"The schema is {words}: nothing was mended there. Say how it really ended."
    if work.answer("end") == TAKEN_BACK:
        if is_before:
            return ""
        return f"The schema is not the one from before. If it is neither, say “{MENDED}”."
    if seen.ledger_row(work.tools.name) is None:
        return f"The ledger has no row for {work.tools.name} any more: it does not stand."
    if not is_rehearsed:
        return f"The schema is not the rehearsed one any more: “{TAKEN_BACK}”, or “{MENDED}”?"
    return ""


def _is_same(work: Work, now: Schema, recorded: str, persist: Path) -> bool:
    """Whether the schema is the recorded one: the same text, else the same structure.

    The text alone does not tell: engines of several ages write a renamed table differently.
    """
    if now.fingerprint == recorded:
        return True
    if not work.tools.local.file(persist).is_file():
        return False
    kept = work.tools.local.schema(persist)
    return kept.fingerprint == recorded and not diff(kept, now)


def require_checklist_of_go(work: Work) -> None:
    """A record is closed by the checklist that its GO was signed with; raises NotAllowed."""
    go = work.facts(GoFacts)
    if not go.is_by(work.record.checklist):
        raise NotAllowed(
            f"{work.checklist.source} is not the checklist that GO was signed with.",
            hint=f"Bring that one back (its sha256 is {go.checklist}), then close.",
        )


STEPS: Mapping[str, StepAction] = {
    "sign_close": StepAction(sign_close, prompts=close_prompts, seals=True),
}
