"""Locks between processes: `flock`, held by a descriptor and by whichever child inherits it."""

import fcntl
import os
from pathlib import Path

from d1_preflight.core.errors import PreflightError, ProjectError


class Lock:
    """Takes a lock for as long as the block lasts, or a child that inherited it lives.

    Raises `busy` if another process holds it.
    """

    def __init__(self, path: Path, busy: PreflightError) -> None:
        self._path, self._busy = path, busy
        self._handle: int | None = None

    def __enter__(self) -> int:
        handle = take(self._path)
        if handle is None:
            raise self._busy
        self._handle = handle
        return handle

    def __exit__(self, *_: object) -> None:
        if self._handle is not None:
            os.close(self._handle)

    @staticmethod
    def is_held(path: Path) -> bool:
        """Whether a process, perhaps a child that outlived its parent, holds the lock."""
        if not path.exists():
            return False
        handle = take(path)
        if handle is not None:
            os.close(handle)
        return handle is None


def take(path: Path) -> int | None:
    """The locked descriptor, to be closed by the caller; None while another holds it.

    Raises ProjectError where it cannot be locked: without the lock two could write at once.
    """
    handle: int | None = None
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if handle is not None:
            os.close(handle)
            if isinstance(error, BlockingIOError):
                return None
        raise ProjectError(
            f"{path} cannot be locked: {error.strerror}.",
            hint="Nothing was started. Move that file away, or make it writable.",
        ) from error
    return handle
