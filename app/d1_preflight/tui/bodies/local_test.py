"""Section 2: what the rehearsal on the copy did to rows and schema."""

from collections.abc import Iterator, Sequence

from textual.content import Content

from d1_preflight.core.format import count, duration, loss, plural, size
from d1_preflight.core.record.change_facts import CopyFacts, RehearsalFacts, TableChange
from d1_preflight.tui.bodies.schema_diff import Difference, differences, schema_block
from d1_preflight.tui.styles import ACCENT, DANGER, QUIET, STRONG, WAIVED
from d1_preflight.tui.view import View
from d1_preflight.tui.widgets.gauges import kept
from d1_preflight.tui.widgets.panes import PANES, beside
from d1_preflight.tui.widgets.tables import Cell, Column, table

_KEPT, _BROAD = 10, 150
_ROWS_SHARE = 0.6  # so that the bars have room from the breadth at which there are two panes
_COPY = (Column("table"), Column("rows", right=True), Column("bytes", right=True))
REHEARSAL = (
    Column("table"),
    Column("before", right=True),
    Column("after", right=True),
    Column("lost", right=True),
    Column("nulled", right=True, needs=76),
    Column("changed", right=True, needs=68),
    Column("added", right=True, needs=84),
    Column("rows kept", needs=PANES),
    Column(""),
)


def body(view: View, width: int) -> Content:
    """The copy, then the rehearsal; the schema's changes and the time below."""
    copied, rehearsed = view.facts(CopyFacts), view.facts(RehearsalFacts)
    blocks: list[Content] = []
    if copied.rows is not None and copied.of is None:
        blocks.append(_copied(view, copied))
    if rehearsed.tables:
        analysis = view.session.analysis
        drawn = differences(rehearsed.schema, view.session.migration, analysis.effects)
        blocks += _found(rehearsed.tables, drawn, width)
        blocks.append(_times(rehearsed))
    elif copied.tables or copied.of is not None:
        lines = [(found.table, count(found.rows), size(found.bytes)) for found in copied.tables]
        so_far = reading(copied.reading, len(copied.tables), copied.of)
        blocks += [so_far, table(_COPY, lines, width)]
    if not blocks:
        blocks.append(
            Content.styled(
                "Nothing is copied yet. On empty tables almost every "
                "migration passes; only rows show what it does.",
                QUIET,
            )
        )
    return Content("\n\n").join(block for block in blocks if block.cell_length)


def _found(
    tables: Sequence[TableChange], drawn: Sequence[Difference], width: int
) -> Iterator[Content]:
    """Rows and schema: beside each other on a broad screen."""

    def rows(room: int) -> Content:
        return rehearsal_table(tables, room)

    def schema(room: int) -> Content:
        return schema_block(drawn, room)

    if width >= _BROAD and drawn:
        yield beside(rows, schema, width, _ROWS_SHARE)
    else:
        yield from (rows(width), schema(width))


def reading(table_name: str, done: int, of: int | None) -> Content:
    """Which table is being read, while it is: in words, not by a spinner."""
    if not table_name or of is None:
        return Content("")
    return Content.styled(f"◐ reading {table_name}, {done} of {of} done", ACCENT)


def rehearsal_table(tables: Sequence[TableChange], width: int) -> Content:
    """Before and after, the tables that changed first; unchanged ones in one line."""
    changed = [change for change in tables if not _is_unchanged(change)]
    shown = (
        table(REHEARSAL, [_line(change) for change in changed], width) if changed else Content("")
    )
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


def _is_unchanged(change: TableChange) -> bool:
    moved = change.takes or change.added
    return change.before == change.after and not moved and change.ok is True


def _line(change: TableChange) -> tuple[Cell, ...]:
    mark, ink = _judged(change)
    return (
        (change.table, STRONG if change.lost else ""),
        count(change.before),
        count(change.after),
        (loss(change.lost), DANGER),
        count(change.nulled) if change.nulled else "",
        count(change.changed) if change.changed else "",
        count(change.added) if change.added else "",
        (kept(change.before, change.lost, _KEPT), DANGER if change.lost else QUIET),
        (f"{mark} {change.verdict}", ink),
    )


def _judged(change: TableChange) -> tuple[str, str]:
    """The mark of a table's verdict and its ink: a loss still to be declared is no tick."""
    if change.undeclared:
        return "!", WAIVED
    mark = {True: "✓", False: "✗", None: "?"}[change.ok]
    return mark, "" if change.ok else DANGER


def _copied(view: View, copied: CopyFacts) -> Content:
    taken = f", copied {view.moment(copied.taken_at)}" if copied.taken_at else ""
    took = f", read in {duration(copied.read_ms)}" if copied.read_ms is not None else ""
    rows = plural(copied.rows, "row")
    return Content(f"Copy of the target: {rows}, {size(copied.bytes)}{taken}{took}")


def _times(rehearsed: RehearsalFacts) -> Content:
    ran, predicted = duration(rehearsed.wrangler_ms), duration(rehearsed.predicted_ms)
    line = f"wrangler d1 migrations apply --local  {ran}"
    line += f"\npredicted on remote  {predicted} of D1's 30 s"
    return Content(line + (f"\n{rehearsed.downtime}" if rehearsed.downtime else ""))
