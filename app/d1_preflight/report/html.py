"""A document as one self-contained HTML file: no script, nothing loaded, made to be printed."""

from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from html import escape
from typing import assert_never

from d1_preflight.core.format import count, duration, plural
from d1_preflight.core.record.record import Status
from d1_preflight.report.document import (
    Block,
    Command,
    Document,
    Heading,
    Item,
    Pairs,
    Table,
    Words,
)
from d1_preflight.report.pictures import Picture, RowBars, Series, Spans
from d1_preflight.report.text import clean

_WRONG = (Status.FAILED, Status.UNKNOWN, Status.WAIVED, Status.INTERRUPTED)
_WIDTH, _LINE, _ROW = 640, 22, 40
_HIGH = 60

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --wrong: #b00020; --soft: #8882; --good: #3a7d44;
  --waived: #8a5a00; }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
  overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; } h2 { display: inline; font-size: 1.2rem; }
details { margin: .6rem 0; border-top: 1px solid var(--line); padding-top: .5rem; }
summary { cursor: pointer; }
table { border-collapse: collapse; margin: .4rem 0 .8rem; font-size: .92em; max-width: 100%; }
th, td { padding: .15rem .8rem .15rem 0; text-align: left; vertical-align: top; }
th { font-weight: 600; border-bottom: 1px solid var(--line); overflow-wrap: normal; }
.pairs th { min-width: 6.5rem; border: 0; }
td:first-child { min-width: 5.5rem; }
.right { text-align: right; font-variant-numeric: tabular-nums; }
.step { margin: 1rem 0 .2rem; }
.mark { display: inline-block; min-width: 7.5rem; font-weight: 600; }
.failed .mark, .unknown .mark, .interrupted .mark { color: var(--wrong); }
.waived .mark { color: var(--waived); }
.said { margin: 0 0 .3rem 7.5rem; }
code { font: .88em ui-monospace, monospace; }
.command { background: var(--soft); padding: .2rem .5rem; margin: .3rem 0; }
figure { margin: .8rem 0; } figcaption { font-size: .92em; }
svg { display: block; width: 100%; max-width: 40rem; }
svg text { font-size: 12px; fill: currentColor; }
.kept { fill: var(--good); } .changed { fill: var(--waived); } .lost { fill: var(--wrong); }
.line { stroke: var(--good); stroke-width: 2; }
.limit { stroke: var(--wrong); stroke-dasharray: 4; }
@media (max-width: 40rem) {
  thead { display: none; } tr, td, .pairs th { display: block; }
  tbody tr { border-bottom: 1px solid var(--line); padding: .3rem 0; }
  td[data-name]::before { content: attr(data-name); display: inline-block; min-width: 7rem;
    opacity: .75; }
  svg text { font-size: 19px; } .right { text-align: left; }
  .said { margin-left: 0; } .mark { display: block; }
}
@media (prefers-color-scheme: dark) {
  :root { --wrong: #ff8a80; --good: #7fc48a; --waived: #ffca66; } }
@media print { body { margin: 0; max-width: none; font-size: 10pt; }
  details::details-content { content-visibility: visible; block-size: auto; }
  summary { list-style: none; break-after: avoid; } .step, tr, figure { break-inside: avoid; } }
"""


def as_html(document: Document) -> str:
    """Render a document; every text is escaped, and a policy forbids whatever might slip by.

    What comes first is open. Each section after it is folded, unless something in it went wrong.
    """
    title = next((b.text for b in document if isinstance(b, Heading)), "record")
    own = b64encode(sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{own}'; base-uri 'none'; form-action 'none'"
    body = "\n".join(_part(part) for part in _parts(document))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{_safe(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _parts(document: Document) -> Iterator[list[Block]]:
    """The document's blocks up to its first section, then section by section."""
    part: list[Block] = []
    for block in document:
        if isinstance(block, Heading) and block.level > 1 and part:
            yield part
            part = []
        part.append(block)
    yield part


def _part(part: list[Block]) -> str:
    first, *rest = part or [Words("")]
    if not isinstance(first, Heading) or first.level == 1:
        return "\n".join(_block(block) for block in part)
    wrong = any(isinstance(block, Item) and block.status in _WRONG for block in rest)
    inner = "\n".join(_block(block) for block in rest)
    is_open = " open" if wrong else ""
    return f"<details{is_open}><summary>{_block(first)}</summary>\n{inner}\n</details>"


def _safe(text: str) -> str:
    return escape(clean(text))


def _block(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"<h{level}>{_safe(text)}</h{level}>"
        case Words(text, code=True):
            return f'<p class="command"><code>{_safe(text)}</code></p>'
        case Words(text, strong):
            words = f"<strong>{_safe(text)}</strong>" if strong else _safe(text)
            return f"<p>{words}</p>"
        case Pairs(rows):
            cells = (f"<tr><th>{_safe(n)}</th><td>{_safe(v)}</td></tr>" for n, v in rows)
            return f'<table class="pairs">{"".join(cells)}</table>'
        case Table():
            return _table(block)
        case Item(status, title, words):
            said = f'<p class="said">{_safe(words)}</p>' if words else ""
            mark = f'<span class="mark">{_safe(block.mark)}</span>'
            return f'<p class="step {status.value}">{mark}{_safe(title)}</p>{said}'
        case Command(line, ended, files):
            names = "".join(f"<br><code>{_safe(name)}</code>" for name in files)
            return f'<p class="command"><code>$ {_safe(line)}</code> ({_safe(ended)}){names}</p>'
        case RowBars() | Series() | Spans():
            return as_svg(block)
        case _:
            assert_never(block)


def _table(table: Table) -> str:
    def row(cells: tuple[str, ...], tag: str) -> str:
        return (
            "<tr>" + "".join(_cell(table, n, cell, tag) for n, cell in enumerate(cells)) + "</tr>"
        )

    rows = "".join(row(cells, "td") for cells in table.rows)
    return f"<table><thead>{row(table.columns, 'th')}</thead><tbody>{rows}</tbody></table>"


def _cell(table: Table, number: int, text: str, tag: str) -> str:
    attribute = ' class="right"' if number in table.right else ""
    if tag == "td":
        attribute += f' data-name="{_safe(table.columns[number])}"'
    return f"<{tag}{attribute}>{_safe(text)}</{tag}>"


def as_svg(picture: Picture) -> str:
    """One picture with its title, which a screen reader says instead of it.

    No script and no style of its own: its colours are the page's classes.
    """
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
        kind = "lost" if span.status in _WRONG else "kept"
        y = 8 + n % 2 * 18
        words = f"{span.step}: {span.status}, {duration(round(span.seconds * 1000))}"
        title = f"<title>{_safe(words)}</title>"
        yield f"<g>{title}{_rect(min(x, _WIDTH - 2), y, wide, 14, kind)}</g>"
    yield _text(0, _HIGH - 2, "0")
    yield _text(_WIDTH, _HIGH - 2, duration(round(picture.whole * 1000)), end=True)


def _text(x: float, y: float, words: str, *, end: bool = False) -> str:
    anchor = ' text-anchor="end"' if end else ""
    return f'<text x="{x:.0f}" y="{y:.0f}"{anchor}>{_safe(words)}</text>'


def _rect(x: float, y: float, width: float, height: int, kind: str) -> str:
    if width <= 0:
        return ""
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.0f}" width="{width:.1f}" height="{height}"/>'
