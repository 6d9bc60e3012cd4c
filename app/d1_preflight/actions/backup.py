"""Section 3: what could be lost is kept on this machine, and proved by restoring it."""

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from hashlib import file_digest
from pathlib import Path

from d1_preflight.actions.copying import Copied, check_size, copy_rows, plan_reading
from d1_preflight.actions.folders import backup_folder, restore_folder, restored_folder
from d1_preflight.actions.giving_back import opened_copy, restore_copies, try_giving_back
from d1_preflight.actions.remote import call_target, relative, shown, target_flags
from d1_preflight.actions.tools import Tools, Work
from d1_preflight.core.findings import Kind
from d1_preflight.core.format import plural
from d1_preflight.core.ports import Evidence
from d1_preflight.core.record import facts as facts_of
from d1_preflight.core.record.record import Fact, Facts, Outcome, Status
from d1_preflight.core.rows.equality import same
from d1_preflight.core.rows.table_copy import RowCopy
from d1_preflight.core.schema.table import Table, TableKind, countable, shadows_of, tables_of
from d1_preflight.core.target.wrangler_output import explain_failure
from d1_preflight.disk import writing

_EXPORT_TIMEOUT_S = 1800.0


def backup_tables(work: Work) -> tuple[str, ...]:
    """The tables that are touched, those the rehearsal changed, and the critical ones."""
    effects = work.tools.analysis().effects
    wanted = [*effects.tables_touched, *_changed_in_rehearsal(work)]
    wanted += work.tools.settings.data.critical_tables
    existing = countable(_known(work.tools))
    if work.kind is Kind.UNKNOWN:
        return existing
    lower = {table.lower() for table in wanted}
    return tuple(table for table in existing if table.lower() in lower)


def back_up_plan(work: Work) -> Sequence[str]:
    """The commands, with their targets."""
    tables = backup_tables(work)
    names = ", ".join(tables) or "no table is touched"
    export = export_args(work.tools, _exportable(work.tools, tables), Path("export.sql"))
    return (
        f"read the rows of {names}, value for value (wrangler d1 execute --json, batched)",
        f"{shown(work.tools, export)}   (D1 answers nothing else while it exports)",
    )


def export_args(tools: Tools, tables: Sequence[str], output: Path) -> tuple[str, ...]:
    """The argv of `wrangler d1 export` for these tables."""
    named = [word for table in tables for word in ("--table", table)]
    name = tools.project.database.name
    return ("d1", "export", name, *target_flags(tools), "--output", str(output), *named)


async def back_up(work: Work) -> Outcome:
    """Row copies and the export, side by side; both stay on this machine, mode 0600.

    Each attempt has a folder of its own: the backup that a record names is not touched until a
    newer one is complete.
    """
    tools = work.tools
    tables = backup_tables(work)
    missing = sorted(set(_changed_in_rehearsal(work)) - set(tables))
    if missing:
        words = f"{', '.join(missing)} changed in the rehearsal but is not there to be backed up."
        return Outcome(Status.FAILED, f"{words} Copy the target and rehearse again.")
    if not tables:
        return Outcome(Status.PROVED, "No existing table is touched; nothing to back up.", {})
    started = tools.clock.monotonic()
    folder = backup_folder(tools) / work.evidence_name
    copied, evidence = await _read_still(work, _with_shadows(tools, tables), folder / "rows")
    export, ran = await _export(work, _exportable(tools, tables), folder)
    facts: dict[str, Fact] = {
        "tables": tuple(_copy_facts(tools, copy) for copy in copied.copies),
        "export": export,
        "rows": sum(copy.rows for copy in copied.copies),
        "bytes": sum(copy.bytes for copy in copied.copies),
        "ms": round((tools.clock.monotonic() - started) * 1000),
    }
    if copied.moved:
        words = f"{', '.join(copied.moved)} changed twice while it was read."
        hint = "Make the backup when fewer writes happen, or stop the writer."
        return Outcome(Status.FAILED, f"{words} {hint}", facts, (*evidence, *ran))
    _forget_others(folder)
    kept = relative(tools, folder)
    total = sum(copy.rows for copy in copied.copies)
    words = f"{plural(len(copied.copies), 'table')}, {plural(total, 'row')}, kept exactly in {kept}"
    words += "." if "sha256" in export else f"; no export: {export['words']}"
    return Outcome(Status.PROVED, words, facts, (*evidence, *ran))


async def _read_still(
    work: Work, tables: Sequence[str], folder: Path
) -> tuple[Copied, tuple[Evidence, ...]]:
    """Read the tables; once more where rows came or went meanwhile, for that is no backup."""
    evidence: tuple[Evidence, ...] = ()
    for _ in range(2):
        reading = await plan_reading(work, tables)
        check_size(work.tools, reading)
        copied = await copy_rows(work, reading, folder)
        evidence = (*evidence, *reading.evidence)
        if not copied.moved:
            break
    return copied, evidence


def _forget_others(folder: Path) -> None:
    for other in folder.parent.iterdir():
        if other.is_dir() and other != folder:
            shutil.rmtree(other, ignore_errors=True)


async def prove_backup(work: Work) -> Outcome:
    """Restore the backup and compare every value; then give the rehearsal back what it took."""
    tools = work.tools
    entries = facts_of.rows(work.facts_of("backed_up"), "tables")
    if not entries:
        return Outcome(Status.PROVED, "There was nothing to back up.", {})
    started = tools.clock.monotonic()
    copies = [opened_copy(tools, entry) for entry in entries]
    await asyncio.to_thread(restore_copies, tools, copies)
    restored = tools.local.file(restored_folder(tools))
    rows = tuple([await asyncio.to_thread(_compared, copy, restored) for copy in copies])
    loads = await _export_loads(work)
    facts: dict[str, Fact] = {
        "tables": rows,
        "export_loads": not loads,
        "export_words": loads or "The export loads too.",
        "ms": round((tools.clock.monotonic() - started) * 1000),
    }
    wrong = [row for row in rows if not row["identical"]]
    if wrong:
        words = f"{wrong[0]['table']} was not restored identically: {wrong[0]['words']}"
        return Outcome(Status.FAILED, words, facts)
    facts["gives_back"] = await asyncio.to_thread(try_giving_back, tools)
    total = sum(copy.rows for copy in copies)
    kept = f"{plural(total, 'row')} in {plural(len(rows), 'table')}"
    words = f"{kept} restored, identical value for value."
    if loads:
        words += f" Partial export: {loads}"
    return Outcome(Status.PROVED, words, facts)


def _known(tools: Tools) -> tuple[Table, ...]:
    return tables_of(tools.prior_schema())


def _with_shadows(tools: Tools, tables: Sequence[str]) -> tuple[str, ...]:
    """A virtual table is kept by the tables in which it has its rows."""
    known = _known(tools)
    virtual = {t.name for t in known if t.kind is TableKind.VIRTUAL}
    return tuple(
        name
        for table in tables
        for name in (shadows_of(known, table) if table in virtual else (table,))
    )


def _exportable(tools: Tools, tables: Sequence[str]) -> tuple[str, ...]:
    """D1's export refuses virtual tables, and with them all that is asked for beside them."""
    virtual = {t.name for t in _known(tools) if t.kind is TableKind.VIRTUAL}
    return tuple(table for table in tables if table not in virtual)


def _changed_in_rehearsal(work: Work) -> list[str]:
    rows = facts_of.rows(work.facts_of("rehearsed"), "tables")
    changes = ("lost", "nulled", "changed")
    return [
        facts_of.text(row, "table")
        for row in rows
        if any(facts_of.number(row, change) for change in changes)
    ]


def _copy_facts(tools: Tools, copy: RowCopy) -> Mapping[str, Fact]:
    return {
        "table": copy.table, "rows": copy.rows, "bytes": copy.bytes, "sha256": copy.sha256,
        "digest": copy.digest, "file": relative(tools, copy.path),
        **({} if copy.sequence is None else {"sequence": copy.sequence}),
    }  # fmt: skip


async def _export(
    work: Work, tables: Sequence[str], folder: Path
) -> tuple[Mapping[str, Fact], tuple[Evidence, ...]]:
    """D1's own export, where it can export anything; the reason is kept where it cannot."""
    if not tables:
        return {"words": "D1 exports no virtual tables"}, ()
    output = folder / "export.sql"
    with writing(output):
        output.unlink(missing_ok=True)
    ran = await call_target(
        work.tools, export_args(work.tools, tables, output), emit=work.emit,
        keep=work.evidence_name, timeout=_EXPORT_TIMEOUT_S,
    )  # fmt: skip
    if ran.exit_code != 0 or not output.is_file():
        return {"words": explain_failure(ran).message}, (ran,)
    with writing(output, "The row copies are there."), output.open("rb") as file:
        output.chmod(0o600)
        digest = file_digest(file, "sha256").hexdigest()
        size = output.stat().st_size
    kept: Facts = {"file": relative(work.tools, output), "bytes": size, "sha256": digest}
    return kept, (ran,)


def _compared(copy: RowCopy, restored: Path) -> Mapping[str, Fact]:
    """Type and exact value of every cell; a difference is named by place, never by value."""
    difference = same(copy, restored)
    words = difference.words if difference else "identical"
    return {"table": copy.table, "rows": copy.rows, "identical": not difference, "words": words}


async def _export_loads(work: Work) -> str:
    export = work.facts_of("backed_up").get("export")
    if not isinstance(export, Mapping) or "file" not in export:
        return "there is no export"
    dump = work.tools.project.root / str(export["file"])
    persist = restore_folder(work.tools) / "export"
    return await asyncio.to_thread(work.tools.local.load_dump, persist, dump)
