"""The values that settings hold, and how they read as TOML and to people."""

from collections.abc import Sequence
from datetime import date, time
from decimal import Decimal
from enum import StrEnum

from d1_preflight.lazy_dataclass import dataclass, fields

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class SecondPerson(StrEnum):
    """When GO needs a second person."""

    NEVER = "never"
    DESTRUCTIVE = "destructive"
    ALWAYS = "always"


class WranglerUse(StrEnum):
    """Whose wrangler walks."""

    PROJECT = "project"
    OWN = "own"


class Plan(StrEnum):
    """The account's plan with Cloudflare; "" where nobody said."""

    UNKNOWN = ""
    FREE = "free"
    PAID = "paid"


@dataclass(frozen=True, slots=True)
class Busy:
    """Busy hours by the users' own clocks; `until` before `start` goes past midnight.

    `days` are numbered from Monday, 0. `until` 00:00 is the end of the day.
    """

    days: tuple[int, ...] = (0, 1, 2, 3, 4)
    start: time = time(9)
    until: time = time(17)


@dataclass(frozen=True, slots=True)
class Freeze:
    """Days on which nothing is migrated, both included."""

    first: date
    last: date
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address that must answer with `expect`; secrets are named by their variables.

    `header_env` pairs a header's name with the variable that holds its value.
    """

    url: str
    method: str = "GET"
    expect: int = 200
    bearer_env: str = ""
    header_env: tuple[tuple[str, str], ...] = ()


def plain(value: object) -> object:
    """The value as TOML holds it; the readers above give it back."""
    match value:
        case Busy():
            names = [DAYS[day] for day in value.days]
            return {"days": names, "from": _shown_time(value.start), "to": _shown_time(value.until)}
        case Freeze():
            held = {"from": value.first, "to": value.last, "reason": value.reason}
            return {key: item for key, item in held.items() if item}
        case Endpoint():
            found = {f.name: getattr(value, f.name) for f in fields(value)}
            found["header_env"] = dict(value.header_env)
            return {key: item for key, item in found.items() if item}
        case StrEnum():
            return value.value
        case Decimal():
            return str(value)
        case tuple():
            return [plain(item) for item in value]
    return value


def shown_busy(hours: Busy) -> str:
    """`Mon–Fri 9–17`."""
    start, until = _short(hours.start), _short(hours.until) if hours.until != time(0) else "24"
    return f"{_shown_days(hours.days)} {start}–{until}"


def _shown_time(value: time) -> str:
    return f"{value:%H:%M}"


def _short(value: time) -> str:
    return f"{value:%H:%M}" if value.minute else str(value.hour)


def _shown_days(days: Sequence[int]) -> str:
    names = [DAYS[day].capitalize() for day in days]
    run = list(range(days[0], days[0] + len(days)))
    if len(days) > 2 and list(days) == run:  # noqa: PLR2004 - a run has three
        return f"{names[0]}–{names[-1]}"
    return ", ".join(names)
