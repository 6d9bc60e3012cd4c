"""What every screen of ours is: styled and laid out once where Textual does it two or three times.

Textual styles a screen as it is composed, again when it is shown, and again when its width gives it
a class; it lays it out when it is shown, and again for the size that this gave it.
"""

from typing import TypeVar

from textual import on
from textual.events import Compose, Resize, ScreenResume
from textual.screen import ModalScreen, Screen

_WIDE = 96
Result = TypeVar("Result")


class QuickScreen(Screen[Result]):
    """Has the class `-narrow` before its parts are styled, and keeps what is right already."""

    @on(Compose)
    def _fit(self) -> None:
        """Be narrow or wide from the start."""
        self.set_class(self.app.size.width < _WIDE, "-narrow", update=False)

    @on(ScreenResume)
    def _stay_styled(self, event: ScreenResume) -> None:
        """Stay styled: a new theme styles what is covered, too."""
        event.refresh_styles = False

    @on(Resize)
    def _fit_again(self, event: Resize) -> None:
        """Lay nothing out again that has this size already."""
        self.set_class(event.size.width < _WIDE, "-narrow")
        if event.size == self.outer_size:
            event.prevent_default()


class QuickDialog(QuickScreen[Result], ModalScreen[Result]):
    """The same for a dialog, through which the screen below it is seen."""
