"""Makes the headless screens of Pilot's tests cheap.

Textual paints a headless screen as often as one in a terminal and throws the paint away; its Pilot
waits twice a key until the process was idle for 20 ms. Here only what somebody asks for is painted
(a picture; `screen_text` draws what it reads), and 4 ms are idle enough.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import RenderableType
from textual import _wait, screen
from textual._compositor import Compositor
from textual.screen import Screen

_IDLE_S = 1 / 250
_BUSY_SHARE = 1 / 20  # as Textual has it


class Unpainted(Compositor):
    """Paints where it is asked for all of the screen, as a picture asks, or where it `paints`."""

    paints = False

    def render_update(
        self,
        full: bool = False,
        screen_stack: list[Screen[object]] | None = None,
        simplify: bool = False,
    ) -> RenderableType | None:
        """What changed on the screen; None where nobody looks."""
        if full or self.paints:
            return super().render_update(full, screen_stack, simplify)
        self._dirty_regions.clear()
        return None


def be_cheap() -> None:
    """Make the screens of this process so."""
    screen.Compositor = Unpainted  # type: ignore[attr-defined]  # a screen makes its own there
    _wait.SLEEP_GRANULARITY = _IDLE_S
    _wait.SLEEP_IDLE = _IDLE_S * _BUSY_SHARE


@contextmanager
def painted() -> Iterator[None]:
    """Paint every change, for what is about painting."""
    Unpainted.paints = True
    try:
        yield
    finally:
        Unpainted.paints = False
