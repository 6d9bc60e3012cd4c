"""What it means, in words, when the disk does not take what is written, by us or by SQLite."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from d1_preflight.core.errors import ProjectError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
DISK_ERRORS = (apsw.FullError, apsw.IOError, apsw.ReadOnlyError, apsw.CantOpenError)
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
        # SQLite cannot tell a full disk from a broken one where the write itself failed.
        if isinstance(error, apsw.FullError) or _has_no_room(path.parent):
            raise _full(path, holds) from error
        raise ProjectError(
            f"{path} cannot be written: {error}.",
            hint=f"{holds} Look at the disk and its permissions, then try again.",
        ) from error


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
