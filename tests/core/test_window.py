"""Low-traffic windows, across zones and the days on which clocks change."""

from bisect import bisect
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from d1_preflight.core.project.setting_types import Busy, Freeze
from d1_preflight.core.project.settings import load_settings
from d1_preflight.core.schedule.window import (
    Calendar,
    Span,
    Timing,
    calendar_of,
    timing,
)

NEED = timedelta(minutes=5, seconds=1)
NEW_YORK = "America/New_York"


def calendar(*users: str, team: str = NEW_YORK, **kept: object) -> Calendar:
    zones = tuple((name, ZoneInfo(name)) for name in users or (NEW_YORK,))
    return Calendar(ZoneInfo(team), zones, **kept)  # type: ignore[arg-type]  # test's shorthand


def at(text: str, zone: str = NEW_YORK) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def is_busy(calendar: Calendar, moment: datetime) -> bool:
    return any(zone.is_busy for zone in calendar.zones(moment))


def judged(text: str, *users: str, need: timedelta = NEED, **kept: object) -> Timing:
    return timing(calendar(*users, **kept), at(text), need)  # type: ignore[arg-type]  # see above


def test_sunday_afternoon_is_quiet() -> None:
    seen = judged("2026-11-22T14:06")
    assert seen.is_quiet
    assert seen.fits
    assert seen.words == (
        "Now is Sunday 14:06 EST: outside Mon–Fri 9–17 of the users' zone (America/New_York)"
    )
    assert seen.fits_words == (
        "5 min 1 s including the watch fits: 18 h 54 min left, until Mon 09:00 EST"
    )


def test_monday_morning_is_not_quiet_and_the_next_window_is_named() -> None:
    seen = judged("2026-11-23T10:00")
    assert not seen.is_quiet
    assert not seen.fits
    assert ": inside Mon–Fri 9–17" in seen.words
    assert seen.fits_words == "next window: Mon 23 Nov 17:00 – Tue 24 Nov 09:00 EST"


@pytest.mark.parametrize(
    ("clock", "quiet"), [("08:59", True), ("09:00", False), ("16:59", False), ("17:00", True)]
)
def test_busy_hours_begin_on_their_minute_and_end_on_theirs(clock: str, quiet: bool) -> None:
    assert judged(f"2026-11-24T{clock}").is_quiet is quiet


def test_what_would_not_end_in_time_does_not_fit() -> None:
    seen = judged("2026-11-23T08:56")
    assert seen.is_quiet
    assert not seen.fits
    assert "does not fit: 4 min left" in seen.fits_words
    assert judged("2026-11-23T08:56", need=timedelta(minutes=4)).fits


def test_the_windows_to_come_are_long_enough() -> None:
    seen = judged("2026-11-22T14:06", NEW_YORK, "Asia/Tokyo", need=timedelta(hours=20))
    assert seen.coming
    assert all(w.end is None or w.end - w.start >= timedelta(hours=20) for w in seen.coming)


def test_several_zones_are_quiet_only_when_all_are() -> None:
    seen = judged("2026-11-24T20:00", NEW_YORK, "Asia/Tokyo")
    assert not seen.is_quiet
    assert [zone.is_busy for zone in seen.zones] == [False, True]
    assert "(Asia/Tokyo, Wed 10:00 there)" in seen.words


def test_the_users_friday_counts_not_the_teams() -> None:
    assert judged("2026-11-29T19:30", "Asia/Tokyo").is_quiet is False
    assert judged("2026-11-27T19:30", "Asia/Tokyo").is_quiet is True


def test_clocks_that_change_move_the_window() -> None:
    before = judged("2026-03-06T20:00").current
    after = judged("2026-03-08T20:00").current
    assert before is not None
    assert after is not None
    assert before == after
    assert after.end == datetime(2026, 3, 9, 13, 0, tzinfo=UTC)
    assert before.start == datetime(2026, 3, 6, 22, 0, tzinfo=UTC)


def test_an_hour_that_comes_twice_is_busy_throughout() -> None:
    night = Busy((0, 1, 2, 3, 4, 5, 6), time(1, 30), time(1, 45))
    seen = calendar(busy=night)
    start, end = datetime(2026, 11, 1, 5, 30, tzinfo=UTC), datetime(2026, 11, 1, 6, 45, tzinfo=UTC)
    windows = seen.windows(start - timedelta(hours=3), end + timedelta(hours=3))
    assert [w.end for w in windows][:1] == [start]
    assert [w.start for w in windows][1:] == [end]


def test_busy_hours_may_go_past_midnight() -> None:
    night = Busy((4,), time(22), time(6))
    assert not judged("2026-11-27T23:00", busy=night).is_quiet
    assert not judged("2026-11-28T05:59", busy=night).is_quiet
    assert judged("2026-11-28T06:00", busy=night).is_quiet
    assert judged("2026-11-27T05:00", busy=night).is_quiet


def test_busy_all_the_time_has_no_window() -> None:
    seen = judged("2026-11-27T23:00", busy=Busy((0, 1, 2, 3, 4, 5, 6), time(0), time(0)))
    assert not seen.is_quiet
    assert seen.coming == ()
    assert seen.fits_words == "no window in the next two weeks"


def test_a_freeze_shuts_the_window_and_tells_why_and_until_when() -> None:
    frozen = (Freeze(date(2026, 12, 20), date(2027, 1, 2), "year end"),)
    seen = judged("2026-12-26T12:00", freezes=frozen)
    assert not seen.is_quiet
    assert seen.words.endswith("frozen from 2026-12-20 to 2027-01-02 (year end)")
    assert seen.coming[0].start == at("2027-01-03T00:00")
    assert judged("2027-01-03T00:00", freezes=frozen).is_quiet
    assert judged("2026-12-19T23:59", freezes=frozen, need=timedelta(0)).is_quiet


def test_a_window_before_a_freeze_ends_with_its_first_day() -> None:
    frozen = (Freeze(date(2026, 11, 22), date(2026, 11, 22)),)
    assert not judged("2026-11-21T23:58", freezes=frozen).fits


def test_a_long_freeze_still_shows_the_window_after_it() -> None:
    seen = judged("2026-02-01T12:00", freezes=(Freeze(date(2026, 1, 1), date(2026, 6, 30)),))
    assert seen.coming[0].start == at("2026-07-01T00:00")


def test_settings_without_users_zones_say_that_the_teams_is_taken() -> None:
    found = calendar_of(load_settings('[team]\ntimezone = "Europe/Berlin"\n'))
    seen = timing(found, at("2026-11-24T10:00", "Europe/Berlin"), NEED)
    assert not seen.is_quiet
    assert "of the team's zone, as no users' zone is set (Europe/Berlin)" in seen.words


def test_a_team_without_a_zone_has_utc() -> None:
    found = calendar_of(load_settings(""))
    assert found.team == ZoneInfo("UTC")
    assert not found.users_are_known


def test_settings_decide_zones_hours_and_freezes() -> None:
    text = (
        '[users]\ntimezones = ["UTC"]\nbusy = { from = "10:00" }\nfreeze = [{ from = 2026-01-01 }]'
    )
    found = calendar_of(load_settings(text))
    assert found.users_are_known
    assert (found.busy.start, found.freezes[0].first) == (time(10), date(2026, 1, 1))


def test_an_open_window_says_so() -> None:
    assert Span(at("2026-11-22T14:00"), None).words(ZoneInfo(NEW_YORK)).endswith("EST on")


ZONES = st.sampled_from(sorted(available_timezones()))
MOMENTS = st.datetimes(datetime(2010, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone
CLOCKS = st.one_of(st.times(), st.times(time(0), time(3, 59))).map(
    lambda t: t.replace(second=0, microsecond=0)
)
HOURS = st.builds(
    Busy, st.sets(st.integers(0, 6), min_size=1).map(lambda d: tuple(sorted(d))), CLOCKS, CLOCKS
)


@st.composite
def near_a_change(draw: st.DrawFn) -> tuple[str, datetime]:
    """A zone and a moment, mostly within three hours of a change of its clocks."""
    name = draw(ZONES)
    zone, moment = ZoneInfo(name), draw(MOMENTS)
    offset = moment.astimezone(zone).utcoffset()
    days = (moment + timedelta(days=n) for n in range(1, 200))
    after = next((day for day in days if day.astimezone(zone).utcoffset() != offset), None)
    is_far: bool = draw(st.integers(0, 9)) == 0
    if after is None or is_far:
        return name, moment
    minutes = range(24 * 60)
    first = bisect(
        minutes,
        0,
        key=lambda m: (after + timedelta(minutes=m - 1440)).astimezone(zone).utcoffset() != offset,
    )
    return name, after + timedelta(minutes=first - 1440 + draw(st.integers(-180, 180)))


@given(place=near_a_change(), busy=HOURS)
def test_no_moment_that_a_clock_calls_busy_is_called_quiet(
    place: tuple[str, datetime], busy: Busy
) -> None:
    name, moment = place
    found = calendar(name, busy=busy)
    if is_busy(found, moment):
        assert not timing(found, moment, NEED).is_quiet


@given(place=near_a_change(), before=st.integers(-60, 60), length=st.integers(1, 90))
def test_busy_hours_that_begin_or_end_as_the_clocks_change_are_never_called_quiet(
    place: tuple[str, datetime], before: int, length: int
) -> None:
    name, moment = place
    wall = moment.astimezone(ZoneInfo(name)).replace(tzinfo=None, second=0, microsecond=0)
    start = wall - timedelta(minutes=before)
    busy = Busy(tuple(range(7)), start.time(), (start + timedelta(minutes=length)).time())
    found = calendar(name, busy=busy)
    for minute in range(-90, 91, 5):
        if is_busy(found, moment + timedelta(minutes=minute)):
            assert not timing(found, moment + timedelta(minutes=minute), NEED).is_quiet


@given(place=near_a_change(), busy=HOURS)
def test_a_moment_that_the_clocks_call_quiet_is_quiet_but_near_a_change(
    place: tuple[str, datetime], busy: Busy
) -> None:
    name, moment = place
    found, zone = calendar(name, busy=busy), ZoneInfo(name)
    offsets = {
        (moment + timedelta(hours=hours)).astimezone(zone).utcoffset()
        for hours in range(-30, 31, 1)
    }
    if len(offsets) == 1:
        assert timing(found, moment, NEED).is_quiet is not is_busy(found, moment)


@given(place=near_a_change(), busy=HOURS, minutes=st.integers(0, 600))
def test_what_fits_meets_no_busy_minute(
    place: tuple[str, datetime], busy: Busy, minutes: int
) -> None:
    name, moment = place
    found = calendar(name, busy=busy)
    seen = timing(found, moment, timedelta(minutes=minutes))
    if seen.fits:
        steps = range(0, minutes, 7)
        assert not any(is_busy(found, moment + timedelta(minutes=step)) for step in steps)


@given(place=near_a_change(), other=ZONES, busy=HOURS)
def test_windows_are_in_order_apart_and_quiet(
    place: tuple[str, datetime], other: str, busy: Busy
) -> None:
    name, moment = place
    found = calendar(name, other, busy=busy)
    windows = found.windows(moment, moment + timedelta(days=9))
    for before, after in pairwise(windows):
        assert before.end is not None
        assert before.start < before.end < after.start
    for window in windows:
        assert not is_busy(found, window.start)
