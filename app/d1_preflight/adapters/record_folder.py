"""Reads a record's folder for those who judge it: plain files only, nothing outside of it."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

from d1_preflight.adapters.leftover import is_leftover
from d1_preflight.adapters.regular_file import read_file, tree_of
from d1_preflight.core.errors import ProjectError, UsageError
from d1_preflight.core.project.project import RECORDS_NAME
from d1_preflight.core.target.kept_outputs import OUTPUTS, read_outputs
from d1_preflight.core.verify.chain import (
    RECORD_FILE,
    RECORD_SIGNATURE,
    ClosedRecord,
    read_closed,
)
from d1_preflight.lazy_dataclass import replace

_EVIDENCE = "evidence"
_DEPTH = 2  # checklists/<database>/<migration>
_LARGEST = 64 * 1024 * 1024
_TOO_MUCH = "Remove what does not belong to a record; evidence is what the steps printed."
_LARGEST_DOCUMENT = 4_000_000
_LARGEST_RECORD = 100 * 1024 * 1024


def find_record(word: str, roots: Callable[[], tuple[Path, ...]]) -> Path:
    """The folder that `word` names: a folder, its record.toml, or a migration's name.

    `roots` finds the projects whose `checklists` are searched for a name. Raises UsageError.
    """
    path = Path(word)
    for folder in (path, path.parent):
        # False too for a name that is too long, or where it may not look.
        there = os.path.isfile(folder / RECORD_FILE)  # noqa: PTH113
        if there and path.name in (folder.name, RECORD_FILE):
            return folder
    stem = path.name.removesuffix(".sql")
    found = [f for f in all_records(roots()) if stem in (f.name, f.name.split("_")[0])]
    if len(found) == 1:
        return found[0]
    if found:
        places = ", ".join(str(folder) for folder in found)
        raise UsageError(f"“{word}” names {len(found)} records.", hint=f"Name one: {places}")
    raise UsageError(
        f"There is no record at “{word}”.",
        hint="Name its folder, checklists/<database>/<migration>, or its record.toml.",
    )


def all_records(roots: tuple[Path, ...]) -> tuple[Path, ...]:
    """Every folder below the projects' `checklists` that is a record's, or what is left of one.

    A folder with a GO, a signature or evidence and no record is none that may be passed over.
    Raises ProjectError where a folder cannot be listed.
    """
    return tuple(sorted(f for root in roots for f in _records_below(root / RECORDS_NAME)))


def _records_below(top: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(top, onerror=_refuse):
        folder = Path(place)
        is_migrations = len(folder.relative_to(top).parts) >= _DEPTH
        left = _EVIDENCE in folders or any(_is_signed(name) for name in files)
        if RECORD_FILE in (*files, *folders) or (is_migrations and left):
            yield folder
        if is_migrations and _EVIDENCE in folders:
            folders.remove(_EVIDENCE)


def _is_signed(name: str) -> bool:
    return name == "go.toml" or name.endswith(".sig")


def _refuse(error: OSError) -> None:
    if isinstance(error, FileNotFoundError | NotADirectoryError):  # no `checklists` here
        return
    raise ProjectError(
        f"{error.filename} cannot be listed: {error.strerror}.",
        hint="A record there would be skipped. Fix the folder's permissions.",
    ) from error


class Closes(Protocol):
    """What keeps the places of records in their chains."""

    def closed(self, files: Mapping[str, bytes]) -> ClosedRecord | None:
        """A record's place in its chain."""
        ...


def closed_records(
    top: Path, besides: Path | None = None, kept: Closes | None = None
) -> tuple[ClosedRecord, ...]:
    """The closed records below `checklists`, but that of one folder; raises ProjectError."""
    read = kept.closed if kept else read_closed
    folders = (folder for folder in _records_below(top) if folder != besides)
    found = ((read(signed_files(folder)), str(folder)) for folder in folders)
    return tuple(replace(record, folder=folder) for record, folder in found if record is not None)


def signed_files(folder: Path) -> dict[str, bytes]:
    """The record, its signature and its reviews."""
    names, tree = (RECORD_FILE, RECORD_SIGNATURE), tree_of(folder)
    paths = [*(folder / name for name in names), *sorted(folder.glob("*.review.*"))]
    there = (path for path in paths if path.is_file() and not path.is_symlink())
    return {path.name: _read(path, _LARGEST_DOCUMENT, tree) for path in there}


def _read(path: Path, limit: int, tree: str = "") -> bytes:
    try:
        return read_file(path, limit, tree)
    except OSError as error:
        raise ProjectError(
            f"{path} cannot be read: {error.strerror}.", hint="Check its permissions."
        ) from error


def _names_below(folder: Path) -> Iterator[str]:
    """Every file and every link below a folder, relative to it; no link is followed."""
    for place, below, names in os.walk(folder):
        inner = os.path.relpath(place, folder)
        links = [name for name in below if os.path.islink(os.path.join(place, name))]  # noqa: PTH114, PTH118 - as there
        for name in (*names, *links):
            yield name if inner == "." else f"{inner}/{name}"


def read_record_folder(folder: Path) -> dict[str, bytes]:
    """Every file of a record by its name relative to the folder; a link is an empty file.

    An output that the archive of a closed record holds is there as if it were a file.
    """
    found: dict[str, bytes] = {}
    total, checkout = 0, tree_of(folder)
    for name in sorted(_names_below(folder), key=lambda name: name.split("/")):
        path, is_document = folder / name, name.endswith((".toml", ".sig"))
        is_link = os.path.islink(path)  # noqa: PTH114 - thousands are asked for
        try:
            if is_link and not is_document:
                found[name] = b""  # it is there, and holds nothing that anybody signed
            if is_link or not path.is_file() or is_leftover(path.name):
                continue
            found[name] = _read(path, _LARGEST_DOCUMENT if is_document else _LARGEST, checkout)
        except OSError as error:
            raise ProjectError(
                f"{path} cannot be read: {error.strerror}.", hint="Check its permissions."
            ) from error
        total += len(found[name])
        if total > _LARGEST_RECORD:
            raise ProjectError(
                f"{folder} holds more than {_LARGEST_RECORD:,} bytes.", hint=_TOO_MUCH
            )
    return {**read_outputs(found.get(OUTPUTS, b"")).files, **found}
