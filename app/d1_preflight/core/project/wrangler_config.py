"""A wrangler configuration: the Worker, its D1 databases, and where their migrations lie.

A database is found by wrangler's own rule: by its name or its binding, the first entry wins.
"""

import re
from pathlib import Path

from d1_preflight.core.errors import ProjectError, Undecided, UsageError
from d1_preflight.core.project.migrations_pattern import Glob, normal_path
from d1_preflight.lazy_dataclass import dataclass, replace

CONFIG_NAMES = ("wrangler.json", "wrangler.jsonc", "wrangler.toml")
"""Wrangler's order: a wrangler.json in any parent beats a wrangler.toml right here."""

DEFAULT_LEDGER = "d1_migrations"
DEFAULT_MIGRATIONS_DIR = "migrations"


REMOVED_KEYS = {
    "node_compat": 'Use compatibility_flags = ["nodejs_compat"] instead of node_compat.',
    "legacy_env": "Remove legacy_env: each environment is a Worker of its own.",
}
"""The keys that wrangler 4 took away, and what to write instead."""
_UUID = re.compile(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")


@dataclass(frozen=True, slots=True)
class Database:
    """One entry of `d1_databases`; `id` is "" where wrangler looks the database up by name.

    `migrations_dir` and `migrations_pattern` are relative to the configuration's folder, with
    forward slashes and without `./`, as wrangler normalises them; `names_folder`: the entry says
    so itself.
    """

    binding: str
    name: str
    id: str = ""
    preview_id: str = ""
    migrations_dir: str = DEFAULT_MIGRATIONS_DIR
    migrations_table: str = DEFAULT_LEDGER
    migrations_pattern: str = f"{DEFAULT_MIGRATIONS_DIR}/*.sql"
    is_remote_in_dev: bool = False
    names_folder: bool = False

    @property
    def glob(self) -> Glob:
        """Which files below `migrations_dir` are migrations."""
        return Glob.parse(inside(self.migrations_dir, self.migrations_pattern))

    @property
    def has_placeholder_id(self) -> bool:
        """Whether the id is one that a person or a deploy script was to replace."""
        is_uuid = _UUID.fullmatch(self.id) is not None
        return self.id != "" and not (is_uuid and set(self.id) - set("0-"))

    def answers_to(self, reference: str) -> bool:
        """Whether `reference` is this database's name or binding."""
        return reference in (self.name, self.binding)


@dataclass(frozen=True, slots=True)
class WranglerConfig:
    """One configuration file, as one environment of it sees things.

    `name` is the Worker's script name in that environment, "" where none is set; `environment`
    is "" for the top level; `environments` are the names that could be chosen; `sha256` is that
    of the bytes that were read. `compliance_region` decides which of Cloudflare's APIs is asked;
    `main` is the Worker's entry, relative to the file; `elsewhere` are the databases of the other
    environments, "" for the top level.
    """

    path: Path
    name: str = ""
    account_id: str = ""
    compliance_region: str = ""
    main: str = ""
    sha256: str = ""
    environment: str = ""
    environments: tuple[str, ...] = ()
    databases: tuple[Database, ...] = ()
    elsewhere: tuple[tuple[str, Database], ...] = ()
    is_pages: bool = False

    @property
    def folder(self) -> Path:
        """The project's root: relative paths in the configuration start here."""
        return self.path.parent

    @property
    def words(self) -> str:
        """The file and the environment, for people."""
        name = self.path.name
        return f'environment "{self.environment}" of {name}' if self.environment else name

    def database(self, reference: str = "") -> Database:
        """The database by name or binding; without a reference, the only one.

        Raises UsageError where none or several answer.
        """
        if not self.databases:
            raise self._no_database()
        if not reference:
            return self._only_database()
        for database in self.databases:
            if database.answers_to(reference):
                return self._unmistakable(database)
        raise UsageError(
            f'No D1 database named or bound as "{reference}" in {self.words}.',
            hint=f"It has: {self._choices()}. Name one with --database.",
        )

    def names_of(self, database: Database) -> tuple[str, ...]:
        """The names that a database without an id may have: the entry's, or by its binding.

        Wrangler makes a nameless one as `<worker>-<binding>`.
        """
        if database.name != database.binding:
            return (database.name,)
        made = f"{self.name}-{database.binding}".lower().replace("_", "-").strip("-")
        return tuple(dict.fromkeys((made, database.name)))

    def remarks(self, chosen: Database) -> tuple[str, ...]:
        """What a person should know before this database is taken for the one that is meant."""
        twins = [(name, other) for name, other in self.elsewhere if _is_same(other.id, chosen.id)]
        found = [
            f"{_environment(name)} has the same database ({other.name}): a migration changes both."
            for name, other in twins
        ]
        found += [
            f"The preview of {other.name} is this very database (preview_database_id): previews "
            "write to it."
            for other in (*self.databases, *(other for _, other in self.elsewhere))
            if _is_same(other.preview_id, chosen.id)
        ]
        if chosen.is_remote_in_dev:
            found.append("remote = true: wrangler dev reads and writes this very database.")
        return tuple(dict.fromkeys(found))

    def _only_database(self) -> Database:
        if len(self.databases) > 1:
            raise Undecided(
                f"{self.words} has {len(self.databases)} D1 databases: {self._choices()}.",
                hint="Choose one with --database NAME.",
                option="--database",
                choices=tuple(dict.fromkeys(d.name for d in self.databases)),
                home=self.folder,
            )
        return self._unmistakable(self.databases[0])

    def _unmistakable(self, chosen: Database) -> Database:
        """Wrangler takes the first entry that answers; with twins that may be another database."""
        for other in self.databases:
            if other is not chosen and other.answers_to(chosen.name) and other.id != chosen.id:
                raise ProjectError(
                    f'"{chosen.name}" means two different databases in {self.words}: '
                    f"{chosen.binding} ({chosen.id}) and {other.binding} ({other.id}).",
                    hint="Give each entry of d1_databases its own database_name and binding.",
                )
        return chosen

    def _choices(self) -> str:
        return ", ".join(f"{d.name} (binding {d.binding})" for d in self.databases)

    def _no_database(self) -> ProjectError:
        if self.environment:
            return ProjectError(
                f"{self.words} has no d1_databases; environments do not inherit them.",
                hint=f"Repeat the entry under env.{self.environment}, or leave --env out.",
            )
        named = (
            f" It has environments: {', '.join(self.environments)}." if self.environments else ""
        )
        return ProjectError(
            f"{self.words} has no d1_databases.{named}",
            hint="Add an entry with binding, database_name and database_id"
            + (", or choose one with --env." if self.environments else "."),
        )


def placed(config: WranglerConfig, folder: str, pattern: str) -> WranglerConfig:
    """The configuration with the migrations where `[migrations]` of the settings says.

    Raises ProjectError where the configuration says otherwise, or the pattern is not understood.
    """
    return replace(config, databases=tuple(_placed(d, folder, pattern) for d in config.databases))


def _placed(database: Database, folder: str, pattern: str) -> Database:
    if not folder or (database.names_folder and database.migrations_dir == normal_path(folder)):
        return database
    if database.names_folder:
        raise ProjectError(
            f"{database.name} has migrations_dir {database.migrations_dir}, and [migrations] "
            f"folder says {folder}.",
            hint="Leave [migrations] out of preflight.toml: wrangler's own setting counts.",
        )
    try:
        Glob.parse(pattern or "*.sql")
    except ValueError as error:
        hint = "Write it with *, **, ? and {a,b} only."
        raise ProjectError(f'[migrations] pattern "{pattern}": {error}.', hint=hint) from error
    where = normal_path(folder)
    whole = f"{where}/{pattern or '*.sql'}" if where != "." else pattern or "*.sql"
    return replace(database, migrations_dir=where, migrations_pattern=whole)


def _is_same(one: str, other: str) -> bool:
    return one != "" and one.lower() == other.lower()


def _environment(name: str) -> str:
    return f'The environment "{name}"' if name else "The top level"


def inside(folder: str, pattern: str) -> str:
    """The part of a pattern that counts below the migrations folder."""
    return pattern if folder == "." else pattern.removeprefix(f"{folder}/")
