"""A record, read only: the same words as `preflight show`, its summary first."""

import re
from textwrap import wrap
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.widgets import Static

from d1_preflight.board import KeptRecord
from d1_preflight.core.record.record import MARKS, Status
from d1_preflight.report import show
from d1_preflight.tui.bodies.acts import git_add
from d1_preflight.tui.screens.dialogs import Reason
from d1_preflight.tui.screens.quick import QuickScreen
from d1_preflight.tui.screens.reading import pick_to_copy
from d1_preflight.tui.styles import QUIET, STRONG, ink_of
from d1_preflight.tui.widgets.bars import KeyBar
from d1_preflight.tui.widgets.lines import LineView, lines_with

_MARKED = {f"{mark} ": status for status, mark in MARKS.items()}
_AROUND = 7  # the card's edges and the scrollbar
_VALUE = re.compile(r" {4}\S(?:.*?\S)??  +(?=\S)")


class RecordScreen(QuickScreen[None]):
    """Shows what a record says; it can be searched and copied, not changed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("c", "copy", "copy the record, its folder, a command"),
        ("slash", "search", "search"),
        ("n", "next_match", "next match"),
        ("escape,enter,s", "close", "close"),
    ]

    def __init__(self, kept: KeptRecord) -> None:
        super().__init__()
        self._kept = kept
        self._text = show(kept.record, kept.checklist, timeline=kept.timeline)
        self._lines: list[str] = []
        self._sought, self._match = "", -1

    def compose(self) -> ComposeResult:
        """Which record, its text, the keys."""
        name = self._kept.record.migration.removesuffix(".sql")
        title = Content.assemble((name, STRONG), ("   record, read only", QUIET))
        yield Static(title, classes="card-title")
        yield LineView(id="text")
        yield KeyBar()

    def on_mount(self) -> None:
        """Draw."""
        self.query_one(LineView).add_class("card")
        self.query_one(LineView).focus()
        keys = [("↑↓", "scroll"), ("/", "search"), ("n", "next match"), ("c", "copy")]
        self.query_one(KeyBar).tell(("Esc", "back"), keys)
        self._draw()

    def on_resize(self) -> None:
        """Wrap anew."""
        self._draw()

    def action_close(self) -> None:
        """Back to the board."""
        self.dismiss()

    def action_copy(self) -> None:
        """Ask what is copied."""
        stem = self._kept.record.migration.removesuffix(".sql")
        commands = (
            f"preflight show {stem}",
            f"preflight verify {stem}",
            git_add(self._kept.folder),
        )
        found = [(f"command: {command}", command) for command in commands]
        whole = [("the record as text", self._text), ("its folder", str(self._kept.folder))]
        pick_to_copy(self, [*found, *whole])

    def action_search(self) -> None:
        """Ask for words, and go to the first line that holds them."""

        def search(words: str | None) -> None:
            if words is not None:
                self._sought, self._match = words, -1
                self.action_next_match()

        needed = "Write a word to look for, or go back with Esc."
        self.app.push_screen(Reason("Search in the record", "Which words?", needed), search)

    def action_next_match(self) -> None:
        """Go to the next line that holds the words."""
        found = lines_with(self._sought, self._lines) if self._sought else []
        if not found:
            self.notify(f"No line contains {self._sought!r}.", markup=False)
            return
        self._match = (self._match + 1) % len(found)
        self.query_one(LineView).scroll_to(y=found[self._match], animate=False)
        self.notify(f"{self._match + 1} of {len(found)}", markup=False)

    def _draw(self) -> None:
        width = max(self.size.width - _AROUND, 20)
        self._lines = [part for line in self._text.splitlines() for part in _wrapped(line, width)]
        self.query_one(LineView).show_lines([_inked(line) for line in self._lines])


def _wrapped(line: str, width: int) -> list[str]:
    """The line's parts; what goes on of a value stands below the value, not below its name."""
    value = _VALUE.match(line)
    column = value.end() if value else len(line) - len(line.lstrip()) + 2
    parts = wrap(line, width, drop_whitespace=False, replace_whitespace=False) or [""]
    if len(parts) == 1:
        return parts
    indent = " " * min(column, width // 2)
    rest = line[len(parts[0]) :].strip()
    return [parts[0].rstrip(), *wrap(rest, width, initial_indent=indent, subsequent_indent=indent)]


def _inked(line: str) -> Content:
    status = next((state for mark, state in _MARKED.items() if line.startswith(mark)), None)
    if status is not None and status is not Status.PENDING:
        mark, title = line[:13], line[13:]
        return Content.assemble((mark, ink_of(status)), title)
    return Content(line)
