"""Progress and series of values drawn with block characters."""

_SPARKS = "▁▂▃▄▅▆▇█"


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
