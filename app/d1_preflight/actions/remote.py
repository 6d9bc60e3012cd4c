"""Talks to the target through wrangler: batched reads, and what they say."""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from d1_preflight.actions.tools import Tools
from d1_preflight.core.errors import PreflightError, RemoteFailed
from d1_preflight.core.observation import Observation, Question
from d1_preflight.core.ports import Emit, Evidence, silent
from d1_preflight.core.replies import Row, StatementResult, explain_failure, parse_execute
from d1_preflight.core.rows import batches

READ_TIMEOUT_S = 120.0
"""A batched read that takes longer is given up; D1 itself stops a query after 30 s."""


def config_flags(tools: Tools) -> tuple[str, ...]:
    """`--config` always (wrangler's own search surprises), `--env` when used."""
    env = ("--env", tools.project.environment) if tools.project.environment else ()
    return ("--config", str(tools.project.config.path), *env)


def target_flags(tools: Tools) -> tuple[str, ...]:
    """The configuration, and `--remote`: never left to a default."""
    return (*config_flags(tools), "--remote")


def execute_args(tools: Tools, sql: str) -> tuple[str, ...]:
    """The argv of one batched read; `=` because SQL that starts with `--` looks like a flag."""
    name = tools.project.database.name
    return ("d1", "execute", name, *target_flags(tools), "--json", f"--command={sql}")


async def read_batch(
    tools: Tools, statements: Sequence[str], *, emit: Emit = silent, keep: str | None = None
) -> tuple[tuple[StatementResult, ...], tuple[Evidence, ...]]:
    """Run statements on the target: in one call, or in as few as a command line can hold.

    Raises RemoteFailed with the reason.
    """
    results: list[StatementResult] = []
    evidence: list[Evidence] = []
    for number, batch in enumerate(batches(statements), start=1):
        ran = await tools.wrangler.run(
            execute_args(tools, " ".join(f"{statement};" for statement in batch)),
            cwd=tools.project.root,
            emit=emit,
            keep=f"{keep}-{number}" if keep and number > 1 else keep,
            timeout=READ_TIMEOUT_S,
        )
        if ran.exit_code != 0:
            raise explain_failure(ran)
        found = parse_execute(ran.stdout, ran.shown)
        if len(found) != len(batch):
            raise RemoteFailed(
                f"{len(batch)} answers were expected, {len(found)} came.",
                hint="Nothing was changed. Run the step again.",
            )
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
    tools: Tools,
    *,
    tables: Sequence[str] = (),
    checks: bool = False,
    extra: Sequence[str] = (),
    emit: Emit = silent,
    keep: str | None = None,
) -> Look:
    """Read ledger, schema and, where asked, counts, checks and more; remember what was seen."""
    question = Question(tools.project.database.migrations_table, tuple(tables), checks)
    try:
        look = await _ask(tools, question, extra, emit, keep)
    except RemoteFailed as error:
        if f"no such table: {question.ledger_table}" not in error.message:
            raise
        without = replace(question, with_ledger=False)
        look = await _ask(tools, without, extra, emit, keep)
    tools.seen.observation = look.observation
    return look


async def _ask(
    tools: Tools, question: Question, extra: Sequence[str], emit: Emit, keep: str | None
) -> Look:
    asked = (*question.statements, *extra)
    results, evidence = await read_batch(tools, asked, emit=emit, keep=keep)
    own = len(question.statements)
    try:
        rows = [result.rows for result in results]
        seen = question.read(rows[:own], tools.clock.now())
        more = tuple(rows[own + number] for number in range(len(extra)))
    except (ValueError, KeyError, IndexError) as error:
        raise RemoteFailed(
            f"The database's answer could not be read: {error}.",
            hint="Nothing was changed. Try again; if it stays, run: preflight doctor",
        ) from error
    return Look(seen, more, evidence)


def shown(tools: Tools, args: Sequence[str]) -> str:
    """A command as people read it before it runs, with paths relative to the project."""
    root = f"{tools.project.root}{'/'}"
    words = (arg.replace(root, "") for arg in args)
    return "wrangler " + " ".join(_quoted(word) for word in words)


def own_command(tools: Tools, *words: str) -> str:
    """A command of this program that means the same project and database wherever it is typed."""
    project = tools.project
    env = ("--env", project.environment) if project.environment else ()
    several = len(project.config.databases) > 1
    database = ("--database", project.database.name) if several else ()
    return shlex.join(("preflight", *words, *env, *database))


def relative(tools: Tools, path: Path) -> str:
    """A path as the record names it: relative to the project, so that it means the same to all."""
    try:
        return path.relative_to(tools.project.root).as_posix()
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
