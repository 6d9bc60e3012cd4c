"""The program's own themes, dark, light and high contrast, read from `themes.toml`."""

import tomllib
from importlib.resources import files
from typing import Any

from textual.theme import Theme

DARK, LIGHT, CONTRAST = "preflight-dark", "preflight-light", "preflight-contrast"
NAMES = {DARK: "dark", LIGHT: "light", CONTRAST: "high contrast"}


def themes() -> tuple[Theme, ...]:
    """The themes, ready to register."""
    text = (files("d1_preflight.tui") / "themes.toml").read_text("utf-8")
    loaded: dict[str, dict[str, Any]] = tomllib.loads(text)
    return tuple(Theme(name=name, **values) for name, values in loaded.items())


def after(name: str) -> str:
    """The theme that follows this one."""
    order = list(NAMES)
    return order[(order.index(name) + 1) % len(order)] if name in NAMES else DARK
