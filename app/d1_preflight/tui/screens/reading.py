"""What every screen with a frame can do: copy any value of it, and search in what it shows."""

from collections.abc import Sequence
from typing import ClassVar, TypeVar

from textual.binding import BindingType
from textual.screen import Screen

from d1_preflight.tui.copyable import Copyable, copyable
from d1_preflight.tui.screens.dialogs import Pick, Reason
from d1_preflight.tui.screens.quick import QuickScreen
from d1_preflight.tui.widgets.frame import Frame

_SEARCH = "Search in the SQL, in what is shown, and in the output"

Result = TypeVar("Result")


def pick_to_copy(screen: Screen[Result], found: Sequence[Copyable]) -> None:
    """Ask which of these is copied; the terminal's own clipboard gets it (OSC 52)."""
    texts = dict(found)

    def copy(label: str | None) -> None:
        if label is not None:
            screen.app.copy_to_clipboard(texts[label])
            screen.notify(f"Copied: {label}", markup=False)

    if texts:
        screen.app.push_screen(Pick("Copy what?", tuple(texts)), copy)


class ReadingScreen(QuickScreen[None]):
    """Copies and searches; what is done with the step is the screen's below."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("c", "copy", "copy a value, a command, the SQL"),
        ("slash", "search", "search in SQL and output"),
        ("n", "next_match", "next match"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._sought, self._match = "", 0

    def action_copy(self) -> None:
        """Ask what of this step is copied."""
        frame = self.query_one(Frame)
        if frame.view is not None:
            session, step = frame.view.session, frame.view.step
            pick_to_copy(self, copyable(session, step, frame.output))

    def action_search(self) -> None:
        """Ask for words, and go to the first line that holds them."""

        def search(words: str | None) -> None:
            if words is not None:
                self._sought, self._match = words, -1
                self.action_next_match()

        needed = "Write a word to look for, or go back with Esc."
        self.app.push_screen(Reason(_SEARCH, "Which words?", needed), search)

    def action_next_match(self) -> None:
        """Go to the next line that holds the words."""
        if not self._sought:
            return self.action_search()
        found = self.query_one(Frame).matches(self._sought)
        if not found:
            return self.notify(f"No line contains {self._sought!r}.", markup=False)
        self._match = (self._match + 1) % len(found)
        where, show = found[self._match]
        show()
        more = "   n: the next" if len(found) > 1 else ""
        return self.notify(f"{self._match + 1} of {len(found)}, {where}{more}", markup=False)
