"""The order of deploy and migration: proved by the queries of the deployed and the new code."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from d1_preflight.actions.context import Environment, StepAction, StepContext
from d1_preflight.actions.pending import skipped_pending
from d1_preflight.actions.running_code import (
    deployments_args,
    running_deployment,
)
from d1_preflight.actions.target import shown
from d1_preflight.actions.workspace import Folder
from d1_preflight.core.checklist.answers import (
    EXPAND_AND_CONTRACT,
    FILES_HERE,
    NO_WORKER,
    NOT_KNOWN,
    OTHER_REVISION,
    WORKER_FIRST,
    Order,
    answer_label,
)
from d1_preflight.core.checklist.checklist import Prompt, PromptKind
from d1_preflight.core.errors import NotAllowed, RemoteFailed
from d1_preflight.core.format import capital, first, noun_for, plural
from d1_preflight.core.ports import Evidence
from d1_preflight.core.record.facts import NO_TEXT
from d1_preflight.core.record.record import Attempt, Outcome, Status
from d1_preflight.core.record.safety_facts import (
    DeployOrderFacts,
    RevisionProposal,
    RunningCodeFacts,
)
from d1_preflight.core.schema.schema import Structure, structure

_NAMED = 3  # of the migrations that are skipped, of the queries in one sentence
_OWED, _REASON = "owed", "reason"
_HASH = 9


def order_prompts(context: StepContext) -> Sequence[Prompt]:
    """Which revision runs; why it goes out of order; the reasons that the last try asked for."""
    asked = (*_revision_prompts(context), *_out_of_order_prompts(context))
    reasons = _reason_prompts(context)
    if any(one.key == _REASON for one in reasons):
        return (*reasons, *asked)  # whoever keeps the order is asked nothing else
    return (*asked, *reasons, *_owed_prompts(context))


def kept_answers(context: StepContext) -> tuple[str, Mapping[str, str]]:
    """What a reason for the contradicted order keeps: the order, and which code is deployed."""
    last = _last(context)
    if last is None or not any(one.key == _REASON for one in _reason_prompts(context)):
        return "", {}
    known = {key: value for key, value in last.answers.items() if isinstance(value, str)}
    keys = ("order",) if known.get("revision") else ("deployed", "out_of_order", "order")
    return _REASON, {key: known[key] for key in keys if known.get(key)}


def _revision_prompts(context: StepContext) -> Sequence[Prompt]:
    """The proposed revisions, none of them preselected; not asked where there is no source."""
    proposals = _proposals(context)
    if not proposals:
        return ()
    choices = (*(one.commit for one in proposals), OTHER_REVISION, NOT_KNOWN)
    labels = (*(_label(one) for one in proposals), OTHER_REVISION, NOT_KNOWN)
    version = running_code(context).version
    runs = f" (version {version[:8]} runs)" if version else ""
    help_text = "These are proposals: a tag or a message proves nothing. Confirm the right one."
    return (
        Prompt("deployed", PromptKind.CHOOSE, f"Which code is deployed now{runs}?",
               help=help_text, choices=choices, labels=labels, deliberate=True),
        Prompt("revision", PromptKind.TEXT, "Its git revision (commit, tag or branch)",
               after="deployed", only=OTHER_REVISION),
    )  # fmt: skip


def _label(one: RevisionProposal) -> str:
    name = one.commit if one.commit == FILES_HERE else one.commit[:_HASH]
    return f"{name}: {one.why}"


def running_code(context: StepContext) -> RunningCodeFacts:
    """What the step before found, also where its answer was waived afterwards."""
    tries = (a for a in reversed(context.record.attempts) if a.step == RunningCodeFacts.step)
    found = next((a for a in tries if a.facts), None)
    return RunningCodeFacts.from_attempt(found)


def _proposals(context: StepContext) -> tuple[RevisionProposal, ...]:
    known = running_code(context).proposals
    return known or tuple(context.environment.source.proposals({}))


def _out_of_order_prompts(context: StepContext) -> Sequence[Prompt]:
    """Ask why this migration is applied out of order, if it is."""
    passed = skipped_pending(context)
    if not passed:
        return ()
    label = f"Pending before it: {first(passed, _NAMED)}. Why is this one first?"
    help_text = "They stay pending. Was each of them written to run after this one?"
    return (Prompt("out_of_order", PromptKind.TEXT, label, help=help_text),)


def _reason_prompts(context: StepContext) -> Sequence[Prompt]:
    """Asked once the queries contradicted an answer, or some of them were not seen."""
    last = _last(context)
    found = DeployOrderFacts.from_attempt(last)
    if last is None or last.status.is_answered:
        return ()
    if found.contradicted:
        label = f"Why keep “{answer_label('order', found.order)}” anyway?"
        hint = "Leave it empty to choose another order"
        return (
            Prompt(_REASON, PromptKind.TEXT, f"{label} {hint}", help=found.contradicted,
                   optional=True),
        )  # fmt: skip
    if found.unseen and last.status is Status.UNKNOWN:
        label = "How was the order checked for the queries that were not seen?"
        help_text = "; ".join(found.unseen)
        return (Prompt("unseen", PromptKind.TEXT, label, help=help_text),)
    return ()


def _owed_prompts(context: StepContext) -> Sequence[Prompt]:
    """Asked once expand and contract was chosen: what the second migration will drop."""
    last = _last(context)
    found = DeployOrderFacts.from_attempt(last)
    if last is None or found.order != EXPAND_AND_CONTRACT or found.contradicted:
        return ()
    label = "What will the contract migration drop? (table or table.column, with commas)"
    named = _split_off(context)
    help_text = "It stays on the board until the record of that migration is closed."
    help_text += f"\nBefore it was split, this file removed: {named}" if named else ""
    return (Prompt(_OWED, PromptKind.TEXT, label, help=help_text),)


def _split_off(context: StepContext) -> str:
    """What an earlier text of this file took away, where it was told to split."""
    tries = (a for a in reversed(context.record.attempts) if a.step == context.step.id)
    found = (DeployOrderFacts.from_attempt(attempt) for attempt in tries)
    split = next((f for f in found if f.safe_order is Order.SPLIT and f.removed), None)
    return ", ".join(split.removed) if split else ""


def _last(context: StepContext) -> Attempt | None:
    """The last try about these files."""
    return context.record.standing(context.step)


async def choose_deploy_order(context: StepContext) -> Outcome:
    """Hold the operator's order against the queries of both codes."""
    order = context.answer("order")
    running, evidence = await _running(context)
    facts = replace(
        await _proof(context),
        order=order,
        worker=running.worker,
        out_of_order=_out_of_order(context),
        version=running.version,
    )
    label = capital(answer_label("order", order))
    against = contradiction(facts)
    if against:
        facts = replace(facts, contradicted=against)
        if not context.answer(_REASON):
            words = f"{label}: the queries contradict it. {against}"
            return Outcome(Status.FAILED, words, facts, evidence)
        words = f"{label}, against the queries ({against}) Reason: {context.answer('reason')}"
        return Outcome(Status.ATTESTED, words, facts, evidence)
    if order == EXPAND_AND_CONTRACT:
        facts, missing = _with_owed(context, facts)
        if missing:
            return Outcome(Status.UNKNOWN, f"{label}: {missing}", facts, evidence)
    return _judged(context, label, facts, evidence)


def _judged(
    context: StepContext, label: str, facts: DeployOrderFacts, evidence: tuple[Evidence, ...]
) -> Outcome:
    """Proved where every query was seen; else attested, and never passed without words."""
    runs = f"; {facts.worker} runs version {facts.version[:8]} now" if facts.version else ""
    if facts.safe_order is None:
        words = f"{label}; no source of the Worker was read{runs}."
        return Outcome(Status.ATTESTED, words, facts, evidence)
    seen = _seen(facts)
    if facts.unseen and not facts.harmless:
        unseen = f"Not seen: {'; '.join(facts.unseen)}."
        checked = context.answer("unseen")
        if not checked:
            return Outcome(Status.UNKNOWN, f"{label}: not proved. {unseen}", facts, evidence)
        words = f"{label}; {seen}. {unseen} Checked: {checked}"
        return Outcome(Status.ATTESTED, words, facts, evidence)
    return Outcome(Status.PROVED, f"{label}; {seen}{runs}.", facts, evidence)


def _seen(facts: DeployOrderFacts) -> str:
    old, new = facts.deployed_queries or 0, facts.new_queries or 0
    by = f"{plural(old, 'query', 'queries')} of the deployed code and {new} of the new one"
    return f"{by} were prepared: {facts.safe_order}"


def contradiction(facts: DeployOrderFacts) -> str:
    """What the queries say against the operator's order, in words; "" for nothing."""
    if facts.safe_order is None:
        return ""
    old = _broken(facts, "deployed code", "new schema", facts.deployed_breaks)
    new = _broken(facts, "new code", "old schema", facts.new_breaks)
    home = _broken(facts, "new code", "new schema", facts.new_breaks_at_home)
    steps = " ".join(facts.steps)
    if facts.safe_order is Order.SPLIT:
        return f"No order is safe: {', and '.join(filter(None, (old, new, home)))}. {steps}"
    if old and facts.order != WORKER_FIRST:
        return f"{old}: the code goes first."
    if new and facts.order == WORKER_FIRST:
        return f"{new}: the database goes first."
    if new and facts.order == NO_WORKER:
        return f"{new}: the code here needs this migration and is deployed with it."
    return ""


def _broken(facts: DeployOrderFacts, code: str, schema: str, number: int | None) -> str:
    if not number:
        return ""
    found = [q for q in facts.breaks if (q.code, q.schema) == (code, schema)]
    first = f" ({found[0].at}: {found[0].words})" if found else ""
    queries = plural(number, "query", "queries")
    return f"{queries} of the {code} {noun_for(number, 'breaks', 'break')} on the {schema}{first}"


async def _proof(context: StepContext) -> DeployOrderFacts:
    """Both codes on the schemas of the rehearsal; empty where nobody says which code runs."""
    deployed = context.answer("revision") or context.answer("deployed")
    return await _proof_of(context.environment, deployed) if deployed else DeployOrderFacts()


async def require_same_code(context: StepContext) -> None:
    """Require that the queries still say what the order rests on; raises NotAllowed."""
    if not context.checklist.has(DeployOrderFacts.step):
        return
    chosen = context.record.standing(context.checklist.step(DeployOrderFacts.step))
    proved = DeployOrderFacts.from_attempt(chosen)
    if chosen is None or proved.safe_order is None:
        return
    deployed = str(chosen.answers.get("revision") or chosen.answers.get("deployed"))
    now = await _proof_of(context.environment, deployed)
    if _sum(now) != _sum(proved):
        raise NotAllowed(
            f"Since the order was proved, the code here changed: {now.safe_order} now, "
            f"{proved.safe_order} then.",
            hint="Prove the order again (4 Rollback, order).",
        )


def _sum(facts: DeployOrderFacts) -> tuple[object, ...]:
    """What an order rests on."""
    counts = (facts.deployed_breaks, facts.new_breaks, facts.new_breaks_at_home)
    return (facts.safe_order, *counts, facts.unseen)


async def _proof_of(environment: Environment, deployed: str) -> DeployOrderFacts:
    """Both codes, with this revision as the deployed one."""
    before = environment.local.schema(Folder.COPY.of(environment))
    after = environment.local.schema(Folder.REHEARSAL.of(environment))
    scripts = {environment.name: environment.migration().text}
    return await asyncio.to_thread(environment.source.proof, deployed, before, after, scripts)


async def _running(context: StepContext) -> tuple[RunningCodeFacts, tuple[Evidence, ...]]:
    """What runs: by the step that asks, or asked now where a project's checklist has none."""
    if context.checklist.has(RunningCodeFacts.step):
        known = context.facts(RunningCodeFacts)
        worker = known.worker or context.environment.project.worker or NO_TEXT
        return replace(known, worker=worker), ()
    facts = RunningCodeFacts(worker=context.environment.project.worker or NO_TEXT)
    try:
        running, evidence = await running_deployment(context)
    except RemoteFailed:
        return facts, ()
    return replace(facts, version=running.version, versions=running.ids), evidence


def order_plan(context: StepContext) -> Sequence[str]:
    """What is read here; a project's own checklist may lack the step that asks what runs."""
    environment, worker = context.environment, context.environment.project.worker
    asks = worker and not context.checklist.has(RunningCodeFacts.step)
    call = (shown(environment, deployments_args(environment, worker)),) if asks else ()
    proof = "prepare the queries of both codes on the schemas before and after, on this machine"
    return (*call, *((proof,) if _proposals(context) else ()))


def _with_owed(context: StepContext, facts: DeployOrderFacts) -> tuple[DeployOrderFacts, str]:
    """The contract half that this order leaves for later, and what is missing about it."""
    named = tuple(filter(None, (n.strip() for n in context.answer(_OWED).split(","))))
    if not named:
        return facts, "name what the contract migration will drop."
    schema = context.environment.local.schema(Folder.REHEARSAL.of(context.environment))
    after = structure(schema)
    absent = [name for name in named if not _holds(after, name)]
    if absent:
        return facts, f"after this migration there is no {', '.join(absent)} to drop."
    return replace(facts, owed=named), ""


def _holds(schema: Structure, name: str) -> bool:
    """Whether the schema has a table, or a column of one, of that name."""
    table, _, column = name.partition(".")
    found = schema.table(table)
    return found is not None and (not column or found.column(column) is not None)


def _out_of_order(context: StepContext) -> str:
    why = context.answer("out_of_order")
    return f"{', '.join(skipped_pending(context))}: {why}" if why else NO_TEXT


STEPS: Mapping[str, StepAction] = {
    "choose_deploy_order": StepAction(
        choose_deploy_order, prompts=order_prompts, plan=order_plan, keeps=kept_answers
    ),
}
