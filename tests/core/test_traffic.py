"""The quietest hours, from an hourly series."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from d1_preflight.core.schedule.analytics import Sample
from d1_preflight.core.schedule.traffic import WeekTraffic, soon_words, week_traffic
from d1_preflight.core.schedule.window import Span

ZONE = ZoneInfo("America/New_York")
NOW = datetime(2026, 11, 22, 19, 6, tzinfo=UTC)  # Sunday 14:06 there
TOP = NOW.replace(minute=0)
ALWAYS = (Span(NOW - timedelta(days=1), None),)
HOUR = timedelta(hours=1)


def four_weeks(busiest: int = 20) -> WeekTraffic:
    """Every hour has as many requests as it is away from 04:00, by the clocks there."""
    hours = [TOP - n * HOUR for n in range(1, 24 * 28 + 1)]
    samples = [Sample(h, busiest * abs(h.astimezone(ZONE).hour - 4)) for h in hours]
    return week_traffic(samples, TOP - timedelta(days=28), TOP, ZONE)


def test_the_quietest_two_hours_to_come_are_named() -> None:
    found = four_weeks().quietest(NOW, ALWAYS)
    assert found is not None
    assert soon_words(found, NOW, ZONE) == "tonight 03:00–05:00"


def test_the_quietest_hours_lie_in_a_window() -> None:
    evening = (Span(NOW, datetime(2026, 11, 23, 2, 0, tzinfo=UTC)),)
    found = four_weeks().quietest(NOW, evening)
    assert found is not None
    assert found.end is not None
    assert found.end <= evening[0].end  # type: ignore[operator]  # it has an end
    assert four_weeks().quietest(NOW, ()) is None


def test_the_baseline_is_the_usual_of_this_hour_of_the_week() -> None:
    assert four_weeks().usual(NOW) == 20 * 10


def test_an_hour_without_samples_in_the_asked_time_had_no_requests() -> None:
    week = week_traffic([Sample(TOP - HOUR, 40)], TOP - timedelta(days=14), TOP, ZONE)
    assert week.usual(TOP - HOUR) == 20
    assert week.usual(TOP - 2 * HOUR) == 0


def test_without_any_sample_nothing_is_known() -> None:
    week = week_traffic([], TOP - timedelta(days=28), TOP, ZONE)
    assert week.usual(NOW) is None
    assert week.quietest(NOW, ALWAYS) is None


def test_an_hour_that_was_not_observed_is_unknown_and_never_the_quietest() -> None:
    week = week_traffic([Sample(TOP - HOUR, 40)], TOP - 3 * HOUR, TOP, ZONE)
    assert week.usual(NOW) is None
    assert week.quietest(NOW, ALWAYS) is None


@pytest.mark.parametrize(
    ("start", "words"),
    [
        ("2026-11-22T18:00", "today 18:00–20:00"),
        ("2026-11-22T21:00", "tonight 21:00–23:00"),
        ("2026-11-23T12:00", "tomorrow 12:00–14:00"),
        ("2026-11-25T03:00", "Wed 03:00–05:00"),
    ],
)
def test_times_to_come_read_as_people_say_them(start: str, words: str) -> None:
    moment = datetime.fromisoformat(start).replace(tzinfo=ZONE)
    assert soon_words(Span(moment, moment + 2 * HOUR), NOW, ZONE) == words
