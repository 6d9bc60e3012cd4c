"""Makes the headless screens of Pilot's tests cheap.

Textual paints a headless screen as often as one in a terminal and throws the paint away, and each
app parses all style sheets anew; its Pilot waits twice a key until the process was idle for 20 ms.
Here only what somebody asks for is painted (a picture; `screen_text` draws what it reads), the apps
share what was parsed, and Pilot goes on as soon as the event loop has nothing left to do.
"""

import asyncio
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import ClassVar

from rich.console import RenderableType
from textual import app, pilot, screen
from textual._compositor import Compositor
from textual._context import active_app
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet
from textual.css.types import CSSLocation
from textual.events import Key
from textual.keys import REPLACED_KEYS, _character_to_key, _get_unicode_name_from_key
from textual.screen import Screen
from textual.widgets import Input

_ROUNDS = 3  # of the event loop without work, before it counts as idle


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
    numbers: ClassVar[dict[tuple[tuple[str, str], ...], int]] = {}
    _numbered: tuple[dict[str, str], int] | None = None

    def _parse_rules(
        self,
        css: str,
        read_from: CSSLocation,
        is_default_rules: bool = False,
        tie_breaker: int = 0,
        scope: str = "",
    ) -> list[RuleSet]:
        where = (read_from, is_default_rules, tie_breaker, scope)
        key = (css, *where, self._number_of_variables())
        if key not in self.parsed:
            self.parsed[key] = super()._parse_rules(css, *where)
        return self.parsed[key]

    def _number_of_variables(self) -> int:
        """The same for all apps that give the same values to the variables."""
        if self._numbered is None or self._numbered[0] is not self._variables:
            values = tuple(sorted(self._variables.items()))
            self._numbered = (self._variables, self.numbers.setdefault(values, len(self.numbers)))
        return self._numbered[1]


async def loop_is_idle(min_sleep: float = 0, max_sleep: float = 1) -> None:
    """Wait until no task of the event loop can go on, and the screen is drawn as it then is.

    What waits for time or a thread stays. A screen is drawn once all is said that changes it, not
    sixty times a second.
    """
    del min_sleep
    loop = asyncio.get_running_loop()
    until, quiet = loop.time() + max_sleep, 0
    while quiet < _ROUNDS and loop.time() < until:
        await asyncio.sleep(0)
        if loop._ready or _draws():  # type: ignore[attr-defined]
            quiet = 0
        else:
            quiet += 1


def _draws() -> bool:
    """Whether the screen had something to draw, and has done so."""
    stack = active_app.get().screen_stack
    timer = stack[-1]._update_timer if stack and stack[-1].is_running else None
    if timer is None or not timer._active.is_set():
        return False
    stack[-1]._on_timer_update()
    return True


async def no_message_waits(_pilot: pilot.Pilot[object]) -> bool:
    """What Pilot asks each widget of the screen by a message: an idle loop has none left."""
    await loop_is_idle()
    return True


async def press_keys(pressed: app.App[object], keys: Iterable[str]) -> None:
    """Press keys one after the other; what is typed into a field comes in one go."""
    typed = False
    for key in keys:
        if typed and not _is_typed(pressed, key):
            await loop_is_idle()
        name = _character_to_key(key) if len(key) == 1 and not key.isalnum() else key
        event = Key(name, _character_of(name))
        event.set_sender(pressed)
        assert pressed._driver is not None
        pressed._driver.send_message(event)
        typed = _is_typed(pressed, key)
        if not typed:
            await loop_is_idle()
    await loop_is_idle()


def _is_typed(pressed: app.App[object], key: str) -> bool:
    return len(key) == 1 and isinstance(pressed.focused, Input)


def _character_of(name: str) -> str | None:
    try:
        return unicodedata.lookup(_get_unicode_name_from_key(REPLACED_KEYS.get(name, name)))
    except KeyError:
        return name if len(name) == 1 else None


def be_cheap() -> None:
    """Make the screens of this process so."""
    screen.Compositor = Unpainted  # type: ignore[attr-defined]  # a screen makes its own there
    app.Stylesheet = SharedStylesheet  # type: ignore[attr-defined]  # an app makes its own there
    app.App._press_keys = press_keys  # type: ignore[assignment,method-assign]
    pilot.wait_for_idle = loop_is_idle  # type: ignore[attr-defined]  # a pause waits there
    pilot.Pilot._wait_for_screen = no_message_waits  # type: ignore[assignment,method-assign]


@contextmanager
def painted() -> Iterator[None]:
    """Paint every change, for what is about painting."""
    Unpainted.paints = True
    try:
        yield
    finally:
        Unpainted.paints = False
