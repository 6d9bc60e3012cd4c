"""Checks that a record is in the folder of its migration and database, in its own project.

A signature says nothing about the folder it is found in: the record of a harmless migration, copied
over another one's, would vouch for that one too.
"""

from collections.abc import Iterator

from d1_preflight.core.project.project import RECORDS_NAME
from d1_preflight.core.record.record import Record
from d1_preflight.core.target.api_place import PRACTICE
from d1_preflight.core.verify.links import Chain
from d1_preflight.core.verify.problem import Id, Problem, Weight
from d1_preflight.lazy_dataclass import dataclass

_FILE = "record.toml"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record was found: its folder below `checklists`, and what the project says of it.

    `is_project` where a wrangler configuration lies beside `checklists`; `database_id` is the one
    configured for the record's database, None where there is none: `unknown` says why. Where the
    project `lacks_migration`, `renamed_to` is a file of the same text. `chain` holds the closed
    records of the same database, for a record that lies in its place.
    """

    folder: str
    is_project: bool = False
    database_id: str | None = None
    unknown: str = ""
    lacks_migration: bool = False
    renamed_to: str = ""
    chain: Chain | None = None

    @property
    def is_bound(self) -> bool:
        """Whether the folder has to be the record's: a record read alone may lie anywhere."""
        return self.is_project or "/" in self.folder


def place_problems(record: Record, place: Place | None) -> Iterator[Problem]:
    """What is wrong with the record's folder; nothing for a record outside of a project."""
    if place is None:
        return
    expected = f"{record.database.name}/{record.migration.removesuffix('.sql')}"
    if place.is_bound and place.folder != expected:
        words = (
            f"covers {record.migration} on {record.database.name}, "
            f"but lies in {RECORDS_NAME}/{place.folder}"
        )
        hint = f"It belongs in {RECORDS_NAME}/{expected}, and nowhere else."
        yield Problem(Id.WRONG_FOLDER, _FILE, words, hint)
    if place.is_project:
        yield from _database_problems(record, place)


def _database_problems(record: Record, place: Place) -> Iterator[Problem]:
    told, configured = record.database, place.database_id
    if configured == told.id:
        return
    if not configured or not told.id:
        why = place.unknown or "one of the two has no id"
        words = f"may cover another database than the configured {told.name}: {why}"
        hint = "Give the configuration its database_id."
        yield Problem(Id.DATABASE_UNKNOWN, _FILE, words, hint, Weight.OPEN)
        return
    what, hint = "covers", "A record is valid for its own database only."
    if told.target == PRACTICE:
        what = "is a practice record of"
        hint = "Practice proves nothing about a real database: run the checklist there."
    words = f"{what} {told.name} {told.id}; the configuration has {configured} under that name"
    yield Problem(Id.WRONG_DATABASE, _FILE, words, hint)
