"""The record on disk: atomic, durable, and held by one session at a time.

A save is a temporary file in the same folder, fsync, rename, fsync of the folder: after a crash
the old record or the new one is there, whole. The lock is a `flock` whose descriptor wrangler
inherits, so an apply that outlives its session still keeps a second operator out.
"""

import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Self

from d1_preflight.adapters.leftover import NEW, PART, is_leftover
from d1_preflight.adapters.locks import take
from d1_preflight.adapters.regular_file import read_file, read_regular
from d1_preflight.core.errors import ProjectError, RecordBusy
from d1_preflight.core.record.file import dump_record, load_record
from d1_preflight.core.record.record import Record
from d1_preflight.disk import writing

RECORD = "record.toml"
_ATTRIBUTES = b"""\
# Records are signed: git leaves their bytes as they are, and folds the evidence in a diff.
* -text
**/evidence/** linguist-generated
"""
_EVIDENCE = "evidence"
_LEFT_S = 600.0  # a write under way is younger
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})
Link = Callable[[Path, Path], None]
"""Gives a file a second name; raises OSError where it may not have it."""


class RecordStore:
    """The files of one record: `record.toml`, `go.toml`, signatures and `evidence/`.

    `records` is the folder of all records; the first one gives it its `.gitattributes`.
    """

    def __init__(self, folder: Path, lock: Path, records: Path | None = None) -> None:
        self.folder = folder
        self._lock_path = lock
        self._records = records
        self._lock: int | None = None

    @property
    def lock_fd(self) -> int | None:
        """The held lock's descriptor, for children to inherit."""
        return self._lock

    def acquire(self) -> Self:
        """Take the lock; raises RecordBusy naming who holds it."""
        if self._lock is not None:
            return self
        make_folder(self._lock_path.parent)
        handle = take(self._lock_path)
        if handle is None:
            holder = (read_regular(self._lock_path) or "").strip()
            raise RecordBusy(
                f"Another session holds this record{f' ({holder})' if holder else ''}.",
                hint="Finish or quit it; if it was killed, its wrangler may still be running.",
            )
        # Its holder's name is a courtesy: a full disk must not stop a reader.
        with suppress(OSError):
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"process {os.getpid()}".encode(), 0)
        self._lock = handle
        for folder in (self.folder, self.folder / _EVIDENCE):
            remove_leftovers(folder)
        return self

    def release(self) -> None:
        """Give the lock back."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def load(self) -> Record | None:
        """The saved record, None where there is none; raises RecordInvalid."""
        data = self.read(RECORD)
        return None if data is None else load_record(data, str(self.folder / RECORD))

    def save(self, record: Record) -> None:
        """Write the record; it is on the disk when this returns."""
        if self._records is not None and not os.path.lexists(self.folder / RECORD):
            _describe_to_git(self._records)
        self.write(RECORD, dump_record(record))

    def read(self, name: str) -> bytes | None:
        """The bytes of one of the record's files."""
        try:
            return read_file(self.folder / name)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ProjectError(
                f"{self.folder / name} cannot be read: {error.strerror}.",
                hint="Check the file's permissions.",
            ) from error

    def write(self, name: str, data: bytes) -> str:
        """Write one of the record's files atomically and durably; returns its sha256."""
        make_folder((self.folder / name).parent)
        write_durably(self.folder / name, data)
        return sha256(data).hexdigest()

    def files(self) -> dict[str, bytes]:
        """Every file of the record but the evidence: name to bytes."""
        found = sorted(self.folder.glob("*")) if self.folder.is_dir() else []
        ours = (path for path in found if path.is_file() and not is_leftover(path.name))
        read = {path.name: self.read(path.name) for path in ours}
        return {name: data for name, data in read.items() if data is not None}

    def sums(self) -> dict[str, str]:
        """The sha256 of every file of the record, evidence too, by its path in the folder."""
        paths = sorted(path for path in self.folder.rglob("*") if _is_own(path))
        names = [path.relative_to(self.folder).as_posix() for path in paths]
        read = {name: self.read(name) for name in names}
        return {name: sha256(data).hexdigest() for name, data in read.items() if data is not None}

    def remove(self, name: str) -> None:
        """Take one of the record's files away, if it is there."""
        with writing(self.folder / name):
            (self.folder / name).unlink(missing_ok=True)


def _describe_to_git(records: Path) -> None:
    """Signed bytes must not be converted, and nobody reviews evidence line by line."""
    make_folder(records)
    if not os.path.lexists(records / ".gitattributes"):
        write_durably(records / ".gitattributes", _ATTRIBUTES)


def _is_own(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and not is_leftover(path.name)


def remove_leftovers(folder: Path) -> None:
    """Remove what killed writes left in a folder of ours; they are no file of anything."""
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        with suppress(OSError):  # it is in nobody's way, and another process may remove it first
            if is_leftover(path.name) and time.time() - path.lstat().st_mtime > _LEFT_S:
                path.unlink()


def write_durably(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Replace a file's content whole; raises ProjectError where the disk does not take it."""
    with writing(path), _written(path.parent, data, mode) as temporary:
        temporary.replace(path)
    with writing(path, "It was written, but the disk did not confirm it."):
        _sync_folder(path.parent)


def create_durably(path: Path, data: bytes, link: Link = os.link) -> None:
    """Make a file that is not there yet, whole or not at all; raises ProjectError.

    Nobody ever sees it half written under its name: wrangler would apply the half of it.
    """
    if os.path.lexists(path):
        raise _there_already(path)
    with writing(path, "Nothing was made.", done="made"):
        with _written(path.parent, data, 0o644) as temporary:
            _give_name(temporary, path, link)
        _sync_folder(path.parent)


@contextmanager
def _written(folder: Path, data: bytes, mode: int) -> Iterator[Path]:
    """A temporary file with these bytes, on the disk; gone unless it was given another name."""
    import tempfile

    handle, name = tempfile.mkstemp(dir=folder, prefix=PART, suffix=NEW)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _give_name(temporary: Path, path: Path, link: Link) -> None:
    """Link it, which refuses a name that exists by now; some file systems have no links."""
    try:
        link(temporary, path)
    except FileExistsError as error:
        raise _there_already(path) from error
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(path):
            raise _there_already(path) from error
        temporary.rename(path)


def _there_already(path: Path) -> ProjectError:
    return ProjectError(f"{path} already exists.", hint="Choose another name.")


def make_folder(folder: Path) -> None:
    """Make a folder and those above it; raises ProjectError."""
    with writing(folder, "Nothing was started.", done="made"):
        folder.mkdir(parents=True, exist_ok=True)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
