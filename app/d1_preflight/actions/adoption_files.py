"""The files of an adoption: the project's, and what they are together, by hash and name."""

from collections.abc import Container, Sequence

from d1_preflight.actions.ports import Files
from d1_preflight.core.errors import MigrationUnreadable
from d1_preflight.core.project.migration import Migration, MigrationFile


class AdoptionFiles:
    """A project's files as an adoption sees them; `about` are those that it wrote rows for."""

    def __init__(self, project: Files, name: str, about: Container[str] | None = None) -> None:
        self._project, self._name, self._about = project, name, about
        self.down_path, self.write_down = project.down_path, project.write_down
        self.config_sha256, self.sha256 = project.config_sha256, project.sha256
        self.journal, self.stage = project.journal, project.stage
        self.target_config, self.account_config = project.target_config, project.account_config

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


def _escaped(name: str) -> str:
    """A name in one line, whatever it holds."""
    return name.encode("unicode_escape").decode()
