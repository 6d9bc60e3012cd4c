"""Tables as text: columns fitted to the width at hand, numbers to the right, words wrapped."""

from collections.abc import Sequence
from textwrap import wrap

from textual.content import Content

from d1_preflight.lazy_dataclass import dataclass
from d1_preflight.tui.styles import QUIET

Cell = str | tuple[str, str]  # words, or words with their ink
_GAP, _FIRST, _LAST = 2, 8, 18


@dataclass(frozen=True, slots=True)
class Column:
    """One column; it is left out where the table has less room than `needs` cells."""

    title: str
    right: bool = False
    needs: int = 0


def table(columns: Sequence[Column], lines: Sequence[Sequence[Cell]], width: int) -> Content:
    """The table as content; empty columns are left out, the last one wraps."""
    kept = [
        i
        for i, column in enumerate(columns)
        if width >= column.needs and any(text_of(line[i]) for line in lines)
    ]
    shown = [columns[i] for i in kept]
    cells = [[line[i] for i in kept] for line in lines]
    widths = _widths(shown, cells, width)
    titles: list[Cell] = [(column.title, QUIET) for column in shown]
    head = [] if not any(column.title for column in shown) else [_line(shown, titles, widths)]
    return Content("\n").join([*head, *(_line(shown, row, widths) for row in cells)])


def rule(title: str, width: int) -> Content:
    """A heading with a line behind it."""
    return Content.assemble((f"─ {title} ", QUIET), ("─" * max(width - len(title) - 3, 0), "$rule"))


def _widths(columns: Sequence[Column], lines: Sequence[Sequence[Cell]], width: int) -> list[int]:
    widths = [
        max([len(column.title), *(len(text_of(line[i])) for line in lines)])
        for i, column in enumerate(columns)
    ]
    over = sum(widths) + _GAP * (len(widths) - 1) - width
    if over > 0 and len(widths) > 1:
        cut = min(over, max(widths[-1] - _LAST, 0))
        widths[-1] -= cut
        widths[0] -= min(over - cut, max(widths[0] - _FIRST, 0))
    return widths


def _line(columns: Sequence[Column], line: Sequence[Cell], widths: Sequence[int]) -> Content:
    parts: list[Content] = []
    last = len(columns) - 1
    for i, (column, cell, width) in enumerate(zip(columns, line, widths, strict=True)):
        text, ink = (cell, "") if isinstance(cell, str) else cell
        if i == last and len(text) > width:
            indent = " " * (sum(widths[:-1]) + _GAP * last)
            text = f"\n{indent}".join(wrap(text, max(width, 8)))
        else:
            text = _cut(text, width)
            text = text.rjust(width) if column.right else text.ljust(width)
        parts.append(Content.styled(text, ink))
    return Content(" " * _GAP).join(parts)


def text_of(cell: Cell) -> str:
    """The words of a cell, without their ink."""
    return cell if isinstance(cell, str) else cell[0]


def _cut(words: str, width: int) -> str:
    return words if len(words) <= width else f"{words[: max(width - 1, 0)]}…"
