"""The files of a working tree as they lie here: regular files inside of it, git's ignored ones out.

Without git every file counts but those of well-known folders of others' code, which is said.
"""

import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from hashlib import sha1, sha256
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from d1_preflight.adapters.git.door import Git, git_around
from d1_preflight.lazy_dataclass import dataclass

MOST_BYTES = 1_000_000
_MOST_FILES = 100_000
_MOST_TOTAL = 256_000_000
_TIMEOUT = 30.0
_OTHERS = frozenset(
    {"node_modules", ".git", ".wrangler", ".preflight", "dist", "build", "coverage"}
)
_LIST = ("ls-files", "-z", "--cached", "--others", "--exclude-standard")


_JUST_NOW_NS = 2_000_000_000
"""A file so new can change once more within one tick of a file system's clock."""
_FINE_JUST_NOW_NS = 100_000_000
"""The same where its clock is fine: ten ticks of the slowest."""
_COARSE_TICK_NS = 10_000_000


class KnownFiles(Protocol):
    """Keeps what was seen of files: size, times, number and the id of the bytes, by path."""

    def files(self) -> dict[str, Any]:
        """What is kept."""

    def keep_files(self, known: dict[str, Any]) -> None:
        """Keep it instead."""


@dataclass(slots=True)
class WorkingTree:
    """Files by path with an id of their bytes, which is git's own name of them."""

    name: str
    root: Path
    blobs: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    _data: dict[str, bytes] = field(default_factory=dict, repr=False)

    def read(self, paths: Iterable[str]) -> dict[str, bytes]:
        """The bytes of files as they were when their id was taken; none of one that changed."""
        inside, found = _Inside(self.root), dict[str, bytes]()
        for path in paths:
            data = self._data[path] if path in self._data else inside.read(path)
            if data is not None and (path in self._data or _blob(data) == self.blobs.get(path)):
                found[path] = data
        return found


def repository_root(folder: Path) -> Path:
    """The folder that holds the repository; without one, the folder itself."""
    return _root_of(git_around(folder), folder)


def _root_of(git: Git, folder: Path) -> Path:
    return Path(os.path.realpath(git.root if git.git_dir is not None else folder))


def working_tree(
    folder: Path,
    is_wanted: Callable[[str], bool],
    known: KnownFiles | None = None,
    git: Git | None = None,
    listed: Callable[[int], None] | None = None,
    *,
    now_ns: Callable[[], int] = time.time_ns,
    most_files: int = _MOST_FILES,
) -> WorkingTree:
    """The tree around a folder; only the files that are wanted, and are not `known`, are read.

    How many these are is said as soon as the files are `listed`.
    """
    git = git or git_around(folder)
    root = _root_of(git, folder)
    paths, notes = _listed(git, root)
    around = list(islice(paths, most_files + 1))
    if len(around) > most_files:
        notes.append(f"more than {most_files:,} files here: the rest is left out")
    wanted = list(filter(is_wanted, around[:most_files]))
    tree = WorkingTree("the working tree", root)
    looking = _Looking(tree, known.files() if known else {}, notes, now_ns())
    if listed is not None:
        listed(sum(path not in looking.known for path in wanted))
    for path in wanted:
        if not looking.take(path):
            break
    if known and looking.seen != looking.known:
        known.keep_files(looking.seen)
    tree.notes = tuple(notes)
    return tree


class _Looking:
    """Looks at one file after the other, and notes what the next look can rest on."""

    def __init__(
        self, tree: WorkingTree, known: dict[str, Any], notes: list[str], began: int
    ) -> None:
        self.known, self.seen = known, dict[str, Any]()
        self._tree, self._notes = tree, notes
        self._inside = _Inside(tree.root)
        self._blobs: dict[str, str] = {}
        self._total = 0
        self._began = began
        tree.blobs = self._blobs

    def take(self, path: str) -> bool:
        """Note a file's id; False once there are too many bytes."""
        state = self._inside.state(path)
        if state is None:
            return True
        about, kept = [*state], self.known.get(path)
        if isinstance(kept, list) and kept[:-1] == about and isinstance(kept[-1], str):
            size, blob, data = state[0], kept[-1], None
        else:
            data = self._inside.read(path)
            if data is None:
                self._notes.append(f"{path} could not be read: left out")
                return True
            size, blob = len(data), _blob(data)
        if size > MOST_BYTES:
            self._notes.append(f"{path} is larger than {MOST_BYTES:,} bytes: left out")
            return True
        self._total += size
        if self._total > _MOST_TOTAL:
            words = f"more than {_MOST_TOTAL:,} bytes of source: the rest is left out"
            self._notes.append(words)
            return False
        self._blobs[path] = blob
        if data is not None:
            self._tree._data[path] = data  # noqa: SLF001 - filled here, where it is made
        if is_settled(state[1], state[2], self._began) and size == state[0]:
            self.seen[path] = [*about, blob]
        return True


def _blob(data: bytes) -> str:
    return sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def is_settled(modified: int, changed: int, now: int) -> bool:
    """Whether any change of a file after `now` changes its times, all in nanoseconds.

    `changed` is the kernel's own, which nobody can set: where it is no multiple of a coarse
    clock's tick, this file system keeps a fine one.
    """
    is_fine = changed % _COARSE_TICK_NS != 0
    return max(modified, changed) < now - (_FINE_JUST_NOW_NS if is_fine else _JUST_NOW_NS)


def paths_around(folder: Path) -> Iterable[str]:
    """The paths of the tree around a folder, none of them read."""
    git = git_around(folder)
    return islice(_listed(git, _root_of(git, folder))[0], _MOST_FILES)


def fingerprint(blobs: Mapping[str, str]) -> str:
    """One digest for all files of a tree."""
    lines = sorted(f"{path}\0{blob}" for path, blob in blobs.items())
    return sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()


def _listed(git: Git, root: Path) -> tuple[Iterable[str], list[str]]:
    if git.git_dir is None:
        return _walked(root), ["no git repository here: .gitignore was not read"]
    if refused := git.refusal():
        return _walked(root), [f"git refuses it ({refused.reason}): .gitignore was not read"]
    answer = git.ask(*_LIST, timeout=_TIMEOUT)
    if answer.exit_code != 0:
        return _walked(root), [f"git did not list it ({answer.reason}): .gitignore was not read"]
    return dict.fromkeys(path for path in os.fsdecode(answer.out).split("\0") if path), []


def _walked(root: Path) -> Iterator[str]:
    """Every file below a folder; no link is followed."""
    for where, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _OTHERS)
        for name in sorted(names):
            yield Path(where, name).relative_to(root).as_posix()


class _Inside:
    """Reads regular files of one folder; a path through a link out of it is none."""

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self._folders: dict[str, bool] = {}

    def state(self, path: str) -> tuple[int, int, int, int] | None:
        """Size, times and number of a file; None for what is no regular file of this tree."""
        place = self._place(path)
        try:
            found = os.lstat(place) if place else None
        except (OSError, ValueError):
            return None
        if found is None or not stat.S_ISREG(found.st_mode):
            return None
        return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino

    def _place(self, path: str) -> str:
        folder, _, _ = path.rpartition("/")
        if folder not in self._folders:
            below = Path(self._root, folder)
            self._folders[folder] = Path(os.path.realpath(below)) == below
        return f"{self._root}/{path}" if self._folders[folder] else ""

    def read(self, path: str) -> bytes | None:
        """The bytes, one more than the bound at most; None for what is no file of this tree."""
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW
        place = self._place(path)
        if not place:
            return None
        try:
            descriptor = os.open(place, flags)
        except OSError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            return file.read(MOST_BYTES + 1)
