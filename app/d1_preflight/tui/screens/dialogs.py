"""Small dialogs: a problem with its next step, a reason to give, a choice before leaving."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.geometry import Region
from textual.widgets import Static

from d1_preflight.core.checklist.checklist import Prompt, PromptKind
from d1_preflight.core.errors import PreflightError
from d1_preflight.tui.screens.quick import QuickDialog
from d1_preflight.tui.styles import DANGER, STRONG
from d1_preflight.tui.widgets.bars import KeyBar
from d1_preflight.tui.widgets.fields import Answered, Moved, OptionsField, TextField

_REASON = "Write one sentence as the reason, or go back with Esc."
_EMERGENCY = Binding("exclamation_mark,f2", "app.emergency", "emergency")


def _keys(first: tuple[str, str], *others: tuple[str, str]) -> KeyBar:
    """The keys of a dialog; a click on one presses it."""
    bar = KeyBar()
    bar.tell(first, others, always=())
    return bar


class Problem(QuickDialog[None]):
    """What happened and what to do next; any of the usual keys closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [("enter,escape,space", "close", "close"), _EMERGENCY]

    def __init__(self, error: PreflightError) -> None:
        super().__init__()
        self._message, self._hint = error.message, error.hint

    def compose(self) -> ComposeResult:
        """The sentence, the hint, the key."""
        with Vertical(classes="dialog problem"):
            yield Static(Content.styled(self._message, STRONG))
            if self._hint:
                yield Static(Content(f"\n{self._hint}"))
            yield Static("")
            yield _keys(("Enter", "close"))

    def action_close(self) -> None:
        """Back to where it happened."""
        self.dismiss()


class Reason(QuickDialog[str | None]):
    """Asks for one sentence, offered where it was given before; Esc gives none."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "back", priority=True),
        _EMERGENCY,
    ]

    def __init__(self, words: str, label: str, needed: str = _REASON, offered: str = "") -> None:
        super().__init__()
        self._words, self._needed = words, needed
        self._prompt = Prompt("reason", PromptKind.TEXT, label, offered=offered)

    def compose(self) -> ComposeResult:
        """The words, the field, the keys."""
        with Vertical(classes="dialog"):
            yield Static(Content.styled(self._words, STRONG))
            yield Static(Content(f"\n{self._prompt.label}"))
            yield TextField(self._prompt, self._prompt.offered)
            yield Static(id="refused")
            yield _keys(("Enter", "answer"), ("Esc", "back"))

    def on_mount(self) -> None:
        """Nothing is refused yet."""
        self.query_one("#refused").display = False

    @on(Answered)
    def _answer(self, event: Answered) -> None:
        reason = str(event.raw).strip()
        if reason:
            self.dismiss(reason)
            return
        refused = self.query_one("#refused", Static)
        refused.update(Content.styled(self._needed, DANGER))
        refused.display = True

    def action_cancel(self) -> None:
        """Give no reason; nothing is changed."""
        self.dismiss(None)


class Pick(QuickDialog[str | None]):
    """Asks for one of a few; the first, which changes nothing, has the focus."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "back", priority=True),
        _EMERGENCY,
    ]

    def __init__(self, words: str, choices: Sequence[str], *, danger: bool = False) -> None:
        super().__init__()
        self._words, self._danger = words, danger
        self._prompt = Prompt("pick", PromptKind.CHOOSE, words, choices=tuple(choices))

    def compose(self) -> ComposeResult:
        """The words and the choices."""
        with VerticalScroll(
            classes="dialog problem" if self._danger else "dialog", can_focus=False
        ):
            yield Static(Content.styled(self._words, DANGER if self._danger else STRONG))
            yield Static("")
            yield OptionsField(self._prompt)
            yield Static("")
            yield _keys(("Enter", "choose"), ("↑↓", "move"), ("Esc", "back"))

    @on(Answered)
    def _answer(self, event: Answered) -> None:
        self.dismiss(str(event.raw))

    @on(Moved)
    def _follow(self, event: Moved) -> None:
        field, scroll = self.query_one(OptionsField), self.query_one(VerticalScroll)
        here = Region(0, field.virtual_region.y + event.line, 1, 1)
        scroll.scroll_to_region(here, animate=False, force=True)

    def action_cancel(self) -> None:
        """Change nothing."""
        self.dismiss(None)
