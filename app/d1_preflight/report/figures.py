"""Figures in words: thousands, sizes, durations and times, the same in every face."""

from collections.abc import Mapping
from datetime import datetime

from d1_preflight.core.record.record import Fact

_SECOND, _MINUTE = 1000, 60_000
_MANY = 24
_UNITS = ("B", "kB", "MB", "GB")


def count(number: int) -> str:
    """1204 as “1,204”."""
    return f"{number:,}"


def change(number: int) -> str:
    """A loss with its sign: 1204 lost rows as “−1,204”; none as “”."""
    return f"−{number:,}" if number else ""


def size(number: int) -> str:
    """Bytes in the unit that reads best: “9.4 MB”."""
    value = float(number)
    for unit in _UNITS:
        if value < 1000 or unit == _UNITS[-1]:  # noqa: PLR2004 - SI, as the screens show sizes
            return f"{number} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError(unit)


def duration(milliseconds: int) -> str:
    """“18 ms”, “3.1 s” or “2 min 10 s”."""
    if milliseconds < _SECOND:
        return f"{milliseconds} ms"
    if milliseconds < _MINUTE:
        return f"{milliseconds / 1000:.1f} s"
    seconds = round(milliseconds / 1000)
    return f"{seconds // 60} min {seconds % 60} s"


def moment(at: datetime | None) -> str:
    """A time as the record keeps it, readable: “2026-11-23 14:02:11 UTC”."""
    return at.strftime("%Y-%m-%d %H:%M:%S UTC") if at else "unknown"


def short_hash(sha256: str) -> str:
    """Enough of a hash for the eye: “9f31a0c2…41c2”."""
    return f"{sha256[:8]}…{sha256[-4:]}" if len(sha256) > 16 else sha256  # noqa: PLR2004


def in_words(key: str, value: Fact) -> str:
    """One fact for people, told by its key's unit."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return _number(key, value)
    if isinstance(value, str):
        return short_hash(value) if key in {"sha256", "fingerprint"} else value
    if isinstance(value, Mapping):
        return " · ".join(f"{name}: {in_words(name, item)}" for name, item in value.items())
    if len(value) > _MANY and all(isinstance(item, int) for item in value):
        return f"{count(len(value))} values"
    return ", ".join(in_words(key, item) for item in value)


def _number(key: str, value: int) -> str:
    if key == "ms" or key.endswith("_ms"):
        return duration(value)
    if key == "bytes":
        return size(value)
    if key.endswith("_s"):
        return duration(value * 1000)
    if key in {"lost", "nulled"}:
        return change(value)
    return str(value) if key in {"ledger_id", "id", "line", "number", "status"} else count(value)
