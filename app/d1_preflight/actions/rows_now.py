"""Reads tables of the target once more, where no query tells their values, only to compare them."""

import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from d1_preflight.actions.context import StepContext
from d1_preflight.actions.copy_rows import Copied, copy_rows, plan_reading
from d1_preflight.actions.workspace import recheck_folder
from d1_preflight.core.ports import Evidence
from d1_preflight.core.schema.schema import Schema, tables_of
from d1_preflight.core.schema.table import shadows_of
from d1_preflight.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class RowsNow:
    """The row copies as they were read now; they are gone when the comparison ends."""

    copied: Copied
    evidence: tuple[Evidence, ...]
    folder: Path


@asynccontextmanager
async def rows_now(context: StepContext, tables: Sequence[str]) -> AsyncIterator[RowsNow]:
    """Read these tables into files of their own; raises RemoteFailed, NotAllowed for too many."""
    folder = recheck_folder(context.environment)
    try:
        reading = await plan_reading(context, tables)
        yield RowsNow(
            await copy_rows(context, reading, folder, still=True), reading.evidence, folder
        )
    finally:
        shutil.rmtree(folder.parent, ignore_errors=True)


def as_database(context: StepContext, rows: RowsNow, schema: Schema) -> Path:
    """A local database of these tables alone, without their triggers.

    A virtual table comes with the shadow tables that were read.
    """
    read = {copy.table for copy in rows.copied.copies}
    known = tables_of(schema)
    virtual = (table.name for table in known if table.is_virtual)
    read |= {name for name in virtual if read & set(shadows_of(known, name))}
    tables = (o for o in schema.objects if o.kind == "table" and o.name in read)
    persist = rows.folder.parent / "d1"
    context.environment.local.make(persist, Schema(tuple(tables)), rows.copied.copies, ())
    return persist
