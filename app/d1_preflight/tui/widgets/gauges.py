"""Progress and series of values drawn with block characters."""

_SPARKS = "▁▂▃▄▅▆▇█"


def bar(done: int, total: int, width: int) -> str:
    """How far something is: "█████░░░"."""
    filled = min(width, width * done // total) if total > 0 else 0
    return "█" * filled + "░" * (width - filled)


def kept(before: int | None, lost: int | None, width: int) -> str:
    """How many of a table's rows are there afterwards; one that is lost always shows."""
    if before is None or lost is None or before <= 0:
        return ""
    full = width * (before - lost) // before
    return "━" * full + "╌" * (width - full)


def sparkline(values: tuple[float, ...], top: float) -> str:
    """Values as small columns; `top` (the limit) fills a column."""
    if top <= 0:
        return _SPARKS[0] * len(values)
    last = len(_SPARKS) - 1
    return "".join(_SPARKS[min(last, round(max(value, 0) / top * last))] for value in values)
