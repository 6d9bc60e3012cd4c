"""What `show`, `verify` and `review` open: a record's folder and all it is held against."""

import argparse
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from d1_preflight.adapters.record_folder import all_records, find_record, read_record_folder
from d1_preflight.core.checklist import Checklist
from d1_preflight.core.checklist_file import load_checklist
from d1_preflight.core.definitions import checklists_dir
from d1_preflight.core.errors import PreflightError, ProjectError, RecordInvalid, UsageError
from d1_preflight.core.record import Record
from d1_preflight.core.record_file import load_record
from d1_preflight.core.review import second_person_kinds
from d1_preflight.core.settings import Settings
from d1_preflight.core.verify import RECORD_FILE, Verification, verify_record
from d1_preflight.core.verify_values import Verifier


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

    @property
    def record(self) -> Record:
        """The record itself; raises RecordInvalid."""
        data = self.files.get(RECORD_FILE)
        if data is None:
            raise RecordInvalid(f"{self.folder / RECORD_FILE} is not there.")
        return load_record(data, str(self.folder / RECORD_FILE))

    @property
    def verifier(self) -> Verifier | None:
        """Who checks signatures; None where nobody says who may sign."""
        from d1_preflight.adapters.signing import SshVerifier

        return SshVerifier(self.allowed_signers) if self.allowed_signers else None

    def verify(self) -> Verification:
        """Hold the files against everything that is known here."""
        return verify_record(
            self.files,
            self.checklist,
            self.verifier,
            migration_sha256=self.migration_sha256,
            second_person=second_person_kinds(self.settings.signing.second_person),
        )


def open_record(word: str, arguments: argparse.Namespace) -> OpenRecord:
    """Open the record that a word names; raises UsageError, ProjectError or ChecklistInvalid."""
    return opened(find_record(word, _roots()), arguments)


def opened(folder: Path, arguments: argparse.Namespace) -> OpenRecord:
    """Open the record in this folder."""
    files = read_record_folder(folder)
    root = _project_of(folder)
    settings = _settings(root)
    signers = _given(arguments.allowed_signers) or _allowed_signers(folder, root, settings)
    return OpenRecord(
        folder=folder,
        files=files,
        checklist=_checklist(folder, arguments.checklist),
        allowed_signers=signers,
        root=root,
        settings=settings,
        migration_sha256=_migration_sha256(root, folder, files),
    )


def every_record() -> tuple[Path, ...]:
    """The folders of all records of the project we stand in; raises UsageError if none."""
    found = all_records(_roots())
    if not found:
        raise UsageError(
            "There are no records here (checklists/<database>/<migration>/record.toml).",
            hint="Name a record's folder, or go to the project.",
        )
    return found


def _roots() -> tuple[Path, ...]:
    """The project at or above the current folder, else the folder itself."""
    from d1_preflight.adapters.files import find_config

    try:
        return (find_config(Path.cwd()).parent,)
    except ProjectError:
        return (Path.cwd(),)


def _project_of(folder: Path) -> Path | None:
    """The project whose `checklists` hold the folder."""
    places = (folder.resolve(), *folder.resolve().parents)
    return next((p.parent for p in places if p.name == "checklists"), None)


def _settings(root: Path | None) -> Settings:
    from d1_preflight.adapters.files import read_settings

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


def _checklist(folder: Path, given: Path | None) -> Checklist:
    """The one named, the project's own, or the one that ships with the program."""
    path = _given(given)
    root = _project_of(folder)
    if path is None and root is not None and (root / "checklists" / "d1.toml").is_file():
        path = root / "checklists" / "d1.toml"
    chosen = path or checklists_dir() / "d1.toml"
    return load_checklist(chosen.read_text("utf-8"), str(chosen))


def _migration_sha256(root: Path | None, folder: Path, files: dict[str, bytes]) -> str | None:
    """The sha256 of the migration in this checkout, or beside the record; None where it is not."""
    if RECORD_FILE not in files:
        return None
    try:
        record = load_record(files[RECORD_FILE])
    except RecordInvalid:
        return None  # the verification says what is wrong with it
    for place in (_migrations_folder(root, record) if root else None, folder):
        path = place / record.migration if place else None
        if path is not None and path.is_file():
            return sha256(path.read_bytes()).hexdigest()
    return None


def _migrations_folder(root: Path, record: Record) -> Path | None:
    """Where this checkout keeps the database's migrations; None where it is no project."""
    from d1_preflight.adapters.files import open_project

    database = record.database
    try:
        project = open_project(root, environment=database.environment, database=database.name)
    except PreflightError:
        return None
    return project.migrations_folder if project.root == root else None
