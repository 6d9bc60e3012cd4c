"""What is kept of the window, the notice and the dashboard, and when a window still holds."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import cast

import pytest

from actions.test_nothing_passes_empty import Place
from actions.test_notice import LOST, REFUSED, SENT, Channel, work_on
from core.record_values import Walk, shipped_checklist
from d1_preflight.actions.context import Environment, StepContext
from d1_preflight.actions.timing import (
    check_window,
    dashboard_plan,
    notice,
    notify_team,
    open_dashboard,
    require_window,
)
from d1_preflight.adapters.http import ProbeResult
from d1_preflight.core.errors import NotAllowed
from d1_preflight.core.project.settings import load_settings
from d1_preflight.core.record.apply_facts import NoticeFacts, WindowFacts
from d1_preflight.core.record.facts import StepFacts
from d1_preflight.core.record.record import Record, Status

CHECKLIST = shipped_checklist()
LONDON = load_settings('[users]\ntimezones = ["Europe/London"]\n')
TWO = load_settings('[users]\ntimezones = ["Europe/London", "Asia/Tokyo"]\n')
MONDAY = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)  # busy from now on
QUIET = MONDAY - timedelta(hours=20)


def rehearsed(milliseconds: int) -> Record:
    return Walk(CHECKLIST).answer("rehearsed", facts={"predicted_ms": milliseconds}).record


@pytest.mark.parametrize(
    ("before", "predicted", "fits"),
    [
        (timedelta(minutes=5), None, True),
        (timedelta(minutes=5, seconds=-1), None, False),
        (timedelta(minutes=6), 60_000, True),
        (timedelta(minutes=6), 60_001, False),
    ],
)
async def test_the_predicted_time_and_the_watch_fit_to_the_millisecond(
    before: timedelta, predicted: int | None, *, fits: bool
) -> None:
    record = rehearsed(predicted) if predicted else None
    context = Place(LONDON, "", MONDAY - before).context(record)

    outcome = await check_window(context)

    assert outcome.status is (Status.PROVED if fits else Status.FAILED)
    facts = cast("WindowFacts", outcome.facts)
    assert (facts.quiet, facts.fits) == (True, fits)


async def test_a_busy_hour_says_the_next_window_and_every_zones_time() -> None:
    outcome = await check_window(Place(TWO, "", MONDAY).context())

    facts = cast("WindowFacts", outcome.facts)
    assert outcome.status is Status.FAILED
    assert outcome.words == f"{facts.words}. N{facts.fits_words[1:]}."
    assert facts.fits_words.startswith("next window: ")
    assert [(zone.zone, zone.local, zone.busy) for zone in facts.zones] == [
        ("Europe/London", "Mon 09:00 GMT", True),
        ("Asia/Tokyo", "Mon 18:00 JST", False),
    ]
    assert len(facts.next) == 3
    assert (facts.now, facts.quiet, facts.fits) == ("2026-11-23T09:00:00Z", False, False)
    assert facts.traffic.startswith("not known: no token")
    assert (facts.hours, facts.quietest) == ((), "")


@dataclass
class Analytics:
    """Traffic of one hour, four weeks long."""

    answer: Mapping[str, object]

    def account(self, configured: str) -> str:
        return configured

    async def analytics(self, query: str, variables: Mapping[str, object]) -> Mapping[str, object]:
        assert query
        assert {**variables, "since": "", "until": ""} == {
            "account": "acc", "database": "id-1", "since": "", "until": "",
        }  # fmt: skip
        return self.answer


def measured(context: StepContext, web: object) -> StepContext:
    environment = SimpleNamespace(**{**vars(context.environment), "web": web})
    return replace(context, environment=cast("Environment", environment))


async def test_four_weeks_of_traffic_are_kept_by_hour_with_the_quietest() -> None:
    groups = [
        {
            "sum": {"readQueries": 30, "writeQueries": 10},
            "dimensions": {"datetimeHour": (QUIET - timedelta(weeks=week)).isoformat()},
        }
        for week in (1, 2, 3)
    ]
    web = Analytics({"viewer": {"accounts": [{"d1AnalyticsAdaptiveGroups": groups}]}})

    outcome = await check_window(measured(Place(LONDON, "", QUIET).context(), web))

    facts = cast("WindowFacts", outcome.facts)
    assert len(facts.hours) == 7
    assert all(len(line.split()) == 24 for line in facts.hours)
    assert int(float(facts.hours[6].split()[13])) > 0  # Sunday, one o'clock
    assert facts.quietest
    assert facts.traffic == ""


async def test_an_answer_without_traffic_is_not_known() -> None:
    web = Analytics({"viewer": {"accounts": [{"d1AnalyticsAdaptiveGroups": []}]}})

    outcome = await check_window(measured(Place(LONDON, "", QUIET).context(), web))

    facts = cast("WindowFacts", outcome.facts)
    assert facts.traffic == "not known: no queries in the last four weeks"
    assert outcome.status is Status.PROVED  # it is quiet by the clock all the same


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (MONDAY, "Now is Monday 09:00 UTC: inside Mon–Fri 9–17 of the users' zone"),
        (MONDAY - timedelta(minutes=3), "but 5 min including the watch does not fit: 3 min left"),
    ],
)
def test_a_window_that_is_over_sends_nothing(now: datetime, words: str) -> None:
    record = Walk(CHECKLIST).answer("window").record

    with pytest.raises(NotAllowed) as refused:
        require_window(Place(LONDON, "", now).context(record))

    assert words in refused.value.message
    assert refused.value.message.endswith(".")
    assert refused.value.hint.startswith("Nothing was sent.")


def test_a_window_that_was_never_answered_is_the_gates_to_hold() -> None:
    require_window(Place(LONDON, "", MONDAY).context(Walk(CHECKLIST).answer("copied").record))


# The notice.


def kept(facts: StepFacts) -> NoticeFacts:
    return cast("NoticeFacts", facts)


async def test_a_notice_that_was_sent_is_kept_as_it_was_sent() -> None:
    channel = Channel(SENT)
    context = work_on(Walk(CHECKLIST).record, channel, send=True)

    outcome = await notify_team(context)

    assert (outcome.status, outcome.words) == (Status.PROVED, "Sent to #engineering.")
    assert channel.sent == [notice(context)]
    facts = kept(outcome.facts)
    assert (facts.channel, facts.text, facts.sent) == ("#engineering", notice(context), True)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (LOST, "it is unknown whether #engineering has the notice"),
        (REFUSED, "#engineering was not reached: hooks.example.com answered 403"),
    ],
)
async def test_a_notice_that_did_not_arrive_is_not_kept_as_sent(
    answer: ProbeResult, words: str
) -> None:
    channel = Channel(answer)
    outcome = await notify_team(work_on(Walk(CHECKLIST).record, channel, send=True))

    assert words in outcome.words
    assert kept(outcome.facts).sent is False


async def test_what_a_person_says_of_the_notice_is_not_kept_as_sent() -> None:
    channel = Channel(SENT, has_webhook=False)

    outcome = await notify_team(work_on(Walk(CHECKLIST).record, channel, told="Ben, by phone"))

    facts = kept(outcome.facts)
    assert (facts.channel, facts.text, facts.sent) == ("#engineering", "Ben, by phone", False)
    assert facts.seen is None


async def test_an_earlier_notice_that_was_seen_is_kept_as_seen() -> None:
    context = work_on(Walk(CHECKLIST).record, Channel(SENT), seen="it is there")

    outcome = await notify_team(context)

    facts = kept(outcome.facts)
    assert (facts.channel, facts.text, facts.sent, facts.seen) == ("#engineering", "", True, True)


# The dashboard.


@pytest.mark.parametrize(
    ("account", "url"),
    [
        ("acc", "https://dash.cloudflare.com/acc/workers/d1/databases/id-1/metrics"),
        ("", "https://dash.cloudflare.com/workers/d1/databases/id-1/metrics"),
    ],
)
async def test_the_dashboard_has_an_address_without_an_account_too(account: str, url: str) -> None:
    context = Place().context()
    environment = SimpleNamespace(
        **{**vars(context.environment), "web": SimpleNamespace(account=lambda _: account)}
    )
    context = replace(context, environment=cast("Environment", environment))

    outcome = await open_dashboard(context)

    assert dashboard_plan(context) == (url,)
    named = load_settings('[verification]\nworker = "api-of-ours"\n')
    project = replace(environment.project, settings=named)
    ours = cast("Environment", SimpleNamespace(**{**vars(environment), "project": project}))
    page = dashboard_plan(replace(context, environment=ours))[1]
    assert "/api-of-ours/" in page
    assert outcome.status is Status.ATTESTED
    anybodys = "https://dash.cloudflare.com/?to=/:account/workers/d1/databases/id-1/metrics"
    assert outcome.facts.written() == {"url": anybodys}  # the record names no account
