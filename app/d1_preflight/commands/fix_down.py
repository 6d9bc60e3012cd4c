"""The down file that a migration lacks, drafted beside its rewrite."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from d1_preflight.commands.faces import named
from d1_preflight.core.errors import PreflightError
from d1_preflight.core.findings import Kind

if TYPE_CHECKING:
    from d1_preflight.core.project.migration import Migration
    from d1_preflight.core.recovery.down import Draft
    from d1_preflight.core.schema.schema import Schema


@dataclass(frozen=True, slots=True)
class MissingDown:
    """A down file that is not there: its path, and the draft of its text."""

    path: Path
    draft: "Draft"

    @property
    def undoes_nothing(self) -> bool:
        """Whether no statement stands in the draft: nothing is offered then."""
        from d1_preflight.core.project.migration import Migration

        return Migration.from_bytes(self.path.name, self.draft.sql.encode()).is_blank


def missing_down(
    arguments: argparse.Namespace, migration: "Migration", prior: "Schema", text: str
) -> MissingDown | None:
    """The down file that is missing beside `text`; None where there is one, or none is needed."""
    from d1_preflight.core.analysis import analyse
    from d1_preflight.core.recovery.down import draft_down

    path = _path(arguments, migration)
    if path is None:
        return None
    meant = replace(migration, text=text)
    found = analyse(meant, prior)
    if found.engine.refused or found.kind not in (Kind.TRANSFORMATIVE, Kind.DESTRUCTIVE):
        return None
    return MissingDown(path, draft_down(meant, prior))


def _path(arguments: argparse.Namespace, migration: "Migration") -> Path | None:
    """Where the down file belongs, if nothing lies there."""
    from d1_preflight.adapters.project_files import ProjectFiles, open_folder

    try:
        project = open_folder(Path.cwd(), **named(arguments))
        files = ProjectFiles(project)
        path = files.down_path(migration.stem)
    except PreflightError:
        return None
    own = os.path.realpath(files.folder / migration.name)
    is_here = migration.path is not None and os.path.realpath(migration.path) == own
    return path if is_here and not os.path.lexists(path) else None


def tell_missing(found: MissingDown) -> Sequence[str]:
    """What the draft brings back and what it cannot, line by line."""
    shown = os.path.relpath(found.path)
    if found.draft.lossless:
        return (f"preflight fix: {shown} is missing: a draft undoes all of it",)
    gaps = [f"  {' '.join(gap.split())}" for gap in found.draft.gaps]
    if found.undoes_nothing:
        return (f"preflight fix: {shown} is missing, and no statement undoes the file", *gaps)
    return (f"preflight fix: {shown} is missing: a draft undoes what SQL can", *gaps)


def write_missing(found: MissingDown) -> None:
    """Write the draft; nothing that is there is touched."""
    from d1_preflight.adapters.store import create_durably, make_folder

    make_folder(found.path.parent)
    create_durably(found.path, found.draft.sql.encode())
