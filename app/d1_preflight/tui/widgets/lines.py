"""A scrolling view of many lines that draws only those on screen."""

from collections.abc import Callable, Sequence

from textual import events
from textual.content import Content
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.visual import Visual

Match = tuple[str, Callable[[], object]]
"""Where words were found, and what brings that line into view."""


def lines_with(words: str, lines: Sequence[str]) -> list[int]:
    """The places of the lines that hold these words, in any letter case."""
    return [n for n, line in enumerate(lines) if words.lower() in line.lower()]


class LineView(ScrollView, can_focus=True):
    """Lines of content; the view scrolls by keys and cuts what is too wide."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._lines: Sequence[Content] = ()

    def show_lines(self, lines: Sequence[Content]) -> None:
        """Replace the lines and draw again."""
        self._lines = lines
        self.virtual_size = Size(0, len(lines))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw one line on screen."""
        index = y + self.scroll_offset.y
        width = self.size.width
        style = self.visual_style
        if not 0 <= index < len(self._lines):
            return Strip.blank(width, style.rich_style)
        strips = Visual.to_strips(self, self.decorated(index), width, 1, style, pad=True)
        return strips[0] if strips else Strip.blank(width, style.rich_style)

    def decorated(self, index: int) -> Content:
        """One line as it is drawn; a view with a cursor marks it here."""
        return self._lines[index]

    def show_line(self, index: int, *, above: int = 2) -> None:
        """Bring a line into view, with a few lines of context above it."""
        top, height = self.scroll_offset.y, self.size.height
        if index - above < top or index >= top + height - above:
            self.scroll_to(y=max(index - above, 0), animate=False)

    def show_span(self, first: int, last: int) -> None:
        """Bring these lines into view; the first of them where they do not all fit."""
        top, height = self.scroll_offset.y, self.size.height
        if first < top or last - first >= height:
            self.scroll_to(y=first, animate=False, immediate=True)
        elif last >= top + height:
            self.scroll_to(y=last - height + 1, animate=False, immediate=True)


class ChoiceView(LineView):
    """Lines of which one is current; the cursor stays in sight."""

    BINDINGS = [  # noqa: RUF012 - Textual declares its bindings so
        ("up,k", "move(-1)", "up"),
        ("down,j", "move(1)", "down"),
        ("pageup", "move(-10)", "page up"),
        ("pagedown", "move(10)", "page down"),
        ("home", "move(-100000)", "first"),
        ("end", "move(100000)", "last"),
    ]

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.cursor = 0

    def action_move(self, by: int) -> None:
        """Move the cursor; the ends are walls."""
        self.choose(self.cursor + by)

    def choose(self, index: int) -> None:
        """The operator puts the cursor on a line."""
        self.move_to(index)

    def move_to(self, index: int) -> None:
        """Put the cursor on a line."""
        self.cursor = max(0, min(index, len(self._lines) - 1))
        self.show_line(self.cursor, above=0)
        self.refresh()
        self.moved()

    def on_click(self, event: events.Click) -> None:
        """A click puts the cursor on a line; on the current line it chooses it."""
        index = event.y + self.scroll_offset.y
        if not 0 <= index < len(self._lines):
            return
        if index == self.cursor:
            self.clicked()
        else:
            self.choose(index)

    def clicked(self) -> None:
        """The current line was clicked."""

    def on_resize(self) -> None:
        """With more or fewer lines at hand the cursor still stays in sight."""
        self.show_line(self.cursor, above=0)

    def moved(self) -> None:
        """Report that the cursor moved."""

    def decorated(self, index: int) -> Content:
        """The line with the cursor's mark before it."""
        here = index == self.cursor
        line = Content.assemble(("▸ " if here else "  ", "$accent"), self._lines[index])
        return line.stylize_before("bold $accent") if here else line
