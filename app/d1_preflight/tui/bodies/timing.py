"""Section 5: clocks, the week's traffic, and who knows of it."""

from textwrap import wrap
from typing import TYPE_CHECKING

from textual.content import Content

from d1_preflight.core.format import count, weekday
from d1_preflight.core.record import facts
from d1_preflight.core.record.record import Facts
from d1_preflight.tui import places
from d1_preflight.tui.styles import DANGER, QUIET
from d1_preflight.tui.view import View
from d1_preflight.tui.widgets.tables import Cell, Column, rule, table

if TYPE_CHECKING:
    from collections.abc import Sequence

_ZONES = (Column("zone"), Column("local time"), Column(""))
_SHADES = " ·░▒▓"
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_HOURS = 24
_WEEK = 7 * _HOURS


def body(view: View, width: int) -> Content:
    """The window, the zones, the week, the team's message, the dashboard."""
    window = view.facts("window")
    blocks = [
        _window(view, window),
        _zones(window, width),
        _week(window),
        _notified(view, width),
    ]
    # Where the step asks about it, the address comes first: it is read before it is attested.
    blocks.insert(0 if view.step.id == "dashboard" else len(blocks), _dashboard(view, width))
    return Content("\n\n").join(block for block in blocks if block.cell_length)


def _window(view: View, window: Facts) -> Content:
    if not window:
        return Content.styled("The window is not checked yet.", QUIET)
    quiet = facts.flag(window, "quiet")
    mark = ("✓ quiet", "") if quiet else ("✗ busy", DANGER)
    now = facts.text(window, "now")
    words = facts.text(window, "words") or f"Now is {weekday(now, view.zone)}"
    lines = [Content.assemble(mark, f"  {words}")]
    quietest, then = facts.text(window, "quietest"), facts.words(window, "next")
    if then:
        lines.append(Content.assemble(("next quiet  ", QUIET), " · ".join(then[:3])))
    if quietest:
        lines.append(Content.assemble(("quietest    ", QUIET), quietest))
    unknown = facts.text(window, "traffic")
    if unknown:
        lines.append(Content.assemble(("traffic     ", QUIET), unknown))
    return Content("\n").join(lines)


def _zones(window: Facts, width: int) -> Content:
    zones = facts.rows(window, "zones")
    lines: list[tuple[Cell, ...]] = [
        (
            facts.text(zone, "zone"),
            facts.text(zone, "local"),
            ("✗ busy", DANGER) if facts.flag(zone, "busy") else "✓ quiet",
        )
        for zone in zones
    ]
    return table(_ZONES, lines, width) if lines else Content("")


def _week(window: Facts) -> Content:
    days = [[int(mean) for mean in day.split()] for day in facts.words(window, "hours")]
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
    notified = view.facts("notified")
    if not notified:
        return Content("")
    mark = "✓ sent" if facts.flag(notified, "sent") else "· not sent by this program"
    title = f"{facts.text(notified, 'channel') or 'team'}  {mark}"
    lines: Sequence[str] = facts.text(notified, "text").splitlines()
    return Content("\n").join([rule(title, width), *(Content(f"  {line}") for line in lines)])


def _dashboard(view: View, width: int) -> Content:
    """The address whole, so that it can be read and copied where no browser opens."""
    url = facts.text(view.facts("dashboard"), "url")
    url = url or places.address(view.session, view.step.section)
    lines = wrap(url, max(width, 1), break_on_hyphens=False)
    return Content("\n").join([rule("dashboard", width), *map(Content, lines)] if url else [])
