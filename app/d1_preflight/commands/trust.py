"""What a record is held against, and where that is from: this checkout, or a base revision.

A pull request can bring its own signers, policy and checklist beside its record. So CI takes them
from a revision that the pull request did not write.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from d1_preflight.adapters.checklists import checklist_path, read_checklist
from d1_preflight.adapters.configuration import bytes_of
from d1_preflight.adapters.regular_file import MAX_BYTES
from d1_preflight.core.checklist.checklist import Checklist
from d1_preflight.core.checklist.file import load_checklist, shipped_checklist
from d1_preflight.core.errors import ChecklistInvalid, PreflightError, ProjectError, UsageError
from d1_preflight.core.project.project import RECORDS_NAME
from d1_preflight.core.project.settings import SETTINGS_NAME, Settings, load_settings
from d1_preflight.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from d1_preflight.adapters.git.base_revision import BaseRevision

_CHECKLIST = "d1.toml"


@dataclass(frozen=True, slots=True)
class ThisCheckout:
    """The files as they lie here."""

    name: str = "this checkout"

    def read(self, path: Path) -> bytes | None:
        """The file's bytes."""
        return bytes_of(path) if os.path.lexists(path) else None


@dataclass(frozen=True, slots=True)
class AtRevision:
    """The files as a revision has them, whatever lies here; `name` says its commit, too."""

    base: "BaseRevision"
    name: str

    def read(self, path: Path) -> bytes | None:
        """The file's bytes at the revision."""
        found = self.base.object_of(path)
        data = self.base.data(path.parent, found) if found else None
        if data is not None and len(data) > MAX_BYTES:
            raise ProjectError(
                f"{path} at {self.base.revision} is longer than {MAX_BYTES:,} bytes.",
                hint="Shorten it there, or name another revision.",
            )
        return data


TrustSource = ThisCheckout | AtRevision
"""Where the files that decide are read; raises ProjectError or UsageError."""


def trust_source(revision: str, root: Path | None) -> TrustSource:
    """The source that the options name; raises UsageError where there is no such revision."""
    if not revision:
        return ThisCheckout()
    if root is None:
        raise UsageError(
            "--trust-from needs a record that lies in a project.",
            hint="Name a record below checklists/, or --allowed-signers FILE instead.",
        )
    from d1_preflight.adapters.git.base_revision import BaseRevision

    base = BaseRevision(revision)
    base.object_of(root / SETTINGS_NAME)  # refuses a revision that git does not know
    commit = base.commit(root)
    return AtRevision(base, f"{revision} (commit {commit[:12]})" if commit else revision)


def settings_from(source: TrustSource, root: Path | None) -> Settings:
    """The settings beside the configuration, or the defaults."""
    data = source.read(root / SETTINGS_NAME) if root else None
    return Settings() if data is None else load_settings(_text(data, SETTINGS_NAME), SETTINGS_NAME)


def checklist_from(source: TrustSource, root: Path | None) -> Checklist:
    """The project's own checklist, else the one that ships; raises ChecklistInvalid."""
    if isinstance(source, ThisCheckout) or root is None:
        return read_checklist(checklist_path(root))
    path = root / RECORDS_NAME / _CHECKLIST
    data = source.read(path)
    if data is None:
        return shipped_checklist()
    name = f"{path} at {source.name}"
    return load_checklist(_text(data, name, ChecklistInvalid), name)


def _text(data: bytes, name: str, refusal: type[PreflightError] = ProjectError) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise refusal(f"{name}:{line}: not UTF-8 text.", hint="Save it as UTF-8.") from error
