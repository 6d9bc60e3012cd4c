"""Table restore: what the migration takes is written as SQL out of the backup, and tried here."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from d1_preflight.actions.folders import (
    copy_folder,
    given_back_folder,
    rehearsal_folder,
    restore_folder,
    restored_folder,
)
from d1_preflight.actions.tools import Tools
from d1_preflight.core.errors import NotAllowed, PreflightError, RecordInvalid
from d1_preflight.core.format import count, noun_for, plural
from d1_preflight.core.record.record import Fact, Facts
from d1_preflight.core.recovery.repair_script import GivingBack, write_giving_back
from d1_preflight.core.rows.row_diff import account
from d1_preflight.core.rows.table_copy import RowCopy, open_copy
from d1_preflight.core.rows.table_diff import TableAccount
from d1_preflight.core.schema.schema import Schema
from d1_preflight.core.sql.row_leaks import errors_may_quote_rows

_SHOWN = 3


def opened_copy(tools: Tools, entry: Mapping[str, Fact]) -> RowCopy:
    """The copy, if it is still the file that was written."""
    path = tools.project.root / str(entry["file"])
    if not path.is_file():
        raise RecordInvalid(
            f"The backup {path} is not on this machine.",
            hint="A backup stays on the machine that made it.",
        )
    copy = open_copy(path)
    if copy.sha256 != entry["sha256"]:
        raise NotAllowed(
            f"The backup of {copy.table} is not the file that was written.",
            hint="Make the backup again.",
        )
    return copy


def restore_copies(tools: Tools, copies: Sequence[RowCopy]) -> None:
    """Make a local database of these copies alone; raises NotAllowed for an unknown table."""
    wanted = {copy.table for copy in copies}
    known = tools.prior_schema().objects
    # The tables alone: rows are proved here, and a trigger could change them.
    schema = Schema(tuple(o for o in known if o.kind == "table" and o.name in wanted))
    missing = sorted(wanted - set(schema.tables))
    if missing:
        raise NotAllowed(
            f"The schema that was read does not know {', '.join(missing)}.",
            hint="Copy the target again, then make the backup again.",
        )
    tools.local.make(restored_folder(tools), schema, copies, ())


def giving_back(tools: Tools, path: Path, only: Collection[str] = ()) -> GivingBack:
    """Write the SQL from the restored backup and the rehearsal; both must lie on this machine."""
    for persist in (restored_folder(tools), rehearsal_folder(tools), copy_folder(tools)):
        if not tools.local.file(persist).is_file():
            raise NotAllowed(
                "The rehearsal or the restored backup is not on this machine.",
                hint="Restore where it was rehearsed, or restore with Time Travel.",
            )
    return write_giving_back(
        path,
        tools.local.file(restored_folder(tools)),
        tools.local.file(rehearsal_folder(tools)),
        tools.local.schema(copy_folder(tools)),
        rebuilt=tools.analysis().effects.tables_rebuilt,
        only=only,
    )


def try_giving_back(tools: Tools) -> Facts:
    """Run that SQL on the rehearsal, and say what is then as it was before the migration."""
    path = restore_folder(tools) / "given_back.sql"
    path.unlink(missing_ok=True)
    persist = given_back_folder(tools)
    try:
        given = giving_back(tools, path)
        tools.local.duplicate(rehearsal_folder(tools), persist)
        took = tools.local.run_sql(persist, path.read_text(encoding="utf-8"))
    except PreflightError as error:
        return {"runs": False, "whole": False, "words": _reason(tools, error)}
    finally:
        path.unlink(missing_ok=True)
    problems = (*given.problems, *_still_missing(tools, persist))
    more = f" and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    words = "; ".join(problems[:_SHOWN]) + more
    return {
        "runs": True, "whole": not problems, "rows": given.rows, "ms": took, "words": words,
    }  # fmt: skip


def _reason(tools: Tools, error: PreflightError) -> str:
    """Why it does not run; a trigger of the target may answer with what stands in a row."""
    if any(errors_may_quote_rows(made.sql) for made in tools.prior_schema().objects):
        return (
            "It does not run here; a trigger's own message is not kept, because it may quote a row."
        )
    return error.message


def _still_missing(tools: Tools, persist: Path) -> tuple[str, ...]:
    """What the backup holds and the database that was given back does not."""
    found = account(
        tools.local.file(restored_folder(tools)),
        tools.local.file(persist),
        ignore=(tools.project.database.migrations_table,),
        rebuilt=tools.analysis().effects.tables_rebuilt,
    )
    backed_up = (table for table in found.tables if table.before is not None)
    return tuple(words for table in backed_up if (words := _missing(table)))


def _missing(table: TableAccount) -> str:
    if table.after is None:
        return f"{table.table} is not there"
    if table.lost:
        stay = noun_for(table.lost, "stays", "stay")
        return f"{plural(table.lost, 'row')} of {table.table} {stay} lost"
    if table.columns_gone:
        return f"{table.table} lacks {', '.join(table.columns_gone)}"
    if table.changed:
        differ = noun_for(table.changed, "differs", "differ")
        return f"{plural(table.changed, 'row')} of {table.table} {differ} from before"
    if table.reissues:
        return f"{table.table} issues ids again, from {count((table.issued_after or 0) + 1)} on"
    return ""
