"""Before GO: endpoints and analytics are asked once, so that nothing is missing after the apply."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from d1_preflight.actions.context import Environment, StepAction, StepContext
from d1_preflight.actions.tail_watch import LISTEN_S, TAIL, listen
from d1_preflight.actions.target import failure_words
from d1_preflight.actions.verification import held_by_endpoints, probed, traffic_of
from d1_preflight.core.errors import NoAnalytics, PreflightError
from d1_preflight.core.format import plural
from d1_preflight.core.record.apply_facts import EndpointAnswer, ReadyFacts
from d1_preflight.core.record.facts import NO_TEXT
from d1_preflight.core.record.record import Outcome, Status
from d1_preflight.core.schedule.analytics import error_rate

_NONE = "No endpoints are configured: name them under [verification] in preflight.toml."
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


async def check_readiness(context: StepContext) -> Outcome:
    """Ask what the verification will ask: the answers are the baseline, what lacks is said now."""
    answers, lacking = await _endpoints(context)
    facts = await _with_traffic(context, ReadyFacts(endpoints=answers))
    missing = (*lacking, *facts.missing)
    facts = replace(facts, missing=missing or facts.missing)
    wrong = [answer for answer in answers if not answer.ok]
    if wrong:
        words = f"{wrong[0].method} {wrong[0].url}: {wrong[0].words}, already before the apply."
        return Outcome(Status.FAILED, words, facts)
    if missing:
        more = f" And {len(missing) - 1} more." if len(missing) > 1 else ""
        return Outcome(Status.UNKNOWN, f"{missing[0]}{more}", facts)
    words = f"{plural(len(answers), 'endpoint')} as expected; {_lately(facts)}."
    return Outcome(Status.PROVED, words, facts)


async def _endpoints(context: StepContext) -> tuple[tuple[EndpointAnswer, ...], tuple[str, ...]]:
    """How each endpoint answers, and why one cannot be asked."""
    answers, lacking = list[EndpointAnswer](), list[str]()
    endpoints = context.environment.settings.verification.endpoints
    for endpoint in endpoints:
        try:
            answers.append(await probed(context.environment, endpoint))
        except PreflightError as error:
            lacking.append(failure_words(error))
        context.progress(ReadyFacts(endpoints=tuple(answers)))
    return tuple(answers), tuple(dict.fromkeys(lacking)) if endpoints else (_NONE,)


async def _with_traffic(context: StepContext, facts: ReadyFacts) -> ReadyFacts:
    """The Worker's last hour, or day where that was quiet; without a request it may be misnamed."""
    environment = context.environment
    worker = environment.project.worker
    now = environment.clock.now()
    try:
        samples = await traffic_of(environment, now - _HOUR, now)
        rate = error_rate(samples)
        if rate is None:
            samples = await traffic_of(environment, now - _DAY, now)
            rate = error_rate(samples)
    except NoAnalytics:
        return await _by_tail(environment, worker, facts)
    except PreflightError as error:
        return replace(facts, worker=worker or NO_TEXT, missing=(failure_words(error),))
    if rate is None:
        words = f"The Worker “{worker}” had no request in a day. Is that its name?"
        return replace(facts, worker=worker, missing=(words,))
    return replace(
        facts,
        worker=worker,
        requests=sum(sample.requests for sample in samples),
        errors=sum(sample.errors for sample in samples),
        rate=str(rate),
    )


async def _by_tail(environment: Environment, worker: str, facts: ReadyFacts) -> ReadyFacts:
    """A moment of `wrangler tail`: that it answers is what the watch needs."""
    try:
        seen = await listen(environment, worker, LISTEN_S)
    except PreflightError as error:
        return replace(facts, worker=worker, missing=(failure_words(error),))
    rate = error_rate(seen.samples)
    return replace(
        facts,
        worker=worker,
        requests=seen.requests,
        errors=sum(sample.errors for sample in seen.samples),
        rate=NO_TEXT if rate is None else str(rate),
        source=TAIL,
    )


def _lately(facts: ReadyFacts) -> str:
    """How the Worker fared, and how that is known."""
    if facts.source and not facts.rate:
        return f"{facts.source} of {facts.worker} answers, no request in {LISTEN_S:.0f} s"
    rate = f"{facts.rate} % of {plural(facts.requests, 'request')} to {facts.worker} failed lately"
    return f"{rate}, by {facts.source}" if facts.source else rate


STEPS: Mapping[str, StepAction] = {
    "check_readiness": StepAction(check_readiness, held=held_by_endpoints),
}
