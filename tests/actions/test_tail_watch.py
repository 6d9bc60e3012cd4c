"""With a wrangler login alone the watch counts by `wrangler tail`; no request leaves the counts."""

import json
from collections.abc import Awaitable, Callable

import pytest

from actions.fake_target import Bench
from core.record_values import START
from d1_preflight.core.errors import NoAnalytics
from d1_preflight.core.record.apply_facts import ErrorRateFacts, ReadyFacts, WindowFacts
from d1_preflight.core.record.record import Status
from d1_preflight.core.schedule.tail import counted

Walked = Callable[..., Awaitable[Bench]]
AT = round(START.timestamp() * 1000)
OVERLOAD = {"type": "overload", "message": "sampling"}


def event(outcome: str, secret: str = "s3cret") -> dict[str, object]:  # noqa: S107 - of no use
    request = {"url": f"https://api.example/{secret}", "headers": {"cookie": secret}}
    return {"outcome": outcome, "eventTimestamp": AT, "event": {"request": request}, "logs": []}


def tail(*events: object, indent: int | None = 2) -> str:
    return "\n".join(json.dumps(found, indent=indent) for found in events)


def without_token(bench: Bench, printed: str) -> Bench:
    bench.web.samples = [NoAnalytics("Analytics need a token.")]
    bench.target.tail = printed
    return bench


@pytest.mark.parametrize("indent", [2, None])
def test_every_event_is_counted_once(indent: int | None) -> None:
    seen = counted(
        tail(OVERLOAD, event("ok"), event("canceled"), event("exception"), indent=indent)
    )

    assert dict(seen.outcomes) == {"ok": 1, "canceled": 1, "exception": 1}
    assert [(s.at, s.requests, s.errors) for s in seen.samples] == [(START, 3, 1)]
    assert seen.is_sampled


@pytest.mark.parametrize("text", ["", "⛅️ wrangler\n", "{", "[1]\n{}", '{"outcome": 1'])
def test_what_is_no_event_is_not_counted(text: str) -> None:
    assert counted(text).requests == 0


@pytest.mark.parametrize(
    ("printed", "status", "words"),
    [
        (tail(OVERLOAD, *[event("ok")] * 40), Status.PROVED, "0.00 % of 40 requests"),
        (tail(event("ok"), event("exceededCpu")), Status.FAILED, "Error rate 50.00 % is over"),
        ("", Status.UNKNOWN, "No request came in"),
    ],
    ids=["well", "over the limit", "nothing"],
)
async def test_the_watch_is_by_the_tail(
    walked: Walked, printed: str, status: Status, words: str
) -> None:
    bench = without_token(await walked("errors"), printed)

    attempt = await bench.step("errors")

    assert attempt.status is status
    assert words in attempt.words
    assert ErrorRateFacts.from_attempt(attempt).source == "wrangler tail"
    assert ("sampled" in attempt.words) is ("overload" in printed)
    assert bench.target.kept[-1] is None
    assert not any(b"s3cret" in data for data in bench.store.files().values())


async def test_before_go_the_tail_is_tried_and_the_days_queries_are_said(walked: Walked) -> None:
    bench = without_token(await walked("ready"), tail(event("ok")))
    bench.target.instead["info"] = lambda ran: ran

    await bench.step("ready")
    window = await bench.step("window")

    ready = ReadyFacts.from_attempt(bench.session.attempt("ready"))
    assert (ready.source, ready.requests, ready.rate) == ("wrangler tail", 1, "0.00")
    assert "not known: Analytics need a token." in WindowFacts.from_attempt(window).traffic
