"""One field for each kind of prompt. A field asks; what its answer means, the prompt decides."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, assert_never

from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input

from d1_preflight.core.checklist.checklist import Prompt, PromptKind
from d1_preflight.tui.styles import ACCENT

# Keys that an empty field lets through: an emergency does not wait for a sentence.
_PASSED = {"!": "app.emergency", "?": "app.help"}
_NONE = -1  # the cursor of a list in which nothing is preselected
_NO_LETTERS = (
    "Letters do nothing here: press ↑ or ↓ first, then Space or Enter. Esc leaves the list."
)


@dataclass
class Answered(Message):
    """The raw answer of a field, as the operator gave it."""

    raw: object


@dataclass
class Refused(Message):
    """The field refuses a key or a paste, with the reason."""

    words: str


@dataclass
class Moved(Message):
    """The cursor moved to another choice, so many lines below the first."""

    line: int


class TextField(Input):
    """A line of text. While it is empty, ! and ? still reach the screen; Esc leaves the field."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "leave", "other keys")]

    def __init__(self, prompt: Prompt, given: str = "") -> None:
        hint = prompt.typed and "type it as shown"
        super().__init__(given, placeholder=hint, select_on_focus=False)
        self._typed = bool(prompt.typed)
        self.cursor_blink = False

    async def _on_key(self, event: events.Key) -> None:
        action = _PASSED.get(event.character or "")
        if action and not self.value:
            event.prevent_default()
            event.stop()
            await self.app.run_action(action, self)

    def _on_paste(self, event: events.Paste) -> None:
        if self._typed:
            event.prevent_default()
            event.stop()
            self.post_message(
                Refused("Type this yourself, letter for letter; pasting is not accepted.")
            )

    async def action_submit(self) -> None:
        """Post the text as the answer."""
        self.post_message(Answered(self.value))

    def action_leave(self) -> None:
        """Give the keys back to the screen."""
        self.screen.set_focus(None)


class OptionsField(Widget, can_focus=True):
    """Choices: one, several, or a single statement to confirm.

    A letter is no key here: whoever types a sentence at a list means no mark and no shortcut, so
    nothing is marked or answered until an arrow key says that the list was seen.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        ("up", "move(-1)", "up"),
        ("down", "move(1)", "down"),
        ("space", "mark", "choose"),
        ("enter", "submit", "answer"),
        ("escape", "leave", "other keys"),
    ]

    def __init__(self, prompt: Prompt, given: Sequence[str] = ()) -> None:
        super().__init__()
        self._kind = prompt.kind
        self._choices = prompt.choices or (prompt.label,)
        self._label_of = prompt.label_of
        self._chosen = set(given) & set(self._choices)
        one = prompt.kind is PromptKind.CHOOSE and self._chosen
        self._cursor = self._choices.index(min(self._chosen)) if one else 0
        if prompt.deliberate:
            self._cursor = _NONE
        self._writing = False

    def render(self) -> Content:
        """One line a choice, with its mark."""
        return Content("\n").join(self._line(index) for index in range(len(self._choices)))

    def _line(self, index: int) -> Content:
        choice = self._choices[index]
        here = index == self._cursor and self.has_focus
        words = (f"{self._mark(choice)}{self._label_of(choice)}", ACCENT if here else "")
        return Content.assemble(("▸ " if here else "  ", ACCENT), words)

    async def _on_key(self, event: events.Key) -> None:
        letter = event.character or ""
        if not letter.isprintable() or letter in ("", " ", *_PASSED):
            return
        event.prevent_default()
        event.stop()
        self._writing = True
        self.post_message(Refused(_NO_LETTERS))

    def action_move(self, by: int) -> None:
        """Move the cursor; at the ends it stays."""
        self._writing = False
        self._cursor = max(0, min(self._cursor + by, len(self._choices) - 1))
        self.refresh()
        above = (self._line(index) for index in range(self._cursor))
        lines = sum(line.get_height({}, max(self.size.width, 1)) for line in above)
        self.post_message(Moved(lines))

    def action_mark(self) -> None:
        """Mark or unmark the line under the cursor; in a single choice only Enter chooses."""
        if self._writing or self._kind is PromptKind.CHOOSE:
            return
        self._chosen ^= {self._choices[self._cursor]}
        self.refresh()

    def action_submit(self) -> None:
        """Post the answer."""
        if self._cursor == _NONE:
            self.post_message(Refused("Nothing is chosen yet: press ↓ first."))
        elif not self._writing:
            self.post_message(Answered(self._raw()))

    def action_leave(self) -> None:
        """Give the keys back to the screen."""
        self.screen.set_focus(None)

    def _raw(self) -> object:
        match self._kind:
            case PromptKind.CONFIRM:
                return bool(self._chosen)
            case PromptKind.CHOOSE:
                return self._choices[self._cursor]
            case _:
                return tuple(choice for choice in self._choices if choice in self._chosen)

    def _mark(self, choice: str) -> str:
        if self._kind is PromptKind.CHOOSE:
            return ""
        return "[x] " if choice in self._chosen else "[ ] "


def field_for(prompt: Prompt, given: object = None) -> TextField | OptionsField:
    """The field that asks this prompt, holding what was answered before."""
    match prompt.kind:
        case PromptKind.TEXT:
            # The exact text has to be typed each time.
            return TextField(prompt, given if isinstance(given, str) and not prompt.typed else "")
        case PromptKind.CONFIRM:
            return OptionsField(prompt)
        case PromptKind.CHOOSE:
            return OptionsField(prompt, (given,) if isinstance(given, str) else ())
        case PromptKind.CHOOSE_MANY:
            many = given if isinstance(given, (list, tuple)) else ()
            return OptionsField(prompt, tuple(str(value) for value in many))
        case _:
            assert_never(prompt.kind)
