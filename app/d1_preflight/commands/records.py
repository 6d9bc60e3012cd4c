"""What `show`, `verify` and `review` open: a record's folder and what it is verified against."""

import argparse
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from d1_preflight.adapters.checklists import checklist_path, read_checklist
from d1_preflight.adapters.record_folder import all_records, find_record, read_record_folder
from d1_preflight.core.checklist.checklist import Checklist
from d1_preflight.core.checklist.file import shipped_checklist
from d1_preflight.core.checklist.shipped import walked_checklist
from d1_preflight.core.errors import (
    ChecklistInvalid,
    PreflightError,
    ProjectError,
    RecordInvalid,
    UsageError,
)
from d1_preflight.core.project.project import RECORDS_NAME, Project
from d1_preflight.core.project.settings import Settings
from d1_preflight.core.record.file import load_record
from d1_preflight.core.record.record import Record
from d1_preflight.core.record.review import second_person_kinds
from d1_preflight.core.record.signing import Verifier
from d1_preflight.core.verify.place import Place
from d1_preflight.core.verify.problem import Problem
from d1_preflight.core.verify.verify import RECORD_FILE, Verification, verify_record


@dataclass(frozen=True, slots=True)
class OpenRecord:
    """A record's files, the checklist it walked, and who may sign it."""

    folder: Path
    files: dict[str, bytes]
    checklist: Checklist
    allowed_signers: Path | None
    root: Path | None
    settings: Settings
    migration_sha256: str | None
    place: Place | None = None
    refused: ChecklistInvalid | None = None  # why the project's own checklist could not be read

    @property
    def record(self) -> Record:
        """The record itself; raises RecordInvalid."""
        data = self.files.get(RECORD_FILE)
        if data is None:
            raise RecordInvalid(f"{self.folder / RECORD_FILE} is not there.")
        return load_record(data, str(self.folder / RECORD_FILE))

    @property
    def verifier(self) -> Verifier | None:
        """The verifier of signatures; None without an allowed_signers file."""
        from d1_preflight.adapters.ssh.sshsig import SshVerifier

        return SshVerifier(self.allowed_signers) if self.allowed_signers else None

    def verify(self) -> Verification:
        """Hold the files against everything that is known here."""
        found = verify_record(
            self.files,
            self.checklist,
            self.verifier,
            migration_sha256=self.migration_sha256,
            second_person=second_person_kinds(self.settings.signing.second_person),
            place=self.place,
        )
        if self.refused is None:
            return found
        unread = Problem("d1.toml", self.refused.message, self.refused.hint)
        return replace(found, problems=(unread, *found.problems))


def open_record(word: str, arguments: argparse.Namespace) -> OpenRecord:
    """Open the record that a word names; raises UsageError or ProjectError."""
    return opened(find_record(word, _roots(arguments)), arguments)


def opened(folder: Path, arguments: argparse.Namespace) -> OpenRecord:
    """Open the record in this folder."""
    files = read_record_folder(folder)
    config = _given(vars(arguments).get("config"))
    root = _project_of(folder, config)
    settings = _settings(root)
    signers = _given(arguments.allowed_signers) or _allowed_signers(folder, root, settings)
    record = _readable(files)
    checklist, refused = _checklist(root, arguments.checklist, record)
    project = _project(root, record, config) if root and record else None
    return OpenRecord(
        folder=folder,
        files=files,
        checklist=checklist,
        allowed_signers=signers,
        root=root,
        settings=settings,
        migration_sha256=_migration_sha256(project, folder, record) if record else None,
        place=_place(root, folder, project) if root else None,
        refused=refused,
    )


def every_record(arguments: argparse.Namespace) -> tuple[Path, ...]:
    """The folders of all records of the current project; raises UsageError if none."""
    found = all_records(_roots(arguments))
    if not found:
        raise UsageError(
            "There are no records here (checklists/<database>/<migration>/record.toml).",
            hint="Name a record's folder, or go to the project.",
        )
    return found


def _roots(arguments: argparse.Namespace) -> tuple[Path, ...]:
    """The project of --config, else that at or above the current folder, else the folder."""
    from d1_preflight.adapters.project_files import find_config

    if named := _given(vars(arguments).get("config")):
        return (named.resolve().parent,)
    try:
        return (find_config(Path.cwd()).parent,)
    except ProjectError:
        return (Path.cwd(),)


def _project_of(folder: Path, config: Path | None) -> Path | None:
    """The project whose `checklists` hold the folder; without a configuration, the nearest."""
    places = (folder.resolve(), *folder.resolve().parents)
    roots = [p.parent for p in places if p.name == RECORDS_NAME]
    return next((root for root in roots if _is_project(root, config)), roots[0] if roots else None)


def _settings(root: Path | None) -> Settings:
    from d1_preflight.adapters.project_files import read_settings

    return read_settings(root) if root else Settings()


def _given(path: Path | None) -> Path | None:
    if path is not None and not path.is_file():
        raise UsageError(f"{path} is not there.", hint="Correct the option, or leave it out.")
    return path


def _allowed_signers(folder: Path, root: Path | None, settings: Settings) -> Path | None:
    """The project's file, else one that travels with the record (as trustworthy as the record)."""
    named = [root / settings.signing.allowed_signers] if root else []
    for path in (*named, folder / "allowed_signers", folder.parent / "allowed_signers"):
        if path.is_file():
            return path
    return None


def _checklist(
    root: Path | None, given: Path | None, record: Record | None
) -> tuple[Checklist, ChecklistInvalid | None]:
    """The one named, the project's own, or the shipped one that the record was walked by.

    The present shipped one where one is refused.
    """
    try:
        if named := _given(given):
            return read_checklist(named), None
        present = read_checklist(checklist_path(root))
        return walked_checklist(record.checklist, present) if record else present, None
    except ChecklistInvalid as error:
        return shipped_checklist(), error


def _readable(files: dict[str, bytes]) -> Record | None:
    """The record; None if it is unreadable, which the verification reports."""
    try:
        return load_record(files.get(RECORD_FILE, b""))
    except RecordInvalid:
        return None


def _project(root: Path, record: Record, config: Path | None) -> Project | PreflightError | None:
    """The project at `root` on the record's database, or why it has none; None for no project."""
    from d1_preflight.adapters.project_files import open_project

    if not _is_project(root, config):
        return None
    database = record.database
    try:
        # The record names its environment; today's CLOUDFLARE_ENV does not matter.
        found = open_project(
            root, config=config and config.resolve(),
            environment=database.environment, database=database.name, environ={},
        )  # fmt: skip
    except PreflightError as error:
        return error
    if found.database.name != database.name:
        return UsageError(f"{found.config.words} has no database of that name.")
    return found


def _is_project(root: Path, config: Path | None) -> bool:
    from d1_preflight.adapters.project_files import find_config

    try:
        return find_config(root, config and config.resolve()).parent == root
    except ProjectError:
        return False


def _place(root: Path, folder: Path, project: Project | PreflightError | None) -> Place:
    below = folder.resolve().relative_to(root / RECORDS_NAME).as_posix()
    if isinstance(project, Project):
        return Place(below, is_project=True, database_id=project.database.id)
    return Place(below, is_project=project is not None, unknown=project.message if project else "")


def _migration_sha256(
    project: Project | PreflightError | None, folder: Path, record: Record
) -> str | None:
    """The sha256 of the migration in this checkout, or beside the record; None where it is not."""
    migrations = project.migrations_folder if isinstance(project, Project) else None
    for place in (migrations, folder):
        path = place / record.migration if place else None
        if path is not None and path.is_file():
            return sha256(path.read_bytes()).hexdigest()
    return None
