"""Section 1: what the migration is. Proved by the analysis; a person may only raise it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from d1_preflight.actions.context import StepAction, StepContext
from d1_preflight.actions.header import (
    check_header,
    check_name,
    header_judged_again,
    header_prompts,
    why,
)
from d1_preflight.actions.losses import LOSS_REASON, declared_reason, declares_after_rehearsal
from d1_preflight.core.checklist.checklist import Prompt, PromptKind
from d1_preflight.core.findings import Analysis, Finding, Kind, Refusal, Severity
from d1_preflight.core.format import count, plural
from d1_preflight.core.record.change_facts import (
    ClassFacts,
    CopyFacts,
    FindingAnswer,
    FindingsFacts,
    HeaderFacts,
    MeasuredLoss,
    PurposeFacts,
    RehearsalFacts,
    row_counts,
)
from d1_preflight.core.record.record import Outcome, Status

_RISK = {Kind.ADDITIVE: "low", Kind.TRANSFORMATIVE: "medium", Kind.DESTRUCTIVE: "high"}
_ROLLBACK = {
    Kind.ADDITIVE: "low",
    Kind.TRANSFORMATIVE: "medium",
    Kind.DESTRUCTIVE: "irreversible",
}
_ORDER = (Kind.NONE, Kind.ADDITIVE, Kind.TRANSFORMATIVE, Kind.DESTRUCTIVE)


def finding_prompts(context: StepContext) -> Sequence[Prompt]:
    """One question for each finding that needs an answer; a finding on several lines has one.

    Where the checklist does not ask for losses once they are measured, they are declared here.
    """
    analysis = context.environment.analysis()
    asked = [finding_prompt(findings) for findings in _alike(analysis)]
    tables = () if declares_after_rehearsal(context) else tables_at_risk(analysis)
    if tables:
        known = _known_counts(context, tables)
        losses = "\n".join(
            f"{table}: {_loses(analysis, table)}{known.get(table.lower(), '')}"
            f"{declared_reason(analysis, table)}"
            for table in tables
        )
        asked += [
            Prompt(
                "losses",
                PromptKind.CHOOSE_MANY,
                "Which losses are intended? Choose none to stop here",
                help=f"{losses}\nA loss that is not declared stops the rehearsal. If none is "
                "intended, fix the migration: the findings say how.",
                choices=tables,
                optional=True,
            ),
            LOSS_REASON,
        ]
    return tuple(asked)


async def answer_findings(context: StepContext) -> Outcome:
    """Every finding has an answer; an undeclared row loss stays open."""
    analysis = context.environment.analysis()
    losses = context.answers.get("losses", ())
    declared = tuple(losses) if isinstance(losses, tuple) else ()
    asked = {id(one): group[0] for group in _alike(analysis) for one in group}
    facts = FindingsFacts(
        findings=tuple(
            FindingAnswer(
                rule=finding.rule,
                severity=finding.severity.value,
                line=finding.line,
                title=finding.title,
                answer=finding.allowed
                or context.answer(answer_key(asked.get(id(finding), finding))),
            )
            for finding in analysis.findings
        ),
        declared_losses=declared,
        losses=tuple(f"{table}: {_loses(analysis, table)}" for table in declared),
        loss_reason=context.answer("loss_reason"),
        measured=_measured(context, declared),
    )
    undeclared = [table for table in tables_at_risk(analysis) if table not in declared]
    if undeclared and not declares_after_rehearsal(context):
        losses = "; ".join(f"{table} would lose {_loses(analysis, table)}" for table in undeclared)
        words = f"Not declared: {losses}. Fix the migration, or declare the loss."
        return Outcome(Status.FAILED, words, facts)
    if analysis.engine.refused:
        return Outcome(*_refused(context), facts)
    if not analysis.findings:
        return Outcome(Status.PROVED, "Nothing found.", facts)
    if not _weighing(analysis) and not declared:
        return Outcome(Status.PROVED, _unasked_words(analysis), facts)
    words = _answered_words(analysis, declared, context.answer("loss_reason"))
    return Outcome(Status.ATTESTED, words, facts)


def _refused(context: StepContext) -> tuple[Status, str]:
    """The refusal; unknown while only the target's schema, not read yet, can confirm it.

    Where nothing but a base schema is missing, the copy brings it, and the rehearsal judges again.
    """
    refused = context.environment.analysis().engine.refused
    words = refusal_words(refused[0])
    if context.environment.knows_target:
        return Status.FAILED, f"{words} The migration cannot run like this."
    if all(refusal.outside for refusal in refused):
        return Status.ATTESTED, f"{words} The rehearsal judges it on the target's schema."
    more = "This was judged on the schema of the earlier files: copy the target, then answer again."
    return Status.UNKNOWN, f"{words} {more}"


def refusal_words(refusal: Refusal) -> str:
    """A refusal in one sentence, with its line."""
    return f"Line {refusal.line}: {refusal.reason.rstrip('.')}."


def class_prompts(context: StepContext) -> Sequence[Prompt]:
    """The class found, or one above it."""
    found = context.environment.analysis().kind
    at_least = _ORDER.index(found) if found in _ORDER else len(_ORDER) - 1
    choices = tuple(kind.value for kind in _ORDER[max(at_least, 1) :])
    label = f"Found: {found.value}. Confirm it or raise it"
    return (Prompt("class", PromptKind.CHOOSE, label, help=why(context), choices=choices),)


async def confirm_class(context: StepContext) -> Outcome:
    """The operator confirms the class or raises it; unknown counts as destructive."""
    analysis = context.environment.analysis()
    chosen = Kind(context.answer("class"))
    raised = chosen is not analysis.kind
    facts = _class_facts(analysis, chosen)
    words = f"{chosen.value.capitalize()}, {facts.risk} risk"
    words += f" (raised from {analysis.kind.value})." if raised else f": {why(context)}"
    return Outcome(Status.ATTESTED if raised else Status.PROVED, words, facts)


def judged_again(context: StepContext) -> Mapping[str, Outcome]:
    """Class and header on the target's schema, where the files alone left them unknown."""
    analysis, decided = context.environment.analysis(), context.facts(ClassFacts)
    header = header_judged_again(context)
    settled = {HeaderFacts.step: header} if header else {}
    if decided.found is not Kind.UNKNOWN or analysis.kind not in _ORDER:
        return settled
    source = f"the target's schema, as copied ({context.environment.prior_schema().fingerprint})"
    facts = replace(_class_facts(analysis, analysis.kind), source=source)
    words = f"{analysis.kind.value.capitalize()}, {facts.risk} risk: {why(context)}"
    words += " Judged again on the target's schema; it was unknown on the files alone."
    return {ClassFacts.step: Outcome(Status.PROVED, words, facts), **settled}


def _class_facts(analysis: Analysis, chosen: Kind) -> ClassFacts:
    raised = chosen is not analysis.kind
    return ClassFacts(
        found=analysis.kind,
        kind=chosen,
        risk=_RISK[chosen] if raised else analysis.risk.value,
        rollback=_ROLLBACK[chosen] if raised else analysis.rollback,
        reasons=tuple(f"line {r.line}: {r.text}" for r in analysis.reasons),
    )


def offered_purpose(context: StepContext) -> Mapping[str, str]:
    """What the file's header says of it, to begin with."""
    return {"purpose": context.environment.migration().header.description}


def held_by_purpose(_context: StepContext) -> str:
    """Why a person answers: no file says what users gain."""
    return "A person says what users gain."


def remarked_purpose(context: StepContext) -> Mapping[str, str]:
    """What the file does of several kinds, counted: "2 renames, 1 delete: one change?"."""
    several = _several_changes(context)
    return {"purpose": several} if several else {}


def _several_changes(context: StepContext) -> str:
    found = context.environment.analysis().findings
    return next((f.message for f in found if f.rule == "several-changes"), "")


async def state_purpose(context: StepContext) -> Outcome:
    """One sentence on what users will gain from it."""
    several = _several_changes(context)
    facts = PurposeFacts(several_changes=several) if several else PurposeFacts()
    return Outcome(Status.ATTESTED, context.answer("purpose"), facts)


def stale_answers(context: StepContext) -> str:
    """Which answer of this section no longer covers the analysis; "" where all of them do.

    They may have been given before the target was read, on what the earlier files would make.
    """
    analysis = context.environment.analysis()
    confirmed = context.facts(ClassFacts).kind
    if context.facts(ClassFacts).found == Kind.UNKNOWN:
        confirmed = None  # the rehearsal's success judges it again
    known = analysis.kind in _ORDER and confirmed in _ORDER
    if known and _ORDER.index(analysis.kind) > _ORDER.index(confirmed):
        return f"On the target's schema it is {analysis.kind}, not {confirmed}."
    if analysis.engine.refused:
        return f"On the target's schema: {refusal_words(analysis.engine.refused[0])}"
    answered = {f"{answer.rule}@{answer.line}" for answer in context.facts(FindingsFacts).findings}
    new = [f for f in _weighing(analysis) if answer_key(f) not in answered]
    return (
        f"On the target's schema there is one more finding, line {new[0].line}: {new[0].title}."
        if new
        else ""
    )


def answer_key(finding: Finding) -> str:
    """The prompt's key, of the first of several findings that are answered once."""
    return f"{finding.rule}@{finding.line}"


def finding_prompt(findings: Sequence[Finding]) -> Prompt:
    """The question for the findings of one rule, on however many lines."""
    first, lines = findings[0], list(dict.fromkeys(finding.line for finding in findings))
    times = f" ({len(findings)} times)" if len(findings) > 1 else ""
    place = f"Line{'s' if len(lines) > 1 else ''} {', '.join(map(str, lines))}"
    label = f"{place}: {first.title}{times}. Why is this acceptable?"
    of = {line: f"line {line}: " if len(lines) > 1 else "" for line in lines}
    messages = "\n".join(f"{of[finding.line]}{finding.message}" for finding in findings)
    return Prompt(answer_key(first), PromptKind.TEXT, label, help=messages)


def _alike(analysis: Analysis) -> Sequence[Sequence[Finding]]:
    """The findings to be answered, those of one rule and title together."""
    alike: dict[tuple[str, str], list[Finding]] = {}
    for finding in _weighing(analysis):
        alike.setdefault((finding.rule, finding.title), []).append(finding)
    return tuple(alike.values())


def tables_at_risk(analysis: Analysis) -> tuple[str, ...]:
    """Every table that can lose rows or references, or that is dropped with its rows."""
    effects = analysis.effects
    nulled = (column.split(".")[0] for column in effects.references_nulled_in)
    columns = (column.split(".")[0] for column in effects.columns_dropped)
    names = (*effects.rows_deleted_in, *nulled, *effects.tables_dropped, *columns)
    return tuple(dict.fromkeys(names))


def _loses(analysis: Analysis, table: str) -> str:
    """What a table loses, in words: its rows, its columns, its references, or all of it."""
    effects = analysis.effects
    if table in effects.tables_dropped:
        return "everything (dropped)"
    found = ["rows"] if table in effects.rows_deleted_in else []
    columns = [c.split(".")[1] for c in effects.columns_dropped if c.split(".")[0] == table]
    found += [f"column {name}" for name in columns]
    nulled = [c.split(".")[1] for c in effects.references_nulled_in if c.split(".")[0] == table]
    found += [f"references in {name}" for name in nulled]
    return ", ".join(found)


def _measured(context: StepContext, tables: Sequence[str]) -> tuple[MeasuredLoss, ...]:
    """What the last rehearsal of this very text lost in these tables."""
    last = context.record.last(RehearsalFacts.step)
    if last is None or last.subjects.get("migration") != context.record.subjects.get("migration"):
        return ()
    wanted = {table.lower() for table in tables}
    return tuple(
        MeasuredLoss(table=change.table, lost=change.lost, nulled=change.nulled)
        for change in RehearsalFacts.from_attempt(last).tables
        if change.table.lower() in wanted
    )


def _known_counts(context: StepContext, tables: Sequence[str]) -> Mapping[str, str]:
    """What the last rehearsal measured, else how many rows the copy has, by table in lower case."""
    copied = row_counts(context.facts(CopyFacts).tables)
    found = {name.lower(): f" ({plural(rows, 'row')} in the copy)" for name, rows in copied.items()}
    for loss in _measured(context, tables):
        nulled = f", {count(loss.nulled)} nulled" if loss.nulled else ""
        lost = f"{plural(loss.lost or 0, 'row')} lost{nulled}"
        found[loss.table.lower()] = f" ({lost} in the last rehearsal)"
    return found


def _weighing(analysis: Analysis) -> tuple[Finding, ...]:
    """The findings that need a justification: no note, no row loss, no refusal, not allowed."""
    return tuple(
        f
        for f in analysis.findings
        if f.severity is not Severity.NOTE
        and not f.allowed
        and not f.rows_at_risk
        and not f.refusal
    )


def _unasked_words(analysis: Analysis) -> str:
    losing = sum(finding.rows_at_risk for finding in analysis.findings)
    if losing:
        return (
            f"{plural(losing, 'finding')} about losses: to be declared after the rehearsal "
            "measures them."
        )
    return f"{plural(len(analysis.findings), 'note')}, none of which needs an answer."


def _answered_words(analysis: Analysis, declared: Sequence[str], reason: str) -> str:
    counts: Mapping[Severity, int] = {
        severity: sum(f.severity is severity for f in analysis.findings) for severity in Severity
    }
    found = (plural(n, severity) for severity, n in counts.items() if n)
    words = f"Answered ({', '.join(found)})"
    if not declared:
        return f"{words}."
    losses = "; ".join(f"{table}: {_loses(analysis, table)}" for table in declared)
    return f"{words}. Declared losses: {losses}. Reason: {reason}"


STEPS: Mapping[str, StepAction] = {
    "check_name": StepAction(check_name),
    "check_header": StepAction(check_header, prompts=header_prompts),
    "answer_findings": StepAction(answer_findings, prompts=finding_prompts),
    "confirm_class": StepAction(confirm_class, prompts=class_prompts),
    "state_purpose": StepAction(
        state_purpose, held=held_by_purpose, offers=offered_purpose, remarks=remarked_purpose
    ),
}
