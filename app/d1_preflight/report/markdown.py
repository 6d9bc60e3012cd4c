"""A document as Markdown that pastes well into a pull request."""

import re
from typing import assert_never

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
from d1_preflight.report.pictures import RowBars, Series, Spans
from d1_preflight.report.text import clean

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~@&])")


def as_markdown(document: Document) -> str:
    """Render a document; what is not ours is escaped, also from @mentions and HTML."""
    lines: list[str] = []
    for block in document:
        if told := _block(block):
            lines += ["", *told]
    return "\n".join(lines).strip("\n") + "\n"


def escaped(text: str) -> str:
    """Text that Markdown shows letter for letter."""
    return _SPECIAL.sub(r"\\\1", clean(text)).replace("\\@", "@\u200b")


def _code(text: str) -> str:
    ticks = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    space = " " if "`" in text else ""
    return f"{ticks}{space}{clean(text)}{space}{ticks}"


def _block(block: Block) -> list[str]:
    match block:
        case Heading(level, text):
            return [f"{'#' * level} {escaped(text)}"]
        case Words(text, code=True):
            return [_code(text)]
        case Words(text, strong):
            return [f"**{escaped(text)}**" if strong else escaped(text)]
        case Pairs(rows):
            return _table(("", ""), tuple((name, value) for name, value in rows), frozenset())
        case Table(columns, rows, right):
            return _table(columns, rows, right)
        case Item(_, title, words):
            said = f": {escaped(words)}" if words else ""
            return [f"**{block.mark}** {escaped(title)}{said}"]
        case Command(line, ended, files):
            return [f"{_code('$ ' + line)} ({ended})", *(f"- {_code(name)}" for name in files)]
        case Series():
            return [f"{escaped(block.title)}: {block.line} limit {block.limit:g}"]
        case RowBars() | Spans():  # the tables have the same figures
            return []
        case _:
            assert_never(block)


def _table(
    columns: tuple[str, ...], rows: tuple[tuple[str, ...], ...], right: frozenset[int]
) -> list[str]:
    rule = ("---:" if n in right else "---" for n in range(len(columns)))
    return [_row(columns), f"| {' | '.join(rule)} |", *(_row(row) for row in rows)]


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(escaped(cell) for cell in cells)} |"
