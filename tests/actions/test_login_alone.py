"""With `wrangler login` alone: the traffic of section 5 as far as wrangler's commands show it."""

from dataclasses import replace

import pytest

from actions.conftest import Walked
from actions.fake_target import Answer, Bench, failed
from d1_preflight.core.errors import NoAnalytics
from d1_preflight.core.ports import Evidence
from d1_preflight.core.record.apply_facts import WindowFacts
from d1_preflight.core.target.wrangler_output import listed_queries
from d1_preflight.session import Session

COUNTED = '{"uuid": "%s", "read_queries_24h": 1200, "write_queries_24h": 34}'


async def window(walked: Walked, insights: Answer | None = None) -> tuple[Bench, str]:
    """The traffic's words where no token reads analytics."""
    bench = await walked("window")
    bench.web.samples = [NoAnalytics("Analytics need a token.")]

    def counted(ran: Evidence) -> Evidence:
        return replace(ran, stdout=COUNTED % bench.target.uuid)

    bench.target.instead["info"] = counted
    if insights:
        bench.target.instead["insights"] = insights
    attempt = await bench.step("window")
    return bench, WindowFacts.from_attempt(attempt).traffic


async def test_info_and_insights_tell_how_busy_it_is(walked: Walked) -> None:
    bench, words = await window(walked)

    assert words.startswith("in the last 24 h 1,200 read queries and 34 that write")
    assert "; of late 252 queries an hour, over the week 3 queries an hour" in words
    assert words.endswith("by the hour of the week not known: Analytics need a token.")
    asked = [call for call in bench.target.calls if call[1] == "insights"]
    assert [call[5] for call in asked] == ["--timePeriod=2h", "--timePeriod=168h"]
    assert b"SELECT 1" not in b"".join(bench.store.held.values())  # the Worker's SQL is not kept


@pytest.mark.parametrize(
    "answer",
    [
        failed("Unknown argument: timePeriod"),
        lambda ran: replace(ran, stdout="no JSON"),
        lambda ran: replace(ran, stdout=str([{"numberOfTimesRun": 1}] * 1000).replace("'", '"')),
    ],
    ids=["a wrangler without it", "another form", "more queries than asked for"],
)
async def test_what_insights_does_not_tell_is_left_out(walked: Walked, answer: Answer) -> None:
    _, words = await window(walked, answer)

    assert "insights" not in words
    assert words.startswith("in the last 24 h 1,200 read queries")


@pytest.mark.parametrize("key", ["read_queries_24h", "write_queries_24h"])
async def test_a_day_of_which_one_count_is_not_said_is_not_known(walked: Walked, key: str) -> None:
    bench = await walked("window")
    bench.web.samples = [NoAnalytics("Analytics need a token.")]
    told = (COUNTED % bench.target.uuid).replace(key, "other")
    bench.target.instead["info"] = lambda ran: replace(ran, stdout=told)

    attempt = await bench.step("window")

    words = WindowFacts.from_attempt(attempt).traffic
    assert words == "not known: Analytics need a token."


def test_another_form_of_insights_is_not_read() -> None:
    assert listed_queries('hello\n[{"numberOfTimesRun": 2}, {"numberOfTimesRun": 3}]') == (2, 3)
    assert listed_queries('[{"numberOfTimesRun": "2"}]') is None
    assert listed_queries('[{"count": 2}]') is None
    assert listed_queries("[]") == ()


def plan_of(session: Session, step: str) -> list[str]:
    return list(session.plan(session.checklist.step(step)))


async def test_the_workers_metrics_page_stands_beside_d1s(walked: Walked) -> None:
    session = (await walked("dashboard")).session
    worker = "/workers/services/view/workway-api/production/metrics"

    d1, beside = plan_of(session, "dashboard")
    assert d1.endswith("/metrics")
    assert "/workers/d1/databases/" in d1
    assert beside.endswith(worker)
    assert [line.endswith(worker) for line in plan_of(session, "errors")] == [True]
