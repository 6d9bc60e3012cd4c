"""Reads the checklist that is walked: the project's own, else the one that ships."""

import os
from collections.abc import Container
from functools import lru_cache
from pathlib import Path

from d1_preflight.adapters.regular_file import MAX_BYTES, read_file
from d1_preflight.core.checklist.checklist import Checklist
from d1_preflight.core.checklist.definitions import checklists_dir
from d1_preflight.core.checklist.file import load_checklist, shipped_checklist
from d1_preflight.core.errors import ChecklistInvalid
from d1_preflight.lazy_dataclass import replace

_NAME = "d1.toml"
OWN_CHECKLIST = f"checklists/{_NAME}"
"""Where a project's own checklist lies, relative to its root."""


def checklist_path(root: Path | None) -> Path:
    """The path of the checklist of the project at `root`."""
    return root / OWN_CHECKLIST if root and has_own_checklist(root) else checklists_dir() / _NAME


def has_own_checklist(root: Path | None) -> bool:
    """Whether the project at `root` brings a checklist of its own."""
    return root is not None and os.path.lexists(root / OWN_CHECKLIST)


def read_checklist(path: Path, actions: Container[str] | None = None) -> Checklist:
    """Read a checklist; raises ChecklistInvalid naming the file and the line."""
    try:
        text = read_file(path, MAX_BYTES).decode("utf-8")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ChecklistInvalid(
            f"{path}:{line}: not UTF-8 text.", hint="Save the file as UTF-8."
        ) from error
    except OSError as error:
        raise ChecklistInvalid(
            f"{path} cannot be read: {error.strerror}.",
            hint="Check what it is, where it leads, and its permissions.",
        ) from error
    found = _loaded(text, str(path))
    if actions is None or all(step.action in actions for step in found.steps):
        return found
    return load_checklist(text, str(path), actions)  # it refuses, and names the line


@lru_cache(maxsize=4)
def _loaded(text: str, source: str) -> Checklist:
    """A thousand records are judged by the same few texts; the shipped one is read once."""
    shipped = shipped_checklist()
    return replace(shipped, source=source) if text == shipped.text else load_checklist(text, source)
