"""Numbers, sizes, durations and moments as people read them."""

from datetime import datetime, tzinfo

_SPARKS = "▁▂▃▄▅▆▇█"
_SECOND, _MINUTE = 1000, 60
_KILO = 1000


def count(value: int | None) -> str:
    """A whole number with thousands separators; unknown is said as "?"."""
    return "?" if value is None else f"{value:,}"


def loss(value: int | None) -> str:
    """A number of lost rows: "−1,204", or nothing where none is lost."""
    if value is None:
        return "?"
    return f"−{value:,}" if value else ""


def plural(value: int | None, noun: str) -> str:
    """Such as "1 row", "61,204 rows"."""
    return f"{count(value)} {noun}" + ("" if value == 1 else "s")


def size(value: int | None) -> str:
    """A number of bytes: "101 kB", "9.4 MB"."""
    if value is None:
        return "?"
    amount = float(value)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < _KILO or unit == "GB":
            digits = 1 if unit in ("MB", "GB") else 0
            return f"{amount:,.{digits}f} {unit}"
        amount /= _KILO
    return ""


def duration(milliseconds: int | None) -> str:
    """Such as "40 ms", "3.1 s", "2 min 10 s"."""
    if milliseconds is None:
        return "?"
    if milliseconds == 0:
        return "< 1 s"  # the clock that measured it counts seconds
    if milliseconds < _SECOND:
        return f"{milliseconds} ms"
    if milliseconds < _MINUTE * _SECOND:
        return f"{milliseconds / _SECOND:.1f} s"
    minutes, seconds = divmod(round(milliseconds / _SECOND), _MINUTE)
    return f"{minutes} min {seconds} s" if seconds else f"{minutes} min"


def elapsed(seconds: int) -> str:
    """Whole seconds that have passed: "3 s", "2 min 10 s"."""
    return f"{seconds} s" if seconds < _MINUTE else duration(seconds * _SECOND)


def countdown(seconds: int) -> str:
    """The time that is left: "3:12"."""
    return f"{max(seconds, 0) // _MINUTE}:{max(seconds, 0) % _MINUTE:02d}"


def clock(when: datetime | str, zone: tzinfo | None) -> str:
    """A time of day in the operator's zone, the zone named: "14:05:02 EST"."""
    local = _local(when, zone)
    return str(when) if local is None else local.strftime("%H:%M:%S %Z").strip()


def day(when: datetime | str, zone: tzinfo | None) -> str:
    """A date in the operator's zone: "22 Dec 14:05 EST"."""
    local = _local(when, zone)
    return str(when) if local is None else f"{local.day} {local.strftime('%b %H:%M %Z')}".strip()


def weekday(when: datetime | str, zone: tzinfo | None) -> str:
    """Such as "Sunday 14:06 EST"."""
    local = _local(when, zone)
    return str(when) if local is None else local.strftime("%A %H:%M %Z").strip()


def shortened(digest: str) -> str:
    """A sha256 that still can be compared by eye: "9f31…c2"."""
    return f"{digest[:4]}…{digest[-2:]}" if len(digest) > len("9f31…c2") else digest


def bar(done: int, total: int, width: int) -> str:
    """How far something is: "█████░░░"."""
    filled = min(width, width * done // total) if total > 0 else 0
    return "█" * filled + "░" * (width - filled)


def sparkline(values: tuple[float, ...], top: float) -> str:
    """Values as small columns; `top` (the limit) fills a column."""
    if top <= 0:
        return _SPARKS[0] * len(values)
    last = len(_SPARKS) - 1
    return "".join(_SPARKS[min(last, round(max(value, 0) / top * last))] for value in values)


def _local(when: datetime | str, zone: tzinfo | None) -> datetime | None:
    if isinstance(when, datetime):
        return when.astimezone(zone)
    try:
        return datetime.fromisoformat(when).astimezone(zone)
    except ValueError:
        return None
