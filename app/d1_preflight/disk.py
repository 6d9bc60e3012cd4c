"""What it means, in words, when the disk does not take what is written, by us or by SQLite."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import apsw

from d1_preflight.core.d1 import DISK_ERRORS
from d1_preflight.core.errors import ProjectError

__all__ = ["DISK_ERRORS", "new_text", "writing"]

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_HOLDS = "The earlier file is unchanged."


@contextmanager
def writing(path: Path, holds: str = _HOLDS, *, done: str = "written") -> Iterator[None]:
    """Whatever the disk refuses in here becomes a ProjectError about `path`.

    `holds` says what is true all the same; `done` is what was to be done with it.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise _full(path, holds) from error
        raise ProjectError(
            f"{path} cannot be {done}: {error.strerror or type(error).__name__}.",
            hint=f"{holds} Make its folder writable, then try again.",
        ) from error
    except DISK_ERRORS as error:
        # SQLite does not distinguish a full disk from a broken one when a write fails.
        if isinstance(error, apsw.FullError) or _has_no_room(path.parent):
            raise _full(path, holds) from error
        raise ProjectError(
            f"{path} cannot be written: {error}.",
            hint=f"{holds} Look at the disk and its permissions, then try again.",
        ) from error


@contextmanager
def new_text(path: Path) -> Iterator[TextIO]:
    """A new private text file, there when it is whole; FileExistsError where one is there already.

    Half of it would look like the whole: neither an error nor a kill leaves that under its name.
    """
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    part = path.with_name(f".{path.name}.partial")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    try:
        with part.open("w", encoding="utf-8", newline="\n") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _full(path: Path, holds: str) -> ProjectError:
    return ProjectError(
        f"The disk is full: {path} was not written.", hint=f"{holds} Make room, then try again."
    )


def _has_no_room(folder: Path) -> bool:
    try:
        space = os.statvfs(folder)
    except OSError:
        return False
    return space.f_bavail == 0
