"""Section 5: clocks, the week's traffic, and who knows of it."""

from textwrap import wrap

from textual.content import Content

from d1_preflight.core.format import count, weekday
from d1_preflight.core.record.apply_facts import DashboardFacts, NoticeFacts, WindowFacts
from d1_preflight.tui import places
from d1_preflight.tui.styles import DANGER, QUIET
from d1_preflight.tui.view import View
from d1_preflight.tui.widgets.tables import Cell, Column, rule, table

_ZONES = (Column("zone"), Column("local time"), Column(""))
_SHADES = " ·░▒▓"
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_HOURS = 24
_WEEK = 7 * _HOURS


def body(view: View, width: int) -> Content:
    """The window, the zones, the week, the team's message, the dashboard."""
    window = view.facts(WindowFacts)
    blocks = [
        _window(view, window),
        _zones(window, width),
        _week(window),
        _notified(view, width),
    ]
    # Where the step asks about it, the address comes first: it is read before it is attested.
    blocks.insert(0 if view.step.id == "dashboard" else len(blocks), _dashboard(view, width))
    return Content("\n\n").join(block for block in blocks if block.cell_length)


def _window(view: View, window: WindowFacts) -> Content:
    if window.is_empty:
        return Content.styled("The window is not checked yet.", QUIET)
    mark = ("✓ quiet", "") if window.quiet else ("✗ busy", DANGER)
    if view.is_stale(WindowFacts.step):
        mark = ("· stale", DANGER)
    words = window.words or f"Now is {weekday(window.now, view.zone)}"
    lines = [Content.assemble(mark, f"  {words}")]
    if window.next:
        lines.append(Content.assemble(("next quiet  ", QUIET), " · ".join(window.next[:3])))
    if window.quietest:
        lines.append(Content.assemble(("quietest    ", QUIET), window.quietest))
    if window.traffic:
        lines.append(Content.assemble(("traffic     ", QUIET), window.traffic))
    return Content("\n").join(lines)


def _zones(window: WindowFacts, width: int) -> Content:
    lines: list[tuple[Cell, ...]] = [
        (zone.zone, zone.local, ("✗ busy", DANGER) if zone.busy else "✓ quiet")
        for zone in window.zones
    ]
    return table(_ZONES, lines, width) if lines else Content("")


def _week(window: WindowFacts) -> Content:
    days = [[int(mean) for mean in day.split()] for day in window.hours]
    values = [mean for day in days for mean in day]
    if len(values) != _WEEK:
        return Content("")
    top = max(values) or 1
    lines = [
        Content.styled(
            f"requests per hour  00    06    12    18     ▓ {count(top)} (team’s zone)", QUIET
        )
    ]
    for day, name in enumerate(_DAYS):
        shades = "".join(_shade(v, top) for v in values[day * _HOURS : (day + 1) * _HOURS])
        lines.append(Content.assemble((f"{name:>17}  ", QUIET), (shades, QUIET)))
    return Content("\n").join(lines)


def _shade(value: int, top: int) -> str:
    return _SHADES[min(len(_SHADES) - 1, -(-value * (len(_SHADES) - 1) // top))]


def _notified(view: View, width: int) -> Content:
    notice = view.facts(NoticeFacts)
    if notice.is_empty:
        return Content("")
    mark = "✓ sent" if notice.sent else "· not sent by preflight"
    title = f"{notice.channel or 'team'}  {mark}"
    lines = notice.text.splitlines()
    return Content("\n").join([rule(title, width), *(Content(f"  {line}") for line in lines)])


def _dashboard(view: View, width: int) -> Content:
    """The address whole, so that it can be read and copied where no browser opens."""
    url = view.facts(DashboardFacts).url or places.address(view.session, view.step.section)
    lines = wrap(url, max(width, 1), break_on_hyphens=False)
    return Content("\n").join([rule("dashboard", width), *map(Content, lines)] if url else [])
