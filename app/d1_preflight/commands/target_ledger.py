"""What `preflight doctor` says of the target's ledgers: read with a token, two reads in all.

With a wrangler login alone nothing is asked, for no program of the checkout is run; the board
reads the ledger and says the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from d1_preflight.commands.checks import (
    Check,
    Surroundings,
    command_of,
    failed,
    good,
    project_of,
    unknown,
)
from d1_preflight.commands.d1_access import account_api, login_files
from d1_preflight.core.format import plural

if TYPE_CHECKING:
    from d1_preflight.core.schema.schema import Schema
    from d1_preflight.core.target.snapshot import LedgerRow

_TITLE = "ledger"
_ADOPT = "If its migrations are applied already: preflight adopt"


def target_ledger(around: Surroundings) -> Iterator[Check]:
    """What is odd about the ledgers; nothing where the target cannot be asked."""
    from d1_preflight.core.target.api_place import TOKEN_NAMES, first_set

    variable = first_set(command_of(around).variables, TOKEN_NAMES)
    api = account_api(around) if variable else None
    if not isinstance(api, str):
        if login_files(around):
            words = "not read here with a wrangler login: the board reads it and says what is wrong"
            yield good(_TITLE, words)
        return
    import asyncio

    token = command_of(around).variables[variable]
    uuid = project_of(around).database.id
    if not uuid:
        found = asyncio.run(_named(around, api, token))
        yield found if isinstance(found, Check) else good("database", f"found by its name: {found}")
        uuid = found if isinstance(found, str) else ""
    if uuid and not project_of(around).database.has_placeholder_id:
        yield from asyncio.run(_read(around, f"{api}/d1/database/{uuid}/query", token))


async def _named(around: Surroundings, api: str, token: str) -> "str | Check":
    """The uuid of the database that the configuration names alone."""
    from d1_preflight.adapters.http import read_reply

    project = project_of(around)
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

    name = project_of(around).database.migrations_table
    schema = Schema.from_rows(await _rows(query, token, SCHEMA_QUERY))
    own = next((table for table in tables_of(schema) if table.name == name), None)
    if own is None:
        return [_without_ledger(schema.without(name), name)]
    if not is_wranglers(own):
        words = f"{name} in the target is not wrangler's ledger: {', '.join(own.column_names)}"
        fix = "wrangler's own can have another name: migrations_table in the configuration."
        return [failed(_TITLE, words, fix)]
    rows = read_ledger(await _rows(query, token, ledger_statement(name)))
    return _judged(around, schema.without(name), rows)


async def _rows(query: str, token: str, sql: str) -> Sequence[Mapping[str, object]]:
    """The rows of one statement; a reply of another form holds none that can be read."""
    from d1_preflight.adapters.http import read_reply
    from d1_preflight.core.errors import RemoteFailed

    match await read_reply(query, token, {"sql": sql}):
        case [{"results": list(rows)}, *_]:
            return [row for row in rows if isinstance(row, Mapping)]
    raise RemoteFailed("The database's answer could not be read.", hint="Try again.")


def _without_ledger(schema: "Schema", name: str) -> Check:
    from d1_preflight.core.target.ledgers import foreign_ledgers

    others = "; ".join(ledger.words for ledger in foreign_ledgers(schema))
    there = f"there is no {name}{f', but {others}' if others else ''}"
    if schema.tables:
        return unknown(_TITLE, f"{there}, and {plural(len(schema.tables), 'table')}", _ADOPT)
    return good(_TITLE, f"{there}: the database is empty")


def _judged(around: Surroundings, schema: "Schema", rows: "Sequence[LedgerRow]") -> list[Check]:
    from datetime import UTC, datetime

    from d1_preflight.adapters.project_files import ProjectFiles
    from d1_preflight.core.target.ledgers import ledger_remarks
    from d1_preflight.core.target.snapshot import Observation

    names = [file.name for file in ProjectFiles(project_of(around)).files()]
    seen = Observation(datetime.now(UTC), tuple(rows), schema)
    remarks = ledger_remarks(seen, names)
    if not rows and schema.tables:
        return [unknown(_TITLE, "it is empty, and the database is not", _ADOPT)]
    if not remarks:
        return [good(_TITLE, f"{plural(len(rows), 'row')}, each a file here")]
    fix = "Find out who wrote it before anything is applied; a row alone changes no schema."
    return [unknown(_TITLE, remark, fix) for remark in remarks]
