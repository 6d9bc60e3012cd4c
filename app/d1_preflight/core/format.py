"""Formats numbers, sizes, durations, hashes and times for people, the same in every face."""

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo

_KILO = 1000
_SECOND, _MINUTE, _HOUR, _DAY = 1000, 60_000, 3_600_000, 86_400_000
_WHOLE_DAYS = 2 * _DAY
_ONE_DIGIT = 99.95  # from here on a size is rounded to a whole number
_HASH = 8
FREE_ROWS_A_DAY = 5_000_000
_INVARIABLE = frozenset({"blocking"})  # findings are counted as "2 blocking, 3 warnings"


def count(value: int | None) -> str:
    """A whole number with thousands separators: "61,204"; unknown is "?"."""
    return "?" if value is None else f"{value:,}"


def loss(value: int | None) -> str:
    """A number of lost rows: "−1,204"; "" where none is lost."""
    if value is None:
        return "?"
    return f"−{value:,}" if value else ""


def plural(value: int | None, noun: str, plural_noun: str = "") -> str:
    """A number with its noun: "1 row", "61,204 rows"."""
    return f"{count(value)} {noun_for(value, noun, plural_noun)}"


def noun_for(value: int | None, noun: str, plural_noun: str = "") -> str:
    """The noun in the form that a number takes: "row" for 1, else "rows"."""
    return noun if value == 1 or noun in _INVARIABLE else plural_noun or f"{noun}s"


def first(names: Sequence[str], most: int, between: str = ", ") -> str:
    """The first of some names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return between.join(names[:most]) + more


def rows_read(value: int, written: int) -> str:
    """What was read so far: "95,234 rows, 0 written; a free plan allows 5,000,000 a day".

    Enforced since September 2026 (D1 changelog): queries fail above it until midnight UTC.
    """
    read = f"{plural(value, 'row')}, {count(written)} written"
    return f"{read}; a free plan allows {count(FREE_ROWS_A_DAY)} a day"


def size(value: int | None) -> str:
    """A number of bytes: "840 B", "1.4 kB", "101 kB", "9.4 MB"."""
    if value is None:
        return "?"
    if value < _KILO:
        return f"{value} B"
    amount = float(value)
    for unit in ("kB", "MB", "GB"):
        amount /= _KILO
        if round(amount) < _KILO or unit == "GB":
            break
    return f"{amount:.1f} {unit}" if amount < _ONE_DIGIT else f"{amount:,.0f} {unit}"


def duration(milliseconds: int | None) -> str:
    """A stretch of time: "40 ms", "3.1 s", "2 min 10 s", "3 h 5 min", "4 days"."""
    if milliseconds is None:
        return "?"
    if milliseconds == 0:
        return "< 1 s"  # the clock that measured it may count seconds
    if milliseconds < _SECOND:
        return f"{milliseconds} ms"
    if milliseconds < _MINUTE - 50:  # what rounds to 60.0 s is a minute
        return f"{milliseconds / _SECOND:.1f} s"
    return _long(round(milliseconds / _SECOND) * _SECOND)


def _long(milliseconds: int) -> str:
    if milliseconds >= _WHOLE_DAYS:
        return f"{milliseconds // _DAY} days"
    big, small, unit, part = (
        (_HOUR, _MINUTE, "h", "min") if milliseconds >= _HOUR else (_MINUTE, _SECOND, "min", "s")
    )
    rest = milliseconds % big // small
    return f"{milliseconds // big} {unit}" + (f" {rest} {part}" if rest else "")


def clean(text: str) -> str:
    """One line of as many characters, none of which can drive a terminal or turn its direction."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else " " for char in text)


def cell_width(text: str) -> int:
    """How many terminal columns the text needs."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def capital(text: str) -> str:
    """The text as a sentence begins."""
    return text[:1].upper() + text[1:]


def elapsed(seconds: int) -> str:
    """Whole seconds that have passed: "3 s", "2 min 10 s"."""
    return f"{seconds} s" if seconds * _SECOND < _MINUTE else duration(seconds * _SECOND)


def age_words(span: timedelta) -> str:
    """A stretch of time in whole minutes: "15 min", "16 h", "3 days"; below one in seconds."""
    seconds = int(span.total_seconds())
    return elapsed(seconds if seconds < _MINUTE // _SECOND else seconds // 60 * 60)


def countdown(seconds: int) -> str:
    """The time that is left: "3:12"."""
    return f"{max(seconds, 0) // 60}:{max(seconds, 0) % 60:02d}"


def short_hash(sha256: str) -> str:
    """The start of a sha256, which a search finds in the record: "9f31a0c2…"."""
    return f"{sha256[:_HASH]}…" if len(sha256) > _HASH + 1 else sha256


def moment(when: datetime | str, zone: tzinfo | None, now: datetime, *, named: bool = True) -> str:
    """A past or coming moment: today "14:05 EST", this year "22 Nov 14:05 EST", else a date.

    A screen names its zone once: `named` is False for the moments after the first.
    """
    local = _local(when, zone)
    if local is None:
        return str(when)
    if local.year != now.astimezone(zone).year:
        return f"{local:%Y-%m-%d}"
    form = "%H:%M" if local.date() == now.astimezone(zone).date() else "%b %H:%M"
    lead = "" if form == "%H:%M" else f"{local.day} "
    return f"{lead}{local.strftime(form + (' %Z' if named else ''))}".strip()


def ledger_age(read_at: datetime, zone: tzinfo | None, now: datetime) -> str:
    """When a ledger was read that is shown until the target has answered."""
    return f"ledger as of {moment(read_at, zone, now)}"


def date(when: datetime, now: datetime) -> str:
    """A date: this year "22 Nov", else "2025-11-22"."""
    return f"{when.day} {when:%b}" if when.year == now.year else f"{when:%Y-%m-%d}"


def weekday(when: datetime | str, zone: tzinfo | None) -> str:
    """A time of the week: "Sunday 14:06 EST"."""
    local = _local(when, zone)
    return str(when) if local is None else local.strftime("%A %H:%M %Z").strip()


def timestamp(at: datetime | None) -> str:
    """A moment in a document that is read for years: "2026-11-23 14:02:11 UTC"."""
    return at.strftime("%Y-%m-%d %H:%M:%S UTC") if at else "unknown"


def _local(when: datetime | str, zone: tzinfo | None) -> datetime | None:
    if isinstance(when, datetime):
        return when.astimezone(zone)
    try:
        return datetime.fromisoformat(when).astimezone(zone)
    except (ValueError, OverflowError):
        return None
