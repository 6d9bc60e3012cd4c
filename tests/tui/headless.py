"""Makes the headless screens of Pilot's tests cheap.

Textual paints a headless screen as often as one in a terminal and throws the paint away, and each
app parses all style sheets anew; its Pilot waits twice a key until the process was idle for 20 ms.
Here only what somebody asks for is painted (a picture; `screen_text` draws what it reads), the apps
share what was parsed, and 4 ms are idle enough.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from rich.console import RenderableType
from textual import _wait, app, screen
from textual._compositor import Compositor
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet
from textual.css.types import CSSLocation
from textual.screen import Screen

_IDLE_S = 1 / 250
_REFRESH_S = 1 / 350  # below the idle time, as 1/60 s is below Textual's own
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


class SharedStylesheet(Stylesheet):
    """Parses a text once for all apps that give the same values to its variables."""

    parsed: ClassVar[dict[tuple[object, ...], list[RuleSet]]] = {}

    def _parse_rules(
        self,
        css: str,
        read_from: CSSLocation,
        is_default_rules: bool = False,
        tie_breaker: int = 0,
        scope: str = "",
    ) -> list[RuleSet]:
        where = (read_from, is_default_rules, tie_breaker, scope)
        key = (css, *where, tuple(sorted(self._variables.items())))
        if key not in self.parsed:
            self.parsed[key] = super()._parse_rules(css, *where)
        return self.parsed[key]


def be_cheap() -> None:
    """Make the screens of this process so."""
    screen.Compositor = Unpainted  # type: ignore[attr-defined]  # a screen makes its own there
    app.Stylesheet = SharedStylesheet  # type: ignore[attr-defined]  # an app makes its own there
    screen.UPDATE_PERIOD = _REFRESH_S  # type: ignore[misc]
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
