"""A document as plain text: for terminals of any width, pipes and screen readers."""

from typing import assert_never

from d1_preflight.core.format import cell_width, clean
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

__all__ = ["as_text", "clean", "table_lines"]

_RULES = {1: "=", 2: "-"}
_INDENT = "    "


def as_text(document: Document) -> str:
    """Render a document; every line that is not ours is cleaned of control characters."""
    lines = [line for block in document for line in _block(block)]
    shown = [line for n, line in enumerate(lines) if line or (n and lines[n - 1])]
    return "\n".join(shown).strip("\n") + "\n"


def table_lines(table: Table) -> list[str]:
    """A table with aligned columns, figures to the right; a header and no frame."""
    rows = [table.columns, *table.rows]
    cells = [tuple(clean(cell) for cell in row) for row in rows]
    widths = [max(cell_width(row[n]) for row in cells) for n in range(len(table.columns))]
    return [
        "  ".join(
            _padded(cell, widths[n], right=n in table.right) for n, cell in enumerate(row)
        ).rstrip()
        for row in cells
    ]


def _padded(text: str, width: int, *, right: bool) -> str:
    space = " " * (width - cell_width(text))
    return space + text if right else text + space


def _block(block: Block) -> list[str]:
    match block:
        case Heading(level, text):
            title = clean(text)
            return ["", title, _RULES.get(level, "-") * cell_width(title), ""]
        case Words(text, strong):
            return [*([""] if strong else []), clean(text)]
        case Pairs(rows):
            width = max(cell_width(clean(name)) for name, _ in rows)
            return [
                f"{_INDENT}{_padded(clean(n), width, right=False)}  {clean(v)}" for n, v in rows
            ]
        case Table():
            return [f"{_INDENT}{line}" for line in table_lines(block)]
        case Item(_, title, words):
            line = f"{block.mark:<13} {clean(title)}"
            return ["", line, *([f"{_INDENT}{clean(words)}"] if words else [])]
        case Command(line, ended, files):
            more = [f"{_INDENT}  {clean(name)}" for name in files]
            return [f"{_INDENT}$ {clean(line)}   ({ended})", *more]
        case Series():
            return ["", f"{block.title}: {block.line} limit {block.limit:g}"]
        case RowBars() | Spans():  # the tables have the same figures
            return []
        case _:
            assert_never(block)
