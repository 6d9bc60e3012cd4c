"""Which version of the Worker runs, and of which git revision it may be made."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from d1_preflight.actions.context import Environment, StepAction, StepContext
from d1_preflight.actions.target import call_target, config_flags, shown
from d1_preflight.core.errors import RemoteFailed
from d1_preflight.core.ports import Evidence
from d1_preflight.core.record.facts import NO_ITEMS, NO_TEXT
from d1_preflight.core.record.record import Outcome, Status
from d1_preflight.core.record.safety_facts import RunningCodeFacts
from d1_preflight.core.target.deployments import (
    Deployment,
    newest_deployment,
    version_annotations,
)
from d1_preflight.core.target.wrangler_output import explain_failure, refuses_login

_TIMEOUT_S = 120.0
_NOTES = {"workers/tag": "tag", "workers/message": "message"}


def worker_name(environment: Environment) -> str:
    """The Worker that uses this database; "" where none is named."""
    return environment.settings.verification.worker or environment.project.config.name


def deployments_args(environment: Environment, worker: str) -> tuple[str, ...]:
    """The argv that asks for the Worker's deployments."""
    return ("deployments", "list", "--name", worker, *config_flags(environment), "--json")


def running_plan(context: StepContext) -> Sequence[str]:
    """The two calls, with their target; neither is a query of D1."""
    environment = context.environment
    worker = worker_name(environment)
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
    worker = worker_name(environment)
    if not worker:
        raise RemoteFailed(
            "No Worker is named, so it is not known which version runs.",
            hint="Set worker under [verification] in preflight.toml.",
        )
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
    facts = RunningCodeFacts(worker=worker_name(environment) or NO_TEXT)
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
        _version_args(environment, worker_name(environment), version),
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


STEPS: Mapping[str, StepAction] = {
    "ask_running_code": StepAction(ask_running_code, plan=running_plan),
}
