"""Section 4: the rollback paths, how long each takes and what it loses."""

from collections.abc import Sequence

from textual.content import Content

from d1_preflight.core.format import duration, plural
from d1_preflight.core.record import facts
from d1_preflight.core.record.record import Facts
from d1_preflight.tui.bodies.local_test import rehearsal_table
from d1_preflight.tui.styles import DANGER, QUIET, STRONG
from d1_preflight.tui.view import View
from d1_preflight.tui.widgets.sql_view import highlighted
from d1_preflight.tui.widgets.tables import Cell, Column, rule, table

_WAYS = (Column("rollback path"), Column("local run", right=True), Column("loses"))
_NO_CODE = "no code goes along"
_MATRIX = (Column("if"), Column("then"))


def body(view: View, width: int) -> Content:
    """The verdict of up, down, compare; the rollback paths; the down file; the matrix."""
    blocks = [_verdict(view)]
    tested = facts.rows(view.facts("down_tested"), "tables")
    if facts.number(view.facts("down_tested"), "rows_lost"):
        blocks.append(rehearsal_table(tested, width))
    ways = facts.rows(view.facts("way_back"), "ways")
    if ways:
        blocks.append(_ways(ways, facts.text(view.facts("way_back"), "chosen"), width))
    blocks += [*_down(view, width), _order(view), *_matrix(view, width)]
    return Content("\n\n").join(block for block in blocks if block.cell_length)


def _verdict(view: View) -> Content:
    tested = view.facts("down_tested")
    if not view.walks("down_tested"):
        return Content("Additive: an unused column or table is harmless, so no rollback is needed.")
    if not tested:
        return Content.styled("Up, down, compare: not tried yet.", QUIET)
    schema, data = facts.text(tested, "schema"), facts.text(tested, "data")
    lost = facts.number(tested, "rows_lost")
    stay = f": {plural(lost, 'row')}" if lost else ""
    return Content.assemble(
        "up → down → compare   schema ",
        _mark(schema == "restored", schema),
        "   data ",
        _mark(data == "restored", data + stay),
        f"   {duration(facts.number(tested, 'ms'))}",
    )


def _mark(good: bool, words: str) -> tuple[str, str]:
    return (f"✓ {words}", "") if good else (f"✗ {words}", DANGER)


def _ways(ways: Sequence[Facts], chosen: str, width: int) -> Content:
    lines: list[tuple[Cell, ...]] = []
    for way in ways:
        name = facts.text(way, "way")
        mark = "✎ " if name == chosen else "  "
        lines.append(
            (
                (f"{mark}{name}", STRONG if name == chosen else ""),
                duration(facts.number(way, "takes_ms")) if "takes_ms" in way else "–",
                facts.text(way, "loses"),
            )
        )
    return table(_WAYS, lines, width)


def _down(view: View, width: int) -> list[Content]:
    written = view.facts("down_written")
    down = view.session.tools.files.down(view.session.tools.name.removesuffix(".sql"))
    if down is None:
        return []
    drafted = facts.text(written, "source") == "drafted"
    note = ", drafted by this program: read it" if drafted else ""
    code = highlighted(down.text.rstrip())
    gaps = [Content.styled(f"✗ {gap}", DANGER) for gap in facts.words(written, "gaps")]
    title = f"down migration{note}"
    where = Content.styled(f"  {facts.text(written, 'file') or down.name}", QUIET)
    return [
        Content("\n").join(
            [rule(title, width), where, *(Content("  ") + line for line in code), *gaps]
        )
    ]


def _order(view: View) -> Content:
    order = facts.text(view.facts("deploy_order"), "order")
    if not order:
        return Content("")
    back = "" if order == _NO_CODE else "   Back: Worker first, then database."
    return Content.assemble(("deploy  ", QUIET), order, (back, QUIET))


def _matrix(view: View, width: int) -> list[Content]:
    matrix = facts.rows(view.facts("way_back"), "matrix")
    if not matrix:
        return []
    lines = [(facts.text(row, "scenario"), facts.text(row, "action")) for row in matrix]
    return [Content("\n").join([rule("decision matrix", width), table(_MATRIX, lines, width)])]
