"""What `show`, `verify` and `review` open: a record's folder and what it is verified against."""

import argparse
import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from d1_preflight.adapters.checklists import has_own_checklist, read_checklist
from d1_preflight.adapters.git.checkout import checkout_of, program_outside
from d1_preflight.adapters.record_folder import (
    all_records,
    closed_records,
    find_record,
    find_records,
    read_record_folder,
    signed_files,
    signed_part,
)
from d1_preflight.adapters.regular_file import tree_of
from d1_preflight.commands.opened_record import (
    OpenRecord,
    migration_sha256,
    named_alone,
    place_of,
    recorded_ids,
    without_migration,
)
from d1_preflight.commands.trust import (
    ThisCheckout,
    TrustSource,
    checklist_from,
    settings_from,
    trust_source,
)
from d1_preflight.core.checklist.checklist import Checklist
from d1_preflight.core.checklist.file import shipped_checklist
from d1_preflight.core.checklist.shipped import earlier_checklist, walked_checklist
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
from d1_preflight.core.record.record import DatabaseRef, Record
from d1_preflight.core.target.api_place import PRACTICE
from d1_preflight.core.verify.chain import RECORD_FILE, ClosedRecord, chain_key, read_closed
from d1_preflight.core.verify.links import Chain
from d1_preflight.core.verify.place import Place
from d1_preflight.core.verify.problem import Problem
from d1_preflight.lazy_dataclass import replace

if TYPE_CHECKING:
    from d1_preflight.adapters.kept_verdicts import KeptVerdicts
    from d1_preflight.adapters.ssh.verdicts import Verdicts
    from d1_preflight.commands.base_records import BaseRecords

_T = TypeVar("_T")


class Chains:
    """The chains of the projects' records; what many records share is read once."""

    def __init__(
        self,
        revision: str = "",
        verdicts: "Verdicts | None" = None,
        kept: "KeptVerdicts | None" = None,
    ) -> None:
        self.base = _base(revision) if revision else None
        self.verdicts = verdicts
        self.kept = kept
        self._once: dict[tuple[object, ...], object] = {}
        self._read: dict[Path, dict[str, list[ClosedRecord]]] = {}
        self._made: dict[tuple[Path, str], Chain] = {}

    def once(self, key: tuple[object, ...], make: Callable[[], _T]) -> _T:
        """What is made for this key, the first time that it is asked for."""
        if key not in self._once:
            self._once[key] = make()
        return cast("_T", self._once[key])

    def files(self, folder: Path) -> dict[str, bytes]:
        """A record's files, read once: the chain is judged by the same bytes as the record."""
        return self.once(("files", folder), lambda: read_record_folder(folder))

    def checkout(self, folder: Path) -> str:
        """The checkout of a folder that holds many files."""
        return self.once(("tree", folder), lambda: tree_of(folder))

    def _signed_files(self, folder: Path) -> dict[str, bytes]:
        is_read = ("files", folder) in self._once
        return signed_part(self.files(folder)) if is_read else signed_files(folder)

    def of(self, root: Path, database: DatabaseRef) -> Chain:
        """The chain of a database in the project at `root`; raises ProjectError."""
        key = chain_key(database)
        if root not in self._read:
            found = self._read.setdefault(root, {})
            top = root / RECORDS_NAME
            read = self.kept.closed if self.kept else read_closed
            for record in closed_records(top, read=read, files=self._signed_files):
                found.setdefault(record.database, []).append(record)
        if (root, key) not in self._made:
            self._made[root, key] = Chain(tuple(self._read[root].get(key, ())))
        return self._made[root, key]


def _base(revision: str) -> "BaseRecords":
    from d1_preflight.commands.base_records import BaseRecords

    return BaseRecords(revision)


def gone_records(arguments: argparse.Namespace, chains: Chains) -> Iterator[tuple[Path, Problem]]:
    """The records of the trusted revision that are not here."""
    for root in _roots(arguments):
        if chains.base:
            yield from chains.base.gone(root)


def open_record(word: str, arguments: argparse.Namespace) -> OpenRecord:
    """Open the record that a word names; raises UsageError or ProjectError."""
    return opened(find_record(word, partial(_roots, arguments)), arguments)


def open_records(
    word: str, arguments: argparse.Namespace, chains: Chains | None = None
) -> tuple[OpenRecord, ...]:
    """Open the records that a word names, all below a folder; raises UsageError, ProjectError."""
    found = find_records(word, partial(_roots, arguments))
    return tuple(opened(folder, arguments, chains) for folder in found)


def opened(folder: Path, arguments: argparse.Namespace, chains: Chains | None = None) -> OpenRecord:
    """Open the record in this folder; several share what is read of their `chains`."""
    chains = chains or Chains(vars(arguments).get("trust_from") or "")
    files, real = chains.files(folder), folder.resolve()
    config = _given(vars(arguments).get("config"))
    root = _project_of(real, config, chains)
    revision = vars(arguments).get("trust_from") or ""
    source = chains.once(("trust", root), lambda: trust_source(revision, root))
    settings = chains.once(("settings", root), lambda: settings_from(source, root))
    given = _given(arguments.allowed_signers)
    paths = _signers_paths(folder, root, settings, revision)
    path, signers = _signers(source, given, paths, chains)
    kept, key = chains.kept, chains.kept.key(files) if chains.kept else ""
    record, parsed = _headed(files, kept, key)
    checklist, refused = _checklist(source, root, arguments.checklist, record, chains)
    project = _project(root, record, config, chains) if root and record else None
    text = migration_sha256(project, folder, record, chains.checkout) if record else None
    place = _placed(real, root, record, project, text=text, chains=chains) if root else None
    found = OpenRecord(
        folder=folder,
        files=files,
        checklist=checklist,
        allowed_signers=path,
        signers=signers,
        trust=_trust(source, path, folder, by_option=given is not None),
        root=root,
        settings=settings,
        migration_sha256=text,
        place=place,
        refused=refused,
        base=chains.base,
        parsed=parsed,
        verdicts=chains.verdicts,
    )
    if kept is None:
        return found
    basis = found.rests_on(chains.once(("ssh-keygen",), _ssh_keygen))
    return replace(found, kept=kept, key=key, basis=basis)


def _headed(
    files: dict[str, bytes], kept: "KeptVerdicts | None", key: str
) -> tuple[Record | None, Record | None]:
    """What the record is of, kept from an earlier run or read; and the record where it was read."""
    known = kept.head(key) if kept else None
    if known is not None:
        return known, None
    parsed = _readable(files)
    if kept and parsed:
        kept.put_head(key, parsed)
    return parsed, parsed


def _ssh_keygen() -> tuple[str | int, ...]:
    """Which program checks signatures; () where there is none."""
    from d1_preflight.adapters.ssh.verdicts import mark_of

    program = program_outside("ssh-keygen", os.environ, checkout_of(Path.cwd()))
    return () if program is None else mark_of(program)


def _placed(
    folder: Path,
    root: Path,
    record: Record | None,
    project: Project | PreflightError | None,
    *,
    text: str | None,
    chains: Chains,
) -> Place:
    """Where the record lies, and what the project says of its database and its migration."""
    place = place_of(root, folder, project)
    if record is None:
        return place
    if isinstance(project, Project):
        if not project.database.id and record.database.target != PRACTICE:
            known = chains.once(("ids", project.records), partial(recorded_ids, project.records))
            place = named_alone(place, record, known)
        if text is None:
            place = without_migration(place, project, record)
    return replace(place, chain=chains.of(root, record.database)) if place.is_bound else place


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
    """The project of --config, else that of the current folder, else the folder with records.

    A folder with records of its own is never left for a project below it.
    """
    from d1_preflight.adapters.configuration import find_config

    if named := _given(vars(arguments).get("config")):
        return (named.resolve().parent,)
    here = Path.cwd()
    holder = _holder_of(here)
    try:
        root = find_config(here).parent
    except (ProjectError, UsageError):
        return (holder,)
    is_below = not here.is_relative_to(root)
    return (holder if is_below and (holder / RECORDS_NAME).is_dir() else root,)


def _holder_of(here: Path) -> Path:
    """The nearest folder, from here upwards, that holds `checklists`; this one where none does."""
    places = (here, *here.parents)
    return next((place for place in places if (place / RECORDS_NAME).is_dir()), here)


def _project_of(folder: Path, config: Path | None, chains: Chains) -> Path | None:
    """The project whose `checklists` hold the folder; without a configuration, the nearest."""
    above = chains.once(("roots", folder.parent), lambda: _roots_above(folder.parent))
    roots = [folder.parent, *above] if folder.name == RECORDS_NAME else above
    return next(
        (root for root in roots if _is_project(root, config, chains)), roots[0] if roots else None
    )


def _roots_above(folder: Path) -> list[Path]:
    return [place.parent for place in (folder, *folder.parents) if place.name == RECORDS_NAME]


def _given(path: Path | None) -> Path | None:
    if path is not None and not path.is_file():
        raise UsageError(f"{path} does not exist.", hint="Correct the option, or leave it out.")
    return path


def _signers_paths(
    folder: Path, root: Path | None, settings: Settings, revision: str
) -> tuple[Path, ...]:
    """The project's file, else one that travels with the record (as trustworthy as the record)."""
    named = (root / settings.signing.allowed_signers,) if root else ()
    beside = (folder / "allowed_signers", folder.parent / "allowed_signers")
    return named if revision else (*named, *beside)


def _signers(
    source: TrustSource, given: Path | None, paths: Iterable[Path], chains: Chains
) -> tuple[Path | None, bytes | None]:
    """The first file that is there, and its bytes."""
    if given is not None:
        return given, ThisCheckout().read(given)
    found = ((p, chains.once(("signers", p), partial(source.read, p))) for p in paths)
    return next(((path, data) for path, data in found if data is not None), (None, None))


def _trust(source: TrustSource, path: Path | None, folder: Path, *, by_option: bool) -> str:
    if by_option:
        return f"signers from {path} (--allowed-signers); policy and checklist from {source.name}"
    if path is None:
        return f"no signers in {source.name}; policy and checklist from {source.name}"
    if path.parent == folder:
        return (
            f"signers named beside the record ({path}), where anybody can add themselves: compare "
            f"the key, or give --allowed-signers; policy and checklist from {source.name}"
        )
    return f"signers from {source.name} ({path}); policy and checklist too"


def _checklist(
    source: TrustSource,
    root: Path | None,
    given: Path | None,
    record: Record | None,
    chains: Chains,
) -> tuple[Checklist, ChecklistInvalid | None]:
    """The one named, the project's own, or the shipped one that the record was walked by.

    The present shipped one where one is refused.
    """
    try:
        if named := _given(given):
            return read_checklist(named), None
        is_shipped = isinstance(source, ThisCheckout) and not has_own_checklist(root)
        walked = earlier_checklist(record.checklist) if record and is_shipped else None
        if walked is not None:  # the present one need not be read
            return walked, None
        present = chains.once(("checklist", root), lambda: checklist_from(source, root))
        return walked_checklist(record.checklist, present) if record else present, None
    except ChecklistInvalid as error:
        return shipped_checklist(), error


def _readable(files: dict[str, bytes]) -> Record | None:
    """The record; None if it is unreadable, which the verification reports."""
    try:
        return load_record(files.get(RECORD_FILE, b""))
    except RecordInvalid:
        return None


def _project(
    root: Path, record: Record, config: Path | None, chains: Chains
) -> Project | PreflightError | None:
    """The project at `root` on the record's database, or why it has none; None for no project."""
    if not _is_project(root, config, chains):
        return None
    database = record.database
    key = ("project", root, database.name, database.environment)
    return chains.once(key, lambda: _opened_project(root, database, config))


def _opened_project(
    root: Path, database: DatabaseRef, config: Path | None
) -> Project | PreflightError:
    from d1_preflight.adapters.project_files import open_surroundings

    try:
        # The record names its environment; today's CLOUDFLARE_ENV does not matter.
        found = open_surroundings(
            root, config=config and config.resolve(),
            environment=database.environment, database=database.name, environ={},
        ).project  # fmt: skip
    except PreflightError as error:
        return error
    if found.database.name != database.name:
        return UsageError(f"{found.config.words} has no database with that name.")
    return found


def _is_project(root: Path, config: Path | None, chains: Chains) -> bool:
    return chains.once(("is project", root), lambda: _has_config(root, config))


def _has_config(root: Path, config: Path | None) -> bool:
    from d1_preflight.adapters.configuration import find_config, holds_config

    if config is None and not holds_config(root):
        return False
    try:
        return find_config(root, config and config.resolve()).parent == root
    except (ProjectError, UsageError):
        return False
