"""Where the code of a Worker lies in a repository, as configuration and settings say it."""

import posixpath

from d1_preflight.core.project.migrations_pattern import Glob
from d1_preflight.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Scope:
    """One Worker's code.

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
