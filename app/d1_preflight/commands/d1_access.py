"""What `preflight doctor` says of the login's rights on D1: asked by a read, or read in the login.

`SELECT 1` changes nothing, and Cloudflare answers it only to a token with D1 edit.
"""

import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

from d1_preflight.commands.checks import (
    Check,
    Surroundings,
    command_of,
    failed,
    good,
    project_of,
    unknown,
)

_TITLE = "D1 access"
_FIX = "Make a token with Account · D1 · Edit and Workers Scripts · Read, or: wrangler login"
_SCOPE = "d1:write"
_REFUSED = (401, 403)
_NOT_FOUND = 404
_API = "https://api.cloudflare.com/client/v4"


def login_files(around: Surroundings) -> tuple[Path, ...]:
    """Where `wrangler login` keeps what it was given."""
    home = Path(around.environ.get("HOME") or "~").expanduser()
    config = Path(around.environ.get("XDG_CONFIG_HOME") or home / ".config")
    end = ".wrangler/config/default.toml"
    return tuple(path for path in (config / end, home / end) if path.is_file())


def d1_access(around: Surroundings) -> Iterator[Check]:
    """Whether the login may change this database."""
    from d1_preflight.core.target.api_place import KEY_NAMES, login_variable

    variable = login_variable(command_of(around).variables)
    if variable in KEY_NAMES:
        yield good(_TITLE, f"{variable} is a global key: it may do everything")
    elif variable:
        yield from _by_token(around, variable)
    else:
        yield from _by_login(login_files(around))


def _by_login(files: Sequence[Path]) -> Iterator[Check]:
    """The scopes of `wrangler login`; the token beside them is not looked at."""
    if not files:
        return
    from d1_preflight.adapters.regular_file import read_file

    try:
        scopes = tomllib.loads(read_file(files[0]).decode()).get("scopes")
    except (OSError, ValueError):
        scopes = None
    if not isinstance(scopes, list):
        yield unknown(_TITLE, "wrangler login lists no scopes", "wrangler whoami shows them.")
    elif _SCOPE in scopes:
        yield good(_TITLE, f"wrangler login has {_SCOPE}")
    else:
        yield failed(
            _TITLE, f"wrangler login was not given {_SCOPE}", "Log in again: wrangler login"
        )


def _by_token(around: Surroundings, variable: str) -> Iterator[Check]:
    project = project_of(around)
    api = account_api(around)
    if isinstance(api, Check):
        yield api
        return
    if not project.database.id or project.database.has_placeholder_id:
        fix = "Set database_id in the configuration to have it asked."
        yield unknown(_TITLE, "not asked: the database's id is not in the configuration", fix)
        return
    import asyncio

    where = f"{api}/d1/database/{project.database.id}"

    yield asyncio.run(_asked(where, command_of(around).variables[variable]))


def account_api(around: Surroundings) -> "str | Check":
    """The account's part of Cloudflare's API, or why a token is not sent there."""
    from d1_preflight.adapters.wrangler.account import account_id
    from d1_preflight.core.target.api_place import API_BASE_NAMES, first_set

    project, here = project_of(around), command_of(around)
    account = project.config.account_id or account_id(here.variables, project.root)
    base = first_set(here.variables, API_BASE_NAMES)
    if base and not around.environ.get(base):
        words = f"not asked: {base} is set in {here.source(base)}, and a token is not sent there"
        return unknown(_TITLE, words, f"Export {base} if you mean it.")
    if not account:
        words = "not asked: the account's id is not in the configuration"
        return unknown(_TITLE, words, "Set account_id in the configuration to have it asked.")
    return (here.variables[base].rstrip("/") if base else _API) + f"/accounts/{account}"


async def _asked(database: str, token: str) -> Check:
    from d1_preflight.adapters.http import read_probe

    query = await read_probe(f"{database}/query", token, {"sql": "SELECT 1"})
    if query.ok:
        return good(_TITLE, "the token may read and change the database")
    if query.status == _NOT_FOUND:
        words = "the account has no database of this id"
        return failed(_TITLE, words, "Check account_id and database_id: wrangler d1 list")
    if query.status not in _REFUSED:
        return unknown(_TITLE, f"not known: {query.words}", "Try again.")
    if (await read_probe(database, token)).ok:
        return failed(_TITLE, "the token may read D1 and not change it", _FIX)
    return failed(_TITLE, "the token has no right on D1 in this account", _FIX)
