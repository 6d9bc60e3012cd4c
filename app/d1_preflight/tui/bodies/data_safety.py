"""Section 3: what is counted, backed up, proven by restoring, and bookmarked."""

from textual.content import Content

from d1_preflight.core.format import count, duration, plural, short_hash, size
from d1_preflight.core.record.safety_facts import (
    BackupFacts,
    BackupTable,
    BookmarkFacts,
    CountFacts,
    ExportFacts,
    RestoredTable,
    RestoreFacts,
)
from d1_preflight.tui.bodies.local_test import reading
from d1_preflight.tui.styles import DANGER, QUIET
from d1_preflight.tui.view import View
from d1_preflight.tui.widgets.tables import Cell, Column, table

_COLUMNS = (
    Column("table"),
    Column("rows", right=True),
    Column("bytes", right=True),
    Column("sha256", needs=60),
    Column("restored"),
)
_COUNTS = (Column("table"), Column("rows", right=True))


def body(view: View, width: int) -> Content:
    """The backup table (or the counts), the export, the bookmark."""
    backed_up, counted = view.facts(BackupFacts), view.facts(CountFacts)
    blocks = [_head(view, backed_up, counted)]
    if backed_up.tables:
        proof = view.facts(RestoreFacts)
        restored = {found.table: found for found in proof.tables}
        lines = [_line(kept, restored.get(kept.table)) for kept in backed_up.tables]
        blocks.append(table(_COLUMNS, lines, width))
        blocks.append(_export(backed_up.export, proof))
    elif counted.tables:
        lines = [(found.table, count(found.rows)) for found in counted.tables]
        blocks.append(table(_COUNTS, lines, width))
    so_far = reading(backed_up.reading, len(backed_up.tables), backed_up.of)
    blocks += [so_far, _bookmark(view)]
    return Content("\n\n").join(block for block in blocks if block.cell_length)


def _head(view: View, backed_up: BackupFacts, counted: CountFacts) -> Content:
    if backed_up.tables:
        parts = [
            plural(len(backed_up.tables), "table"),
            plural(backed_up.rows, "row"),
            size(backed_up.bytes),
            duration(backed_up.ms) if backed_up.ms is not None else "",
        ]
        return Content("Backed up: " + " · ".join(part for part in parts if part))
    if counted.tables:
        tables, rows = plural(len(counted.tables), "table"), plural(counted.rows, "row")
        when = f" at {view.moment(counted.taken_at)}" if counted.taken_at else ""
        return Content(f"Counted{when}: {tables}, {rows}")
    return Content.styled("Nothing is counted yet.", QUIET)


def _line(kept: BackupTable, proof: RestoredTable | None) -> tuple[Cell, ...]:
    return (
        kept.table,
        count(kept.rows),
        size(kept.bytes) if kept.bytes is not None else "",
        (short_hash(kept.sha256), QUIET),
        _state(proof),
    )


def _state(proof: RestoredTable | None) -> Cell:
    if proof is None or proof.identical is None:
        return ("· not restored yet", QUIET)
    return "✓ identical" if proof.identical else (f"✗ differs: {proof.words}", DANGER)


def _export(export: ExportFacts | None, proof: RestoreFacts) -> Content:
    if export is None or export.is_empty:
        return Content("")
    loads, words = proof.export_loads, proof.export_words
    mark = {True: "✓ loads back", False: "✗ does not load back", None: "· not tried yet"}[loads]
    return Content.assemble(
        f"d1 export  {size(export.bytes)}  ",
        (short_hash(export.sha256), QUIET),
        f"  {mark}" + (f": {words}" if words and loads is False else ""),
    )


def _bookmark(view: View) -> Content:
    known = view.facts(BookmarkFacts)
    if not known.bookmark:
        return Content("")
    named = bool(view.facts(BackupFacts).tables)  # else the head names the zone
    captured = view.moment(known.taken_at, named=named)
    until = view.moment(known.good_until, named=False)
    return Content.assemble(
        ("bookmark  ", QUIET),
        known.bookmark,
        "\n          ",
        f"captured {captured} · good until {until} · restoring it undoes every later write",
    )
