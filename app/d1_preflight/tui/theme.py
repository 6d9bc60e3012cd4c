"""The program's own themes, dark, light and high contrast, read from `themes.toml`."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

from textual.app import App
from textual.theme import Theme

DARK, LIGHT, CONTRAST = "preflight-dark", "preflight-light", "preflight-contrast"
NAMES = {DARK: "dark", LIGHT: "light", CONTRAST: "high contrast"}


@cache
def themes() -> tuple[Theme, ...]:
    """The themes, ready to register."""
    text = (files("d1_preflight.tui") / "themes.toml").read_text("utf-8")
    loaded: dict[str, dict[str, Any]] = tomllib.loads(text)
    return tuple(Theme(name=name, **values) for name, values in loaded.items())


def begin(app: App[None]) -> None:
    """Give an app that is being made these themes, and the dark one.

    Assigned as any later one is, it would have all styles read twice.
    """
    for known in themes():
        app.register_theme(known)
    app.set_reactive(App.theme, DARK)
    app.add_class(f"-theme-{DARK}", update=False)
    app.stylesheet.set_variables(app.get_css_variables())


def after(name: str) -> str:
    """The theme that follows this one."""
    order = list(NAMES)
    return order[(order.index(name) + 1) % len(order)] if name in NAMES else DARK
