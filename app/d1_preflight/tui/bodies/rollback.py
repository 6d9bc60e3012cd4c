"""Section 4: the rollback paths with their duration and losses."""

from itertools import takewhile

from textual.content import Content

from d1_preflight.core.checklist.answers import LEAVE_IT, NO_WORKER, answer_label
from d1_preflight.core.format import duration, plural
from d1_preflight.core.record.safety_facts import (
    DeployOrderFacts,
    DownFacts,
    DownTestFacts,
    RollbackPlanFacts,
)
from d1_preflight.tui.bodies import deploy_order
from d1_preflight.tui.bodies.local_test import rehearsal_table
from d1_preflight.tui.styles import DANGER, QUIET, STRONG
from d1_preflight.tui.view import View
from d1_preflight.tui.widgets.panes import PANES, beside
from d1_preflight.tui.widgets.sql_view import highlighted
from d1_preflight.tui.widgets.tables import Cell, Column, rule, table

_WAYS = (Column("rollback path"), Column("local run", right=True), Column("loses"))
_MATRIX = (Column("if"), Column("then"))


def body(view: View, width: int) -> Content:
    """The result of the down test, the rollback paths, the down file and the matrix."""
    blocks = [_verdict(view)]
    if view.step.id in deploy_order.STEPS:
        blocks = deploy_order.order_body(view, width)
        return Content("\n\n").join(block for block in blocks if block.cell_length)
    tested, plan = view.facts(DownTestFacts), view.facts(RollbackPlanFacts)
    if tested.rows_lost:
        blocks.append(rehearsal_table(tested.tables, width))
    if plan.ways:
        blocks.append(_ways(plan, width))
    blocks += [_order(view), *_down(view, width), *_matrix(plan, width)]
    return Content("\n\n").join(block for block in blocks if block.cell_length)


def _verdict(view: View) -> Content:
    tested = view.facts(DownTestFacts)
    if not view.walks(DownTestFacts.step):
        return Content("Additive: an unused column or table is harmless, so no rollback is needed.")
    if tested.is_empty:
        return Content.styled("The down migration has not been tested yet.", QUIET)
    stay = f": {plural(tested.rows_lost, 'row')}" if tested.rows_lost else ""
    return Content.assemble(
        "up → down → compare   schema ",
        _mark(tested.schema == "restored", tested.schema),
        "   data ",
        _mark(tested.data == "restored", tested.data + stay),
        f"   {duration(tested.ms)}",
    )


def _mark(good: bool, words: str) -> tuple[str, str]:
    return (f"✓ {words}", "") if good else (f"✗ {words}", DANGER)


def _ways(plan: RollbackPlanFacts, width: int) -> Content:
    lines: list[tuple[Cell, ...]] = []
    for path in plan.ways:
        chosen = path.way == plan.chosen
        name = (
            f"{'✎ ' if chosen else '  '}{answer_label('way', path.way)}",
            STRONG if chosen else "",
        )
        took = duration(path.takes_ms) if path.takes_ms else "–"
        loses = "nothing, it stays applied" if path.way == LEAVE_IT else path.loses
        lines.append((name, took, loses))
    return table(_WAYS, lines, width)


def _down(view: View, width: int) -> list[Content]:
    written = view.facts(DownFacts)
    down = view.session.down
    if down is None:
        return []
    note = ", drafted by preflight: review it" if written.source == "drafted" else ""
    gaps = [Content.styled(f"✗ {gap}", DANGER) for gap in written.gaps]

    def shown(room: int) -> Content:
        return _file(f"down{note}", written.file or down.name, down.text, room)

    def forth(room: int) -> Content:
        up = view.session.migration
        return _file("up", up.name, up.text, room)

    return [
        Content("\n").join([beside(forth, shown, width) if width >= PANES else shown(width), *gaps])
    ]


def _file(title: str, name: str, text: str, width: int) -> Content:
    code = highlighted(_below_header(text).rstrip())
    where = Content.styled(name, QUIET)
    return Content("\n").join([rule(title, width), where, *code])


def _below_header(text: str) -> str:
    """The text from its first statement on: the header says in words what stands above."""
    lines = text.splitlines()
    comments = takewhile(lambda line: not line.strip() or line.lstrip().startswith("--"), lines)
    return "\n".join(lines[len(list(comments)) :]) or text


def _order(view: View) -> Content:
    order = view.facts(DeployOrderFacts).order
    if not order:
        return Content("")
    back = "" if order == NO_WORKER else "   Rollback: Worker first, then database."
    return Content.assemble(("deploy  ", QUIET), answer_label("order", order), (back, QUIET))


def _matrix(plan: RollbackPlanFacts, width: int) -> list[Content]:
    if not plan.matrix:
        return []
    lines = [(row.scenario, row.action) for row in plan.matrix]
    return [Content("\n").join([rule("decision matrix", width), table(_MATRIX, lines, width)])]
