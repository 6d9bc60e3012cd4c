"""Which version of the Worker runs, and of which git revision it may be made.

Around the apply it is frozen at GO, held against at the apply, and compared after. Where no query
meets the change nothing is asked: which version runs then makes no difference.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from d1_preflight.actions.context import Environment, StepAction, StepContext
from d1_preflight.actions.target import call_target, config_flags, shown
from d1_preflight.core.checklist.answers import (
    DATABASE_FIRST,
    EXPAND_AND_CONTRACT,
    NO_WORKER,
    WORKER_FIRST,
    answer_label,
)
from d1_preflight.core.checklist.checklist import Prompt, PromptKind
from d1_preflight.core.errors import NotAllowed, RemoteFailed
from d1_preflight.core.format import noun_for, plural
from d1_preflight.core.ports import Evidence
from d1_preflight.core.record.apply_facts import GoFacts, WorkerFacts
from d1_preflight.core.record.facts import NO_ITEMS, NO_TEXT
from d1_preflight.core.record.record import Outcome, Status
from d1_preflight.core.record.safety_facts import DeployOrderFacts, RunningCodeFacts
from d1_preflight.core.record.signed_plan import SignedPlan
from d1_preflight.core.target.deployments import (
    Deployment,
    newest_deployment,
    version_annotations,
)
from d1_preflight.core.target.wrangler_output import explain_failure, refuses_login

_TIMEOUT_S = 120.0
_NOTES = {"workers/tag": "tag", "workers/message": "message"}
_SHORT = 8


def deployments_args(environment: Environment, worker: str) -> tuple[str, ...]:
    """The argv that asks for the Worker's deployments."""
    return ("deployments", "list", "--name", worker, *config_flags(environment), "--json")


def running_plan(context: StepContext) -> Sequence[str]:
    """The two calls, with their target; neither is a query of D1."""
    environment = context.environment
    worker = environment.project.worker
    if not worker:
        return ()
    view = _version_args(environment, worker, "<the version that runs>")
    lines = (deployments_args(environment, worker), view)
    return (
        *(shown(environment, line) for line in lines),
        "the second only if the first names no commit; both ask the Workers API, none D1",
    )


async def running_deployment(context: StepContext) -> tuple[Deployment, tuple[Evidence, ...]]:
    """What runs now, by wrangler; raises RemoteFailed where it does not say."""
    environment = context.environment
    worker = environment.named_worker("it is not known which version runs")
    ran = await call_target(
        environment,
        deployments_args(environment, worker),
        emit=context.emit,
        keep=f"{context.evidence_name}",
        timeout=_TIMEOUT_S,
    )
    if ran.exit_code != 0:
        failure = explain_failure(ran)
        lacks = "The token may lack Workers Scripts: Read."
        raise RemoteFailed(
            f"The live version of {worker} is not known: {failure.message}",
            hint=lacks if refuses_login(ran) else failure.hint,
        )
    found = newest_deployment(ran.stdout)
    if not found.version:
        raise RemoteFailed(
            f"wrangler names no version of {worker} that runs.", hint="Is it deployed?"
        )
    return found, (ran,)


async def ask_running_code(context: StepContext) -> Outcome:
    """Ask for the version that runs, and propose the revisions that its notes name."""
    environment = context.environment
    facts = RunningCodeFacts(worker=environment.project.worker or NO_TEXT)
    try:
        running, evidence = await running_deployment(context)
    except RemoteFailed as error:
        facts = replace(facts, proposals=tuple(environment.source.proposals({})) or NO_ITEMS)
        return Outcome(Status.UNKNOWN, f"{error.message} {error.hint}".strip(), facts)
    notes, more = _notes_of(running.annotations, "the deployment"), tuple[Evidence, ...]()
    proposals = tuple(environment.source.proposals(notes))
    named = any(one.why in notes.values() for one in proposals)
    if proposals and not named:  # the version may say more; without a source it names nothing
        found, more = await _version_notes(context, running.version)
        notes = {**found, **notes}
        proposals = tuple(environment.source.proposals(notes))
    facts = replace(
        facts,
        version=running.version,
        versions=running.ids,
        proposals=proposals or NO_ITEMS,
    )
    words = f"{facts.worker} runs version {running.version[:8]}"
    if len(running.ids) > 1:
        words += f", and {', '.join(v[:8] for v in running.ids[1:])} beside it"
    by_notes = [one for one in proposals if one.why in notes.values()]
    words += f"; its {by_notes[0].why} names {by_notes[0].commit[:9]}." if by_notes else "."
    return Outcome(Status.PROVED, words, facts, (*evidence, *more))


async def _version_notes(
    context: StepContext, version: str
) -> tuple[Mapping[str, str], tuple[Evidence, ...]]:
    """The texts that came with a version."""
    environment = context.environment
    known = environment.cache.version_notes
    if version in known:
        return known[version], ()
    ran = await call_target(
        environment,
        _version_args(environment, environment.project.worker, version),
        emit=context.emit,
        keep=f"{context.evidence_name}-version",
        timeout=_TIMEOUT_S,
    )
    if ran.exit_code != 0:
        return {}, (ran,)
    known[version] = _notes_of(version_annotations(ran.stdout), f"version {version[:8]}")
    return known[version], (ran,)


def _notes_of(annotations: Mapping[str, str], of: str) -> dict[str, str]:
    """Each text with what it is; a commit may stand in any."""
    named = {key: _NOTES.get(key, key.rpartition("/")[2]) for key in annotations}
    return {text: f"{named[key]} of {of}" for key, text in annotations.items()}


def _version_args(environment: Environment, worker: str, version: str) -> tuple[str, ...]:
    flags = config_flags(environment)
    return ("versions", "view", version, "--name", worker, *flags, "--json")


def code_first_prompts(context: StepContext) -> Sequence[Prompt]:
    """Where no version is known to compare with, a person says that the new code runs."""
    order = context.facts(DeployOrderFacts)
    if not _needs_deploy_before(order) or order.version:
        return ()
    label = "The new code is deployed, and no old version of the Worker runs any more"
    return (Prompt("deployed", PromptKind.CONFIRM, label),)


async def frozen_version(context: StepContext) -> tuple[str, tuple[Evidence, ...]]:
    """The version that GO freezes; for code first, the new one, which must run by now.

    Raises NotAllowed while an old one still runs, or where that cannot be told.
    """
    order = context.facts(DeployOrderFacts)
    if not order.version or not _needs_deploy_before(order):
        return order.version, ()
    try:
        running, evidence = await running_deployment(context)
    except RemoteFailed as error:
        raise NotAllowed(f"Code first: {error.message}", hint=error.hint) from error
    if order.version in running.ids:
        number = order.deployed_breaks or 0
        verb = noun_for(number, "breaks", "break")
        raise NotAllowed(
            f"Code first: {order.worker} still runs version {order.version[:_SHORT]}, of which "
            f"{plural(number, 'query', 'queries')} {verb} on the new schema.",
            hint="Deploy the new code (wrangler deploy), then sign GO.",
        )
    return running.version, evidence


def _needs_deploy_before(order: DeployOrderFacts) -> bool:
    """Whether the deployed code breaks on the new schema, so that the new one goes first."""
    return order.order == WORKER_FIRST and bool(order.deployed_breaks)


async def require_frozen_version(context: StepContext, plan: SignedPlan) -> None:
    """Hold the apply where another version runs than the one GO froze; raises NotAllowed."""
    frozen, order = plan.proofs.worker_version, context.facts(DeployOrderFacts)
    if not frozen or order.harmless:
        return
    try:
        running, _ = await running_deployment(context)
    except RemoteFailed as error:
        raise NotAllowed(
            f"Stopped, nothing was sent. {error.message}",
            hint="The queries were proved for the version that GO froze. Try again.",
        ) from error
    if running.version != frozen or (_needs_deploy_before(order) and order.version in running.ids):
        raise NotAllowed(
            f"Stopped, nothing was sent: since GO, {plan.proofs.worker} runs version "
            f"{_named(running.ids)}, and {frozen[:_SHORT]} was frozen.",
            hint="Its queries were not proved: ask again what runs (4 Rollback), then sign GO.",
        )


def verify_plan(context: StepContext) -> Sequence[str]:
    """The one call, where the version makes a difference."""
    environment, worker = context.environment, context.environment.project.worker
    order = context.facts(DeployOrderFacts)
    if not worker or not order.touches_code:
        return ()
    return (shown(environment, deployments_args(environment, worker)),)


async def verify_worker(context: StepContext) -> Outcome:
    """Compare what runs now with the version that GO froze, as the order asks."""
    order, frozen = context.facts(DeployOrderFacts), context.facts(GoFacts).worker_version
    worker = order.worker or context.environment.project.worker
    facts = WorkerFacts(worker=worker or NO_TEXT, frozen=frozen or NO_TEXT)
    if not order.touches_code:
        words = "No query of the deployed or the new code uses what changes: any version may run."
        return Outcome(Status.PROVED, words, facts)
    if not frozen:
        words = f"Which version of {worker or 'the Worker'} ran before is not known."
        return Outcome(Status.UNKNOWN, f"{words} Check which one runs now.", facts)
    running, evidence = await running_deployment(context)
    facts = WorkerFacts(worker=worker, frozen=frozen, versions=running.ids)
    wrong = _wrong(order, frozen, running.ids)
    words = f"{worker} runs version {_named(running.ids)}; GO froze {frozen[:_SHORT]}"
    if wrong:
        return Outcome(Status.FAILED, f"{words}. {wrong}", facts, evidence)
    label = answer_label("order", order.order)
    return Outcome(Status.PROVED, f"{words}: as “{label}” requires.", facts, evidence)


def _wrong(order: DeployOrderFacts, frozen: str, running: Sequence[str]) -> str:
    """What of the order is not done, in words; "" where all of it is."""
    if _deploys_after(order):
        if frozen not in running:
            return ""
        until = order.breaks_until
        why = f": {until}" if until else ""
        return f"The new code is not deployed everywhere{why}. Deploy it (wrangler deploy)."
    if tuple(running) == (frozen,):
        return ""
    if order.order == WORKER_FIRST and frozen in running:
        return "An old version gets traffic beside it. Deploy the new one to all."
    return "Another version was deployed since GO. Find out who did, and what it holds."


def _deploys_after(order: DeployOrderFacts) -> bool:
    """Whether the new code is deployed once the migration is applied."""
    if order.order == EXPAND_AND_CONTRACT:
        return bool(order.new_breaks or order.deployed_breaks)
    breaks_all_the_same = order.order == NO_WORKER and bool(order.deployed_breaks)
    return order.order == DATABASE_FIRST or breaks_all_the_same


def _named(versions: Sequence[str]) -> str:
    return " and ".join(version[:_SHORT] for version in versions)


STEPS: Mapping[str, StepAction] = {
    "ask_running_code": StepAction(ask_running_code, plan=running_plan),
    "verify_worker": StepAction(verify_worker, plan=verify_plan),
}
