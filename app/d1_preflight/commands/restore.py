"""`preflight restore`: bring the rows of a backed-up table back, as SQL to be looked at first."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from d1_preflight.commands.faces import add_project_arguments, full_name
from d1_preflight.core.errors import RecordInvalid, UsageError

if TYPE_CHECKING:
    from d1_preflight.core.emergency import Target
    from d1_preflight.core.record import Facts, Record
    from d1_preflight.core.rowcopy import RowCopy
    from d1_preflight.wiring import Workbench


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "restore", help="write a backup's rows as SQL, and say how to run it on the target"
    )
    parser.add_argument("name", help="the migration whose backup it is")
    parser.add_argument(
        "--table",
        action="append",
        default=[],
        help="this table (repeatable); otherwise those that lost rows in the rehearsal",
    )
    parser.add_argument("--output", type=Path, help="where the SQL goes; must not exist yet")
    add_project_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the SQL; nothing is sent to the target by this command."""
    from d1_preflight.core.restore import write_restore
    from d1_preflight.wiring import open_bench

    bench = open_bench(
        config=arguments.config, environment=arguments.env, database=arguments.database
    )
    name = full_name(bench, arguments.name)
    copies = _copies(bench, name, arguments.table)
    output = arguments.output or bench.project.root / bench.restore_file(name)
    if arguments.output is None:
        output.unlink(missing_ok=True)
    elif output.exists():
        raise UsageError(f"{output} exists already.", hint="Choose another --output.")
    written = write_restore(output, copies, bench.copied_schema(name))
    _tell(written.cautions, sum(table.rows for table in written.tables), output)
    _next_steps(bench.board().target(name), output, [copy.table for copy in copies])
    return 0 if written.is_whole else 1


def _copies(bench: "Workbench", name: str, tables: Sequence[str]) -> list["RowCopy"]:
    from d1_preflight.core.facts import rows

    record = bench.store(name).load()
    attempt = record.last("backed_up") if record else None
    kept = rows(attempt.facts, "tables") if attempt else ()
    if not kept:
        raise UsageError(
            f"No backup was taken for {name}.",
            hint="Without one, Time Travel is the way back: wrangler d1 time-travel restore.",
        )
    known = {str(entry["table"]) for entry in kept}
    missing = [table for table in tables if table not in known]
    if missing:
        there = ", ".join(sorted(known))
        raise UsageError(f"{missing[0]} is not in the backup.", hint=f"There: {there}")
    wanted = tables or _lost_in_rehearsal(record)
    chosen = [entry for entry in kept if not wanted or entry["table"] in wanted]
    return [_opened(bench, entry) for entry in chosen]


def _lost_in_rehearsal(record: "Record | None") -> tuple[str, ...]:
    """The tables that the rehearsal saw lose rows: those are what one wants back."""
    from d1_preflight.core.facts import number, rows, text

    attempt = record.last("rehearsed") if record else None
    found = rows(attempt.facts, "tables") if attempt else ()
    return tuple(text(row, "table") for row in found if number(row, "lost"))


def _opened(bench: "Workbench", entry: "Facts") -> "RowCopy":
    from d1_preflight.core.rowcopy import open_copy

    path = bench.project.root / str(entry["file"])
    if not path.is_file():
        raise RecordInvalid(
            f"{path} is not on this machine.", hint="Backups stay where they were taken."
        )
    copy = open_copy(path)
    if copy.sha256 != entry["sha256"]:
        raise RecordInvalid(
            f"{path.name} is not the file that the record names.", hint="Do not restore from it."
        )
    return copy


def _tell(cautions: Sequence[str], rows: int, output: Path) -> None:
    print(f"{rows:,} rows as SQL: {output}", file=sys.stderr)
    for caution in cautions:
        print(f"! {caution}", file=sys.stderr)


def _next_steps(target: "Target", output: Path, tables: Sequence[str]) -> None:
    """What to run, in order: count, fill, count again."""
    from d1_preflight.core.tables import quoted

    look = target.query("; ".join(f"SELECT count(*) AS n FROM {quoted(table)}" for table in tables))
    fill = target.d1("execute", target.database, "--remote", f"--file={output}")
    print(f"# 1. How many rows are there now?\n{look}")
    print(f"# 2. Put them back\n{fill}")
    print(f"# 3. How many are there now?\n{look}")
    print(
        f"It brings back: {', '.join(tables)}. A row whose key is taken stops the whole file and "
        "nothing is doubled: then choose fewer tables with --table, parents first.",
        file=sys.stderr,
    )
