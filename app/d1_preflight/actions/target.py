"""Talks to the target through wrangler: batched reads and their results."""

import asyncio
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from d1_preflight.actions.context import Environment
from d1_preflight.core.errors import PreflightError, ProjectError, RemoteFailed
from d1_preflight.core.format import plural
from d1_preflight.core.ports import Emit, Evidence, silent
from d1_preflight.core.project.wrangler_config import CONFIG_NAMES
from d1_preflight.core.rows.codec import batches
from d1_preflight.core.target.snapshot import Observation, Question
from d1_preflight.core.target.wrangler_output import (
    Row,
    StatementResult,
    explain_failure,
    listed_databases,
    parse_execute,
)
from d1_preflight.lazy_dataclass import dataclass

_LEDGER_COLUMNS = ("id", "name", "applied_at")
READ_TIMEOUT_S = 120.0
"""The time limit of a batched read; D1 itself stops a query after 30 s."""


def config_flags(environment: Environment) -> tuple[str, ...]:
    """The configuration that holds only the target's uuid: no environment can redirect it."""
    return ("--config", str(environment.project.target_config))


def target_flags(environment: Environment) -> tuple[str, ...]:
    """The configuration, and `--remote`: never left to a default."""
    return (*config_flags(environment), "--remote")


async def call_target(
    environment: Environment,
    args: Sequence[str],
    *,
    emit: Emit = silent,
    keep: str | None = None,
    timeout: float | None = None,  # noqa: ASYNC109 - the adapter ends the child itself
) -> Evidence:
    """Run wrangler on the target, from a folder whose `.env` is not the project's.

    `args` hold `config_flags`; the configuration is written before it is used.
    """
    config = environment.files.target_config()
    return await environment.wrangler.run(
        args, cwd=config.parent, emit=emit, keep=keep, timeout=timeout
    )


def execute_args(environment: Environment, sql: str) -> tuple[str, ...]:
    """The argv of one batched read; `=` because SQL that starts with `--` looks like a flag."""
    name = environment.project.database.name
    return ("d1", "execute", name, *target_flags(environment), "--json", f"--command={sql}")


async def read_batch(
    environment: Environment,
    statements: Sequence[str],
    *,
    emit: Emit = silent,
    keep: str | None = None,
) -> tuple[tuple[StatementResult, ...], tuple[Evidence, ...]]:
    """Run statements on the target: in one call, or in as few as a command line can hold.

    Raises RemoteFailed with the reason.
    """
    results: list[StatementResult] = []
    evidence: list[Evidence] = []
    for number, batch in enumerate(batches(statements), start=1):
        ran = await call_target(
            environment,
            execute_args(environment, " ".join(f"{statement};" for statement in batch)),
            emit=emit,
            keep=f"{keep}-{number}" if keep and number > 1 else keep,
            timeout=READ_TIMEOUT_S,
        )
        if ran.exit_code != 0:
            raise explain_failure(ran)
        found = parse_execute(ran.stdout, ran.shown)
        if len(found) != len(batch):
            raise RemoteFailed(
                f"Expected {plural(len(batch), 'answer')}, got {len(found)}.",
                hint="Nothing was changed. Run the step again.",
            )
        environment.meter.count(found)
        results += found
        evidence.append(ran)
    return tuple(results), tuple(evidence)


@dataclass(frozen=True, slots=True)
class Look:
    """One batched read: what was observed, the rows of the extra statements, the evidence."""

    observation: Observation
    extra: tuple[tuple[Row, ...], ...]
    evidence: tuple[Evidence, ...]


async def observe(
    environment: Environment,
    *,
    tables: Sequence[str] = (),
    checks: bool = False,
    extra: Sequence[str] = (),
    emit: Emit = silent,
    keep: str | None = None,
) -> Look:
    """Read ledger, schema and, where asked, counts, checks and more; remember what was seen.

    No answer is used before the database has reported its uuid, once a session; a
    ledger that does not go on from the one seen before makes it say so again.
    """
    _require_id(environment)
    question = Question(environment.project.database.migrations_table, tuple(tables), checks)
    identity = asyncio.ensure_future(confirm_identity(environment))
    try:
        look = await _read(environment, question, extra, emit, keep)
        await identity
    finally:
        identity.cancel()
    before = environment.cache.observation
    if before is not None and not look.observation.continues(before):
        environment.cache.uuid = ""
        await confirm_identity(environment)
    environment.cache.observation = look.observation
    return look


async def confirm_identity(environment: Environment) -> None:
    """Compare the uuid of the database that answers with the expected one.

    Raises RemoteFailed where it is another one, or does not say.
    """
    meant = environment.project.database.id
    if environment.cache.uuid:
        return
    _require_id(environment)
    ran = await call_target(environment, info_args(environment), timeout=READ_TIMEOUT_S)
    if ran.exit_code != 0:
        raise explain_failure(ran)
    told = first_object(ran.stdout)
    answered = told.get("uuid")
    if not isinstance(answered, str) or answered.lower() != meant.lower():
        said = f"the database {answered}" if isinstance(answered, str) else "no uuid"
        raise RemoteFailed(
            f"Another database answered: preflight asked {meant} and got {said}.",
            hint="Its answers were not used. Check database_id, the account and the API base.",
        )
    environment.cache.uuid = answered
    size = told.get("database_size", told.get("file_size"))
    environment.cache.size = size if isinstance(size, int) else None


def _require_id(environment: Environment) -> None:
    database = environment.project.database
    if database.has_placeholder_id:
        raise ProjectError(
            f"{database.id} is a placeholder, not a database id.",
            hint="Write the uuid from wrangler d1 list, or name the file that your deploy fills in "
            "with --config. Without database_id, it is found by its name.",
        )


async def find_database(environment: Environment) -> str:
    """The uuid of the database that the configuration names without an id.

    Raises RemoteFailed where none or several of the account's databases have the name.
    """
    database = environment.project.database
    names = environment.project.config.names_of(database)
    config = environment.files.account_config()
    ran = await environment.wrangler.run(
        ("d1", "list", "--json", "--config", str(config)), cwd=config.parent, timeout=READ_TIMEOUT_S
    )
    if ran.exit_code != 0:
        raise explain_failure(ran)
    found = {item["uuid"]: item["name"] for item in listed_databases(ran.stdout)}
    meant = next((n for n in names if n in found.values()), "")
    ids = sorted(uuid for uuid, name in found.items() if name == meant)
    if len(ids) == 1:
        return ids[0]
    if ids:
        raise RemoteFailed(
            f"{len(ids)} databases are named {meant}: {', '.join(ids)}.",
            hint="Write the database_id that you mean into the configuration.",
        )
    raise RemoteFailed(
        f"The account has no database named {' or '.join(names)}, and the configuration has no "
        "database_id.",
        hint="Deploy the Worker once, which makes it, or: wrangler d1 create "
        f"{names[0]}. A wrong account looks the same: see preflight doctor.",
    )


def info_args(environment: Environment) -> tuple[str, ...]:
    """The argv of `wrangler d1 info`; it is remote by nature and takes no --remote."""
    return ("d1", "info", environment.project.database.name, *config_flags(environment), "--json")


async def _read(
    environment: Environment, question: Question, extra: Sequence[str], emit: Emit, keep: str | None
) -> Look:
    try:
        return await _ask(environment, question, extra, emit, keep)
    except RemoteFailed as error:
        if any(f"no such column: {name}" in error.message for name in _LEDGER_COLUMNS):
            raise RemoteFailed(
                f"{question.ledger_table} in the target is not wrangler's ledger: {error.message}",
                hint="Nothing was changed. Whose table is it? wrangler's own can have another "
                "name: migrations_table in the configuration.",
            ) from error
        if f"no such table: {question.ledger_table}" not in error.message:
            raise
        return await _ask(environment, replace(question, with_ledger=False), extra, emit, keep)


async def _ask(
    environment: Environment, question: Question, extra: Sequence[str], emit: Emit, keep: str | None
) -> Look:
    asked = (*question.statements, *extra)
    results, evidence = await read_batch(environment, asked, emit=emit, keep=keep)
    own = len(question.statements)
    try:
        rows = [result.rows for result in results]
        seen = question.read(rows[:own], environment.clock.now())
        more = tuple(rows[own + number] for number in range(len(extra)))
    except (ValueError, KeyError, IndexError) as error:
        raise unread_answer(str(error)) from error
    return Look(seen, more, evidence)


def unread_answer(why: str) -> RemoteFailed:
    """The database answered, and preflight does not understand it."""
    return RemoteFailed(
        f"The database's answer could not be read: {why}.",
        hint="Nothing was changed. Try again; if it fails again, run: preflight doctor",
    )


def shown(environment: Environment, args: Sequence[str]) -> str:
    """A command as shown before it runs, with paths relative to the project."""
    root = f"{environment.project.root}{'/'}"
    words = (arg.replace(root, "") for arg in args)
    return "wrangler " + " ".join(_quoted(word) for word in words)


def own_command(environment: Environment, *words: str) -> str:
    """A command of this program that selects the same project and database in every folder."""
    project = environment.project
    env = (f"--env={project.environment}",) if project.config.environments else ()
    several = len(project.config.databases) > 1
    database = ("--database", project.database.name) if several else ()
    name = project.config.path.name
    config = () if name in CONFIG_NAMES else ("--config", name)
    return shlex.join(("preflight", *words, *config, *env, *database))


def relative(environment: Environment, path: Path) -> str:
    """A path as the record names it: relative to the project, the same on every machine."""
    try:
        return path.relative_to(environment.project.root).as_posix()
    except ValueError:
        return path.name


def first_object(stdout: str) -> Mapping[str, object]:
    """The first JSON object or array-of-objects' item that wrangler printed; {} where none is."""
    decoder = json.JSONDecoder()
    for start in re.finditer(r"^(?=[\[{])", stdout, re.MULTILINE):
        try:
            value = decoder.raw_decode(stdout, start.start())[0]
        except ValueError:
            continue
        found = value[0] if isinstance(value, list) and value else value
        if isinstance(found, dict):
            return found
    return {}


def failure_words(error: PreflightError) -> str:
    """Message and next step in one line."""
    return f"{error.message} {error.hint}".strip()


def _quoted(word: str) -> str:
    if word and not set(word) & set(" \"'$;|&<>()*"):
        return word
    shortened = word if len(word) < 200 else f"{word[:180]} …"  # noqa: PLR2004 - one screen
    return "'" + shortened.replace("'", "'\\''") + "'"
