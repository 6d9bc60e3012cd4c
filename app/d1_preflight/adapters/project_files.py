"""The project's files: finds the configuration, reads settings and migrations afresh each time.

Which files are migrations is decided exactly as wrangler decides it: one more or one less on our
list would make every later check a check of something else.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from d1_preflight.adapters.configuration import bytes_of, find_config, read_config, text_of
from d1_preflight.adapters.naming import journal_times, naming_of
from d1_preflight.adapters.regular_file import LARGEST, read_file
from d1_preflight.core.errors import MigrationUnreadable, NoConfiguration, ProjectError
from d1_preflight.core.project.migration import (
    Migration,
    MigrationFile,
    UnreadableMigration,
    down_names,
    ledger_key,
)
from d1_preflight.core.project.migrations_pattern import Glob
from d1_preflight.core.project.naming import Naming
from d1_preflight.core.project.wrangler_config import (
    CONFIG_NAMES,
    DEFAULT_MIGRATIONS_DIR,
    Database,
    WranglerConfig,
    placed,
)
from d1_preflight.lazy_dataclass import dataclass, replace

if TYPE_CHECKING:  # a file alone is judged without a project: lint starts without these
    from d1_preflight.adapters.wrangler.dotenv import CommandEnvironment, Version
    from d1_preflight.core.project.project import Project
    from d1_preflight.core.project.settings import Settings

MOST_MIGRATIONS = 5_000
_MOST_ENTRIES = 200_000
_ENTRIES = "entries"


class ProjectFiles:
    """One project's migrations and down migrations, and the staging of a single one."""

    def __init__(self, project: "Project", account: str = "") -> None:
        self._project = project
        self._account = account

    @property
    def folder(self) -> Path:
        """The folder below which the migrations lie."""
        return self._project.migrations_folder

    def files(self) -> tuple[MigrationFile, ...]:
        """Every file that wrangler counts, in its order, readable or not."""
        found = read_migrations(self._project.database, self._project.config)
        naming = self.naming(file.name for file in found)
        return tuple(replace(f, naming=naming) if isinstance(f, Migration) else f for f in found)

    def naming(self, names: Iterable[str]) -> Naming:
        """What the names of these files are judged by."""
        return naming_of(self.folder, names, self._project.settings)

    def migrations(self) -> tuple[Migration, ...]:
        """The readable ones."""
        return tuple(file for file in self.files() if isinstance(file, Migration))

    def down(self, stem: str) -> Migration | None:
        """The down migration of `stem`, if written (comments do not count); MigrationUnreadable."""
        path = self.down_path(stem)
        if not os.path.isfile(path):  # noqa: PTH113 - see find_config
            return None
        name = path.relative_to(self._project.migrations_folder).as_posix()
        found = Migration.from_bytes(name, bytes_of(path, LARGEST), path)
        return None if found.is_blank else found

    def down_path(self, stem: str) -> Path:
        """Where the down migration lies: no tool takes that for a migration of its own.

        One that is there, at a place where earlier versions wrote it, stays there.
        """
        glob, folder = self._project.database.glob, self._project.migrations_folder
        unread = [name for name in down_names(f"{stem}.sql") if not glob.matches(name)]
        there = (name for name in unread if os.path.lexists(folder / name))
        if unread:
            return folder / next(there, unread[0])
        raise ProjectError(
            f'migrations_pattern "{self._project.database.migrations_pattern}" matches every file.',
            hint="Narrow it, so that wrangler applies no down migration beside the migrations.",
        )

    def write_down(self, stem: str, text: str) -> Path:
        """Write the down migration of `stem`; returns its path."""
        from d1_preflight.adapters.store import make_folder, write_durably

        path = self.down_path(stem)
        make_folder(path.parent)
        write_durably(path, text.encode())
        return path

    def config_sha256(self) -> str:
        """The sha256 of the configuration's bytes."""
        return sha256(bytes_of(self._project.config.path)).hexdigest()

    def sha256(self, name: str) -> str:
        """The sha256 of a file of the project's root; "" where there is none."""
        return sha256_of(self._project.root / name)

    def journal(self) -> Mapping[str, int]:
        """The time that drizzle's journal gives each file."""
        return journal_times(self._project.migrations_folder)

    def stage(self, migration: Migration, folder: Path, more: str = "") -> Path:
        """A throw-away configuration in `folder` with this migration alone, and `more` SQL."""
        from d1_preflight.adapters.wrangler.staged_config import staged_config

        config, database = self._project.config, self._project.database
        return staged_config(config, database, migration, folder, self._account, more=more)

    def account_config(self) -> Path:
        """A configuration with the account alone, for what is asked of it and of no database."""
        from d1_preflight.adapters.wrangler.staged_config import account_config

        return account_config(self._project, self._account)

    def target_config(self) -> Path:
        """The configuration with the target's uuid alone, through which every remote call goes."""
        from d1_preflight.adapters.wrangler.staged_config import target_config

        return target_config(self._project, self._account)


@dataclass(frozen=True, slots=True)
class OpenedProject:
    """A project, and the environment in which its wrangler runs."""

    project: "Project"
    around: "CommandEnvironment"


def open_surroundings(
    start: Path,
    *,
    config: Path | None = None,
    environment: str | None = None,
    database: str = "",
    environ: Mapping[str, str] | None = None,
    wrangler: "Callable[[Path, Settings], Version | None]" = lambda _root, _settings: None,
) -> OpenedProject:
    """The project at or above `start`; raises ProjectError, or UsageError where one must choose.

    `environment` is what `--env` says ("" means the top level). Without it `CLOUDFLARE_ENV`
    decides, out of the shell or a `.env` file, as it does for a wrangler of the version that
    `wrangler` tells (None: the newest); it is asked only where the version matters.
    """
    from d1_preflight.adapters.wrangler.dotenv import read_environment
    from d1_preflight.core.project.project import Project
    from d1_preflight.core.project.settings import SETTINGS_NAME

    env = os.environ if environ is None else environ
    path = find_config(start, config)
    settings_sha256 = sha256_of(path.parent / SETTINGS_NAME)
    settings = read_settings(path.parent)
    around = read_environment(path.parent, env, environment=environment)
    if around.depends_on_version:
        version = wrangler(path.parent, settings)
        around = read_environment(path.parent, env, wrangler=version, environment=environment)
    chosen = around.chosen if environment is None else environment
    chosen_by = _chosen_by(around, environment)
    try:
        found = read_config(path, chosen)
    except ProjectError as error:
        by = f" ({chosen_by} chose the environment.)" if chosen_by else ""
        raise ProjectError(error.message, hint=f"{error.hint}{by}") from error
    found = placed(found, settings.migrations.folder, settings.migrations.pattern)
    taken = found.database(database)
    project = Project(
        found.folder, found, taken, chosen, settings, chosen_by, settings_sha256=settings_sha256
    )
    return OpenedProject(project, around)


def open_folder(
    start: Path,
    *,
    config: Path | None = None,
    environment: str | None = None,
    database: str = "",
) -> "Project":
    """The project whose migrations are written here; it needs no configuration and no database.

    Raises ProjectError where nothing says where they lie, Undecided where several places do.
    """
    try:
        path = find_config(start, config)
    except NoConfiguration:
        settings = read_settings(start)
        named = settings.migrations.folder or DEFAULT_MIGRATIONS_DIR
        if config is not None or not (start / named).is_dir():
            raise
        bare = WranglerConfig(start / CONFIG_NAMES[0], databases=(_NO_DATABASE,))
        return _in_folder(bare, "", settings)
    settings = read_settings(path.parent)
    found = read_config(path, environment or "")
    if not found.databases and not database:
        found = replace(found, databases=(_NO_DATABASE,))
    return _in_folder(found, database, settings)


_NO_DATABASE = Database("", "no-database")


def _in_folder(config: WranglerConfig, database: str, settings: "Settings") -> "Project":
    from d1_preflight.core.project.project import Project

    found = placed(config, settings.migrations.folder, settings.migrations.pattern)
    places = {(d.migrations_dir, d.migrations_pattern) for d in found.databases}
    chosen = found.databases[0] if len(places) == 1 and not database else found.database(database)
    return Project(found.folder, found, chosen, found.environment, settings)


def _chosen_by(around: "CommandEnvironment", environment: str | None) -> str:
    from d1_preflight.adapters.wrangler.dotenv import ENVIRONMENT

    if environment is not None:
        return "--env"
    return f"{ENVIRONMENT} in {around.source(ENVIRONMENT)}" if around.chosen else ""


def sha256_of(path: Path) -> str:
    """The sha256 of a file's bytes; "" where there is none."""
    return sha256(bytes_of(path)).hexdigest() if path.exists() else ""


def read_settings(folder: Path) -> "Settings":
    """The settings beside the configuration, or the defaults; raises ProjectError."""
    from d1_preflight.core.project.settings import SETTINGS_NAME, Settings, load_settings

    path = folder / SETTINGS_NAME
    there = os.path.lexists(path)  # a link that leads nowhere is no absent file
    return load_settings(text_of(path), path.name) if there else Settings()


def write_settings(folder: Path, settings: "Settings") -> Path:
    """Write the settings beside the configuration; returns the file."""
    from d1_preflight.adapters.store import write_durably
    from d1_preflight.core.project.settings import SETTINGS_NAME, dump_settings

    path = folder / SETTINGS_NAME
    write_durably(path, dump_settings(settings).encode())
    return path


def read_migrations(database: Database, config: WranglerConfig) -> tuple[MigrationFile, ...]:
    """Every file wrangler counts as a migration of this database, in the ledger's order.

    Raises ProjectError where the folder is missing or cannot be listed; a file that cannot be
    read is a value among the others.
    """
    folder = Path(os.path.normpath(config.folder / database.migrations_dir))
    _require_inside(folder, config)
    names = sorted(migration_names(folder, database.glob), key=ledger_key)
    return tuple(_read(folder, name) for name in names)


def _require_inside(folder: Path, config: WranglerConfig) -> None:
    """Refuse a folder outside the checkout: a configuration must not lead to other people's files.

    Without a checkout, one that holds the project itself is refused. Raises ProjectError.
    """
    from d1_preflight.adapters.git.checkout import checkout_of

    checkout = checkout_of(config.folder)
    if checkout is None:
        is_inside = not config.folder.is_relative_to(folder) or folder == config.folder
    else:
        is_inside = Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(checkout))
    if not is_inside:
        raise ProjectError(
            f"The migrations folder {folder} is outside of {checkout or config.folder}.",
            hint=f"Nothing there was read. Correct migrations_dir in {config.path.name}.",
        )


def migration_names(folder: Path, glob: Glob) -> Iterator[str]:
    """The files below a folder that match, relative to it, in no order; raises ProjectError."""
    for number, name in enumerate(_names(folder, "", glob), start=1):
        if number > MOST_MIGRATIONS:
            raise ProjectError(
                f"{folder} holds more than {MOST_MIGRATIONS:,} migrations: too many to work on.",
                hint="Correct migrations_dir or migrations_pattern in wrangler's configuration.",
            )
        yield name


def passed_over(folder: Path, glob: Glob) -> Iterator[str]:
    """What has a migration's name and is none to wrangler: a link, a FIFO and the like."""
    return (n for n, entry in _matching(folder, "", glob) if not _is_regular(entry))


def require_migrations(database: Database, config: WranglerConfig) -> tuple[MigrationFile, ...]:
    """The same; raises ProjectError where there are none, saying what was looked for."""
    found = read_migrations(database, config)
    if found:
        return found
    pattern = database.migrations_pattern
    nested = f"{database.migrations_dir}/*/migration.sql"
    folder = Path(os.path.normpath(config.folder / database.migrations_dir))
    hint = "Write the first one with: preflight new NAME"
    if any(_names(folder, "", Glob.parse("*/migration.sql"))):
        hint = f'Set migrations_pattern = "{nested}" in {config.path.name}: such files are there.'
    raise ProjectError(f"No migrations: no file matches {pattern} in {config.folder}.", hint=hint)


def _names(folder: Path, prefix: str, glob: Glob) -> Iterator[str]:
    """Regular files that match; links are not followed, as wrangler does not follow them."""
    return (name for name, entry in _matching(folder, prefix, glob) if _is_regular(entry))


def _is_regular(entry: "os.DirEntry[str]") -> bool:
    return entry.is_file(follow_symlinks=False)


def _matching(
    folder: Path, prefix: str, glob: Glob, met: "Counter[str] | None" = None
) -> Iterator[tuple[str, "os.DirEntry[str]"]]:
    seen = Counter[str]() if met is None else met
    for entry in _entries(folder):
        seen[_ENTRIES] += 1
        if seen[_ENTRIES] > _MOST_ENTRIES:
            raise ProjectError(
                f"More than {_MOST_ENTRIES:,} files lie below the migrations folder, at {folder}.",
                hint="Correct migrations_dir or migrations_pattern in wrangler's configuration.",
            )
        name = f"{prefix}{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            if glob.may_hold(name):
                yield from _matching(folder / entry.name, f"{name}/", glob, seen)
        elif glob.matches(name):
            yield name, entry


def _entries(folder: Path) -> Sequence["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError as error:
        raise ProjectError(
            f"There is no migrations folder at {folder}.",
            hint="Make it with: preflight new NAME. Or correct migrations_dir in wrangler's "
            "configuration.",
        ) from error
    except NotADirectoryError as error:
        raise ProjectError(
            f"{folder} is not a folder; the migrations belong there.",
            hint="Correct migrations_dir in wrangler's configuration, or move that file away.",
        ) from error
    except OSError as error:
        raise ProjectError(
            f"{folder} cannot be listed: {error.strerror}.",
            hint="Wrangler would skip it silently. Fix the folder's permissions.",
        ) from error


def _read(folder: Path, name: str) -> MigrationFile:
    path = folder / PurePosixPath(name)
    try:
        name.encode()
        return Migration.from_bytes(name, read_file(path), path)
    except MigrationUnreadable as error:
        return UnreadableMigration(name, error.message, error.hint, path)
    except UnicodeEncodeError:
        shown = name.encode(errors="surrogateescape").decode(errors="replace")
        return UnreadableMigration(
            shown, "The file's name is not UTF-8.", "Rename the file; use a–z, 0–9 and _.", path
        )
    except OSError as error:
        problem = f"{name} cannot be read: {error.strerror or error}."
        return UnreadableMigration(name, problem, "Fix the file's permissions.", path)
