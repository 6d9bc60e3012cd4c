"""Where a record lies: its folder, the migration it is of, the database that the project means."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from d1_preflight.adapters.record_folder import closed_records
from d1_preflight.core.errors import PreflightError, ProjectError
from d1_preflight.core.project.project import RECORDS_NAME, Project
from d1_preflight.core.record.record import Record
from d1_preflight.core.verify.place import Place
from d1_preflight.lazy_dataclass import replace


def place_of(root: Path, folder: Path, project: Project | PreflightError | None) -> Place:
    """The folder below `checklists`, its links followed; the database that the project has."""
    below = folder.relative_to(root / RECORDS_NAME).as_posix()
    if isinstance(project, Project):
        return Place(below, is_project=True, database_id=project.database.id)
    return Place(below, is_project=project is not None, unknown=project.message if project else "")


def recorded_ids(records: Path) -> frozenset[str]:
    """The databases that the closed records of one name are about."""
    return frozenset(closed.database for closed in closed_records(records))


def named_alone(place: Place, record: Record, known: frozenset[str]) -> Place:
    """The place in a project that names its database alone: GO froze the uuid that the name meant.

    Where the records of one name are about several databases, which of them is meant is unknown.
    """
    ids = sorted({*known, record.database.id})
    if len(ids) > 1:
        words = f"the records of {record.database.name} are about {', '.join(ids)}"
        return replace(place, unknown=words)
    return replace(place, database_id=record.database.id)


def without_migration(place: Place, project: Project, record: Record) -> Place:
    """The place of a record whose migration is gone, or has another name by now."""
    mine = record.subjects.get("migration")
    files = sorted(project.migrations_folder.rglob("*.sql"))
    same = (f for f in files if f.is_file() and sha256(_bytes_of(f)).hexdigest() == mine)
    named = next((f.relative_to(project.migrations_folder).as_posix() for f in same), "")
    return replace(place, lacks_migration=True, renamed_to=named)


def migration_sha256(
    project: Project | PreflightError | None,
    folder: Path,
    record: Record,
    trees: Callable[[Path], str],
) -> str | None:
    """The sha256 of the migration in this checkout, or beside the record; None where it is not.

    `trees` gives a folder's checkout.
    """
    migrations = project.migrations_folder if isinstance(project, Project) else None
    for place in (migrations, folder):
        path = place / record.migration if place else None
        if path is not None and path.is_file():
            return sha256(_bytes_of(path, trees(path.parent))).hexdigest()
    return None


def _bytes_of(path: Path, tree: str = "") -> bytes:
    from d1_preflight.adapters.regular_file import read_file

    try:
        return read_file(path, tree=tree)
    except OSError as error:
        raise ProjectError(
            f"{path} cannot be read: {error.strerror}.",
            hint="Check what it is, where it leads, and its permissions.",
        ) from error
