"""The private `.preflight` folder, and throw-away configurations with exactly one migration.

`wrangler d1 migrations apply` takes everything that is pending. Given a configuration whose
migrations folder holds one file, it applies that one, under the same name in the ledger.
"""

import json
import shutil
from pathlib import Path, PurePosixPath

from d1_preflight.adapters.store import write_durably
from d1_preflight.core.config import Database, WranglerConfig
from d1_preflight.core.disk import writing
from d1_preflight.core.errors import MigrationUnreadable, ProjectError
from d1_preflight.core.migration import Migration
from d1_preflight.core.project import WORKSPACE_NAME

_MARK = ".staged-by-preflight"
_FOLDER = "migrations"


def open_workspace(root: Path) -> Path:
    """The project's `.preflight` folder, made if need be: 0700, and ignored by git from within."""
    folder = root / WORKSPACE_NAME
    make_private(folder)
    ignore = folder / ".gitignore"
    if not ignore.exists():
        write_durably(ignore, b"*\n", mode=0o600)
    return folder


def make_private(folder: Path) -> None:
    """Make a folder, and what is missing above it, for its owner alone; raises ProjectError."""
    with writing(folder, "Nothing was begun.", done="made"):
        if not folder.parent.exists():
            make_private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)


def staged_config(
    config: WranglerConfig, database: Database, migration: Migration, folder: Path
) -> Path:
    """Write a configuration with this database and this migration only; returns its path.

    The migration's bytes are read from its file and compared with its sha256: what was judged is
    what is applied. The preview id is left out, so local state goes by the database's own id.
    """
    data = _exact_bytes(migration)
    home = _emptied(folder)
    file = home / PurePosixPath(migration.name)
    make_private(file.parent)
    write_durably(file, data, mode=0o600)
    path = folder / "wrangler.json"
    text = json.dumps(_document(config, database, migration), indent=2, ensure_ascii=False)
    write_durably(path, f"{text}\n".encode(), mode=0o600)
    return path


def _document(config: WranglerConfig, database: Database, migration: Migration) -> object:
    """The database at the top level and, where one is used, in its environment, as `--env` asks."""
    depth = len(PurePosixPath(migration.name).parts) - 1
    entry = {
        "binding": database.binding,
        "database_name": database.name,
        "database_id": database.id,
        "migrations_dir": _FOLDER,
        "migrations_pattern": f"{_FOLDER}/{'*/' * depth}*",
        "migrations_table": database.migrations_table,
    }
    databases = [{key: value for key, value in entry.items() if value}]
    document: dict[str, object] = {"name": config.name, "account_id": config.account_id}
    document = {key: value for key, value in document.items() if value}
    document["d1_databases"] = databases
    if config.environment:
        document["env"] = {config.environment: {**document}}
    return document


def _exact_bytes(migration: Migration) -> bytes:
    data = migration.text.encode()
    if migration.path is not None:
        try:
            data = migration.path.read_bytes()
        except OSError as error:
            raise MigrationUnreadable(
                f"{migration.name} cannot be read: {error.strerror}.",
                hint="Bring the file back, then try again.",
            ) from error
    if Migration.from_bytes(migration.name, data).sha256 != migration.sha256:
        raise MigrationUnreadable(
            f"{migration.name} changed on disk while it was being worked on.",
            hint="Open it again; what was proved about the old text does not hold.",
        )
    return data


def _emptied(folder: Path) -> Path:
    """The staged migrations' place, without what was staged before; never a folder not ours."""
    home, mark = folder / _FOLDER, folder / _MARK
    with writing(folder, "Nothing was begun."):
        is_strange = folder.exists() and any(folder.iterdir()) and not mark.exists()
    if is_strange:
        raise ProjectError(
            f"{folder} is not a staging folder.", hint="Nothing was written. Move it away."
        )
    make_private(folder)
    write_durably(mark, b"", mode=0o600)
    shutil.rmtree(home, ignore_errors=True)
    if home.exists():
        raise ProjectError(f"{home} cannot be emptied.", hint="Remove it by hand, then try again.")
    return home
