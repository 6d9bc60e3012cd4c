"""Opens a file in the operator's editor, in the terminal that the face has given up."""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from d1_preflight.adapters.processes import converse, on_path
from d1_preflight.core.errors import ProjectError

_USUAL = ("nano", "vim", "vi")
_PLUS = frozenset({
    "nano", "vim", "vi", "nvim", "view", "gvim", "emacs", "emacsclient", "micro", "kak", "pico",
    "joe", "ne", "mcedit", "kate", "gedit",
})  # fmt: skip
_GOTO = frozenset({"code", "code-insiders", "codium", "cursor", "windsurf"})
_COLON = frozenset({"hx", "helix", "subl", "zed", "zeditor", "mate"})


def edit(path: Path, environ: Mapping[str, str] | None = None, *, line: int = 0) -> None:
    """Run `$VISUAL`, `$EDITOR` or a usual one on the file; ProjectError where there is none.

    A `line` is named in the way that the editor takes one; one that takes none opens the file.
    """
    env = os.environ if environ is None else environ
    named = env.get("VISUAL") or env.get("EDITOR") or ""
    words = _split(named) or next(
        ((name,) for name in _USUAL if next(iter(on_path(name, env)), None)), ()
    )
    if not words:
        raise ProjectError(
            "There is no editor: EDITOR is not set and none of the usual ones is installed.",
            hint=f"Set EDITOR, or edit {path} in another window; the change is seen at once.",
        )
    try:
        converse((*words, *_at(words[0], path, line)))
    except OSError as error:
        raise ProjectError(
            f"{words[0]} could not be started: {error.strerror}.", hint="Set EDITOR to another one."
        ) from error


def _at(program: str, path: Path, line: int) -> tuple[str, ...]:
    """The file, and the line as this editor takes it."""
    name = Path(program).name
    if not line:
        return (str(path),)
    if name in _PLUS:
        return (f"+{line}", str(path))
    if name in _GOTO:
        return ("--goto", f"{path}:{line}")
    return (f"{path}:{line}",) if name in _COLON else (str(path),)


def _split(named: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(named))
    except ValueError as error:
        raise ProjectError(
            f"EDITOR cannot be understood: {error}.", hint="Set it to a program's name, or a path."
        ) from error
