"""A screen that may lie below another one, empty until somebody comes back to it."""

import gc
from collections.abc import Iterable

from textual.app import ComposeResult
from textual.widget import Widget

from d1_preflight.tui.screens.quick import QuickScreen


class LateScreen(QuickScreen[None]):
    """One that `waits` has no parts until it is seen; any other has them from the start."""

    def __init__(self, *, waits: bool = False) -> None:
        super().__init__()
        self._waits = waits
        self._was_left = False
        self.is_there = False
        """Whether its parts may be asked."""

    def parts(self) -> Iterable[Widget]:
        """What it is composed of."""
        raise NotImplementedError

    def begin(self) -> None:
        """Its parts are there."""

    def compose(self) -> ComposeResult:
        """Its parts, or nothing yet."""
        if not self._waits:
            yield from self.parts()

    def on_mount(self) -> None:
        """Begin, unless it waits."""
        if not self._waits:
            self._begin()

    async def compose_late(self) -> None:
        """Show what was left out so far; nothing where it is there."""
        if self._waits:
            self._waits = False
            await self.recompose()
            self._begin()

    def on_screen_suspend(self) -> None:
        """Something stands over it: who resumes it now comes to look."""
        self._was_left = True
        self.app.screen.call_after_refresh(heed_garbage)

    async def on_screen_resume(self) -> None:
        """Be whole before the first paint; keys that come meanwhile wait."""
        if self._was_left:
            await self.compose_late()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """No key does anything before the parts are there."""
        return self.is_there and super().check_action(action, parameters)

    def _begin(self) -> None:
        self.is_there = True
        self.begin()


def heed_garbage() -> None:
    """Look for garbage again after a start, and never at what the start has loaded."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
