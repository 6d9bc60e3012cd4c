"""The deploy order: the queries that break, deployed code and new code side by side."""

from collections.abc import Sequence
from itertools import zip_longest
from textwrap import wrap

from textual.content import Content

from d1_preflight.core.checklist.answers import FILES_HERE, Order
from d1_preflight.core.format import plural
from d1_preflight.core.record.safety_facts import (
    BrokenQueryFacts,
    DeployOrderFacts,
    RunningCodeFacts,
    order_words,
)
from d1_preflight.tui.styles import ACCENT, DANGER, QUIET, STRONG
from d1_preflight.tui.view import View
from d1_preflight.tui.widgets.tables import rule

STEPS = (RunningCodeFacts.step, DeployOrderFacts.step)
_BESIDE = 60
_GAP = 3
_QUERY_LINES = 3
_SIDES = (
    ("deployed code × new schema", "deployed code", "new schema"),
    ("new code × old schema", "new code", "old schema"),
)
_HOME = ("new code × new schema", "new code", "new schema")

Line = tuple[str, str]  # words, and their ink


def order_body(view: View, width: int) -> list[Content]:
    """What runs, the verdict, the broken queries side by side, the safe steps."""
    found = view.facts(DeployOrderFacts)
    if found.safe_order is None:
        return [_running(view.facts(RunningCodeFacts), width), _chosen(found)]
    blocks = [_verdict(found), _queries(found, view.query, width)]
    if found.steps:
        lines = [f"{number}. {step}" for number, step in enumerate(found.steps, start=1)]
        blocks.append(_wrapped("safe order", lines, width))
    if found.unseen:
        blocks.append(_wrapped("not seen", found.unseen, width))
    return [*blocks, _chosen(found)]


def _running(running: RunningCodeFacts, width: int) -> Content:
    """The version that runs, and the revisions it may be made of."""
    if running.is_empty:
        return Content.styled("Which version of the Worker runs has not been read yet.", QUIET)
    version = running.version[:8] or "unknown"
    head = Content.assemble((running.worker or "the Worker", STRONG), f" runs version {version}")
    lines = [head]
    for one in running.proposals:
        name = one.commit if one.commit == FILES_HERE else one.commit[:9]
        lines += [Content(line) for line in wrap(f"  {name}  {one.why}", max(width, 8))]
    if running.proposals:
        lines.insert(1, Content.styled("its code may be one of these (confirm below)", QUIET))
    return Content("\n").join(lines)


def _verdict(found: DeployOrderFacts) -> Content:
    is_safe = found.safe_order is not Order.SPLIT
    mark = ("✓ " if is_safe else "✗ ", "" if is_safe else DANGER)
    codes = (
        f"   {found.deployed}: {plural(found.deployed_queries or 0, 'query', 'queries')}"
        f" · {found.new}: {found.new_queries or 0}"
    )
    return Content.assemble(mark, (str(found.safe_order), STRONG), (codes, QUIET))


def _queries(found: DeployOrderFacts, chosen: int, width: int) -> Content:
    beside = width >= _BESIDE
    each = (width - _GAP) // 2 if beside else width
    columns = [_side(found.breaks, side, chosen, each) for side in _SIDES]
    home = _side(found.breaks, _HOME, chosen, width) if found.new_breaks_at_home else []
    if not beside:
        return _joined([*columns[0], ("", ""), *columns[1], *([("", ""), *home] if home else [])])
    rows = zip_longest(*columns, fillvalue=("", ""))
    lines = [
        Content.assemble((left[0].ljust(each), left[1]), (" │ ", "$rule"), right)
        for left, right in rows
    ]
    return Content("\n").join([*lines, *((Content(""), _joined(home)) if home else ())])


def _side(
    breaks: Sequence[BrokenQueryFacts], side: tuple[str, str, str], chosen: int, width: int
) -> list[Line]:
    """One code on one schema: its title, then each query with the engine's words."""
    title, code, schema = side
    lines: list[Line] = [(title[:width], QUIET)]
    for number, query in enumerate(breaks):
        if (query.code, query.schema) != (code, schema):
            continue
        here = number == chosen
        at = f"{'▸' if here else ' '} {query.at}"
        lines.append((at if len(at) <= width else f"{at[:1]} …{at[3 - width :]}", ACCENT))
        lines += [(f"  {line}", DANGER) for line in wrap(f"✗ {query.words}", max(width - 2, 8))]
        text = wrap(" ".join(query.query.split()), max(width - 4, 8))
        lines += [(f"    {line}", "") for line in text[:_QUERY_LINES]]
    return lines if len(lines) > 1 else [*lines, ("✓ no query breaks", "")]


def _joined(lines: Sequence[Line]) -> Content:
    return Content("\n").join(Content.assemble(line) for line in lines)


def _wrapped(title: str, lines: Sequence[str], width: int) -> Content:
    shown = [part for line in lines for part in wrap(line, max(width, 8), subsequent_indent="   ")]
    return Content("\n").join([rule(title, width), *map(Content, shown)])


def _chosen(found: DeployOrderFacts) -> Content:
    words = order_words(found)
    return Content.assemble(("deploy  ", QUIET), words) if words else Content("")
