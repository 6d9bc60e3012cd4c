"""Table restore: writes SQL that restores the lost rows from the backup, and tries it here."""

from collections.abc import Collection, Sequence
from pathlib import Path

from d1_preflight.actions.context import Environment
from d1_preflight.actions.workspace import Folder
from d1_preflight.core.errors import NotAllowed, PreflightError, RecordInvalid
from d1_preflight.core.format import count, first, noun_for, plural
from d1_preflight.core.record.safety_facts import BackupTable, TableRestoreFacts
from d1_preflight.core.recovery.repair_sql import RepairScript, write_repair_sql
from d1_preflight.core.rows.row_diff import TableDiff, diff_rows
from d1_preflight.core.rows.table_copy import RowCopy
from d1_preflight.core.schema.schema import Schema, diff, tables_of
from d1_preflight.core.schema.table import shadows_of
from d1_preflight.core.sql.row_leaks import error_may_leak_row_values
from d1_preflight.disk import new_text

_SHOWN = 3


def opened_copy(environment: Environment, entry: BackupTable) -> RowCopy:
    """The copy, if it is still the file that was written."""
    path = environment.project.root / entry.file
    if not path.is_file():
        raise RecordInvalid(
            f"The backup {path} is not on this machine.",
            hint="A backup stays on the machine that made it.",
        )
    copy = environment.local.open_copy(path)
    if copy.sha256 != entry.sha256:
        raise NotAllowed(
            f"The backup of {copy.table} is not the file that was written.",
            hint="Make the backup again.",
        )
    return copy


def restore_copies(environment: Environment, copies: Sequence[RowCopy]) -> None:
    """Make a local database of these copies alone; raises NotAllowed for an unknown table."""
    wanted = {copy.table for copy in copies}
    known = environment.prior_schema().objects
    tables = tables_of(environment.prior_schema())
    # With its shadows a virtual table comes along, so that what they are can be seen.
    wanted |= {t.name for t in tables if t.is_virtual and wanted & set(shadows_of(tables, t.name))}
    # The tables alone: rows are proved here, and a trigger could change them.
    schema = Schema(tuple(o for o in known if o.kind == "table" and o.name in wanted))
    missing = sorted(wanted - set(schema.tables))
    if missing:
        raise NotAllowed(
            f"The schema that was read does not have {', '.join(missing)}.",
            hint="Copy the target again, then make the backup again.",
        )
    environment.local.make(Folder.RESTORED.of(environment), schema, copies, ())


def write_repair(environment: Environment, path: Path, only: Collection[str] = ()) -> RepairScript:
    """Write the SQL from the restored backup and the rehearsal; both must lie on this machine."""
    for persist in (
        Folder.RESTORED.of(environment),
        Folder.REHEARSAL.of(environment),
        Folder.COPY.of(environment),
    ):
        if not environment.local.file(persist).is_file():
            raise NotAllowed(
                "The rehearsal or the restored backup is not on this machine.",
                hint="Restore where it was rehearsed, or restore with Time Travel.",
            )
    schema = environment.local.schema(Folder.COPY.of(environment))
    rebuilt = environment.analysis().effects.tables_rebuilt
    before = environment.local.file(Folder.RESTORED.of(environment))
    after = environment.local.file(Folder.REHEARSAL.of(environment))
    with (
        environment.local.attached(before=before, after=after) as connection,
        new_text(path) as file,
    ):
        return write_repair_sql(file.write, connection, schema, rebuilt=rebuilt, only=only)


def dry_run_repair(environment: Environment) -> TableRestoreFacts:
    """Run that SQL on the rehearsal, and report what it restores."""
    path = Folder.RESTORE.of(environment) / "given_back.sql"
    path.unlink(missing_ok=True)
    persist = Folder.GIVEN_BACK.of(environment)
    try:
        script = write_repair(environment, path)
        environment.local.duplicate(Folder.REHEARSAL.of(environment), persist)
        took = environment.local.run_file(persist, path)
    except PreflightError as error:
        return TableRestoreFacts(runs=False, whole=False, words=_reason(environment, error))
    finally:
        path.unlink(missing_ok=True)
    problems = (*script.problems, *_still_missing(environment, persist))
    words = first(problems, _SHOWN, "; ")
    return TableRestoreFacts(runs=True, whole=not problems, rows=script.rows, ms=took, words=words)


def _reason(environment: Environment, error: PreflightError) -> str:
    """Why it does not run; a trigger of the target may quote a row in its message."""
    if error_may_leak_row_values(*(made.sql for made in environment.prior_schema().objects)):
        return "It fails here; a trigger's own message is not kept, because it may quote a row."
    return error.message


def _still_missing(environment: Environment, persist: Path) -> tuple[str, ...]:
    """What the backup holds and the repaired database lacks."""
    rebuilt = environment.analysis().effects.tables_rebuilt
    before, after = (
        environment.local.file(Folder.RESTORED.of(environment)),
        environment.local.file(persist),
    )
    with environment.local.attached(before=before, after=after) as connection:
        ledger = (environment.project.database.migrations_table,)
        found = diff_rows(connection, ignore=ledger, rebuilt=rebuilt)
    backed_up = (table for table in found.tables if table.before is not None)
    rows = tuple(words for table in backed_up if (words := _missing(table)))
    failing = environment.local.failing_indexes(persist)
    indexes = tuple(f"{name}: {words}" for name, words in failing.items())
    return (*rows, *indexes, *_constraints_gone(environment, persist))


def _constraints_gone(environment: Environment, persist: Path) -> tuple[str, ...]:
    """The constraints that no script of rows gives back; the objects it names itself."""
    changes = diff(environment.prior_schema(), environment.local.schema(persist))
    kinds = ("foreign key", "unique", "check")
    gone = (c for c in changes if c.kind == "removed" and c.object in kinds)
    return tuple(f"{change.object} {change.name} stays gone" for change in gone)


def _missing(table: TableDiff) -> str:
    if table.after is None:
        return f"{table.table} is missing"
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
