"""Section 2: what the rehearsal on the copy did to rows and schema."""

from collections.abc import Sequence

from textual.content import Content

from d1_preflight.core.format import count, duration, loss, plural, size
from d1_preflight.core.record import facts
from d1_preflight.core.record.record import Facts
from d1_preflight.tui.styles import ACCENT, DANGER, QUIET, STRONG
from d1_preflight.tui.view import View
from d1_preflight.tui.widgets.gauges import bar
from d1_preflight.tui.widgets.tables import Cell, Column, table

_BAR = 14
_COPY = (Column("table"), Column("rows", right=True), Column("bytes", right=True))
REHEARSAL = (
    Column("table"),
    Column("before", right=True),
    Column("after", right=True),
    Column("lost", right=True),
    Column("nulled", right=True, needs=76),
    Column("changed", right=True, needs=68),
    Column("added", right=True, needs=84),
    Column(""),
)


def body(view: View, width: int) -> Content:
    """The copy, then the rehearsal; the schema's changes and the time below."""
    copied, rehearsed = view.facts("copied"), view.facts("rehearsed")
    blocks: list[Content] = []
    if copied and "reading" not in copied:
        blocks.append(_copied(view, copied))
    if facts.rows(rehearsed, "tables"):
        blocks += [rehearsal_table(facts.rows(rehearsed, "tables"), width), *_schema(rehearsed)]
        blocks.append(_times(rehearsed))
    elif copied:
        lines = [
            (
                facts.text(row, "table"),
                count(facts.number(row, "rows")),
                size(facts.number(row, "bytes")),
            )
            for row in facts.rows(copied, "tables")
        ]
        blocks += [reading(copied), table(_COPY, lines, width)]
    if not blocks:
        blocks.append(
            Content.styled(
                "Nothing is copied yet. On empty tables almost every "
                "migration passes; only rows show what it does.",
                QUIET,
            )
        )
    return Content("\n\n").join(block for block in blocks if block.cell_length)


def reading(copied: Facts) -> Content:
    """Which table is being read, while it is: in words, not by a spinner."""
    now, of = facts.text(copied, "reading"), facts.number(copied, "of")
    if not now or of is None:
        return Content("")
    place = len(facts.rows(copied, "tables"))
    return Content.styled(f"◐ {bar(place, of, _BAR)} reading {now}, {place} of {of} done", ACCENT)


def rehearsal_table(tables: Sequence[Facts], width: int) -> Content:
    """Before and after, the tables that changed first; unchanged ones in one line."""
    changed = [row for row in tables if not _is_unchanged(row)]
    shown = table(REHEARSAL, [_line(row) for row in changed], width) if changed else Content("")
    rest = len(tables) - len(changed)
    if not rest:
        return shown
    words = (
        f"… {plural(rest, 'table')} unchanged"
        if changed
        else (f"✓ {plural(rest, 'table')}, every row as before")
    )
    note = Content.styled(words, QUIET if changed else "")
    return Content("\n").join([shown, note]) if changed else note


def _is_unchanged(row: Facts) -> bool:
    same = facts.number(row, "before") == facts.number(row, "after")
    moved = any(facts.number(row, key) for key in ("lost", "nulled", "changed", "added"))
    return same and not moved and facts.flag(row, "ok") is True


def _line(row: Facts) -> tuple[Cell, ...]:
    lost, fine = facts.number(row, "lost"), facts.flag(row, "ok")
    mark = {True: "✓", False: "✗", None: "?"}[fine]
    ink = "" if fine else DANGER
    return (
        (facts.text(row, "table"), STRONG if lost else ""),
        count(facts.number(row, "before")),
        count(facts.number(row, "after")),
        (loss(lost), DANGER),
        count(facts.number(row, "nulled")) if facts.number(row, "nulled") else "",
        count(facts.number(row, "changed")) if facts.number(row, "changed") else "",
        count(facts.number(row, "added")) if facts.number(row, "added") else "",
        (f"{mark} {facts.text(row, 'verdict')}", ink),
    )


def _copied(view: View, copied: Facts) -> Content:
    at = facts.text(copied, "taken_at")
    taken = f", copied {view.moment(at)}" if at else ""
    rows = plural(facts.number(copied, "rows"), "row")
    read = facts.number(copied, "read_ms")
    took = f", read in {duration(read)}" if read is not None else ""
    return Content(
        f"Copy of the target: {rows}, {size(facts.number(copied, 'bytes'))}{taken}{took}"
    )


def _schema(rehearsed: Facts) -> list[Content]:
    changes = facts.rows(rehearsed, "schema")
    if not changes:
        return []
    signs = {"added": "+", "removed": "−", "changed": "~"}
    lines = [Content.styled("schema", QUIET)]
    for change in changes:
        declared = facts.flag(change, "declared")
        sign = signs.get(facts.text(change, "change"), "~")
        words = facts.text(change, "words")
        tail = ("  ✗ not declared", DANGER) if declared is False else ("", "")
        name = f"{facts.text(change, 'object')} {facts.text(change, 'name')}".strip()
        line = words if facts.text(change, "name") in words else f"{name}  {words}".strip()
        lines.append(Content.assemble(f"  {sign} {line}", tail))
    return [Content("\n").join(lines)]


def _times(rehearsed: Facts) -> Content:
    ran = duration(facts.number(rehearsed, "wrangler_ms"))
    predicted = duration(facts.number(rehearsed, "predicted_ms"))
    downtime = facts.text(rehearsed, "downtime")
    line = f"wrangler d1 migrations apply --local  {ran}   predicted on remote {predicted}"
    line += " (D1 stops a query after 30 s)"
    return Content(line + (f"\n{downtime}" if downtime else ""))
