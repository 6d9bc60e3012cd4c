"""Reads a small text that others may have put there: regular files only, up to a size."""

import os
import stat
from pathlib import Path

MAX_BYTES = 1_000_000


def read_regular(path: Path, limit: int = MAX_BYTES) -> str | None:
    """The first `limit` bytes as text; None where there is no regular file that can be read.

    A FIFO would make us wait for ever, and a device has no end.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    with os.fdopen(descriptor, "rb") as file:
        return file.read(limit).decode("utf-8", "replace")
