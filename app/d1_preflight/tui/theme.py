"""The program's own themes, dark and light, read from `themes.toml`."""

import tomllib
from importlib.resources import files
from typing import Any

from textual.theme import Theme

DARK, LIGHT = "preflight-dark", "preflight-light"


def themes() -> tuple[Theme, ...]:
    """Both themes, ready to register."""
    text = (files("d1_preflight.tui") / "themes.toml").read_text("utf-8")
    loaded: dict[str, dict[str, Any]] = tomllib.loads(text)
    return tuple(Theme(name=name, **values) for name, values in loaded.items())
