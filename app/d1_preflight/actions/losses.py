"""Section 2: the losses that the rehearsal measured are declared, each with its reason."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal

from d1_preflight.actions.context import StepAction, StepContext
from d1_preflight.core.checklist.checklist import Prompt, PromptKind
from d1_preflight.core.findings import Analysis
from d1_preflight.core.format import count, plural
from d1_preflight.core.record.change_facts import (
    FindingsFacts,
    LossesFacts,
    RehearsalFacts,
    TableChange,
)
from d1_preflight.core.record.record import Outcome, Status

_DECLARE = "declare_losses"
_WHOLE = Decimal(100)
LOSS_REASON = Prompt(
    "loss_reason",
    PromptKind.TEXT,
    "You declare the marked losses. Why is each acceptable, in one sentence?",
    after="losses",
)
"""Asked once a loss is marked, before or after it was measured."""


def declares_after_rehearsal(context: StepContext) -> bool:
    """Whether losses are declared once they are measured; earlier checklists ask before that."""
    return any(step.action == _DECLARE for step in context.checklist.before("go"))


def declared_losses(context: StepContext) -> tuple[str, ...]:
    """The tables whose losses were declared, in whichever step this checklist asks it."""
    after = context.facts(LossesFacts)
    return after.declared_losses or context.facts(FindingsFacts).declared_losses


def loss_prompts(context: StepContext) -> Sequence[Prompt]:
    """Every measured loss with its figures; nothing is asked where nothing is lost."""
    measured = measured_losses(context)
    if not measured:
        return ()
    return (
        Prompt(
            "losses",
            PromptKind.CHOOSE_MANY,
            "The rehearsal lost this. Which losses are intended? Choose none to stop here",
            help=f"{_declared_by_file(context, measured)}If none is intended, fix the migration: "
            "the findings say how.",
            choices=tuple(measured),
            labels=tuple(f"{table}: {words}" for table, words in measured.items()),
            optional=True,
        ),
        replace(LOSS_REASON, sentence=True),
    )


async def declare_losses(context: StepContext) -> Outcome:
    """Every loss that was measured is declared; one that is not stays open."""
    measured = measured_losses(context)
    chosen = context.answers.get("losses", ())
    declared = tuple(chosen) if isinstance(chosen, tuple) else ()
    reason = context.answer("loss_reason")
    facts = LossesFacts(
        declared_losses=declared,
        losses=tuple(f"{table}: {words}" for table, words in measured.items() if table in declared),
        loss_reason=reason,
    )
    undeclared = [f"{table}: {measured[table]}" for table in measured if table not in declared]
    if undeclared:
        words = f"Not declared: {'; '.join(undeclared)}. Fix the migration, or declare it."
        return Outcome(Status.FAILED, words, facts)
    if not measured:
        return Outcome(Status.PROVED, "The rehearsal lost nothing.", facts)
    return Outcome(Status.ATTESTED, f"Declared: {'; '.join(facts.losses)}. Reason: {reason}", facts)


def measured_losses(context: StepContext) -> Mapping[str, str]:
    """What each table loses by the rehearsal, in figures; one of an earlier version named none."""
    rehearsed = context.facts(RehearsalFacts)
    before = context.facts(FindingsFacts).declared_losses
    return {
        change.table: loss_words(change, rehearsed)
        for change in rehearsed.tables
        if change.undeclared or change.table in before
    }


def loss_words(change: TableChange, rehearsed: RehearsalFacts) -> str:
    """A table's loss with counts and percentages, such as "all 1,204 rows"."""
    of = change.before or 0
    columns = [
        removed.name.rpartition(".")[2]
        for removed in rehearsed.schema
        if (removed.change, removed.object) == ("removed", "column")
        and removed.name.rpartition(".")[0] == change.table
    ]
    found = [share(change.lost, of)] if change.lost else []
    if found and change.after == -1:
        found = [f"the table and {found[0]}"]
    if columns and change.changed:
        found.append(f"the values of {', '.join(columns)} in {share(change.changed, of)}")
    if change.nulled:
        found.append(f"references in {share(change.nulled, of)}")
    return ", ".join(found) or change.verdict


def declared_reason(analysis: Analysis, table: str) -> str:
    """What the file itself says of the loss; the question is asked all the same."""
    reasons = (f.declared for f in analysis.findings if f.declared and table in f.tables)
    return next((f" (the file declares it: {reason})" for reason in reasons), "")


def _declared_by_file(context: StepContext, tables: Iterable[str]) -> str:
    analysis = context.environment.analysis()
    said = ((table, declared_reason(analysis, table)) for table in tables)
    return "".join(f"{table}:{reason}\n" for table, reason in said if reason)


def share(rows: int, of: int) -> str:
    """So many rows of a table: "all 1,204 rows", "12 of 1,204 rows (1.0 %)"."""
    if rows >= of:
        return f"all {plural(rows, 'row')}"
    percent = (_WHOLE * rows / of).quantize(Decimal("0.1"), ROUND_HALF_UP)
    shown = "under 0.1" if not percent else "over 99.9" if percent == _WHOLE else percent
    return f"{count(rows)} of {plural(of, 'row')} ({shown} %)"


STEPS: Mapping[str, StepAction] = {
    _DECLARE: StepAction(declare_losses, prompts=loss_prompts),
}
