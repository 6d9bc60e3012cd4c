"""The README's table of settings, made from the settings themselves."""

from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

from d1_preflight.core.project.setting_types import Busy, plain, shown_busy
from d1_preflight.core.project.settings import Settings


def settings_table() -> str:
    """Every setting with its default and meaning, in Markdown."""
    head = ("| setting | default | what it decides |", "|---|---|---|")
    return "\n".join((*head, *_rows(Settings, ""))) + "\n"


def _rows(kind: Any, prefix: str) -> Iterator[str]:
    for spec in fields(kind):
        if spec.default is MISSING:
            yield from _rows(spec.default_factory, f"{spec.name}.")
        else:
            words = spec.metadata["words"]
            yield f"| `{prefix}{spec.name}` | {_shown(spec.default)} | {words} |"


def _shown(value: object) -> str:
    """A default as people read it in a table."""
    match value:
        case Busy():
            days = shown_busy(value).rpartition(" ")[0]
            return f"{days} {value.start:%H:%M}–{value.until:%H:%M}"
        case "" | ():
            return "–"
        case _ if is_dataclass(value) or isinstance(value, tuple):
            return f"`{plain(value)}`"
    return f"`{value}`"
