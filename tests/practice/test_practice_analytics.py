from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from d1_preflight.core.schedule.analytics import (
    ERRORS_QUERY,
    TRAFFIC_QUERY,
    error_rate,
    error_samples,
    traffic_samples,
)
from d1_preflight.practice import analytics
from d1_preflight.practice.graphql import QueryUnreadable, parse
from d1_preflight.practice.project import migrations
from d1_preflight.practice.state import ACCOUNT_ID, DATABASE_ID, Cloud
from d1_preflight.practice.worker import PLAIN
from practice.conftest import Laid

NOON = datetime(2026, 11, 18, 17, 30, 20, tzinfo=UTC)  # a Wednesday, 12:30 in New York


class Clock:
    """A moment that a test moves."""

    def __init__(self) -> None:
        self.moment = NOON

    def __call__(self) -> datetime:
        return self.moment


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cloud(tmp_path: Path, clock: Clock, laid: Laid) -> Iterator[Cloud]:
    made = Cloud(laid(tmp_path / "p"), clock)
    yield made
    made.close()


def rate(cloud: Cloud, minutes: int) -> float | None:
    now = cloud.now()
    answer = analytics.answer(cloud, ERRORS_QUERY, span(now - timedelta(minutes=minutes), now))
    found = error_rate(error_samples(answer))
    return None if found is None else float(found)


def span(since: datetime, until: datetime) -> dict[str, object]:
    named = {"account": ACCOUNT_ID, "script": "workway-api", "database": DATABASE_ID}
    return {**named, "since": since.isoformat(), "until": until.isoformat()}


def test_traffic_is_quiet_at_night_and_at_weekends(cloud: Cloud) -> None:
    variables = span(NOON - timedelta(days=9), NOON)
    answer = analytics.answer(cloud, TRAFFIC_QUERY, variables)
    by_hour = {sample.at: sample.requests for sample in traffic_samples(answer)}
    assert len(by_hour) == 9 * 24 + 1
    wednesday = datetime(2026, 11, 11, 18, tzinfo=UTC)
    assert by_hour[wednesday] > 5 * by_hour[wednesday - timedelta(hours=10)]
    assert by_hour[wednesday] > 3 * by_hour[wednesday + timedelta(days=4)]
    assert analytics.answer(cloud, TRAFFIC_QUERY, variables) == answer


def test_a_healthy_worker_stays_under_the_limit_in_every_short_watch(
    cloud: Cloud, clock: Clock
) -> None:
    for minutes in range(0, 24 * 60 * 5, 61):
        clock.moment = NOON + timedelta(minutes=minutes, seconds=minutes % 60)
        found = rate(cloud, 1 + minutes % 5)
        assert found is not None
        assert found < 0.1


def test_the_rebuild_raises_the_error_rate_and_time_travel_ends_it(
    cloud: Cloud, clock: Clock
) -> None:
    mark = cloud.time_travel.latest.bookmark
    (rebuild,) = [m for m in migrations() if m.name.startswith("0061")]
    cloud.query(rebuild.text)
    clock.moment += timedelta(minutes=5)
    assert 70 < (rate(cloud, 5) or 0) < 80  # all but the health checks
    cloud.restore(mark)
    clock.moment += timedelta(minutes=5)
    assert (rate(cloud, 5) or 0) < 0.1
    assert (rate(cloud, 10) or 0) > 30


def test_a_rollback_of_the_worker_ends_the_errors_too(cloud: Cloud, clock: Clock) -> None:
    cloud.query("DELETE FROM team_members")
    clock.moment += timedelta(minutes=2)
    cloud.deploy(PLAIN.id, "stop the bleeding", triggered_by="rollback")
    clock.moment += timedelta(minutes=2)
    assert (rate(cloud, 2) or 0) < 0.1
    assert (rate(cloud, 4) or 0) > 30


def test_part_of_the_people_gives_part_of_the_errors(cloud: Cloud, clock: Clock) -> None:
    cloud.query("DELETE FROM team_members WHERE rowid % 4 = 0")
    clock.moment += timedelta(minutes=3)
    assert 5 < (rate(cloud, 3) or 0) < 35


def test_health_is_remembered_across_a_restart(cloud: Cloud, clock: Clock) -> None:
    cloud.query("DELETE FROM team_members")
    again = Cloud(cloud.folder, clock)
    assert again.health == cloud.health
    again.close()


def test_only_what_was_asked_is_answered_under_the_asked_names(cloud: Cloud) -> None:
    query = f"""query {{ viewer {{ mine: accounts(filter: {{accountTag: "{ACCOUNT_ID}"}}) {{
      workersInvocationsAdaptive(limit: 3, orderBy: [datetimeHour_DESC],
        filter: {{AND: [{{scriptName: "workway-api"}},
          {{datetimeHour_geq: "2026-11-18T10:00:00Z"}}]}})
      {{ sum {{ calls: requests }} dimensions {{ datetimeHour status }} }} }} }} }}"""
    answer = analytics.answer(cloud, query, {})
    assert answer["errors"] is None
    groups = answer["data"]["viewer"]["mine"][0]["workersInvocationsAdaptive"]  # type: ignore[index]
    assert len(groups) == 3
    assert groups[0]["dimensions"]["datetimeHour"] == "2026-11-18T17:00:00Z"
    assert {group["dimensions"]["status"] for group in groups} == {
        "success",
        "scriptThrewException",
    }
    assert all(set(group["sum"]) == {"calls"} for group in groups)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("errors", "mistakes"), 'unknown field "mistakes"'),
        (("workersInvocationsAdaptive", "workers"), 'unknown field "workers"'),
        (("{accountTag: $account}", '{accountTag: "x"}'), "not authorized"),
        (("} } } }", ""), "too early"),
        (("datetime_geq: $since", 'datetime_geq: "soon"'), "soon"),
    ],
)
def test_a_wrong_query_gets_an_error_and_no_data(
    cloud: Cloud, change: tuple[str, str], words: str
) -> None:
    query = ERRORS_QUERY.replace(*change)
    answer = analytics.answer(cloud, query, span(NOON - timedelta(minutes=5), NOON))
    assert answer["data"] is None
    assert words in str(answer["errors"])


def test_a_query_without_end_of_nesting_is_refused() -> None:
    with pytest.raises(QueryUnreadable, match="deeply"):
        parse("{a" * 5_000, {})
