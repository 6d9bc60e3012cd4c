"""`preflight restore`: bring the rows of a backed-up table back, as SQL to be looked at first."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from d1_preflight.commands.faces import add_project_arguments, full_name, named
from d1_preflight.commands.output import say, write
from d1_preflight.core.errors import UsageError
from d1_preflight.core.format import plural
from d1_preflight.core.schema.schema import tables_of
from d1_preflight.core.schema.table import shadows_of
from d1_preflight.core.sql.tokenizer import quote_name

if TYPE_CHECKING:
    from d1_preflight.actions.context import Environment
    from d1_preflight.core.recovery.runbook import Target
    from d1_preflight.core.rows.table_copy import RowCopy


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "restore",
        help="write the rows a migration lost as SQL, from its backup, and print how to run it",
    )
    parser.add_argument("name", help="the migration that the backup belongs to")
    parser.add_argument(
        "--table",
        action="append",
        default=[],
        help="this table (repeatable); default: everything the rehearsal lost",
    )
    parser.add_argument(
        "--whole",
        action="store_true",
        help="every row of the tables, for tables that are empty now",
    )
    parser.add_argument("--output", type=Path, help="the SQL file to write; it must not exist")
    add_project_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the SQL; nothing is sent to the target by this command."""
    from d1_preflight.board import Board
    from d1_preflight.disk import writing
    from d1_preflight.project_context import open_context

    context = open_context(**named(arguments))
    name = full_name(context, arguments.name)
    context.take_id_of_record(name)
    environment = context.environment(name, context.store(name))
    copies = _copies(environment, name, arguments.table)
    output = arguments.output or context.project.root / context.restore_file(name)
    with writing(output, "The SQL file is not complete; the backup is unchanged."):
        _make_room(output, named=arguments.output is not None)
        if arguments.whole:
            chosen = [c for c in copies if not arguments.table or c.table in arguments.table]
            rows, tables, cautions = _whole(environment, chosen, output)
        else:
            rows, tables, cautions = _repair(environment, copies, output, arguments.table)
    _tell(cautions, rows, output, tables)
    if tables:
        _next_steps(Board(context).target(name), output, tables)
    return 1 if cautions else 0


def _make_room(output: Path, *, named: bool) -> None:
    """Replace our own file; UsageError where the one that was named cannot be written."""
    if not named:
        output.unlink(missing_ok=True)
    elif os.path.lexists(output):
        raise UsageError(f"{output} exists already.", hint="Choose another --output.")
    elif not os.path.isdir(output.parent):  # noqa: PTH112 - False too where it may not look
        raise UsageError(
            f"{output.parent} is not a folder.", hint="Make it, or choose another --output."
        )


def _copies(environment: "Environment", name: str, tables: Sequence[str]) -> list["RowCopy"]:
    from d1_preflight.actions.table_restore import opened_copy
    from d1_preflight.core.record.safety_facts import BackupFacts

    record = environment.store.load()
    attempt = record.last(BackupFacts.step) if record else None
    kept = BackupFacts.from_attempt(attempt).tables
    if not kept:
        raise UsageError(
            f"There is no backup for {name}.",
            hint="Use Time Travel: wrangler d1 time-travel restore.",
        )
    known = {entry.table for entry in kept}
    tables_there = tables_of(environment.prior_schema())
    known |= {t.name for t in tables_there if known & set(shadows_of(tables_there, t.name))}
    missing = [table for table in tables if table not in known]
    if missing:
        there = ", ".join(sorted(known))
        raise UsageError(f"{missing[0]} is not in the backup.", hint=f"It has: {there}")
    return [opened_copy(environment, entry) for entry in kept]


def _repair(
    environment: "Environment", copies: Sequence["RowCopy"], output: Path, only: Sequence[str]
) -> tuple[int, list[str], Sequence[str]]:
    """What the migration took, as the rehearsal showed it; this very SQL was tried there."""
    from d1_preflight.actions.table_restore import restore_copies, write_repair

    restore_copies(environment, copies)
    script = write_repair(environment, output, only)
    made = [found.table for found in script.objects if found.kind != "view"]
    tables = [t.table for t in script.tables if not t.is_empty]
    if script.objects:
        names = ", ".join(f"{found.kind} {found.name}" for found in script.objects)
        say(f"It also re-creates: {names}.")
    return script.rows, list(dict.fromkeys((*tables, *made))), script.problems


def _whole(
    environment: "Environment", copies: Sequence["RowCopy"], output: Path
) -> tuple[int, list[str], Sequence[str]]:
    from d1_preflight.adapters.row_copies import write_restore

    written = write_restore(output, copies, environment.prior_schema())
    rows = sum(table.rows for table in written.tables)
    return rows, [table.table for table in written.tables], written.cautions


def _tell(cautions: Sequence[str], rows: int, output: Path, tables: Sequence[str]) -> None:
    say(f"{plural(rows, 'row')} as SQL: {output}")
    for caution in cautions:
        say(f"! {caution}")
    if not rows and not tables and not cautions:
        say("The rehearsal lost no row and no value: there is nothing to restore.")


def _next_steps(target: "Target", output: Path, tables: Sequence[str]) -> None:
    """What to run, in order: count, fill, count again."""
    counts = (f"SELECT count(*) AS n FROM {quote_name(table)}" for table in tables)
    look = target.query("; ".join(counts))
    fill = target.d1("execute", target.database, "--remote", f"--file={output}")
    write(
        f"# 1. Count the rows before\n{look}\n"
        f"# 2. Restore the rows\n{fill}\n"
        f"# 3. Count the rows after\n{look}\n",
        "The next steps",
    )
    say(
        f"It restores: {', '.join(tables)}. The file fails as a whole if a key is already in use; "
        "no row is written twice. In that case choose fewer tables with --table, parents first. "
        "While it runs the database may not answer."
    )
