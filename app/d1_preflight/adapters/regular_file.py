"""Reads files that others may have put there: regular files of the tree only, up to a size.

A FIFO would make us wait for ever, a device has no end, and a link can lead to what is no part of
the checkout.
"""

import errno
import os
import stat
from pathlib import Path

from d1_preflight.adapters.git.checkout import checkout_of

MAX_BYTES = 1_000_000
"""The longest text that people write: settings, a configuration, a checklist, a `.env`."""
LARGEST = 64 * 1024 * 1024
"""The longest file that is read whole."""


def read_file(path: Path, limit: int = LARGEST, tree: str = "") -> bytes:
    """The bytes of a regular file that lies in its own checkout, or without one, in its folder.

    Raises an OSError whose `strerror` says why it is not read: a FIFO or device, a link that leads
    out, or more than `limit` bytes. `tree` is that checkout, where `tree_of` was asked already.
    """
    tree = tree or tree_of(path.parent)
    real = os.path.realpath(path)
    if os.path.commonpath((real, tree)) != tree:
        raise _refused(path, f"it is a link that leads out of {tree}")
    return _bounded(real, limit)


def read_entry(path: str, limit: int = LARGEST) -> bytes:
    """The bytes of a regular file in a folder that is known to lie where it should.

    Raises an OSError, as `read_file` does, for all that it would not read, and for any link.
    """
    return _bounded(path, limit, os.O_NOFOLLOW)


def tree_of(folder: Path) -> str:
    """The checkout of a folder, or the folder itself where it is in none."""
    return os.path.realpath(checkout_of(folder) or folder)


def read_regular(path: Path, limit: int = MAX_BYTES) -> str | None:
    """The first `limit` bytes as text; None where there is no regular file that can be read."""
    try:
        return _read(path, limit).decode("utf-8", "replace")
    except OSError:
        return None


def json_of(path: Path) -> object:
    """What a small JSON file holds; None where there is none that can be read."""
    import json

    try:
        return json.loads(read_regular(path) or "")
    except (ValueError, RecursionError):
        return None


def _bounded(path: str, limit: int, flags: int = 0) -> bytes:
    data = _read(path, limit + 1, flags)
    if len(data) > limit:
        raise _refused(path, f"it is longer than {limit:,} bytes", errno.EFBIG)
    return data


def _read(path: Path | str, limit: int, flags: int = 0) -> bytes:
    always = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
    descriptor = os.open(path, always | flags)
    try:
        known = os.fstat(descriptor)
        if not stat.S_ISREG(known.st_mode):
            raise _refused(path, "it is not a regular file")
        found, left = [], limit
        while left and (data := os.read(descriptor, min(left, known.st_size + 1))):
            found.append(data)
            left -= len(data)
        return b"".join(found)
    finally:
        os.close(descriptor)


def _refused(path: Path | str, why: str, number: int = errno.EINVAL) -> OSError:
    return OSError(number, why, str(path))
