"""The pictures as inline SVG: no script, no style of their own, colours by the page's classes."""

from collections.abc import Iterator
from html import escape
from typing import assert_never

from d1_preflight.core.format import clean, count, duration, plural
from d1_preflight.core.record.record import Status
from d1_preflight.report.pictures import Picture, RowBars, Series, Spans

_WIDTH, _LINE, _ROW = 640, 22, 40
_BAD = (Status.FAILED, Status.UNKNOWN, Status.INTERRUPTED, Status.WAIVED)
_HIGH = 60


def as_svg(picture: Picture) -> str:
    """One picture with its title, which a screen reader says instead of it."""
    match picture:
        case RowBars():
            title = "rows of each changed table: kept, with changed values, lost"
            return _drawn(title, _bars(picture), _ROW * len(picture.bars))
        case Series():
            return _drawn(picture.title, _series(picture), _HIGH + _LINE)
        case Spans():
            pauses = f", {plural(picture.pauses, 'pause')} cut out" if picture.pauses else ""
            title = f"the walk, {duration(round(picture.whole * 1000))}{pauses}"
            return _drawn(title, _spans(picture), _HIGH)
        case _:
            assert_never(picture)


def _drawn(title: str, marks: Iterator[str], height: int) -> str:
    name = escape(title)
    return (
        f'<figure><figcaption>{name}</figcaption><svg role="img" viewBox="0 0 {_WIDTH} {height}">'
        f"<title>{name}</title>{''.join(marks)}</svg></figure>"
    )


def _bars(picture: RowBars) -> Iterator[str]:
    """Each table's name and figures above its bar: so they fit a telephone's width as well."""
    for n, bar in enumerate(picture.bars):
        y = n * _ROW
        each = _WIDTH / bar.before if bar.before else 0.0
        kept = each * max(bar.before - bar.lost, 0)
        changed = min(each * bar.changed, kept)
        lost = f", {count(bar.lost)} lost" if bar.lost else ""
        lost += f", values changed in {count(bar.changed)}" if bar.changed else ""
        yield _text(0, y + 17, bar.table[:26])
        yield _text(_WIDTH, y + 17, f"{count(bar.before)} → {count(bar.after)}{lost}", end=True)
        yield _rect(0, y + 22, kept - changed, 12, "kept")
        yield _rect(kept - changed, y + 22, changed, 12, "changed")
        yield _rect(kept, y + 22, _WIDTH - kept if bar.before else 0.0, 12, "lost")


def _series(picture: Series) -> Iterator[str]:
    top = max(*picture.values, picture.limit, 0.0001)
    step = _WIDTH / max(len(picture.values) - 1, 1)
    points = " ".join(
        f"{n * step:.1f},{_HIGH - value / top * (_HIGH - 4):.1f}"
        for n, value in enumerate(picture.values)
    )
    yield f'<polyline class="line" fill="none" points="{points}"/>'
    if picture.limit:
        y = _HIGH - picture.limit / top * (_HIGH - 4)
        yield f'<line class="limit" x1="0" x2="{_WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'
    highest = max(picture.values)
    yield _text(0, _HIGH + 16, f"highest {highest:.2f} %, limit {picture.limit:g} %")


def _spans(picture: Spans) -> Iterator[str]:
    for n, span in enumerate(picture.spans):
        x = span.begins / picture.whole * _WIDTH
        wide = max(span.seconds / picture.whole * _WIDTH, 2.0)
        kind = "lost" if span.status in _BAD else "kept"
        y = 8 + n % 2 * 18
        words = f"{span.step}: {span.status}, {duration(round(span.seconds * 1000))}"
        title = f"<title>{escape(clean(words))}</title>"
        yield f"<g>{title}{_rect(min(x, _WIDTH - 2), y, wide, 14, kind)}</g>"
    yield _text(0, _HIGH - 2, "0")
    yield _text(_WIDTH, _HIGH - 2, duration(round(picture.whole * 1000)), end=True)


def _text(x: float, y: float, words: str, *, end: bool = False) -> str:
    anchor = ' text-anchor="end"' if end else ""
    return f'<text x="{x:.0f}" y="{y:.0f}"{anchor}>{escape(clean(words))}</text>'


def _rect(x: float, y: float, width: float, height: int, kind: str) -> str:
    if width <= 0:
        return ""
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.0f}" width="{width:.1f}" height="{height}"/>'
