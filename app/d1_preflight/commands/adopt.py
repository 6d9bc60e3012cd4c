"""`preflight adopt`: ledger rows for migrations that a database has already, as a signed act."""

import argparse
from typing import TYPE_CHECKING

from d1_preflight.commands.faces import add_project_arguments, open_chosen
from d1_preflight.commands.output import say

if TYPE_CHECKING:
    from d1_preflight.project_context import ProjectContext
    from d1_preflight.session import Session

ADOPTION = "adoption"
_BASELINE = "baseline.sql"


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "adopt",
        help="write the ledger of a database that has its migrations already",
        description="Compare each migration with the live schema, confirm what is applied, and "
        "write the ledger's rows in one batch: recorded, backed up and signed like a migration.",
    )
    add_project_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Walk the adoption, one question after the other; then the baseline for lint."""
    return adopt(open_chosen(arguments))


def adopt(context: "ProjectContext") -> int:
    """Walk the adoption of a project's target; 0 when its record is closed."""
    import asyncio

    from d1_preflight import plain
    from d1_preflight.board import Board

    asker = plain.open_asker(context.environ)
    asyncio.run(context.resolve())
    name = next_name(context)
    session = context.adoption(name)
    code = plain.walk(session, Board(context).target(name), asker)
    if code == 0:
        write_baseline(context, session)
    return code


def next_name(context: "ProjectContext") -> str:
    """The adoption that is open, else the next one's name."""
    from d1_preflight.adapters.record_folder import read_record_folder
    from d1_preflight.core.verify.chain import read_closed

    number, name = 1, ADOPTION
    while True:
        folder = context.store(name).folder
        if not folder.is_dir() or read_closed(read_record_folder(folder)) is None:
            return name
        number += 1
        name = f"{ADOPTION}-{number}"


def write_baseline(context: "ProjectContext", session: "Session") -> None:
    """Write what no file makes as the baseline, and name it for lint; what is set stays."""
    from d1_preflight.adapters.configuration import remembering, text_of
    from d1_preflight.adapters.store import write_durably
    from d1_preflight.core.analysis import made_outside
    from d1_preflight.core.project.settings import SETTINGS_NAME, load_settings
    from d1_preflight.core.target.ledgers import foreign_ledgers

    seen = session.environment.cache.observation
    if seen is None or context.project.settings.lint.baseline:
        return
    others = [ledger.table for ledger in foreign_ledgers(seen.schema)]
    live = seen.schema.without(*others)
    outside = made_outside(tuple(session.environment.files.migrations()), live)
    path, settings = context.project.root / _BASELINE, context.project.root / SETTINGS_NAME
    if not outside.objects or path.exists():
        return
    text = remembering(
        text_of(settings) if settings.exists() else "", _BASELINE, table="lint", key="baseline"
    )
    load_settings(text)  # what is written can be read
    objects = "".join(f"{made.sql.rstrip().rstrip(';')};\n" for made in outside.objects)
    write_durably(path, f"-- What no migration makes, as the target had it.\n{objects}".encode())
    write_durably(settings, text.encode())
    say(f"The base schema, which no migration makes: {path}, named by [lint] baseline.")
