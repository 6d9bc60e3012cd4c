"""Low-traffic windows: when no user's zone is in busy hours and nothing is frozen.

Clocks that change are met conservatively: where a busy hour begins or ends twice or never, the
longer reading counts as busy. So a moment is never called quiet that a clock there calls busy.
"""

from collections.abc import Iterable, Iterator
from dataclasses import field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

from d1_preflight.core.format import elapsed
from d1_preflight.core.project.setting_types import Busy, Freeze, shown_busy
from d1_preflight.core.project.settings import Settings
from d1_preflight.lazy_dataclass import dataclass

_DAY = timedelta(days=1)
_HORIZON = timedelta(days=14)
_LONGEST = timedelta(days=400)
_SHOWN_WINDOWS = 3


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time, UTC; `end` is None where it lasts beyond what was looked at."""

    start: datetime
    end: datetime | None

    def holds(self, moment: datetime) -> bool:
        """Whether the moment is in it; the end is not."""
        return self.start <= moment and (self.end is None or moment < self.end)

    def fits(self, start: datetime, need: timedelta) -> bool:
        """Whether something that begins at `start` ends within it."""
        return self.holds(start) and (self.end is None or start + need <= self.end)

    def words(self, zone: tzinfo) -> str:
        """`Tue 24 Nov 17:00 – Wed 25 Nov 09:00 EST`, by the clocks of `zone`."""
        start = self.start.astimezone(zone)
        if self.end is None:
            return f"from {start:%a %d %b %H:%M %Z} on"
        end = self.end.astimezone(zone)
        until = f"{end:%H:%M}" if end.date() == start.date() else f"{end:%a %d %b %H:%M}"
        return f"{start:%a %d %b %H:%M} – {until} {end:%Z}"


@dataclass(frozen=True, slots=True)
class ZoneNow:
    """The local time of one users' zone, and whether it is in busy hours."""

    zone: str
    local: datetime
    is_busy: bool


@dataclass(frozen=True, slots=True)
class Calendar:
    """The rules: whose clocks, which hours, which days. `team` is the zone times are shown in."""

    team: tzinfo
    users: tuple[tuple[str, tzinfo], ...]
    busy: Busy = field(default_factory=Busy)
    freezes: tuple[Freeze, ...] = ()
    users_are_known: bool = True

    def zones(self, moment: datetime) -> tuple[ZoneNow, ...]:
        """The users' zones at a moment."""
        return tuple(
            ZoneNow(name, moment.astimezone(zone), _is_busy(self.busy, moment, zone))
            for name, zone in self.users
        )

    def frozen(self, moment: datetime) -> Freeze | None:
        """The freeze that holds on the team's date of this moment."""
        today = moment.astimezone(self.team).date()
        return next((f for f in self.freezes if f.first <= today <= f.last), None)

    def windows(self, start: datetime, until: datetime) -> tuple[Span, ...]:
        """The low-traffic windows between two moments; the last may be open."""
        return tuple(_gaps(self._closed(start, until), start, until))

    def _closed(self, start: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
        first, last = start.date() - 2 * _DAY, until.date() + 2 * _DAY
        for _name, zone in self.users:
            yield from _busy_spans(self.busy, zone, first, last)
        for freeze in self.freezes:
            yield (
                _earliest(freeze.first, time(0), self.team),
                _latest(freeze.last + _DAY, time(0), self.team),
            )


@dataclass(frozen=True, slots=True)
class Timing:
    """The answer at one moment. `is_quiet` is False in busy hours and in a freeze.

    `current` is the window that holds now; `coming` are the next ones that last long enough.
    """

    calendar: Calendar
    now: datetime
    need: timedelta
    zones: tuple[ZoneNow, ...]
    freeze: Freeze | None
    current: Span | None
    coming: tuple[Span, ...]

    @property
    def is_quiet(self) -> bool:
        """Whether now is in a low-traffic window."""
        return self.current is not None

    @property
    def fits(self) -> bool:
        """Whether the apply and its watch end before the window does."""
        return self.current is not None and self.current.fits(self.now, self.need)

    @property
    def words(self) -> str:
        """`Now is Sunday 14:06 EST: outside Mon–Fri 9–17 of the users' zone (America/New_York)`."""
        local = self.now.astimezone(self.calendar.team)
        return f"Now is {local:%A %H:%M %Z}: {self._place_words()}"

    @property
    def fits_words(self) -> str:
        """The end of the current window, and whether the planned time fits."""
        if self.current is None:
            following = self.coming[0].words(self.calendar.team) if self.coming else ""
            return f"next window: {following}" if following else "no window in the next two weeks"
        planned = f"{elapsed(int(self.need.total_seconds()))} including the watch"
        if self.current.end is None:
            return f"{planned} fits; no busy hours nearby"
        left = elapsed(int((self.current.end - self.now).total_seconds()))
        end = f"{self.current.end.astimezone(self.calendar.team):%a %H:%M %Z}"
        return f"{planned} {'fits' if self.fits else 'does not fit'}: {left} left, until {end}"

    def _place_words(self) -> str:
        if self.freeze is not None:
            reason = f" ({self.freeze.reason})" if self.freeze.reason else ""
            return f"frozen from {self.freeze.first} to {self.freeze.last}{reason}"
        hours = shown_busy(self.calendar.busy)
        inside = [zone for zone in self.zones if zone.is_busy]
        names = ", ".join(self._zone_words(zone) for zone in inside or self.zones)
        whose = "the users' zones" if len(inside or self.zones) > 1 else "the users' zone"
        if not self.calendar.users_are_known:
            whose = "the team's zone, as no users' zone is set"
        return f"{'inside' if inside else 'outside'} {hours} of {whose} ({names})"

    def _zone_words(self, zone: ZoneNow) -> str:
        """The zone, with the time there where the clocks show another one."""
        here = self.now.astimezone(self.calendar.team).utcoffset()
        same = zone.local.utcoffset() == here
        return zone.zone if same else f"{zone.zone}, {zone.local:%a %H:%M} there"


def calendar_of(settings: Settings) -> Calendar:
    """The calendar of the settings; a team without a zone has UTC."""
    team = settings.team.timezone or "UTC"
    names = settings.users.timezones or (team,)
    return Calendar(
        team=ZoneInfo(team),
        users=tuple((name, ZoneInfo(name)) for name in names),
        busy=settings.users.busy,
        freezes=settings.users.freeze,
        users_are_known=bool(settings.users.timezones),
    )


def timing(calendar: Calendar, now: datetime, need: timedelta) -> Timing:
    """Judge one moment: `need` is the predicted time of the apply with the watch after it."""
    moment = now.astimezone(UTC)
    freezes = (_latest(f.last + _DAY, time(0), calendar.team) for f in calendar.freezes)
    held = max((end for end in freezes if end < moment + _LONGEST), default=moment)
    windows = calendar.windows(moment - 8 * _DAY, max(moment, held) + _HORIZON)
    current = next((window for window in windows if window.holds(moment)), None)
    later = (w for w in windows if w.start > moment and w.fits(w.start, need))
    return Timing(
        calendar=calendar,
        now=moment,
        need=need,
        zones=calendar.zones(moment),
        freeze=calendar.frozen(moment),
        current=current,
        coming=tuple(later)[:_SHOWN_WINDOWS],
    )


def _is_busy(busy: Busy, moment: datetime, zone: tzinfo) -> bool:
    """The local time of a zone."""
    local = moment.astimezone(zone)
    clock, today, yesterday = local.time(), local.weekday(), (local.weekday() - 1) % 7
    if busy.start < busy.until:
        return today in busy.days and busy.start <= clock < busy.until
    late = today in busy.days and clock >= busy.start
    return late or (yesterday in busy.days and clock < busy.until)


def _busy_spans(
    busy: Busy, zone: tzinfo, first: date, last: date
) -> Iterator[tuple[datetime, datetime]]:
    for day in (first + n * _DAY for n in range((last - first).days + 1)):
        if day.weekday() in busy.days:
            end = day if busy.start < busy.until else day + _DAY
            yield _earliest(day, busy.start, zone), _latest(end, busy.until, zone)


def _earliest(day: date, clock: time, zone: tzinfo) -> datetime:
    return min(_both(day, clock, zone))


def _latest(day: date, clock: time, zone: tzinfo) -> datetime:
    return max(_both(day, clock, zone))


def _both(day: date, clock: time, zone: tzinfo) -> tuple[datetime, datetime]:
    """The two readings of a wall clock's time: the same, but when the clocks change."""
    local = datetime.combine(day, clock, tzinfo=zone)
    return local.replace(fold=0).astimezone(UTC), local.replace(fold=1).astimezone(UTC)


def _gaps(
    closed: Iterable[tuple[datetime, datetime]], start: datetime, until: datetime
) -> Iterator[Span]:
    free_from = start
    for begin, end in sorted(closed):
        if begin > free_from:
            yield Span(free_from, begin)
        free_from = max(free_from, end)
        if free_from >= until:
            return
    yield Span(free_from, None)
