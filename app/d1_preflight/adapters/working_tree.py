"""The files of a working tree as they lie here: regular files inside of it, git's ignored ones out.

Without git every file counts but those of well-known folders of others' code, which is said.
"""

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha1, sha256
from pathlib import Path

from d1_preflight.adapters.git.door import git_around

MOST_BYTES = 1_000_000
_MOST_FILES = 100_000
_MOST_TOTAL = 256_000_000
_TIMEOUT = 30.0
_OTHERS = frozenset(
    {"node_modules", ".git", ".wrangler", ".preflight", "dist", "build", "coverage"}
)
_LIST = ("ls-files", "-z", "--cached", "--others", "--exclude-standard")


@dataclass(slots=True)
class WorkingTree:
    """Files by path with an id of their bytes, which is git's own name of them."""

    name: str
    root: Path
    blobs: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    _data: dict[str, bytes] = field(default_factory=dict, repr=False)

    def read(self, paths: Iterable[str]) -> dict[str, bytes]:
        """The bytes of files, as they were when their id was taken."""
        return {path: self._data[path] for path in paths if path in self._data}


def repository_root(folder: Path) -> Path:
    """The folder that holds the repository; without one, the folder itself."""
    git = git_around(folder)
    return Path(os.path.realpath(git.root if git.git_dir is not None else folder))


def working_tree(folder: Path, is_wanted: Callable[[str], bool]) -> WorkingTree:
    """The tree around a folder; only the files that are wanted are read."""
    root = repository_root(folder)
    listed, notes = _listed(folder, root)
    tree = WorkingTree("the working tree", root)
    blobs: dict[str, str] = {}
    total = 0
    inside = _Inside(root)
    for path in listed:
        if not is_wanted(path):
            continue
        data = inside.read(path)
        if data is None:
            continue
        if len(data) > MOST_BYTES:
            notes.append(f"{path} is longer than {MOST_BYTES:,} bytes: left out")
            continue
        total += len(data)
        if total > _MOST_TOTAL:
            notes.append(f"more than {_MOST_TOTAL:,} bytes of source: the rest was not read")
            break
        blobs[path] = sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
        tree._data[path] = data  # noqa: SLF001 - filled here, where it is made
    tree.blobs, tree.notes = blobs, tuple(notes)
    return tree


def paths_around(folder: Path) -> Iterable[str]:
    """The paths of the tree around a folder, none of them read."""
    return _listed(folder, repository_root(folder))[0]


def fingerprint(blobs: Mapping[str, str]) -> str:
    """One digest for all files of a tree."""
    lines = sorted(f"{path}\0{blob}" for path, blob in blobs.items())
    return sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()


def _listed(folder: Path, root: Path) -> tuple[Iterable[str], list[str]]:
    git = git_around(folder)
    if git.git_dir is None:
        return _walked(root), ["no git repository here: .gitignore was not read"]
    if refused := git.refusal():
        return _walked(root), [f"git refuses it ({refused.reason}): .gitignore was not read"]
    answer = git.ask(*_LIST, timeout=_TIMEOUT)
    if answer.exit_code != 0:
        return _walked(root), [f"git did not list it ({answer.reason}): .gitignore was not read"]
    found = dict.fromkeys(path for path in os.fsdecode(answer.out).split("\0") if path)
    return list(found)[:_MOST_FILES], []


def _walked(root: Path) -> Iterator[str]:
    """Every file below a folder; no link is followed."""
    count = 0
    for where, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _OTHERS)
        for name in sorted(names):
            count += 1
            if count > _MOST_FILES:
                return
            yield Path(where, name).relative_to(root).as_posix()


class _Inside:
    """Reads regular files of one folder; a path through a link out of it is none."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folders: dict[str, bool] = {}

    def read(self, path: str) -> bytes | None:
        """The bytes, one more than the bound at most; None for what is no file of this tree."""
        folder, _, _ = path.rpartition("/")
        if folder not in self._folders:
            real = os.path.realpath(self._root / folder)
            self._folders[folder] = Path(real) == self._root / folder
        if not self._folders[folder]:
            return None
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            descriptor = os.open(self._root / path, flags)
        except OSError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            return file.read(MOST_BYTES + 1)
