"""Chooses the adapters and puts a project's tools, sessions and board together."""

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from d1_preflight import __version__
from d1_preflight.actions.target_cache import TargetCache
from d1_preflight.adapters.checklists import OWN_CHECKLIST, checklist_path, read_checklist
from d1_preflight.adapters.naming import journal_contradictions
from d1_preflight.adapters.project_files import ProjectFiles, open_surroundings
from d1_preflight.adapters.store import RecordStore
from d1_preflight.adapters.system import SystemClock, machine_zone
from d1_preflight.adapters.work_limit import judging_limit
from d1_preflight.adapters.wrangler.account import account_id
from d1_preflight.adapters.wrangler.nodes import Version, read_version
from d1_preflight.adapters.wrangler.staged_config import open_workspace
from d1_preflight.adapters.wrangler.toolchain import Toolchain, find_toolchain
from d1_preflight.core.checklist.checklist import Checklist
from d1_preflight.core.checklist.file import require_acts, shipped_checklist
from d1_preflight.core.checklist.policy import with_ages
from d1_preflight.core.checklist.shipped import adoption_checklist
from d1_preflight.core.errors import UsageError, WranglerUnavailable
from d1_preflight.core.project.migration import Migration, MigrationFile
from d1_preflight.core.project.project import RECORDS_NAME, WORKSPACE_NAME, Project
from d1_preflight.core.project.setting_types import WranglerUse
from d1_preflight.core.project.settings import SETTINGS_NAME, Settings
from d1_preflight.core.target.api_place import REMOTE, api_place
from d1_preflight.lazy_dataclass import dataclass, field, replace

if TYPE_CHECKING:  # the board stands before these are loaded: see `environment`
    from d1_preflight.actions.context import Environment
    from d1_preflight.actions.ports import Store
    from d1_preflight.adapters.ssh.signer import Operator
    from d1_preflight.adapters.terminal import Cockpit
    from d1_preflight.adapters.wrangler.runner import RealWrangler
    from d1_preflight.core.remedies.fix import Fix
    from d1_preflight.session import Session

_LARGEST_COPY = 64_000_000
"""The bytes of a copy that are read into memory at once."""


@dataclass(slots=True)
class ProjectContext:
    """One project on one target: opens sessions and the board, all on the same learnt facts."""

    project: Project
    environ: Mapping[str, str]
    target: str = REMOTE
    cache: TargetCache = field(default_factory=TargetCache)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    is_resolved: bool = False  # the uuid was found by the database's name
    _toolchain: Toolchain | None = None
    _operator: str = ""

    @property
    def checklist(self) -> Checklist:
        """The project's own checklist, else the one that ships with the program."""
        path, actions = checklist_path(self.project.root), None
        if self.has_own_checklist:  # the shipped one names no other actions
            from d1_preflight.actions import STEPS

            actions = STEPS
        return with_ages(require_acts(read_checklist(path, actions)), shipped_checklist())

    @property
    def has_own_checklist(self) -> bool:
        """Whether the project brings a checklist of its own."""
        return checklist_path(self.project.root) == self.project.root / OWN_CHECKLIST

    @property
    def toolchain(self) -> Toolchain:
        """Wrangler and its Node; WranglerUnavailable where there is none."""
        if self._toolchain is None:
            self._toolchain = self.find_toolchain()
        return self._toolchain

    def find_toolchain(self) -> Toolchain:
        """Look for wrangler and its Node anew."""
        return find_toolchain(
            project=self.project.root,
            setting=self.project.settings.wrangler.command,
            own=self.project.settings.wrangler.use is WranglerUse.OWN,
            environ=self.environ,
        )

    @property
    def operator(self) -> str:
        """Who is at the keyboard."""
        from d1_preflight.adapters.git.facts import operator_identity

        self._operator = self._operator or operator_identity(self.project.root)
        return self._operator

    def store(self, name: str) -> RecordStore:
        """The record's files and lock of one migration."""
        stem = name.removesuffix(".sql")
        lock = self.workspace(name).parent / f"{stem.replace('/', '__')}.lock"
        return RecordStore(self.project.records / stem, lock, self.project.root / RECORDS_NAME)

    def workspace(self, name: str) -> Path:
        """The private folder of one migration on this database."""
        folder = open_workspace(self.project.root) / self.project.database.name
        return folder / name.removesuffix(".sql")

    def environment(self, name: str, store: "Store") -> "Environment":
        """What the actions of one migration are given."""
        return _environment(self, self._files, name, store)

    def limit(self, files: int) -> AbstractContextManager[None]:
        """Bounds the judgement of so many files; raises NotJudged in its body."""
        return judging_limit(files)

    def session(self, name: str) -> "Session":
        """Open a migration's record; raises RecordBusy, RecordInvalid, MigrationUnreadable."""
        from d1_preflight.session import Session

        self._files.target_config()  # the record names the database by its id
        store = self.store(name).acquire()
        try:
            return Session(self.checklist, self.environment(name, store))
        except BaseException:
            store.release()
            raise

    def adoption(self, name: str) -> "Session":
        """Open the record of an adoption; raises RecordBusy, RecordInvalid, MigrationUnreadable."""
        from d1_preflight.actions import ADOPTION_STEPS
        from d1_preflight.actions.adopt import compared_files
        from d1_preflight.actions.adoption_files import AdoptionFiles
        from d1_preflight.session import Session

        self._files.target_config()
        store = self.store(name).acquire()
        try:
            files = AdoptionFiles(self._files, name, compared_files(store.load()))
            environment = replace(self.environment(name, store), files=files)
            return Session(adoption_checklist(), environment, ADOPTION_STEPS)
        except BaseException:
            store.release()
            raise

    def files(self) -> Sequence[MigrationFile]:
        """Every file that wrangler counts as a migration, readable or not."""
        return self._files.files()

    def contradictions(self, files: Sequence[MigrationFile]) -> tuple[str, ...]:
        """How drizzle's journal and these files disagree, in sentences."""
        found = journal_contradictions(self.project.migrations_folder, (f.name for f in files))
        return tuple(f"{words}." for words in found)

    def copied_rows(self, environment: "Environment") -> tuple[tuple[str, bytes], ...]:
        """The copy of the target with its real rows, and its name; () without one, or too large."""
        from d1_preflight.adapters.localdb import read_whole

        path = environment.local.file(environment.copy)
        data = read_whole(path, _LARGEST_COPY) if path.is_file() else b""
        return (("the copy of the target", data),) if data else ()

    def write_rewrite(self, migration: Migration, found: "Fix") -> str:
        """Write a proved rewrite, and keep the earlier text; its path from the project's root.

        Raises UsageError where the file is not what was rewritten.
        """
        from d1_preflight.adapters.rewritten_file import write_rewrite

        if migration.path is None or migration.text != found.before:
            raise UsageError(
                f"{migration.name} was changed meanwhile: the rewrite is for another text.",
                hint="Nothing was written. Ask for it again.",
            )
        folder = open_workspace(self.project.root)
        home = migration.path.parents[migration.name.count("/")]
        further = [(home / name, text) for name, text in found.files]
        kept = write_rewrite(migration.path, migration, found.after, folder, further)
        return kept.relative_to(self.project.root).as_posix()

    def target_config(self) -> Path:
        """The configuration with the target's uuid alone, written; raises ProjectError."""
        return self._files.target_config()

    @property
    def _files(self) -> ProjectFiles:
        return ProjectFiles(self.project, account_id(self.environ, self.project.root))

    def now(self) -> datetime:
        """The time by this machine's clock."""
        return SystemClock().now()

    def restore_file(self, name: str) -> str:
        """Where `preflight restore` writes its SQL, relative to the project."""
        stem = name.removesuffix(".sql")
        return f"{WORKSPACE_NAME}/{self.project.database.name}/{stem}/restore.sql"

    def cockpit(self, name: str) -> "Cockpit":
        """What runs the commands of the emergency card, for a migration or for none."""
        from d1_preflight.adapters.terminal import Cockpit, Timeline, say, wait
        from d1_preflight.adapters.wrangler.runner import terminal_environment
        from d1_preflight.core.verify.timeline import TIMELINE

        project = self.project
        folder = self.store(name).folder if name else project.records
        subject = f"{name.removesuffix('.sql')} on {project.database.name}".removeprefix(" on ")
        return Cockpit(
            {
                "wrangler": self.toolchain.argv,
                "preflight": (sys.executable, "-m", "d1_preflight"),
            },
            project.root,
            terminal_environment(self.environ, self.toolchain),
            Timeline(folder / TIMELINE, subject, SystemClock().now),
            self.operator,
            say,
            wait,
        )

    async def resolve(self) -> None:
        """Find the uuid of a database that the configuration names without an id, once.

        Raises RemoteFailed where none or several have the name.
        """
        project = self.project
        if project.database.id:
            return
        import asyncio

        from d1_preflight.actions.target import find_database

        name = "unnamed"  # no migration's record: only the account is asked
        environment = await asyncio.to_thread(self.environment, name, self.store(name))
        uuid = await find_database(environment)
        self.project = replace(project, database=replace(project.database, id=uuid))
        self.is_resolved = True

    def take_id_of_record(self, name: str) -> None:
        """Take a missing uuid from a migration's record: nothing is asked in an emergency."""
        record = None if self.project.database.id else self.store(name).load()
        if record is not None:
            database = replace(self.project.database, id=record.database.id)
            self.project = replace(self.project, database=database)

    def on(self, database: str) -> "ProjectContext":
        """The same project on another database of its configuration."""
        chosen = self.project.config.database(database)
        project = replace(self.project, database=chosen)
        return replace(self, project=project, cache=TargetCache(), is_resolved=False)

    @property
    def wrangler_version(self) -> str:
        """The version that will run, or a text for none."""
        try:
            return self.toolchain.wrangler_version
        except WranglerUnavailable:
            return "not found"


def _environment(
    context: ProjectContext, files: ProjectFiles, name: str, store: "Store"
) -> "Environment":
    from d1_preflight.actions.context import Environment
    from d1_preflight.adapters.http import EnvironmentWeb
    from d1_preflight.adapters.local import LocalDatabases
    from d1_preflight.adapters.record_folder import closed_records
    from d1_preflight.deploy_order import WorkerSource

    project = context.project
    web = EnvironmentWeb(project.settings, context.environ)
    return Environment(
        project=project,
        name=name,
        target=context.target,
        workspace=context.workspace(name),
        operator=context.operator,
        versions=_versions(context),
        files=files,
        store=store,
        signer=_signer(context),
        clock=SystemClock(),
        wrangler=_wrangler(context, name, store, web.secrets),
        local=LocalDatabases(
            project.database.id or project.database.binding, project.database.migrations_table
        ),
        web=web,
        source=WorkerSource(project.config, project.settings.code, project.environment or ""),
        cache=context.cache,
        closed_records=partial(closed_records, project.root / RECORDS_NAME, store.folder),
        limit=judging_limit,
        read={
            SETTINGS_NAME: project.settings_sha256,
            OWN_CHECKLIST: files.sha256(OWN_CHECKLIST),
        },
    )


def _signer(context: ProjectContext) -> "Operator":
    from d1_preflight.adapters.ssh.signer import Operator

    root, signing = context.project.root, context.project.settings.signing
    return Operator(
        context.operator, root, root / signing.allowed_signers, context.environ, signing.key
    )


def _versions(context: ProjectContext) -> Mapping[str, str]:
    from d1_preflight.adapters.git.facts import read_git

    git = read_git(context.project.root)
    found = {"d1-preflight": __version__, "git": git.commit or "none"}
    if git.is_dirty is not None:
        found["git_tree"] = "dirty" if git.is_dirty else "clean"
    try:
        found["wrangler"] = context.toolchain.wrangler_version
        found["node"] = context.toolchain.node_version
    except WranglerUnavailable:
        found["wrangler"] = "not found"
    return found


def _wrangler(
    context: ProjectContext, name: str, store: "Store", secrets: tuple[str, ...]
) -> "RealWrangler":
    from d1_preflight.adapters.wrangler.runner import RealWrangler

    return RealWrangler(
        toolchain=lambda: context.toolchain,
        find=context.find_toolchain,
        root=context.project.root,
        environ=context.environ,
        evidence=store.folder / "evidence",
        lock=lambda: store.lock_fd,
        secrets=(*secrets, *context.secrets),
        private=context.workspace(name) / "running",
    )


def open_context(
    *,
    config: Path | None = None,
    environment: str | None = None,
    database: str = "",
    start: Path | None = None,
    environ: Mapping[str, str] | None = None,
    target: str = "",
) -> ProjectContext:
    """The workbench of the project at `start` (here); raises ProjectError or UsageError.

    `environment` is what --env says, None where it does not. `target` is remote, practice or the
    host that answers as Cloudflare's API; left out, the API's address tells.
    """
    env = dict(os.environ if environ is None else environ)
    opened = open_surroundings(
        start or Path.cwd(),
        config=config,
        environment=environment,
        database=database,
        environ=env,
        wrangler=partial(_wrangler_version, environ=env),
    )
    around = opened.around
    place = target or api_place(around.variables)
    project = _with_zone(opened.project)
    return ProjectContext(project, around.variables, place, secrets=around.secrets)


def _wrangler_version(
    root: Path, settings: Settings, *, environ: Mapping[str, str]
) -> Version | None:
    """The version of the wrangler that will run here; None, the newest, where there is none."""
    try:
        own = settings.wrangler.use is WranglerUse.OWN
        setting = settings.wrangler.command
        found = find_toolchain(project=root, setting=setting, own=own, environ=environ)
    except WranglerUnavailable:
        return None
    return read_version(found.wrangler_version)


def _with_zone(project: Project) -> Project:
    """Times are shown in the team's zone; without one, in this machine's."""
    settings = project.settings
    if settings.team.timezone:
        return project
    zone = machine_zone()
    team = replace(settings.team, timezone=zone)
    return replace(project, settings=replace(settings, team=team), assumed_zone=zone)
