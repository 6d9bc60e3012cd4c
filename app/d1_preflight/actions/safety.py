"""Section 3: before anything is written, what could be lost is counted, kept and proved."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from hashlib import file_digest
from pathlib import Path

from d1_preflight.actions.copying import check_size, copy_rows, plan_reading
from d1_preflight.actions.folders import backup_folder, restore_folder
from d1_preflight.actions.remote import first_object, observe, relative, shown, target_flags
from d1_preflight.actions.tools import Tools, Work
from d1_preflight.core.errors import NotAllowed, RemoteFailed
from d1_preflight.core.findings import Kind
from d1_preflight.core.ports import Evidence
from d1_preflight.core.record import Fact, Facts, Outcome, Status
from d1_preflight.core.record_file import instant
from d1_preflight.core.replies import explain_failure
from d1_preflight.core.rowcopy import RowCopy, open_copy
from d1_preflight.core.sameness import same
from d1_preflight.core.schema import Schema
from d1_preflight.core.tables import TableKind, tables_of

_EXPORT_TIMEOUT_S = 1800.0


async def count_rows(work: Work) -> Outcome:
    """One batched call: the count of every table, and the schema again."""
    tools = work.tools
    tables = _countable(_schema(tools))
    look = await observe(tools, tables=tables, keep=work.evidence_name, emit=work.emit)
    seen = look.observation
    if seen.schema.fingerprint != work.facts_of("copied").get("schema"):
        words = "The target's schema changed since it was copied. Copy and rehearse again."
        return Outcome(Status.FAILED, words, {}, look.evidence)
    total = sum(seen.counts.values())
    facts: Facts = {
        "tables": tuple({"table": table, "rows": n} for table, n in seen.counts.items()),
        "rows": total,
        "taken_at": instant(seen.taken_at),
    }
    words = f"{total:,} rows in {len(seen.counts)} tables."
    return Outcome(Status.PROVED, words, facts, look.evidence)


def backup_tables(work: Work) -> tuple[str, ...]:
    """The tables that are touched, those the rehearsal changed, and the critical ones."""
    effects = work.tools.analysis().effects
    wanted = [*effects.tables_touched, *_changed_in_rehearsal(work)]
    wanted += work.tools.settings.data.critical_tables
    existing = _countable(_schema(work.tools))
    if work.kind is Kind.UNKNOWN:
        return existing
    return tuple(table for table in existing if table in wanted)


def back_up_plan(work: Work) -> Sequence[str]:
    """The commands, with their targets."""
    tables = backup_tables(work)
    names = ", ".join(tables) or "no table is touched"
    return (
        f"read the rows of {names}, value for value (wrangler d1 execute --json, batched)",
        shown(work.tools, export_args(work.tools, tables, Path("export.sql"))),
    )


def export_args(tools: Tools, tables: Sequence[str], output: Path) -> tuple[str, ...]:
    """The argv of `wrangler d1 export` for these tables."""
    named = [word for table in tables for word in ("--table", table)]
    name = tools.project.database.name
    return ("d1", "export", name, *target_flags(tools), "--output", str(output), *named)


async def back_up(work: Work) -> Outcome:
    """Row copies and the export, side by side; both stay on this machine, mode 0600."""
    tools = work.tools
    tables = backup_tables(work)
    if not tables:
        return Outcome(Status.PROVED, "No existing table is touched; nothing to back up.", {})
    started = tools.clock.monotonic()
    folder = backup_folder(tools)
    reading = await plan_reading(work, tables)
    check_size(tools, reading)
    copies = await copy_rows(work, reading, folder / "rows")
    export, evidence = await _export(work, tables, folder)
    facts: dict[str, Fact] = {
        "tables": tuple(_copy_facts(tools, copy) for copy in copies),
        "export": export,
        "rows": sum(copy.rows for copy in copies),
        "bytes": sum(copy.bytes for copy in copies),
        "ms": round((tools.clock.monotonic() - started) * 1000),
    }
    status = Status.PROVED
    words = (
        f"{len(copies)} tables, {facts['rows']:,} rows, kept exactly in {relative(tools, folder)}"
    )
    words += "." if "sha256" in export else f"; the export was refused: {export['words']}"
    return Outcome(status, words, facts, (*reading.evidence, evidence))


async def prove_backup(work: Work) -> Outcome:
    """Restore the row copies into a fresh local D1, read them back, and compare every value."""
    tools = work.tools
    kept = work.facts_of("backed_up").get("tables", ())
    entries = [row for row in kept if isinstance(row, Mapping)] if isinstance(kept, tuple) else []
    if not entries:
        return Outcome(Status.PROVED, "Nothing had to be backed up.", {})
    started = tools.clock.monotonic()
    copies = [opened_copy(tools, entry) for entry in entries]
    persist = restore_folder(tools) / "rows"
    schema = _only_tables(_schema(tools), {copy.table for copy in copies})
    await asyncio.to_thread(tools.local.make, persist, schema, copies, ())
    restored = tools.local.file(persist)
    rows = tuple([await asyncio.to_thread(_compared, copy, restored) for copy in copies])
    loads = await _export_loads(work)
    facts: dict[str, Fact] = {
        "tables": rows,
        "export_loads": not loads,
        "export_words": loads or "The export loads as well.",
        "ms": round((tools.clock.monotonic() - started) * 1000),
    }
    wrong = [row for row in rows if not row["identical"]]
    if wrong:
        words = f"{wrong[0]['table']} did not come back as it was: {wrong[0]['words']}"
        return Outcome(Status.FAILED, words, facts)
    total = sum(copy.rows for copy in copies)
    words = f"{total:,} rows in {len(rows)} tables came back identical, value for value."
    if loads:
        words += " The export alone would not have: " + loads
    return Outcome(Status.PROVED, words, facts)


async def take_bookmark(work: Work) -> Outcome:
    """Time Travel's bookmark of this moment, and until when it can be used."""
    tools = work.tools
    ran = await tools.wrangler.run(
        bookmark_args(tools), cwd=tools.project.root, emit=work.emit, keep=work.evidence_name,
        timeout=120,
    )  # fmt: skip
    if ran.exit_code != 0:
        raise explain_failure(ran)
    bookmark = first_object(ran.stdout).get("bookmark")
    if not isinstance(bookmark, str) or not bookmark:
        raise RemoteFailed("wrangler gave no bookmark.", hint="Run the step again.")
    now = tools.clock.now()
    until = now + timedelta(days=tools.settings.data.time_travel_days)
    facts: Facts = {
        "bookmark": bookmark, "taken_at": instant(now), "good_until": instant(until),
    }  # fmt: skip
    return Outcome(Status.PROVED, f"{bookmark}, good until {until:%d %b %Y}.", facts, (ran,))


def bookmark_args(tools: Tools) -> tuple[str, ...]:
    """The argv of `wrangler d1 time-travel info`; it is remote by nature and takes no --remote."""
    env = ("--env", tools.project.environment) if tools.project.environment else ()
    config = ("--config", str(tools.project.config.path), *env)
    return ("d1", "time-travel", "info", tools.project.database.name, *config, "--json")


def bookmark_plan(work: Work) -> Sequence[str]:
    """The command, with its target."""
    return (shown(work.tools, bookmark_args(work.tools)),)


def _schema(tools: Tools) -> Schema:
    observed = tools.seen.observation
    return observed.schema if observed else tools.prior_schema()


def _countable(schema: Schema) -> tuple[str, ...]:
    return tuple(t.name for t in tables_of(schema) if t.kind is not TableKind.SHADOW)


def _changed_in_rehearsal(work: Work) -> list[str]:
    rows = work.facts_of("rehearsed").get("tables", ())
    tables = [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, tuple) else []
    return [str(r["table"]) for r in tables if r.get("lost") or r.get("nulled") or r.get("changed")]


def _only_tables(schema: Schema, tables: set[str]) -> Schema:
    """The tables alone: rows are proved here, and a trigger could change them."""
    return Schema(tuple(o for o in schema.objects if o.kind == "table" and o.name in tables))


def _copy_facts(tools: Tools, copy: RowCopy) -> Mapping[str, Fact]:
    return {
        "table": copy.table, "rows": copy.rows, "bytes": copy.bytes, "sha256": copy.sha256,
        "digest": copy.digest, "file": relative(tools, copy.path),
    }  # fmt: skip


async def _export(
    work: Work, tables: Sequence[str], folder: Path
) -> tuple[Mapping[str, Fact], Evidence]:
    """D1's own export. It refuses whole databases with virtual tables: said, not hidden."""
    output = folder / "export.sql"
    output.unlink(missing_ok=True)
    ran = await work.tools.wrangler.run(
        export_args(work.tools, tables, output), cwd=work.tools.project.root, emit=work.emit,
        keep=work.evidence_name, timeout=_EXPORT_TIMEOUT_S,
    )  # fmt: skip
    if ran.exit_code != 0 or not output.is_file():
        return {"words": explain_failure(ran).message}, ran
    output.chmod(0o600)
    with output.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    kept: Facts = {
        "file": relative(work.tools, output),
        "bytes": output.stat().st_size,
        "sha256": digest,
    }
    return kept, ran


def opened_copy(tools: Tools, entry: Mapping[str, Fact]) -> RowCopy:
    """The copy, if it is still the file that was written."""
    path = tools.project.root / str(entry["file"])
    copy = open_copy(path)
    if copy.sha256 != entry["sha256"]:
        raise NotAllowed(
            f"The backup of {copy.table} is not the file that was written.",
            hint="Take the backup again.",
        )
    return copy


def _compared(copy: RowCopy, restored: Path) -> Mapping[str, Fact]:
    """Type and exact value of every cell; a difference is told by place, never by value."""
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
