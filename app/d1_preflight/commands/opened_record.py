"""A record that was opened: its files, and everything that they are verified against."""

from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from d1_preflight.adapters.configuration import bytes_of
from d1_preflight.adapters.record_folder import closed_records, signed_files
from d1_preflight.adapters.regular_file import LARGEST
from d1_preflight.core.checklist.checklist import Checklist
from d1_preflight.core.errors import ChecklistInvalid, PreflightError, RecordInvalid
from d1_preflight.core.findings import Kind
from d1_preflight.core.project.project import RECORDS_NAME, Project
from d1_preflight.core.project.settings import Settings
from d1_preflight.core.record.file import load_record
from d1_preflight.core.record.record import Record
from d1_preflight.core.record.review import second_person_kinds
from d1_preflight.core.record.signing import Verifier
from d1_preflight.core.verify.chain import RECORD_FILE
from d1_preflight.core.verify.links import Verification
from d1_preflight.core.verify.place import Place
from d1_preflight.core.verify.problem import Id, Problem
from d1_preflight.lazy_dataclass import dataclass, field, replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from d1_preflight.adapters.kept_verdicts import KeptVerdicts
    from d1_preflight.adapters.ssh.sshsig import SshVerifier
    from d1_preflight.adapters.ssh.verdicts import Verdicts
    from d1_preflight.commands.base_records import BaseRecords
    from d1_preflight.commands.seen_signatures import SeenVerifier, Sighting


@dataclass(frozen=True, slots=True)
class OpenRecord:
    """A record's files, the checklist it walked, and who may sign it."""

    folder: Path
    files: dict[str, bytes]
    checklist: Checklist
    allowed_signers: Path | None
    signers: bytes | None
    trust: str  # from where signers, policy and checklist are, in words
    root: Path | None
    settings: Settings
    migration_sha256: str | None
    place: Place | None = None
    refused: ChecklistInvalid | None = None  # why the project's own checklist could not be read
    base: "BaseRecords | None" = None  # what the trusted revision holds of the records
    parsed: Record | None = None  # the record, where it can be read
    verdicts: "Verdicts | None" = None
    kept: "KeptVerdicts | None" = None
    key: str = ""  # by which a kept verdict on these files is known
    basis: str = ""  # a hash of all else that it rests on; "" where none is kept
    _seen: "list[SeenVerifier]" = field(default_factory=list)

    @property
    def record(self) -> Record:
        """The record itself; raises RecordInvalid."""
        if self.parsed is not None:
            return self.parsed
        data = self.files.get(RECORD_FILE)
        if data is None:
            raise RecordInvalid(
                f"{self.folder / RECORD_FILE} does not exist.", hint="Restore it from git."
            )
        return load_record(data, str(self.folder / RECORD_FILE))

    @property
    def verifier(self) -> Verifier | None:
        """The verifier of signatures; None without an allowed_signers file."""
        from d1_preflight.adapters.ssh.sshsig import SshVerifier
        from d1_preflight.adapters.ssh.verdicts import Verdicts
        from d1_preflight.commands.seen_signatures import SeenVerifier

        if self.signers is None:
            return None
        if not self._seen:  # one key signs GO and the close: whose it is, is asked once
            now = SshVerifier(self.signers, verdicts=self.verdicts or Verdicts())
            self._seen.append(SeenVerifier(now, partial(self._sightings, now)))
        return self._seen[0]

    def _sightings(self, now: "SshVerifier") -> "Iterator[Sighting]":
        """When others saw this record: what it was merged with, and who signed after it."""
        from d1_preflight.commands.seen_signatures import Sighting, sightings

        base, root = self.base, self.root
        if base and root and (at := base.seen_at(root, self.folder, self.files)):
            hashes = (sha256(data).hexdigest() for data in self.files.values())
            yield Sighting(at, frozenset(hashes))
        chain = self.place.chain if self.place else None
        yield from sightings(self.files, now, chain, lambda folder: signed_files(Path(folder)))

    def verify(self) -> Verification:
        """Hold the files against everything that is known here."""
        found = self._alone()
        chain = self.place.chain if self.place else None
        after = found.in_chain.problems(chain) if found.in_chain and chain else ()
        base, root = self.base, self.root
        since = base.problems(root, self.folder, self.files) if base and root else ()
        found = replace(found, trust=self.trust, problems=(*found.problems, *after, *since))
        if self.refused is None:
            return found
        unread = Problem(Id.CHECKLIST_INVALID, "d1.toml", self.refused.message, self.refused.hint)
        return replace(found, problems=(unread, *found.problems))

    def has_verdict(self) -> bool:
        """Whether an earlier run judged these bytes, and what they were held against."""
        return self.kept is not None and self.kept.has(self.key, self.basis)

    def _alone(self) -> Verification:
        """The verdict without the chain's: an earlier run's on the same, where it is kept."""
        kept = self.kept if self.basis else None
        if kept and (known := kept.verification(self.key, self.basis)):
            return known
        from d1_preflight.core.verify.verify import verify_record

        found = verify_record(
            self.files,
            self.checklist,
            self.verifier,
            migration_sha256=self.migration_sha256,
            second_person=self._second_person,
            place=self.place and replace(self.place, chain=None),
            parsed=self.parsed,
        )
        if kept:
            kept.put_verification(self.key, self.basis, found)
        return found

    @property
    def _second_person(self) -> frozenset[Kind]:
        return second_person_kinds(self.settings.signing.second_person)

    def rests_on(self, ssh_keygen: tuple[str | int, ...]) -> str:
        """A hash of all but its own files that a verdict rests on; "" where time alone counts."""
        from d1_preflight.adapters.ssh.verdicts import changes_by_itself

        signers, place = self.signers, self.place
        is_fixed = self.base is None and self.refused is None and ssh_keygen
        if signers is None or changes_by_itself(signers) or not is_fixed:
            return ""
        where = place and [place.folder, place.is_project, place.database_id, place.unknown]
        gone = place and [place.lacks_migration, place.renamed_to]
        parts = (
            *(sha256(signers).hexdigest(), ssh_keygen, sorted(self._second_person), where, gone),
            *(self.checklist.source, self.checklist.sha256, self.migration_sha256),
        )
        import json

        return sha256(json.dumps(parts).encode()).hexdigest()


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
    same = (f for f in files if f.is_file() and sha256(bytes_of(f, LARGEST)).hexdigest() == mine)
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
            return sha256(bytes_of(path, LARGEST, trees(path.parent))).hexdigest()
    return None
