"""The watch by `wrangler tail`, where a wrangler login gives no token for analytics."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from d1_preflight.actions.context import Environment, StepContext
from d1_preflight.actions.target import call_target, config_flags
from d1_preflight.core.errors import RemoteFailed
from d1_preflight.core.format import plural
from d1_preflight.core.ports import Stream
from d1_preflight.core.record.apply_facts import ErrorRateFacts, TrafficSample
from d1_preflight.core.record.facts import NO_ITEMS, NO_TEXT, instant
from d1_preflight.core.record.record import Outcome, Status
from d1_preflight.core.schedule.analytics import Sample, error_rate
from d1_preflight.core.schedule.tail import TailCount, counted
from d1_preflight.core.target.wrangler_output import explain_failure
from d1_preflight.lazy_dataclass import dataclass

LISTEN_S = 15.0
"""How long the tail is tried before GO: whether it answers, and what comes in."""


@dataclass(slots=True)
class _Listener:
    """Hears the lines as they come; over the limit it stops the tail."""

    limit: Decimal | None
    heard: TailCount
    stop: asyncio.Event

    def __call__(self, line: str, stream: Stream) -> None:
        if stream != "out":
            return
        self.heard.hear(line)
        rate = error_rate(self.heard.samples)
        if self.limit is not None and rate is not None and rate > self.limit:
            self.stop.set()


def tail_args(environment: Environment, worker: str) -> tuple[str, ...]:
    """The argv; a tail has no end of its own."""
    return ("tail", worker, "--format", "json", *config_flags(environment))


async def listen(
    environment: Environment, worker: str, seconds: float, limit: Decimal | None = None
) -> TailCount:
    """What a tail of this time counts; less where the error rate passes the limit before.

    Raises RemoteFailed where there can be none. Its output is not kept: it holds requests.
    """
    listener = _Listener(limit, TailCount(), asyncio.Event())
    running = asyncio.ensure_future(
        call_target(environment, tail_args(environment, worker), emit=listener, timeout=seconds)
    )
    stopped = asyncio.ensure_future(listener.stop.wait())
    try:
        await asyncio.wait((running, stopped), return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            return listener.heard
        ran = running.result()
    finally:
        stopped.cancel()
        running.cancel()
        await asyncio.gather(running, stopped, return_exceptions=True)
    if not ran.timed_out and ran.exit_code != 0:
        raise explain_failure(ran)
    if not ran.timed_out:
        raise RemoteFailed("wrangler tail ended by itself.", hint="Try again in a moment.")
    return counted(ran.stdout)


async def watch_by_tail(context: StepContext, limit: Decimal, minutes: int) -> Outcome:
    """Count the outcomes of the watch time; over the limit fails at once."""
    environment = context.environment
    worker = environment.project.worker
    watch = timedelta(minutes=minutes)
    started = environment.clock.monotonic()
    context.progress(ErrorRateFacts(left_s=int(watch.total_seconds()), source=TAIL))
    seen = await listen(environment, worker, watch.total_seconds(), limit)
    rate = error_rate(seen.samples)
    watched = timedelta(seconds=environment.clock.monotonic() - started)
    facts = replace(
        watch_facts(seen.samples, limit, watched, watch),
        samples=traffic_facts(seen.samples) or NO_ITEMS,
        source=TAIL,
        sampled=seen.is_sampled or None,
    )
    if rate is None:
        words = "No request came in during the watch; the error rate is unknown."
        return Outcome(Status.UNKNOWN, words, facts)
    told = f"by wrangler tail: {seen.words}"
    if rate > limit:
        words = f"Error rate {rate} % is over the limit of {limit} % ({told})."
        return Outcome(Status.FAILED, f"{words} See the emergency card.", facts)
    words = f"{rate} % of {plural(seen.requests, 'request')} over {minutes} min (limit {limit} %)"
    return Outcome(Status.PROVED, f"{words}, {told}.", facts)


TAIL = "wrangler tail"
"""The source that the record names."""


def watch_facts(
    samples: Sequence[Sample], limit: Decimal, watched: timedelta, watch: timedelta
) -> ErrorRateFacts:
    """What of the watch is over, and how the Worker fared in it."""
    rate = error_rate(samples)
    return ErrorRateFacts(
        limit=str(limit),
        requests=sum(sample.requests for sample in samples),
        errors=sum(sample.errors for sample in samples),
        watched_s=int(watched.total_seconds()),
        watch_s=int(watch.total_seconds()),
        rate=NO_TEXT if rate is None else str(rate),
        samples=traffic_facts(samples),
    )


def traffic_facts(samples: Sequence[Sample]) -> tuple[TrafficSample, ...]:
    """The traffic as the record lists it."""
    return tuple(
        TrafficSample(at=instant(s.at), requests=s.requests, errors=s.errors) for s in samples
    )
