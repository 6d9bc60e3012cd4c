"""How busy the database usually is, by the hour of the week; from it, the quietest time to come."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo

from d1_preflight.core.schedule.analytics import Sample
from d1_preflight.core.schedule.window import Span
from d1_preflight.lazy_dataclass import dataclass

_HOUR = timedelta(hours=1)
_RUN = 2  # hours


@dataclass(frozen=True, slots=True)
class WeekTraffic:
    """Mean requests of each hour of the week, (weekday from Monday 0, hour), by one zone's clocks.

    An hour of the week that was never observed is absent: not known, which is not the same as 0.
    """

    zone: tzinfo
    means: Mapping[tuple[int, int], int]

    def usual(self, moment: datetime) -> int | None:
        """The mean of the hour that holds this moment: the baseline to compare with."""
        return self.means.get(_slot(moment, self.zone))

    def quietest(self, now: datetime, windows: Sequence[Span]) -> Span | None:
        """The whole hours with the least usual traffic that begin within a day, in a window."""
        length = _RUN * _HOUR
        runs = [
            (total, start)
            for start in _whole_hours(now, timedelta(days=1))
            if any(window.fits(start, length) for window in windows)
            and (total := self._total(start)) is not None
        ]
        if not runs:
            return None
        _least, start = min(runs)
        return Span(start, start + length)

    def _total(self, start: datetime) -> int | None:
        found = [self.usual(start + n * _HOUR) for n in range(_RUN)]
        known = [mean for mean in found if mean is not None]
        return sum(known) if len(known) == _RUN else None


def week_traffic(
    samples: Sequence[Sample], since: datetime, until: datetime, zone: tzinfo
) -> WeekTraffic:
    """The means over what was asked for; an hour without a sample in it had no requests.

    Without any sample nothing is known: analytics that are switched off look the same.
    """
    if not samples:
        return WeekTraffic(zone, {})
    seen = Counter(_slot(hour, zone) for hour in _whole_hours(since, until - since))
    total: Counter[tuple[int, int]] = Counter()
    for sample in samples:
        if since <= sample.at < until:
            total[_slot(sample.at, zone)] += sample.requests
    return WeekTraffic(zone, {slot: round(total[slot] / times) for slot, times in seen.items()})


def soon_words(span: Span, now: datetime, zone: tzinfo) -> str:
    """`tonight 03:00–05:00`, `today 18:00–20:00`, `tomorrow 12:00–14:00`, `Wed 03:00–05:00`."""
    start, here = span.start.astimezone(zone), now.astimezone(zone)
    end = (span.end or span.start).astimezone(zone)
    return f"{_day_words(start, here)} {start:%H:%M}–{end:%H:%M}"


def _day_words(start: datetime, here: datetime) -> str:
    days = (start.date() - here.date()).days
    is_evening, is_small_hours = start.hour >= 20, start.hour < 6  # noqa: PLR2004 - as people say
    if (days == 0 and is_evening) or (days == 1 and is_small_hours and here.hour >= 6):  # noqa: PLR2004
        return "tonight"
    return {0: "today", 1: "tomorrow"}.get(days, f"{start:%a}")


def _whole_hours(start: datetime, span: timedelta) -> Iterator[datetime]:
    """The full hours that begin in a stretch of time, UTC."""
    moment = start.astimezone(UTC)
    hour = moment.replace(minute=0, second=0, microsecond=0)
    if hour < moment:
        hour += _HOUR
    while hour < moment + span:
        yield hour
        hour += _HOUR


def _slot(moment: datetime, zone: tzinfo) -> tuple[int, int]:
    local = moment.astimezone(zone)
    return local.weekday(), local.hour
