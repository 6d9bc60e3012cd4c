"""Writes a migration's rewrite in place of its text, and keeps the text that was there."""

import os
import stat
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from d1_preflight.adapters.regular_file import read_file
from d1_preflight.adapters.store import create_durably, make_folder, write_durably
from d1_preflight.core.errors import UsageError
from d1_preflight.core.project.migration import Migration

_MOST_BYTES = 10_000_000
_KEPT = "before-fix"


def read_rewritable(path: Path) -> Migration:
    """The migration in a regular file of the tree that may be written; raises UsageError.

    A file of another encoding raises MigrationUnreadable.
    """
    try:
        if stat.S_ISLNK(path.lstat().st_mode):
            raise UsageError(f"{path} is a symbolic link.", hint="Name the file itself.")
        data = read_file(path, _MOST_BYTES)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be rewritten: {error.strerror or error}.",
            hint="Only regular files inside the tree are rewritten. Nothing was changed.",
        ) from error
    return Migration.from_bytes(path.name, data, path)


def write_rewrite(
    path: Path,
    before: Migration,
    text: str,
    keep: Path,
    further: Sequence[tuple[Path, str]] = (),
) -> Path:
    """Write the text whole, and its predecessor into the folder `keep`; returns that path.

    The `further` files are new ones, written before: all are there in the end, or none.
    Raises UsageError where the file is read-only or is not what was rewritten any more.
    """
    made: list[Path] = []
    try:
        for new, content in further:
            make_folder(new.parent)
            create_durably(new, content.encode())
            made.append(new)
        return _replaced(path, before, text, keep)
    except BaseException:
        for new in made:
            new.unlink(missing_ok=True)
        raise


def _replaced(path: Path, before: Migration, text: str, keep: Path) -> Path:
    now = read_rewritable(path)
    if not path.stat().st_mode & stat.S_IWUSR or not os.access(path, os.W_OK):
        raise UsageError(f"{path} is read-only.", hint="Nothing was changed.")
    if now.sha256 != before.sha256:
        raise UsageError(
            f"{path} was changed meanwhile: the rewrite is for another text.",
            hint="Nothing was written. Run fix again.",
        )
    folder = keep / _KEPT
    make_folder(folder)
    kept = folder / f"{before.stem.replace('/', '__')}.{before.sha256[:12]}.sql"
    if not kept.exists():
        create_durably(kept, before.text.encode())
    write_durably(path, text.encode(), stat.S_IMODE(path.stat().st_mode))
    if sha256(read_file(path)).hexdigest() != sha256(text.encode()).hexdigest():
        raise UsageError(f"{path} does not hold what was written.", hint=f"Before: {kept}")
    return kept
