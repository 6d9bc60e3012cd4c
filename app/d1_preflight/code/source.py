"""What the analysis is given of a project: files by path with the id of their bytes, and a cache.

Who reads them (a working tree, a revision) is no part of it; adapters have this shape.
"""

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from d1_preflight.core.project.migrations_pattern import Glob
from d1_preflight.lazy_dataclass import dataclass

MANY = 150
"""From how many files on it is worth to start processes that read them."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Where one Worker's code lies, as configuration and settings say it.

    `folder` is the project's, `main` the Worker's entry; both are relative to the tree's root.
    """

    folder: str = ""
    main: str = ""
    roots: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    wrappers: tuple[str, ...] = ()

    def excludes(self, path: str) -> bool:
        """Whether the settings leave a file out; patterns count from the project's folder."""
        if not self.exclude:
            return False
        below = posixpath.relpath(path, self.folder or ".")
        return any(
            below == pattern.rstrip("/")
            or below.startswith(f"{pattern.rstrip('/')}/")
            or Glob.parse(pattern).matches(below)
            for pattern in self.exclude
        )


class SourceTree(Protocol):
    """One state of a repository; paths are relative to its root, with forward slashes."""

    @property
    def name(self) -> str:
        """What people call this state: a revision, or the working tree."""

    @property
    def blobs(self) -> Mapping[str, str]:
        """Every regular file, and the id of its bytes."""

    @property
    def notes(self) -> Sequence[str]:
        """What was left out, in words."""

    def read(self, paths: Iterable[str]) -> Mapping[str, bytes]:
        """The bytes of files; what cannot be read, or is too long, is not among them."""


class Cache(Protocol):
    """Keeps what was read of files by the id of their bytes."""

    def get(self, key: str) -> Any:
        """What is kept under a key; None for nothing."""

    def put(self, key: str, value: Any) -> None:
        """Keep a value that JSON holds."""


class Beside(Protocol):
    """Processes beside this one, which answer jobs."""

    @property
    def is_running(self) -> bool:
        """Whether any has been started."""

    def answers(
        self, jobs: Iterable[bytes], is_late: Callable[[], bool]
    ) -> Iterator[tuple[int, bytes | None]]:
        """The answers as they come, by the number of the job; None for one that ended its process.

        Jobs that have no answer once it `is_late`, or where no process runs, are left.
        """
