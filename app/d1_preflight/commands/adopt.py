"""`preflight adopt`: ledger rows for migrations that a database has already, as a signed act."""

import argparse
from typing import TYPE_CHECKING

from d1_preflight.commands.adoption import Adoption
from d1_preflight.commands.faces import add_project_arguments, open_chosen
from d1_preflight.commands.output import say

if TYPE_CHECKING:
    from d1_preflight.project_context import ProjectContext


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

    asker = plain.open_asker(context.environ, goes_back=True)
    asyncio.run(context.resolve())
    adoption = Adoption(context)
    name = adoption.next(context.project.database.name)
    session = context.adoption(name)
    code = plain.walk(session, Board(context).target(name), asker)
    if code == 0 and (written := adoption.finish(session)):
        say(written)
    return code
