"""Section 3: what is counted, backed up, proven by restoring, and bookmarked."""

from textual.content import Content

from d1_preflight.core.format import count, duration, plural, short_hash, size
from d1_preflight.core.record import facts
from d1_preflight.core.record.record import Facts
from d1_preflight.tui.bodies.local_test import reading
from d1_preflight.tui.styles import ACCENT, DANGER, QUIET
from d1_preflight.tui.view import View
from d1_preflight.tui.widgets.gauges import bar
from d1_preflight.tui.widgets.tables import Cell, Column, table

_COLUMNS = (
    Column("table"),
    Column("rows", right=True),
    Column("bytes", right=True),
    Column("sha256", needs=60),
    Column("restored"),
)
_COUNTS = (Column("table"), Column("rows", right=True))
_BAR = 14


def body(view: View, width: int) -> Content:
    """The backup table (or the counts), the export, the bookmark."""
    backed_up, counted = view.facts("backed_up"), view.facts("counted")
    blocks = [_head(view, backed_up, counted)]
    if facts.rows(backed_up, "tables"):
        restored = {facts.text(r, "table"): r for r in facts.rows(view.facts("restored"), "tables")}
        lines = [_line(row, restored) for row in facts.rows(backed_up, "tables")]
        blocks.append(table(_COLUMNS, lines, width))
        blocks.append(_export(backed_up, view.facts("restored")))
    elif facts.rows(counted, "tables"):
        lines = [
            (facts.text(row, "table"), count(facts.number(row, "rows")))
            for row in facts.rows(counted, "tables")
        ]
        blocks.append(table(_COUNTS, lines, width))
    blocks += [reading(backed_up), _bookmark(view)]
    return Content("\n\n").join(block for block in blocks if block.cell_length)


def _head(view: View, backed_up: Facts, counted: Facts) -> Content:
    if facts.rows(backed_up, "tables"):
        tables = plural(len(facts.rows(backed_up, "tables")), "table")
        took = facts.number(backed_up, "ms")
        parts = [
            tables,
            plural(facts.number(backed_up, "rows"), "row"),
            size(facts.number(backed_up, "bytes")),
            duration(took) if took is not None else "",
        ]
        return Content("Backed up: " + " · ".join(part for part in parts if part))
    if facts.rows(counted, "tables"):
        tables = plural(len(facts.rows(counted, "tables")), "table")
        at = facts.text(counted, "taken_at")
        when = f" at {view.moment(at)}" if at else ""
        return Content(f"Counted{when}: {tables}, {plural(facts.number(counted, 'rows'), 'row')}")
    return Content.styled("Nothing is counted yet.", QUIET)


def _line(row: Facts, restored: dict[str, Facts]) -> tuple[Cell, ...]:
    name = facts.text(row, "table")
    return (
        name,
        count(facts.number(row, "rows")),
        size(facts.number(row, "bytes")) if "bytes" in row else "",
        (short_hash(facts.text(row, "sha256")), QUIET),
        _state(row, restored.get(name)),
    )


def _state(row: Facts, proof: Facts | None) -> Cell:
    if proof is not None and facts.flag(proof, "identical") is not None:
        if facts.flag(proof, "identical"):
            return "✓ identical"
        return (f"✗ differs: {facts.text(proof, 'words')}", DANGER)
    progress = proof if proof is not None else row
    done, total = facts.number(progress, "done"), facts.number(progress, "total")
    if done is not None and total and done < total:
        return (f"◐ {bar(done, total, _BAR)} {100 * done // total} %", ACCENT)
    return ("· not restored yet", QUIET)


def _export(backed_up: Facts, restored: Facts) -> Content:
    export = facts.group(backed_up, "export")
    if not export:
        return Content("")
    loads = facts.flag(restored, "export_loads")
    mark = {True: "✓ loads back", False: "✗ does not load back", None: "· not tried yet"}[loads]
    words = facts.text(restored, "export_words")
    return Content.assemble(
        f"d1 export  {size(facts.number(export, 'bytes'))}  ",
        (short_hash(facts.text(export, "sha256")), QUIET),
        f"  {mark}" + (f": {words}" if words and loads is False else ""),
    )


def _bookmark(view: View) -> Content:
    bookmark = view.facts("bookmark")
    if not facts.text(bookmark, "bookmark"):
        return Content("")
    captured, until = facts.text(bookmark, "taken_at"), facts.text(bookmark, "good_until")
    named = bool(facts.rows(view.facts("backed_up"), "tables"))  # else the head names the zone
    return Content.assemble(
        ("bookmark  ", QUIET),
        facts.text(bookmark, "bookmark"),
        "\n          ",
        f"captured {view.moment(captured, named=named)} · "
        f"good until {view.moment(until, named=False)}"
        " · restoring it undoes every later write",
    )
