"""Opens a file in the operator's editor, in the terminal that the face has given up."""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from d1_preflight.adapters.processes import converse, on_path
from d1_preflight.core.errors import ProjectError

_USUAL = ("nano", "vim", "vi")


def edit(path: Path, environ: Mapping[str, str] | None = None) -> None:
    """Run `$VISUAL`, `$EDITOR` or a usual one on the file; ProjectError where there is none."""
    env = os.environ if environ is None else environ
    named = env.get("VISUAL") or env.get("EDITOR") or ""
    words = _split(named) or next(
        ((name,) for name in _USUAL if next(iter(on_path(name, env)), None)), ()
    )
    if not words:
        raise ProjectError(
            "There is no editor: EDITOR is not set and none of the usual ones is here.",
            hint=f"Set EDITOR, or edit {path} in another window; the change is seen at once.",
        )
    try:
        converse((*words, str(path)))
    except OSError as error:
        raise ProjectError(
            f"{words[0]} could not be started: {error.strerror}.", hint="Set EDITOR to another one."
        ) from error


def _split(named: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(named))
    except ValueError as error:
        raise ProjectError(
            f"EDITOR cannot be understood: {error}.", hint="Set it to a program's name, or a path."
        ) from error
