"""The files of an adoption: the project's, and what they are together, by hash and name."""

from collections.abc import Container, Mapping, Sequence
from pathlib import Path

from d1_preflight.actions.ports import Files
from d1_preflight.core.errors import MigrationUnreadable
from d1_preflight.core.project.migration import Migration, MigrationFile


class AdoptionFiles:
    """A project's files as an adoption sees them; `about` are those that it wrote rows for."""

    def __init__(self, project: Files, name: str, about: Container[str] | None = None) -> None:
        self._project = project
        self._name = name
        self._about = about

    def files(self) -> Sequence[MigrationFile]:
        """The one text that the adoption is about: every file's hash and name, a line each."""
        lines = (f"-- {m.sha256}  {_escaped(m.name)}\n" for m in self.migrations())
        return (Migration.from_text(self._name, "".join(lines)),)

    def migrations(self) -> Sequence[Migration]:
        """The project's files; raises MigrationUnreadable, for a file unread is one unknown."""
        found = list[Migration]()
        for file in self._project.files():
            if self._about is not None and file.name not in self._about:
                continue
            if not isinstance(file, Migration):
                raise MigrationUnreadable(f"{file.name}: {file.problem}", hint=file.hint)
            found.append(file)
        return tuple(found)

    def down(self, stem: str) -> Migration | None:
        """None: an adoption is undone by a query."""
        del stem
        return None

    def down_path(self, stem: str) -> Path:
        """As in the project."""
        return self._project.down_path(stem)

    def write_down(self, stem: str, text: str) -> Path:
        """As in the project."""
        return self._project.write_down(stem, text)

    def config_sha256(self) -> str:
        """The sha256 of the configuration's bytes."""
        return self._project.config_sha256()

    def sha256(self, name: str) -> str:
        """The sha256 of a file of the project's root."""
        return self._project.sha256(name)

    def journal(self) -> Mapping[str, int]:
        """As in the project."""
        return self._project.journal()

    def stage(self, migration: Migration, folder: Path, more: str = "") -> Path:
        """As in the project."""
        return self._project.stage(migration, folder, more)

    def target_config(self) -> Path:
        """The configuration with the target's uuid alone."""
        return self._project.target_config()

    def account_config(self) -> Path:
        """The configuration with the account alone."""
        return self._project.account_config()


def _escaped(name: str) -> str:
    """A name in one line, whatever it holds."""
    return name.encode("unicode_escape").decode()
