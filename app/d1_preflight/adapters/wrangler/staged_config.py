"""The private `.preflight` folder, and throw-away configurations with exactly one migration.

`wrangler d1 migrations apply` takes everything that is pending. Given a configuration whose
migrations folder holds one file, it applies that one, under the same name in the ledger.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from d1_preflight.adapters.leftover import is_leftover
from d1_preflight.adapters.regular_file import read_file
from d1_preflight.adapters.store import remove_leftovers, write_durably
from d1_preflight.core.errors import MigrationUnreadable, ProjectError
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.project.project import WORKSPACE_NAME, Project
from d1_preflight.core.project.wrangler_config import Database, WranglerConfig
from d1_preflight.disk import writing

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
    with writing(folder, "Nothing was started.", done="made"):
        if not folder.parent.exists():
            make_private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)


def staged_config(
    config: WranglerConfig,
    database: Database,
    migration: Migration,
    folder: Path,
    account: str = "",
    *,
    more: str = "",
) -> Path:
    """Write a configuration with this database and this migration only; returns its path.

    The migration's bytes are read from its file and compared with its sha256: what was judged is
    what is applied, and `more` after it in the same batch. The preview id is left out, so local
    state goes by the database's own id.
    """
    data = _exact_bytes(migration)
    home = _emptied(folder)
    _refuse_dotenv(folder)
    file = home / PurePosixPath(migration.name)
    make_private(file.parent)
    write_durably(file, data + more.encode(), mode=0o600)
    path = folder / "wrangler.json"
    depth = len(PurePosixPath(migration.name).parts) - 1
    where = {"migrations_dir": _FOLDER, "migrations_pattern": f"{_FOLDER}/{'*/' * depth}*"}
    write_durably(path, _text(_document(config, database, account, **where)), mode=0o600)
    return path


def target_config(project: Project, account: str = "") -> Path:
    """Write the configuration through which every remote call goes; returns its path.

    It holds one binding with the frozen uuid and no environment, in a folder of its own: neither
    `CLOUDFLARE_ENV` nor a `.env` can lead a call to another database. A project's files that lie
    there by no act of ours are refused.
    """
    if not project.database.id:
        raise ProjectError(
            f"{project.database.name} has no database_id in {project.config.words}, and its name "
            "was not resolved yet.",
            hint="Refresh the board first (r), which looks it up. Or write the id from wrangler "
            "d1 list.",
        )
    return _written(
        project, project.target_config, _document(project.config, project.database, account)
    )


def account_config(project: Project, account: str = "") -> Path:
    """Write a configuration that names the account and no database; returns its path."""
    document = {**_document(project.config, project.database, account)}
    del document["d1_databases"]
    return _written(project, project.target_config.with_name("account.json"), document)


def _written(project: Project, path: Path, document: Mapping[str, object]) -> Path:
    """A configuration in the private folder; raises ProjectError where that is not ours alone."""
    open_workspace(project.root)
    folder = path.parent
    make_private(folder)
    _refuse_dotenv(folder)
    remove_leftovers(folder)
    data = _text(document)
    if not path.is_file() or path.read_bytes() != data:
        write_durably(path, data, mode=0o600)
    return path


def _refuse_dotenv(folder: Path) -> None:
    """Wrangler reads `.env` files where it is started: that folder must have none."""
    strange = sorted(entry.name for entry in folder.iterdir() if entry.name.startswith(".env"))
    if strange:
        raise ProjectError(
            f"{folder / strange[0]} would change what wrangler does.",
            hint="Nothing was sent. It is not preflight's; remove it.",
        )


def _document(
    config: WranglerConfig, database: Database, account: str = "", **more: str
) -> Mapping[str, object]:
    """One database at the top level, and nothing that could choose another one."""
    entry = {
        "binding": database.binding,
        "database_name": database.name,
        "database_id": database.id,
        "migrations_table": database.migrations_table,
        **more,
    }
    found: dict[str, object] = {
        "name": config.name,
        "account_id": config.account_id or account,
        "compliance_region": config.compliance_region,
    }
    found = {key: value for key, value in found.items() if value}
    found["d1_databases"] = [{key: value for key, value in entry.items() if value}]
    return found


def _text(document: Mapping[str, object]) -> bytes:
    return f"{json.dumps(document, indent=2, ensure_ascii=False)}\n".encode()


def _exact_bytes(migration: Migration) -> bytes:
    data = migration.text.encode()
    if migration.path is not None:
        try:
            data = read_file(migration.path)
        except OSError as error:
            raise MigrationUnreadable(
                f"{migration.name} cannot be read: {error.strerror}.",
                hint="Bring the file back, then try again.",
            ) from error
    if Migration.from_bytes(migration.name, data).sha256 != migration.sha256:
        raise MigrationUnreadable(
            f"{migration.name} changed on disk while preflight worked on it.",
            hint="Open it again; what was proved about the old text does not hold.",
        )
    return data


def _emptied(folder: Path) -> Path:
    """The staged migrations' place, without what was staged before; never a folder not ours."""
    home, mark = folder / _FOLDER, folder / _MARK
    with writing(folder, "Nothing was started."):
        is_marked = mark.exists() or mark.is_symlink()
        is_strange = folder.exists() and not is_marked and any(_strangers(folder))
    if is_strange:
        raise ProjectError(
            f"{folder} is not a staging folder.", hint="Nothing was written. Move it away."
        )
    make_private(folder)
    remove_leftovers(folder)
    _without_folder(mark)
    write_durably(mark, b"", mode=0o600)
    if home.is_symlink() or home.is_file():
        home.unlink()
    shutil.rmtree(home, ignore_errors=True)
    if home.exists():
        raise ProjectError(f"{home} cannot be emptied.", hint="Remove it manually, then try again.")
    return home


def _without_folder(mark: Path) -> None:
    """An empty folder of the mark's name goes; what lies in another one is not ours."""
    if not mark.is_dir() or mark.is_symlink():
        return
    try:
        mark.rmdir()
    except OSError as error:
        raise ProjectError(
            f"{mark} is a folder with files in it.", hint="Nothing was started. Move it away."
        ) from error


def _strangers(folder: Path) -> Iterator[str]:
    """What no staging of ours put there; a killed one may have left its mark without a name."""
    names = (entry.name for entry in folder.iterdir())
    return (n for n in names if not is_leftover(n) and not n.startswith(f".{_MARK}."))
