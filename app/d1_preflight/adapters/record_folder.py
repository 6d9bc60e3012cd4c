"""Reads a record's folder for those who judge it: plain files only, nothing outside of it."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from d1_preflight.adapters.leftover import is_leftover
from d1_preflight.adapters.regular_file import read_entry, tree_of
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
_NAMED = 3  # records that a refusal offers
_DEPTH = 2  # checklists/<database>/<migration>
_LARGEST = 64 * 1024 * 1024
_TOO_MUCH = "Remove what does not belong to a record; evidence is what the steps printed."
_LARGEST_DOCUMENT = 4_000_000
_LARGEST_RECORD = 100 * 1024 * 1024


def find_record(word: str, roots: Callable[[], tuple[Path, ...]]) -> Path:
    """The one folder that `word` names, as `find_records` finds it; raises UsageError."""
    found = find_records(word, roots)
    if len(found) == 1:
        return found[0]
    places = ", ".join(str(folder) for folder in found)
    raise UsageError(f"“{word}” names {len(found)} records.", hint=f"Name one: {places}")


def find_records(word: str, roots: Callable[[], tuple[Path, ...]]) -> tuple[Path, ...]:
    """The folders that `word` names: a record's, its record.toml, a migration, one of records.

    `roots` finds the projects whose `checklists` are searched for a name. Raises UsageError where
    there is none, ProjectError where a folder cannot be listed.
    """
    path = Path(word)
    for folder in (path, path.parent):
        # False too for a name that is too long, or where it may not look.
        there = os.path.isfile(folder / RECORD_FILE)  # noqa: PTH113
        if there and path.name in (folder.name, RECORD_FILE):
            return (folder,)
    stem = path.name.removesuffix(".sql")
    known = all_records(roots())
    # The project's own come first: a folder that only bears a migration's name stands for none.
    found = tuple(f for f in known if stem in (f.name, f.name.split("_")[0])) or _records_in(path)
    if not found:
        raise UsageError(f"There is no record at “{word}”.", hint=_where_to_look(known))
    return found


def _records_in(folder: Path) -> tuple[Path, ...]:
    """The records of a project's folder, or below any other."""
    if not os.path.isdir(folder):  # noqa: PTH112 - False too where it may not look
        return ()
    own = folder / RECORDS_NAME
    return tuple(sorted(_records_below(own if own.is_dir() else folder)))


def _where_to_look(known: tuple[Path, ...]) -> str:
    if not known:
        return "Name its folder, checklists/<database>/<migration>, or its record.toml."
    named = ", ".join(str(folder) for folder in known[:_NAMED])
    more = f", and {len(known) - _NAMED} more" if len(known) > _NAMED else ""
    return f"Name one that is here: {named}{more}."


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


def closed_records(
    top: Path,
    besides: Path | None = None,
    read: Callable[[Mapping[str, bytes]], ClosedRecord | None] = read_closed,
    files: Callable[[Path], Mapping[str, bytes]] | None = None,
) -> tuple[ClosedRecord, ...]:
    """The closed records below `checklists`, but that of one folder; raises ProjectError.

    `read` finds a record's place in its chain; `files` gives a folder's signed files, where some
    were read already.
    """
    read_files = files or signed_files
    folders = (folder for folder in _records_below(top) if folder != besides)
    found = ((read(read_files(folder)), str(folder)) for folder in folders)
    return tuple(replace(record, folder=folder) for record, folder in found if record is not None)


def signed_files(folder: Path) -> dict[str, bytes]:
    """The record, its signature and its reviews."""
    own = (entry for entry in _listed(_inside(folder)) if _is_document(entry.name))
    there = {entry.name: entry for entry in own if entry.is_file(follow_symlinks=False)}
    wanted = [n for n in (RECORD_FILE, RECORD_SIGNATURE, *sorted(there)) if _is_signed_part(n)]
    return {n: _read(folder / n, there[n], _LARGEST_DOCUMENT) for n in wanted if n in there}


def signed_part(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The same of a record whose files were read already."""
    return {name: data for name, data in files.items() if _is_signed_part(name)}


def _is_signed_part(name: str) -> bool:
    is_review = ".review." in name and _is_document(name) and not is_leftover(name)
    return name in (RECORD_FILE, RECORD_SIGNATURE) or (is_review and "/" not in name)


def _is_document(name: str) -> bool:
    return name.endswith((".toml", ".sig"))


def _read(path: Path, entry: "os.DirEntry[str]", limit: int) -> bytes:
    try:
        return read_entry(entry.path, limit)
    except OSError as error:
        raise _unreadable(path, error.strerror) from error


def _unreadable(path: Path, why: str | None) -> ProjectError:
    return ProjectError(f"{path} cannot be read: {why}.", hint="Check its permissions.")


def _inside(folder: Path) -> str:
    """Where a folder really is; raises ProjectError where a link leads it out of its checkout."""
    tree, real = tree_of(folder), os.path.realpath(folder)
    if os.path.commonpath((real, tree)) != tree:
        raise _unreadable(folder, f"it is a link that leads out of {tree}")
    return real


def _listed(folder: str) -> "list[os.DirEntry[str]]":
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []  # what it should hold is missed by name


def _entries_below(folder: str, inner: str = "") -> "Iterator[tuple[str, os.DirEntry[str]]]":
    """Every file and every link below a folder, by its relative name; no link is followed."""
    for entry in _listed(folder):
        name = f"{inner}{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            yield from _entries_below(entry.path, f"{name}/")
        else:
            yield name, entry


def read_record_folder(folder: Path) -> dict[str, bytes]:
    """Every file of a record by its name relative to the folder; a link is an empty file.

    An output that the archive of a closed record holds is there as if it were a file.
    """
    found: dict[str, bytes] = {}
    total = 0
    below = sorted(_entries_below(_inside(folder)), key=lambda named: named[0].split("/"))
    for name, entry in below:
        if entry.is_symlink():
            if not _is_document(name):
                found[name] = b""  # it is there, and holds nothing that anybody signed
            continue
        if not entry.is_file(follow_symlinks=False) or is_leftover(entry.name):
            continue
        limit = _LARGEST_DOCUMENT if _is_document(name) else _LARGEST
        found[name] = _read(folder / name, entry, limit)
        total += len(found[name])
        if total > _LARGEST_RECORD:
            raise ProjectError(
                f"{folder} holds more than {_LARGEST_RECORD:,} bytes.", hint=_TOO_MUCH
            )
    return {**read_outputs(found.get(OUTPUTS, b"")).files, **found}
