"""Before and after an adoption: the ledgers' backup, the rows that were written, the close."""

import asyncio
from collections.abc import Mapping, Sequence

from d1_preflight.actions.close import require_checklist_of_go
from d1_preflight.actions.context import StepAction, StepContext
from d1_preflight.actions.data_safety import export_args
from d1_preflight.actions.go import prepare_signer, signer_prompts
from d1_preflight.actions.target import call_target, observe, relative, shown
from d1_preflight.actions.workspace import Folder
from d1_preflight.core.checklist.answers import ANSWER_LABELS, KEPT, ROLLED_BACK
from d1_preflight.core.checklist.checklist import Prompt, PromptKind
from d1_preflight.core.format import plural
from d1_preflight.core.record.apply_facts import CloseFacts, LedgerFacts
from d1_preflight.core.record.change_facts import AdoptedFacts, ComparedFacts, table_counts
from d1_preflight.core.record.facts import instant
from d1_preflight.core.record.record import Outcome, Status
from d1_preflight.core.record.safety_facts import BackupFacts, ExportFacts
from d1_preflight.core.target.snapshot import Observation
from d1_preflight.core.target.wrangler_output import explain_failure
from d1_preflight.disk import writing

_EXPORT_TIMEOUT_S = 600.0


def _ledgers(context: StepContext) -> tuple[str, ...]:
    """The ledgers that hold rows: wrangler's own, which the adoption writes to, and the others."""
    compared = context.facts(ComparedFacts)
    own = context.environment.project.database.migrations_table
    others = (count.table for count in compared.ledgers if count.rows)
    return (*((own,) if compared.in_ledger else ()), *others)


def back_up_plan(context: StepContext) -> Sequence[str]:
    """The command, with its target."""
    tables = _ledgers(context)
    if not tables:
        return ("nothing: the target has no ledger with rows",)
    path = Folder.BACKUP.of(context.environment) / "ledgers.sql"
    return (shown(context.environment, export_args(context.environment, tables, path)),)


async def back_up_ledgers(context: StepContext) -> Outcome:
    """Export the ledgers, and load the export here as proof; nothing else is written to."""
    environment, tables = context.environment, _ledgers(context)
    if not tables:
        words = "The target has no ledger with rows: there is nothing to back up."
        return Outcome(Status.PROVED, words)
    folder = Folder.BACKUP.of(environment) / context.evidence_name
    output = folder / "ledgers.sql"
    with writing(folder, "Nothing was backed up."):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        output.unlink(missing_ok=True)
    ran = await call_target(
        environment, export_args(environment, tables, output), emit=context.emit,
        keep=context.evidence_name, timeout=_EXPORT_TIMEOUT_S,
    )  # fmt: skip
    if ran.exit_code != 0 or not output.is_file():
        return Outcome(Status.FAILED, explain_failure(ran).message, evidence=(ran,))
    with writing(output, "Nothing was backed up."):
        output.chmod(0o600)
        size = output.stat().st_size
    persist = Folder.RESTORE.of(environment) / "ledgers"
    loads = await asyncio.to_thread(environment.local.load_dump, persist, output)
    facts = BackupFacts(export=ExportFacts(file=relative(environment, output), bytes=size))
    if loads:
        return Outcome(Status.FAILED, f"The export does not load: {loads}", facts, (ran,))
    words = f"{', '.join(tables)} exported to {relative(environment, output)}; it loads."
    return Outcome(Status.PROVED, words, facts, (ran,))


async def verify_adoption(context: StepContext) -> Outcome:
    """Every row is there once, and neither the schema nor another tool's ledger changed."""
    compared, names = context.facts(ComparedFacts), context.facts(AdoptedFacts).names
    ledgers = [count.table for count in compared.ledgers]
    look = await observe(
        context.environment, tables=ledgers, keep=context.evidence_name, emit=context.emit
    )
    seen = look.observation
    wrong = []
    if missing := [name for name in names if name not in seen.applied]:
        wrong.append(f"the ledger has no row for {', '.join(missing)}")
    if seen.schema.fingerprint != compared.schema:
        wrong.append("the schema differs from before")
    if table_counts(seen.counts) != compared.ledgers:
        wrong.append("another tool's ledger has more or fewer rows than before")
    facts = _last_row(seen, names)
    if wrong:
        return Outcome(Status.FAILED, f"{'; '.join(wrong)}.", facts, look.evidence)
    words = f"{plural(len(names), 'row')} in the ledger; schema and other ledgers are as before."
    return Outcome(Status.PROVED, words, facts, look.evidence)


def _last_row(seen: Observation, names: Sequence[str]) -> LedgerFacts:
    row = seen.ledger_row(names[-1]) if names else None
    if row is None:
        return LedgerFacts()
    return LedgerFacts(id=row.id, name=row.name, applied_at=row.applied_at)


def close_prompts(context: StepContext) -> Sequence[Prompt]:
    """How it ended: kept, or taken out again; the ledger is read before anything is signed."""
    ends = (KEPT, ROLLED_BACK)
    labels = tuple(ANSWER_LABELS["end"][end] for end in ends)
    end = Prompt("end", PromptKind.CHOOSE, "How did it end?", choices=ends, labels=labels)
    return (*signer_prompts(context), end)


async def close_adoption(context: StepContext) -> Outcome:
    """The operator's closing words, if the ledger says the same; the session signs the record."""
    require_checklist_of_go(context)
    environment, end = context.environment, context.answer("end")
    look = await observe(environment, keep=context.evidence_name, emit=context.emit)
    seen, names = look.observation, context.facts(AdoptedFacts).names
    there = [name for name in names if name in seen.applied]
    facts = CloseFacts(end=end, schema=seen.schema.fingerprint)
    if end == KEPT and len(there) < len(names):
        words = (
            f"The ledger has {len(there)} of {plural(len(names), 'row')}: the adoption was "
            "not kept."
        )
        return Outcome(Status.FAILED, words, facts, look.evidence)
    if end == ROLLED_BACK and there:
        words = f"The ledger still has {plural(len(there), 'row')} of the adoption."
        return Outcome(Status.FAILED, words, facts, look.evidence)
    prepare_signer(context)
    facts = CloseFacts(
        end=end,
        schema=seen.schema.fingerprint,
        signer=environment.signer.identity,
        closed_at=instant(context.record.not_before(environment.clock.now())),
    )
    return Outcome(Status.ATTESTED, context.answer("verdict"), facts, look.evidence)


STEPS: Mapping[str, StepAction] = {
    "back_up_ledgers": StepAction(back_up_ledgers, plan=back_up_plan),
    "verify_adoption": StepAction(verify_adoption),
    "close_adoption": StepAction(close_adoption, prompts=close_prompts, seals=True),
}
