"""What `preflight doctor` says of the target: the login's rights on D1, and the ledgers.

The rights are asked by a read, or read in the login: `SELECT 1` changes nothing, and Cloudflare
answers it only to a token with D1 edit. The ledgers are read with a token, two reads in all; with a
wrangler login alone nothing is asked, for no program of the checkout is run, and the board says
the same.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from d1_preflight.commands.checks import Check, Surroundings, failed, good, unknown
from d1_preflight.core.errors import RemoteFailed
from d1_preflight.core.format import plural

if TYPE_CHECKING:
    from d1_preflight.core.schema.schema import Schema
    from d1_preflight.core.target.snapshot import LedgerRow

_TITLE = "D1 access"
_LEDGER = "ledger"
_ADOPT = "If its migrations are applied already: preflight adopt"
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

    variable = login_variable(around.of_wrangler.variables)
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
    project = around.opened
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

    yield asyncio.run(_asked(where, around.of_wrangler.variables[variable]))


def account_api(around: Surroundings) -> "str | Check":
    """The account's part of Cloudflare's API, or why a token is not sent there."""
    from d1_preflight.adapters.wrangler.account import account_id
    from d1_preflight.core.target.api_place import API_BASE_NAMES, first_set

    project, here = around.opened, around.of_wrangler
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


def target_ledger(around: Surroundings) -> Iterator[Check]:
    """What is odd about the ledgers; nothing where the target cannot be asked."""
    from d1_preflight.core.target.api_place import TOKEN_NAMES, first_set

    variable = first_set(around.of_wrangler.variables, TOKEN_NAMES)
    api = account_api(around) if variable else None
    if not isinstance(api, str):
        if login_files(around):
            words = "not read here with a wrangler login: the board reads it and says what is wrong"
            yield good(_LEDGER, words)
        return
    import asyncio

    token = around.of_wrangler.variables[variable]
    uuid = around.opened.database.id
    if not uuid:
        found = asyncio.run(_named(around, api, token))
        yield found if isinstance(found, Check) else good("database", f"found by its name: {found}")
        uuid = found if isinstance(found, str) else ""
    if uuid and not around.opened.database.has_placeholder_id:
        yield from asyncio.run(_read(around, f"{api}/d1/database/{uuid}/query", token))


async def _named(around: Surroundings, api: str, token: str) -> "str | Check":
    """The uuid of the database that the configuration names alone."""
    from d1_preflight.adapters.http import read_reply

    project = around.opened
    names = project.config.names_of(project.database)
    listed = await read_reply(f"{api}/d1/database?per_page=1000", token)
    rows = [row for row in listed if isinstance(row, Mapping)] if isinstance(listed, list) else []
    meant = next((n for n in names if any(row.get("name") == n for row in rows)), names[0])
    ids = sorted(str(row.get("uuid")) for row in rows if row.get("name") == meant)
    if len(ids) == 1:
        return ids[0]
    words = f"{len(ids)} databases are named {meant}: {', '.join(ids)}"
    if not ids:
        words = f"the account has no database named {' or '.join(names)}"
    return failed("database", words, "Write the database_id that you mean into the configuration.")


async def _read(around: Surroundings, query: str, token: str) -> list[Check]:
    from d1_preflight.core.schema.schema import SCHEMA_QUERY, Schema, tables_of
    from d1_preflight.core.target.ledgers import is_wranglers
    from d1_preflight.core.target.snapshot import ledger_statement, read_ledger

    name = around.opened.database.migrations_table
    schema = Schema.from_rows(await _rows(query, token, SCHEMA_QUERY))
    own = next((table for table in tables_of(schema) if table.name == name), None)
    if own is None:
        return [_without_ledger(schema.without(name), name)]
    if not is_wranglers(own):
        words = f"{name} in the target is not wrangler's ledger: {', '.join(own.column_names)}"
        fix = "wrangler's own can have another name: migrations_table in the configuration."
        return [failed(_LEDGER, words, fix)]
    rows = read_ledger(await _rows(query, token, ledger_statement(name)))
    return _judged(around, schema.without(name), rows)


async def _rows(query: str, token: str, sql: str) -> Sequence[Mapping[str, object]]:
    """The rows of one statement; a reply of another form holds none that can be read."""
    from d1_preflight.adapters.http import read_reply

    match await read_reply(query, token, {"sql": sql}):
        case [{"results": list(rows)}, *_]:
            return [row for row in rows if isinstance(row, Mapping)]
    raise RemoteFailed("The database's answer could not be read.", hint="Try again.")


def _without_ledger(schema: "Schema", name: str) -> Check:
    from d1_preflight.core.target.ledgers import foreign_ledgers

    others = "; ".join(ledger.words for ledger in foreign_ledgers(schema))
    there = f"there is no {name}{f', but {others}' if others else ''}"
    if schema.tables:
        return unknown(_LEDGER, f"{there}, and {plural(len(schema.tables), 'table')}", _ADOPT)
    return good(_LEDGER, f"{there}: the database is empty")


def _judged(around: Surroundings, schema: "Schema", rows: "Sequence[LedgerRow]") -> list[Check]:
    from datetime import UTC, datetime

    from d1_preflight.adapters.project_files import ProjectFiles
    from d1_preflight.core.target.ledgers import ledger_remarks
    from d1_preflight.core.target.snapshot import Observation

    names = [file.name for file in ProjectFiles(around.opened).files()]
    seen = Observation(datetime.now(UTC), tuple(rows), schema)
    remarks = ledger_remarks(seen, names)
    if not rows and schema.tables:
        return [unknown(_LEDGER, "it is empty, and the database is not", _ADOPT)]
    if not remarks:
        return [good(_LEDGER, f"{plural(len(rows), 'row')}, each a file here")]
    fix = "Find out who wrote it before anything is applied; a row alone changes no schema."
    return [unknown(_LEDGER, remark, fix) for remark in remarks]
