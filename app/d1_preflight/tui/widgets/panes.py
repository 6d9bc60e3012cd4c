"""Two blocks side by side, from the width at which both can be read."""

from collections.abc import Callable, Iterator
from itertools import zip_longest

from textual.content import Content

from d1_preflight.tui.styles import RULE

PANES = 84
"""The least width of two panes: what a screen of 120 columns leaves beside the rail."""
_GAP = " │ "

Laid = Callable[[int], Content]
"""Lays a block out for a width."""


def beside(left: Laid, right: Laid, width: int, share: float = 0.5) -> Content:
    """Both blocks, each laid out for its pane; `share` is the left one's part of the width."""
    room = width - len(_GAP)
    first = int(room * share)
    sides = (list(_lines(left(first), first)), list(_lines(right(room - first), room - first)))
    return Content("\n").join(
        Content.assemble(one.pad_right(max(first - one.cell_length, 0)), (_GAP, RULE), other)
        for one, other in zip_longest(*sides, fillvalue=Content(""))
    )


def _lines(block: Content, width: int) -> Iterator[Content]:
    for line in block.split("\n", allow_blank=True):
        yield from line.wrap(width) if line.cell_length > width else (line,)
