"""Section 3: counts and backs up rows, restores them as proof, and captures a bookmark."""

import asyncio
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from hashlib import file_digest
from pathlib import Path

from d1_preflight.actions.context import Environment, StepAction, StepContext
from d1_preflight.actions.copy_rows import (
    Copied,
    copy_rows,
    held_by_reads,
    plan_reading,
)
from d1_preflight.actions.table_restore import dry_run_repair, opened_copy, restore_copies
from d1_preflight.actions.target import (
    call_target,
    config_flags,
    first_object,
    observe,
    relative,
    shown,
    target_flags,
)
from d1_preflight.actions.values import (
    changed_in_rehearsal,
    existing_tables,
    touched_tables,
    with_shadows,
)
from d1_preflight.actions.workspace import Folder
from d1_preflight.core.errors import RemoteFailed
from d1_preflight.core.format import date, duration, plural
from d1_preflight.core.ports import Evidence
from d1_preflight.core.record.change_facts import CopyFacts, RehearsalFacts, table_counts
from d1_preflight.core.record.facts import StepFacts, instant, is_absent
from d1_preflight.core.record.gate import staleness
from d1_preflight.core.record.record import Outcome, Status
from d1_preflight.core.record.safety_facts import (
    BackupFacts,
    BackupTable,
    BookmarkFacts,
    CountFacts,
    ExportFacts,
    RestoredTable,
    RestoreFacts,
)
from d1_preflight.core.rows.table_copy import RowCopy
from d1_preflight.core.schema.schema import tables_of
from d1_preflight.core.schema.table import TableKind, countable
from d1_preflight.core.target.snapshot import Observation
from d1_preflight.core.target.wrangler_output import explain_failure
from d1_preflight.disk import writing

_EXPORT_TIMEOUT_S = 1800.0
_NO_EXPORT = "There is no export."
_MISSING = re.compile(r"no such table: (?:main\.)?(.+)")
_BLOCKS = "D1 answers nothing else while it exports"


def backup_tables(context: StepContext) -> tuple[str, ...]:
    """The tables that the migration touches, and the critical ones of the settings."""
    critical = context.environment.settings.data.critical_tables
    return existing_tables(context, (*touched_tables(context), *critical))


def back_up_plan(context: StepContext) -> Sequence[str]:
    """The commands, with their targets."""
    tables = backup_tables(context)
    named = f"the rows of {', '.join(tables)}" if tables else "no rows (no table is touched)"
    export = export_args(
        context.environment, _exportable(context.environment, tables), Path("export.sql")
    )
    return (
        f"read {named}, value for value (wrangler d1 execute --json, batched)",
        f"{shown(context.environment, export)}   ({_BLOCKS}{_export_time(context, tables)})",
    )


def _export_time(context: StepContext, tables: Sequence[str]) -> str:
    """About how long, by the speed at which the same rows were copied; "" where none was."""
    copied = context.facts(CopyFacts)
    mine = sum(table.bytes or 0 for table in copied.tables if table.table in tables)
    if not copied.read_ms or not copied.bytes or not mine:
        return ""
    return f": about {duration(round(copied.read_ms * mine / copied.bytes))}, as the copy took"


def held_by_export(context: StepContext) -> str:
    """Why a person starts the backup: production waits while it is exported."""
    return f"{_BLOCKS}." if backup_tables(context) else ""


def export_args(environment: Environment, tables: Sequence[str], output: Path) -> tuple[str, ...]:
    """The argv of `wrangler d1 export` for these tables."""
    named = [word for table in tables for word in ("--table", table)]
    name = environment.project.database.name
    return ("d1", "export", name, *target_flags(environment), "--output", str(output), *named)


async def back_up(context: StepContext) -> Outcome:
    """Row copies and the export, side by side; both stay on this machine, mode 0600.

    Each attempt has a folder of its own: the backup that a record names is not touched until a
    newer one is complete.
    """
    environment = context.environment
    tables = backup_tables(context)
    missing = sorted(set(changed_in_rehearsal(context)) - set(tables))
    if missing:
        words = f"{', '.join(missing)} changed in the rehearsal but is not in the copy."
        return Outcome(Status.FAILED, f"{words} Copy the target and rehearse again.")
    if not tables:
        return _nothing_to_back_up(context)
    started = environment.clock.monotonic()
    folder = Folder.BACKUP.of(environment) / context.evidence_name
    wanted = with_shadows(environment, tables)
    at_hand = None
    if _copy_is_recent(context):
        at_hand = await asyncio.to_thread(_from_copy, environment, wanted, folder / "rows")
    copied, evidence = at_hand or await read_still(context, wanted, folder / "rows")
    export, ran = await _export(context, _exportable(environment, tables), folder)
    rows = sum(copy.rows for copy in copied.copies)
    facts = BackupFacts(
        tables=tuple(_copy_facts(environment, copy) for copy in copied.copies),
        export=export,
        rows=rows,
        bytes=sum(copy.bytes for copy in copied.copies),
        ms=round((environment.clock.monotonic() - started) * 1000),
    )
    if copied.moved:
        words = f"{', '.join(copied.moved)} changed twice while it was read."
        hint = "Make the backup when fewer writes happen, or stop the writer."
        return Outcome(Status.FAILED, f"{words} {hint}", facts, (*evidence, *ran))
    _forget_others(folder)
    kept = relative(environment, folder)
    words = f"{plural(len(copied.copies), 'table')}, {plural(rows, 'row')}, kept exactly in {kept}"
    took = f"; the export took {duration(ran[-1].milliseconds)}." if ran else "."
    words += took if export.sha256 else f"; no export: {export.words}"
    return Outcome(Status.PROVED, words, facts, (*evidence, *ran))


def _nothing_to_back_up(context: StepContext) -> Outcome:
    """Proved only by the rehearsal on the target's rows, which changed no existing table."""
    rehearsed = context.facts(RehearsalFacts)
    if is_absent(rehearsed.schema_after):
        words = "It is unknown whether an existing table changes: the migration was not rehearsed."
        return Outcome(Status.UNKNOWN, words)
    named = context.environment.settings.data.critical_tables
    if named:
        words = f"No critical table ({', '.join(named)}) is in the target. Correct preflight.toml."
        return Outcome(Status.UNKNOWN, words)
    words = "The rehearsal changed no existing table, and no table is critical: nothing to back up."
    return Outcome(Status.PROVED, words)


def _copy_is_recent(context: StepContext) -> bool:
    """Whether the copy is no older than this step's answer may be: rows of it are no newer."""
    step = replace(context.checklist.step(CopyFacts.step), good_for=context.step.good_for)
    return not staleness(context.record, step, context.environment.clock.now())


def _from_copy(
    environment: Environment, tables: Sequence[str], folder: Path
) -> tuple[Copied, tuple[Evidence, ...]] | None:
    """The row copies that the copy of the target made, so that rows are read once; None without.

    They hold the target as it was then. The apply is held where a touched table moved since.
    """
    persist, made = Folder.COPY.of(environment), Folder.COPIED_ROWS.of(environment)
    if not environment.local.file(persist).is_file():
        return None
    copies = {copy.table: copy for copy in map(environment.local.open_copy, made.glob("*.rows"))}
    if not set(tables) <= set(copies):
        return None
    if any(environment.local.compare_copy(copies[table], persist) for table in tables):
        return None  # a file of the copy was changed here
    with writing(folder, "Nothing was backed up."):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700, parents=True)
        for table in tables:
            path = shutil.copyfile(copies[table].path, folder / copies[table].path.name)
            path.chmod(0o600)
    return Copied(tuple(environment.local.open_copy(p) for p in sorted(folder.iterdir()))), ()


async def read_still(
    context: StepContext, tables: Sequence[str], folder: Path
) -> tuple[Copied, tuple[Evidence, ...]]:
    """Read the tables; once more if rows changed meanwhile, for that is no consistent backup."""
    evidence: tuple[Evidence, ...] = ()
    for _ in range(2):
        reading = await plan_reading(context, tables)
        copied = await copy_rows(context, reading, folder, so_far=_backed_up_so_far, still=True)
        evidence = (*evidence, *reading.evidence)
        if not copied.moved:
            break
    return copied, evidence


def _backed_up_so_far(copies: Sequence[RowCopy], reading: str, of: int) -> StepFacts:
    tables = (BackupTable(table=c.table, rows=c.rows, bytes=c.bytes) for c in copies)
    return BackupFacts(tables=tuple(tables), reading=reading, of=of)


def _forget_others(folder: Path) -> None:
    for other in folder.parent.iterdir():
        if other.is_dir() and other != folder:
            shutil.rmtree(other, ignore_errors=True)


async def prove_backup(context: StepContext) -> Outcome:
    """Restore the backup and compare every value; then try the repair script on the rehearsal."""
    environment = context.environment
    entries = context.facts(BackupFacts).tables
    wanted, held = with_shadows(environment, backup_tables(context)), {e.table for e in entries}
    if missing := ", ".join(table for table in wanted if table not in held):
        return Outcome(Status.UNKNOWN, f"The backup holds no copy of {missing}. Back up again.")
    if not entries:
        return _nothing_to_back_up(context)
    started = environment.clock.monotonic()
    copies = [opened_copy(environment, entry) for entry in entries]
    await asyncio.to_thread(restore_copies, environment, copies)
    tables: tuple[RestoredTable, ...] = ()
    for copy in copies:
        tables = (*tables, await asyncio.to_thread(_compared, environment, copy))
        context.progress(RestoreFacts(tables=tables))
    loads = await _export_loads(context)
    took = round((environment.clock.monotonic() - started) * 1000)
    wrong = [table for table in tables if not table.identical]
    facts = RestoreFacts(
        tables=tables,
        export_loads=not loads,
        export_words=loads or "The export loads too.",
        ms=took,
        gives_back=None if wrong else await asyncio.to_thread(dry_run_repair, environment),
    )
    if wrong:
        words = f"{wrong[0].table} was not restored identically: {wrong[0].words}"
        return Outcome(Status.FAILED, words, facts)
    total = sum(copy.rows for copy in copies)
    kept = f"{plural(total, 'row')} in {plural(len(tables), 'table')}"
    words = f"{kept} restored, identical value for value."
    if loads:
        words += f" {loads}" if loads == _NO_EXPORT else f" Partial export: {loads}."
    return Outcome(Status.PROVED, words, facts)


def _exportable(environment: Environment, tables: Sequence[str]) -> tuple[str, ...]:
    """D1's export refuses virtual tables, and then the whole export."""
    known = tables_of(environment.prior_schema())
    virtual = {t.name for t in known if t.kind is TableKind.VIRTUAL}
    return tuple(table for table in tables if table not in virtual)


def _copy_facts(environment: Environment, copy: RowCopy) -> BackupTable:
    return BackupTable(
        table=copy.table,
        rows=copy.rows,
        bytes=copy.bytes,
        sha256=copy.sha256,
        digest=copy.digest,
        file=relative(environment, copy.path),
        sequence=copy.sequence,
    )


async def _export(
    context: StepContext, tables: Sequence[str], folder: Path
) -> tuple[ExportFacts, tuple[Evidence, ...]]:
    """D1's own export, or the reason why there is none."""
    if not tables:
        return ExportFacts(words="D1 exports no virtual tables"), ()
    output = folder / "export.sql"
    with writing(output):
        output.unlink(missing_ok=True)
    ran = await call_target(
        context.environment, export_args(context.environment, tables, output), emit=context.emit,
        keep=context.evidence_name, timeout=_EXPORT_TIMEOUT_S,
    )  # fmt: skip
    if ran.exit_code != 0 or not output.is_file():
        return ExportFacts(words=explain_failure(ran).message), (ran,)
    with writing(output, "The row copies are there."), output.open("rb") as file:
        output.chmod(0o600)
        digest = file_digest(file, "sha256").hexdigest()
        size = output.stat().st_size
    return ExportFacts(file=relative(context.environment, output), bytes=size, sha256=digest), (
        ran,
    )


def _compared(environment: Environment, copy: RowCopy) -> RestoredTable:
    """Compare every cell by type and value; a difference is named by place, never by value."""
    difference = environment.local.compare_copy(copy, Folder.RESTORED.of(environment))
    words = difference.words if difference else "identical"
    return RestoredTable(table=copy.table, rows=copy.rows, identical=not difference, words=words)


async def _export_loads(context: StepContext) -> str:
    export = context.facts(BackupFacts).export
    if export is None or not export.file:
        return _NO_EXPORT
    dump = context.environment.project.root / export.file
    persist = Folder.RESTORE.of(context.environment) / "export"
    told = await asyncio.to_thread(context.environment.local.load_dump, persist, dump)
    return _MISSING.sub(r"needs table \1", told)


async def count_rows(context: StepContext) -> Outcome:
    """The count of every table, out of the copy where it is at hand; ledger and schema again."""
    environment, copied = context.environment, context.facts(CopyFacts)
    persist = Folder.COPY.of(environment)
    has_copy = _copy_is_recent(context) and environment.local.file(persist).is_file()
    tables = () if has_copy else countable(tables_of(environment.prior_schema()))
    seen, evidence = await _seen_just_now(context, tables)
    if seen.schema.fingerprint != copied.schema:
        words = "The target's schema changed since it was copied. Copy and rehearse again."
        return Outcome(Status.FAILED, words, evidence=evidence)
    counts = environment.local.counts(persist) if has_copy else seen.counts
    taken_at, rows = copied.taken_at if has_copy else instant(seen.taken_at), sum(counts.values())
    facts = CountFacts(tables=table_counts(counts), rows=rows, taken_at=taken_at)
    words = f"{plural(rows, 'row')} in {plural(len(counts), 'table')}"
    words += ", as copied" if has_copy else ""
    return Outcome(Status.PROVED, f"{words}.", facts, evidence)


async def _seen_just_now(
    context: StepContext, tables: Sequence[str]
) -> tuple[Observation, tuple[Evidence, ...]]:
    """Ledger and schema; where only they are asked, the copy's own look serves while it is new."""
    environment = context.environment
    seen = environment.cache.observation
    copied = context.record.standing(context.checklist.step(CopyFacts.step))
    is_first = not tables and context.before is None
    if (
        is_first
        and seen is not None
        and copied is not None
        and seen.serves(environment.clock.now())
    ):
        return seen, copied.evidence
    look = await observe(environment, tables=tables, keep=context.evidence_name, emit=context.emit)
    return look.observation, look.evidence


async def take_bookmark(context: StepContext) -> Outcome:
    """Time Travel's bookmark of this moment, and until when it can be used."""
    environment = context.environment
    ran = await call_target(
        environment,
        bookmark_args(environment),
        emit=context.emit,
        keep=context.evidence_name,
        timeout=120,
    )
    if ran.exit_code != 0:
        raise explain_failure(ran)
    bookmark = first_object(ran.stdout).get("bookmark")
    if not isinstance(bookmark, str) or not bookmark:
        raise RemoteFailed("wrangler gave no bookmark.", hint="Run the step again.")
    now = environment.clock.now()
    until = now + timedelta(days=environment.settings.data.time_travel_days)
    facts = BookmarkFacts(bookmark=bookmark, taken_at=instant(now), good_until=instant(until))
    words = f"{bookmark}, good until {date(until, now)}."
    return Outcome(Status.PROVED, words, facts, (ran,))


def bookmark_args(environment: Environment) -> tuple[str, ...]:
    """The argv of `wrangler d1 time-travel info`; it is remote by nature and takes no --remote."""
    name = environment.project.database.name
    return ("d1", "time-travel", "info", name, *config_flags(environment), "--json")


def bookmark_plan(context: StepContext) -> Sequence[str]:
    """The command, with its target."""
    return (shown(context.environment, bookmark_args(context.environment)),)


STEPS: Mapping[str, StepAction] = {
    "count_rows": StepAction(count_rows, held=held_by_reads),
    "back_up": StepAction(back_up, plan=back_up_plan, held=held_by_export, alone=True),
    "prove_backup": StepAction(prove_backup),
    "take_bookmark": StepAction(take_bookmark, plan=bookmark_plan),
}
