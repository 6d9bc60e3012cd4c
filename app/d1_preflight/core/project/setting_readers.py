"""Reads the values of settings strictly: one TOML value in, or words on what it must be."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar
from urllib.parse import urlsplit

from d1_preflight.core.project.migrations_pattern import Glob
from d1_preflight.core.project.setting_types import DAYS, Busy, Endpoint, Freeze

_T = TypeVar("_T")
_Member = TypeVar("_Member", bound=StrEnum)
Read = Callable[[object], _T]

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CLOUDFLARES = ("CLOUDFLARE_", "CF_", "WRANGLER_")
"""How the variables begin that hold what wrangler and Cloudflare's API are logged in with."""
_OCLOCK = re.compile(r"([01]\d|2[0-4]):([0-5]\d)")


class UnreadValue(ValueError):
    """A value that is not what its key holds; `key` is the inner key at fault, "" for the outer.

    `nth` is the place in a list, from 0.
    """

    def __init__(self, what: str, key: str = "", nth: int = 0) -> None:
        super().__init__(what)
        self.key = key
        self.nth = nth


def text(value: object) -> str:
    """A string."""
    if not isinstance(value, str):
        raise UnreadValue("must be a string in quotes")
    return value.strip()


def flag(value: object) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise UnreadValue("must be true or false")
    return value


def inner_path(value: object) -> str:
    """A path below the file's own folder, "" for none."""
    path = text(value).replace("\\", "/")
    if path.startswith(("/", "~")) or ".." in path.split("/") or ":" in path:
        raise UnreadValue('must be a path inside the project, for example "schema.sql"')
    return path


def folder(value: object) -> str:
    """A relative path, which may lead up into another package; "" for none."""
    path = text(value).replace("\\", "/")
    if path.startswith(("/", "~")) or ":" in path:
        raise UnreadValue('must be a path from this file\'s folder, for example "../db/drizzle"')
    return path


def texts(value: object) -> tuple[str, ...]:
    """A list of strings, none empty, none twice."""
    if not isinstance(value, list):
        raise UnreadValue('must be a list of strings, for example ["users", "teams"]')
    found = tuple(text(item) for item in value)
    if "" in found or len(set(found)) != len(found):
        raise UnreadValue("contains an empty or a repeated string")
    return found


def patterns(value: object) -> tuple[str, ...]:
    """A list of file patterns."""
    found = texts(value)
    for pattern in found:
        try:
            Glob.parse(pattern)
        except ValueError as error:
            what = f'"{pattern}": {error}; write it with *, **, ? and {{a,b}}'
            raise UnreadValue(what) from error
    return found


def whole(least: int, most: int) -> Read[int]:
    """A whole number between two bounds."""

    def read(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise UnreadValue(f"must be a whole number from {least} to {most}")
        return value

    return read


def percent(value: object) -> Decimal:
    """A percentage, exact: 0.1 or "0.1", above 0 and below 100."""
    number = _decimal(value)
    if number is None or not 0 < number < 100:  # noqa: PLR2004 - a percentage
        raise UnreadValue('must be a number above 0 and below 100, for example "0.1"')
    return number


def zone(value: object) -> str:
    """The name of a time zone that exists; "" is allowed."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    name = text(value)
    try:
        return ZoneInfo(name).key if name else ""
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UnreadValue(
            f'"{name}" is not a time zone; write it like "America/New_York" or "UTC"'
        ) from error


def zones(value: object) -> tuple[str, ...]:
    """A list of time zones."""
    return tuple(zone(name) for name in texts(value))


def variable(value: object) -> str:
    """The name of an environment variable; a value that looks like a secret is not repeated."""
    name = text(value)
    if name and not _VARIABLE.fullmatch(name):
        raise UnreadValue("must be the NAME of an environment variable, not its value")
    if name.upper().startswith(_CLOUDFLARES):
        raise UnreadValue(
            f"must not be {name}: Cloudflare's own variables are never sent to other addresses; "
            "use another name, with a token made for this address"
        )
    return name


def one_of(kind: type[_Member]) -> Read[_Member]:
    """A member of a closed set; "" only where the set has it."""

    def read(value: object) -> _Member:
        try:
            return kind(text(value))
        except ValueError as error:
            raise UnreadValue(f"must be one of {', '.join(filter(None, kind))}") from error

    return read


def busy(value: object) -> Busy:
    """`{ days = ["mon", …], from = "09:00", to = "17:00" }`, each optional."""
    raw = _only(value, ("days", "from", "to"))
    start = _oclock(raw.get("from", "09:00"), "from")
    until = _oclock(raw.get("to", "17:00"), "to")
    days = _days(raw.get("days", list(DAYS[:5])))
    if start == until and start != time(0):
        raise UnreadValue("from and to are the same; for whole days write 00:00 and 24:00", "from")
    return Busy(days, start, until)


def freezes(value: object) -> tuple[Freeze, ...]:
    """A list of `{ from = 2026-12-20, to = 2027-01-02, reason = "…" }`."""
    return _each(_freeze, value, "{ from = 2026-12-20, to = 2027-01-02 }")


def endpoints(value: object) -> tuple[Endpoint, ...]:
    """A list of `{ url = "…", method = "GET", expect = 200, bearer_env = "NAME" }`."""
    return _each(_endpoint, value, '{ url = "https://…" }')


def _each(read: Read[_T], items: object, form: str) -> tuple[_T, ...]:
    if not isinstance(items, list):
        raise UnreadValue(f"must be a list of {form}")
    found: list[_T] = []
    for nth, item in enumerate(items):
        try:
            found.append(read(item))
        except UnreadValue as error:
            raise UnreadValue(f"entry {nth + 1}: {error}", error.key, nth) from error
    return tuple(found)


def _decimal(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, (int, str, Decimal)):
        return None
    try:
        number = Decimal(value)
    except ArithmeticError:
        return None
    return number if number.is_finite() else None


def _only(value: object, known: Sequence[str]) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise UnreadValue(f"must be a table with {', '.join(known)}")
    for key in value:
        if key not in known:
            raise UnreadValue(f"unknown key {key}; known are {', '.join(known)}", key)
    return value


def _days(value: object) -> tuple[int, ...]:
    names = [name.lower()[:3] for name in texts(value)]
    if not names or not set(names) <= set(DAYS):
        raise UnreadValue(f"days must be some of {', '.join(DAYS)}", "days")
    return tuple(sorted({DAYS.index(name) for name in names}))


def _oclock(value: object, key: str) -> time:
    """A time of day; 24:00 is the day's end and kept as 00:00."""
    if isinstance(value, time):
        return value
    found = _OCLOCK.fullmatch(value) if isinstance(value, str) else None
    if found is None or (found[1] == "24" and found[2] != "00"):
        raise UnreadValue(f'{key} must be a time like "09:00"', key)
    return time(int(found[1]) % 24, int(found[2]))


def _freeze(value: object) -> Freeze:
    raw = _only(value, ("from", "to", "reason"))
    first, last = _date(raw.get("from"), "from"), _date(raw.get("to", raw.get("from")), "to")
    if last < first:
        raise UnreadValue("a freeze ends before it begins", "to")
    return Freeze(first, last, text(raw.get("reason", "")))


def _date(value: object, key: str) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(text(value))
    except ValueError as error:
        raise UnreadValue(f"{key} must be a date like 2026-12-20", key) from error


def _endpoint(value: object) -> Endpoint:
    raw = _only(value, ("url", "method", "expect", "bearer_env", "header_env"))
    method = text(raw.get("method", "GET")).upper()
    if method not in _METHODS:
        raise UnreadValue(f"method must be one of {', '.join(_METHODS)}", "method")
    headers = raw.get("header_env", {})
    if not isinstance(headers, dict):
        raise UnreadValue('header_env must be like { "X-Api-Key" = "NAME" }', "header_env")
    if wrong := next((name for name in headers if not _HEADER.fullmatch(name)), None):
        raise UnreadValue(f'"{wrong}" cannot be the name of a header', "header_env")
    return Endpoint(
        url=_url(raw.get("url")),
        method=method,
        expect=_inner("expect", whole(100, 599), raw.get("expect", 200)),
        bearer_env=_inner("bearer_env", variable, raw.get("bearer_env", "")),
        header_env=tuple((name, _inner(name, variable, held)) for name, held in headers.items()),
    )


def _inner(key: str, read: Read[_T], value: object) -> _T:
    """Read an inner value, so that a refusal names its key."""
    try:
        return read(value)
    except UnreadValue as error:
        raise UnreadValue(f"{key} {error}", key) from error


def _url(value: object) -> str:
    address = text(value) if isinstance(value, str) else ""
    try:
        parts = urlsplit(address)
    except ValueError:  # http://[x/
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UnreadValue('url must be a full address like "https://example.com/health"', "url")
    if parts.username or parts.password:
        raise UnreadValue("url must not contain a user or password; use bearer_env", "url")
    return address
