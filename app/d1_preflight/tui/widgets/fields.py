"""One field for each kind of prompt. A field asks; what its answer means, the prompt decides."""

from dataclasses import dataclass
from typing import ClassVar, assert_never

from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input

from d1_preflight.core.checklist import Prompt, PromptKind
from d1_preflight.tui.styles import ACCENT, QUIET

# Keys that an empty field lets through: an emergency does not wait for a sentence.
_PASSED = {"!": "app.emergency", "?": "app.help"}


@dataclass
class Answered(Message):
    """The raw answer of a field, as the operator gave it."""

    raw: object


@dataclass
class Refused(Message):
    """Something the field will not take, with the reason."""

    words: str


class TextField(Input):
    """Words. While it is empty, ! and ? still reach the screen; Esc leaves the field."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "leave", "other keys")]

    def __init__(self, prompt: Prompt) -> None:
        super().__init__(placeholder=prompt.typed and "type it as shown", select_on_focus=False)
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
            self.post_message(Refused("This is typed by hand, letter for letter: look at it."))

    async def action_submit(self) -> None:
        """Hand the words over."""
        self.post_message(Answered(self.value))

    def action_leave(self) -> None:
        """Give the keys back to the screen."""
        self.screen.set_focus(None)


class OptionsField(Widget, can_focus=True):
    """Choices: one, several, or a single statement to confirm; nothing is chosen beforehand."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("up,k", "move(-1)", "up"),
        ("down,j", "move(1)", "down"),
        ("space", "mark", "choose"),
        ("enter", "submit", "answer"),
        ("escape", "leave", "other keys"),
    ]

    def __init__(self, prompt: Prompt) -> None:
        super().__init__()
        self._kind = prompt.kind
        self._choices = prompt.choices or (prompt.label,)
        self._chosen: set[str] = set()
        self._cursor = 0

    def render(self) -> Content:
        """One line a choice, with its mark."""
        lines = []
        for index, choice in enumerate(self._choices):
            here = index == self._cursor and self.has_focus
            mark = self._mark(choice)
            ink = ACCENT if here else ""
            lines.append(
                Content.assemble(("▸ " if here else "  ", ACCENT), (f"{mark}{choice}", ink))
            )
        hint = "space marks, Enter answers" if self._kind is not PromptKind.CHOOSE else ""
        return Content("\n").join([*lines, *([Content.styled(f"  {hint}", QUIET)] if hint else [])])

    def action_move(self, by: int) -> None:
        """Move the cursor; at the ends it stays."""
        self._cursor = max(0, min(self._cursor + by, len(self._choices) - 1))
        self.refresh()

    def action_mark(self) -> None:
        """Mark or unmark the line under the cursor."""
        if self._kind is PromptKind.CHOOSE:
            self.action_submit()
            return
        self._chosen ^= {self._choices[self._cursor]}
        self.refresh()

    def action_submit(self) -> None:
        """Hand the answer over."""
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


def field_for(prompt: Prompt) -> TextField | OptionsField:
    """The field that asks this prompt."""
    match prompt.kind:
        case PromptKind.TEXT:
            return TextField(prompt)
        case PromptKind.CONFIRM | PromptKind.CHOOSE | PromptKind.CHOOSE_MANY:
            return OptionsField(prompt)
        case _:
            assert_never(prompt.kind)
