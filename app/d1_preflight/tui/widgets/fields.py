"""One field for each kind of prompt. A field asks; what its answer means, the prompt decides."""

from collections.abc import Sequence
from typing import ClassVar, assert_never

from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input

from d1_preflight.core.checklist.checklist import Prompt, PromptKind
from d1_preflight.lazy_dataclass import dataclass
from d1_preflight.tui.styles import ACCENT

# Keys that an empty field lets through: an emergency does not wait for a sentence.
_PASSED = {"!": "app.emergency", "?": "app.help"}
_NONE = -1  # the cursor of a list in which nothing is preselected
_NO_LETTERS = (
    "Choose by ↑↓, j k or a digit; / shows only what contains the letters after it. "
    "Press Space or Enter twice now."
)
_PRESS_Y = "Press y to confirm it: no other key does."


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
        super().__init__(given, placeholder=hint, select_on_focus=True)
        self._typed, self._given = bool(prompt.typed), given
        self.cursor_blink = False

    @property
    def is_changed(self) -> bool:
        """Whether a person wrote in it."""
        return self.value != self._given

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
    """Choices: one, several, or a single statement to confirm; letters filter only after `/`.

    A statement is confirmed by `y` alone: Enter and Space are pressed by habit.

    Whoever types a sentence at a list means no mark and no answer: the key after a letter only
    ends the sentence, and works when it is pressed once more.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        ("up", "move(-1)", "up"),
        ("down", "move(1)", "down"),
        ("k", "move(-1, True)", "up"),
        ("j", "move(1, True)", "down"),
        ("slash", "filter", "filter"),
        ("backspace", "shorten", "shorten"),
        ("space", "mark", "choose"),
        ("enter", "submit", "answer"),
        ("escape", "leave", "other keys"),
    ]

    def __init__(self, prompt: Prompt, given: Sequence[str] = ()) -> None:
        super().__init__()
        self._kind, self._only_y = prompt.kind, prompt.is_statement
        self._choices = prompt.choices or (prompt.label,)
        self._label_of = prompt.label_of
        self._chosen = set(given) & set(self._choices)
        one = prompt.kind is PromptKind.CHOOSE and self._chosen
        self._cursor = self._choices.index(min(self._chosen)) if one else 0
        if prompt.deliberate:
            self._cursor = _NONE
        self._writing = False
        self._filter: str | None = None  # the letters after /, while they are typed

    def render(self) -> Content:
        """One line a choice, with its mark; the letters that filter them below."""
        lines = [self._line(index) for index in self._shown]
        if self._filter is not None:
            lines.append(Content(f"  /{self._filter}"))
        return Content("\n").join(lines)

    @property
    def _shown(self) -> list[int]:
        """The places of the choices that the filter lets through."""
        wanted = (self._filter or "").lower()
        words = [self._label_of(choice).lower() for choice in self._choices]
        return [index for index, found in enumerate(words) if wanted in found]

    def _line(self, index: int) -> Content:
        choice = self._choices[index]
        here = index == self._cursor and self.has_focus
        words = (f"{self._mark(choice)}{self._label_of(choice)}", ACCENT if here else "")
        return Content.assemble(("▸ " if here else "  ", ACCENT), words)

    async def _on_key(self, event: events.Key) -> None:
        letter = event.character or ""
        in_words = letter == " " and self._filter is not None and self._kind is PromptKind.CHOOSE
        if not letter.isprintable() or (letter in ("", " ") and not in_words):
            return
        if self._filter is not None:
            self._narrow(self._filter + letter)
        elif letter.isdecimal():
            self._number(int(letter))
        elif letter in ("j", "k", "/", *_PASSED):
            return
        elif letter == "y" and self._kind is PromptKind.CONFIRM and not self._writing:
            self.post_message(Answered(raw=True))
        else:
            self._writing = True
            self.post_message(Refused(_NO_LETTERS))
        event.prevent_default()
        event.stop()

    def on_click(self, event: events.Click) -> None:
        """A click marks a choice; where one is chosen, the second on the same one answers."""
        width, below = max(self.size.width, 1), event.y
        for index in self._shown:
            below -= self._line(index).get_height({}, width)
            if below < 0:
                self._clicked(index)
                return

    def _clicked(self, index: int) -> None:
        again, self._writing = index == self._cursor and self.has_focus, False
        self.focus()
        self._go_to(index)
        if self._only_y and again:
            self.post_message(Answered(raw=True))
        elif self._kind is not PromptKind.CHOOSE and not self._only_y:
            self.action_mark()
        elif again:
            self.action_submit()

    def action_filter(self) -> None:
        """Show only the choices that contain the letters typed from now on."""
        self._narrow("")

    def action_shorten(self) -> None:
        """Take back the filter's last letter; without one, show all."""
        if self._filter is not None:
            self._narrow(self._filter[:-1] if self._filter else None)

    def _narrow(self, letters: str | None) -> None:
        self._filter = letters
        shown = self._shown
        if shown and self._cursor not in shown and (letters or self._cursor != _NONE):
            self._cursor = shown[0]
        self.refresh(layout=True)

    def _number(self, number: int) -> None:
        """Choose by a number: of several it is marked, a single choice is answered."""
        if not 1 <= number <= len(self._choices):
            return
        self._go_to(number - 1)
        if self._kind is PromptKind.CHOOSE:
            self.action_submit()
        else:
            self.action_mark()

    def action_move(self, by: int, letter: bool = False) -> None:
        """Move the cursor; at the ends it stays. A letter may belong to a sentence."""
        self._writing = self._writing and letter
        shown = self._shown
        if shown:
            none = -1 if self._cursor == _NONE else 0
            at = shown.index(self._cursor) if self._cursor in shown else none
            self._go_to(shown[max(0, min(at + by, len(shown) - 1))])

    def _go_to(self, place: int) -> None:
        self._cursor = place
        self.refresh()
        above = (self._line(index) for index in self._shown if index < place)
        lines = sum(line.get_height({}, max(self.size.width, 1)) for line in above)
        self.post_message(Moved(lines))

    def action_mark(self) -> None:
        """Mark or unmark the line under the cursor; in a single choice only Enter chooses."""
        if self._ends_writing():
            return
        if self._only_y:
            self.post_message(Refused(_PRESS_Y))
            return
        if self._kind is PromptKind.CHOOSE or self._cursor not in self._shown:
            return
        self._chosen ^= {self._choices[self._cursor]}
        self.refresh()

    def action_submit(self) -> None:
        """Post the answer."""
        if self._cursor == _NONE:
            self.post_message(Refused("Nothing is chosen yet: press ↓ first."))
        elif self._only_y:
            self.action_mark()
        elif not self._ends_writing() and self._cursor in self._shown:
            self.post_message(Answered(self._raw()))

    def _ends_writing(self) -> bool:
        was_writing, self._writing = self._writing, False
        return was_writing

    def action_leave(self) -> None:
        """Show all choices again; where all are shown, give the keys back to the screen."""
        if self._filter is not None:
            self._narrow(None)
        else:
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
        if self._kind is PromptKind.CHOOSE or self._only_y:
            return ""
        return "[x] " if choice in self._chosen else "[ ] "


def field_for(prompt: Prompt, given: object = None) -> TextField | OptionsField:
    """The field that asks this prompt, holding what was answered before."""
    match prompt.kind:
        case PromptKind.TEXT:
            # The exact text has to be typed each time.
            held = given if isinstance(given, str) and given else prompt.offered
            return TextField(prompt, "" if prompt.typed else held)
        case PromptKind.CONFIRM:
            return OptionsField(prompt)
        case PromptKind.CHOOSE:
            return OptionsField(prompt, (given,) if isinstance(given, str) else ())
        case PromptKind.CHOOSE_MANY:
            many = given if isinstance(given, (list, tuple)) else ()
            return OptionsField(prompt, tuple(str(value) for value in many))
        case _:
            assert_never(prompt.kind)
