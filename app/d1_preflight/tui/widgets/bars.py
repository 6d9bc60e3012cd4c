"""The title bar (which migration, which target) and the key bar (what next)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual import events
from textual.content import Content
from textual.widget import Widget

from d1_preflight.tui import words as words_of
from d1_preflight.tui.styles import ACCENT, DANGER, QUIET, STRONG

if TYPE_CHECKING:
    from d1_preflight.session import Session

Key = tuple[str, str]  # the key, and what it does in words
_ALWAYS: tuple[Key, ...] = (("!", "emergency"), ("?", "help"))
_GAP = "   "
# Textual's names of the keys that the bar shows by another name; a range such as 1–5 is no key.
_NAMES = {
    "Enter": "enter", "Esc": "escape", "Space": "space", "!": "exclamation_mark",
    "?": "question_mark", "/": "slash", "F1": "f1", "F2": "f2",
}  # fmt: skip


def place_mark(target: str) -> tuple[str, str]:
    """REMOTE or PRACTICE, so that one is not mistaken for the other."""
    return (" PRACTICE ", "bold reverse") if target == "practice" else (target.upper(), STRONG)


class TitleBar(Widget):
    """Left: the migration and its class. Right: the database and REMOTE or PRACTICE, never cut."""

    def __init__(self) -> None:
        super().__init__()
        self._runs = ""
        self._left: tuple[tuple[str, str], ...] = ()
        self._right: Content = Content("")

    def show(self, session: "Session", running: int = 0) -> None:
        """How many steps run, the session's migration, its class, and its target."""
        record = session.record
        kind, danger = words_of.judged(session)
        name, database = record.migration.removesuffix(".sql"), record.database
        runs = f"◐ {running} " if running else ""
        if runs != self._runs:
            self._runs = runs
            self.refresh()
        self.tell(name, kind, danger=danger, database=database.label, target=database.target)

    def tell(self, name: str, judged: str, *, danger: bool, database: str, target: str) -> None:
        """Set what is shown, and on which target."""
        left = ((name, STRONG), (judged, DANGER if danger else ""))
        right = Content.assemble((database, ""), (" · ", QUIET), place_mark(target))
        if left != self._left or not right.is_same(self._right):
            self._left, self._right = left, right
            self.refresh()

    def render(self) -> Content:
        """The name is shortened first, then the class; what runs and the target are never cut."""
        room = self.size.width - self._right.cell_length - 2 - len(self._runs)
        judged = Content("").append(self._left[1][0]) if self._left else Content("")
        name_room = max(room - judged.cell_length - 4, 8)
        left = (
            Content.assemble(
                " ",
                (_cut(self._left[0][0], name_room), self._left[0][1]),
                "  ",
                self._left[1],
            )
            if self._left
            else Content("")
        )
        left = left.truncate(max(room, 0), ellipsis=True)
        left = Content.assemble((f" {self._runs}", ACCENT), left[1:]) if self._runs else left
        gap = self.size.width - left.cell_length - self._right.cell_length - 1
        return Content.assemble(left, " " * max(gap, 1), self._right)


class KeyBar(Widget):
    """The one primary action in words first, then the other keys, as many as fit."""

    def __init__(self) -> None:
        super().__init__()
        self._primary: Key = ("", "")
        self._danger = False
        self._keys: Sequence[Key] = ()
        self._always: Sequence[Key] = _ALWAYS

    def tell(
        self,
        primary: Key,
        keys: Sequence[Key] = (),
        *,
        danger: bool = False,
        always: Sequence[Key] = _ALWAYS,
    ) -> None:
        """Say what the keys do now."""
        before = (self._primary, [*self._keys], self._danger, self._always)
        self._primary, self._keys, self._danger = primary, keys, danger
        self._always = always
        if before != (primary, [*keys], danger, always):
            self.refresh()

    def render(self) -> Content:
        """Emergency and help are always shown; keys that do not fit are left out, never cut."""
        return Content("").join([Content(" "), *(shown for shown, _ in self._shown())])

    def on_click(self, event: events.Click) -> None:
        """A click on a key presses it."""
        left = 1
        for shown, key in self._shown():
            left += shown.cell_length
            if event.x < left:
                if name := _NAMES.get(key, key if len(key) == 1 else ""):
                    self.app.simulate_key(name)
                return

    def _shown(self) -> list[tuple[Content, str]]:
        """The parts of the line, each with the key that a click on it presses."""
        always = [_part(pair) for pair in self._always]
        room = self.size.width - 1 - sum(part.cell_length + len(_GAP) for part, _ in always)
        key, words = self._primary
        first = f"{key} {words}".strip()
        ink = DANGER if self._danger else ACCENT
        parts = [(Content.styled(_cut(first, max(room, 4)), ink), key)] if first else []
        used = sum(part.cell_length for part, _ in parts)
        for pair in self._keys:
            part, name = _part(pair)
            used += part.cell_length + (len(_GAP) if parts else 0)
            if used > room:
                break
            parts.append((part, name))
        return [
            (Content.assemble(_GAP if number else "", part), name)
            for number, (part, name) in enumerate([*parts, *always])
        ]


def _part(pair: Key) -> tuple[Content, str]:
    return Content.assemble((pair[0], STRONG), f" {pair[1]}"), pair[0]


def _cut(words: str, width: int) -> str:
    return words if len(words) <= width else f"{words[: max(width - 1, 0)]}…"
