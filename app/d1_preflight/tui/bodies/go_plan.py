"""The plan that GO signs: what it loses first, then how it is undone, then what exactly it is."""

from d1_preflight.core.format import duration, plural, short_hash
from d1_preflight.core.record.change_facts import CopyFacts, RehearsalFacts, TableChange
from d1_preflight.core.record.safety_facts import (
    BookmarkFacts,
    DeployOrderFacts,
    DownTestFacts,
    RollbackPlanFacts,
    changed_words,
    order_words,
    rollback_words,
)
from d1_preflight.tui.bodies import adoption
from d1_preflight.tui.bodies.schema_diff import differences
from d1_preflight.tui.styles import DANGER, QUIET, STRONG, WAIVED
from d1_preflight.tui.view import View
from d1_preflight.tui.widgets.tables import Cell

Line = tuple[Cell, Cell]


def plan_lines(view: View) -> list[Line]:
    """What is applied to what, what that loses and changes, and how it is undone."""
    record, settings = view.session.record, view.session.project.settings
    rehearsed, database = view.facts(RehearsalFacts), record.database
    limits = settings.verification
    watch = f"{limits.watch_minutes} min, error rate below {limits.error_rate_percent} %"
    where = f"{database.label}  {database.target.upper()}"
    if record.is_adoption:
        to: Cell = (f"{where}  {database.id}", STRONG)
        return _named(("writes", (adoption.ledger_rows(view), STRONG)), ("to", to))
    return _named(
        ("apply", (f"{record.migration}, only this file", STRONG)),
        ("to", (f"{where}  {database.id}", STRONG)),
        ("loses", _lost(rehearsed)),
        ("rows", _changes(rehearsed, view.facts(DownTestFacts))),
        ("schema", _schema(view, rehearsed)),
        ("also", _beside(view.facts(CopyFacts))),
        ("order", _order(view.facts(DeployOrderFacts))),
        ("rollback", _rollback_path(view.facts(RollbackPlanFacts))),
        ("predicted", f"{duration(rehearsed.predicted_ms)} of D1's 30 s; watch {watch}"),
    )


def _beside(copied: CopyFacts) -> Cell:
    """The rows that are written into other tools' ledgers in the same batch."""
    return "  ".join(row.sql for row in copied.beside)


def signed_lines(view: View) -> list[Line]:
    """What exactly is signed: the file's bytes, and the moment to go back to."""
    sha256 = view.session.record.subjects.get("migration", "")
    return _named(("sha256", short_hash(sha256)), ("bookmark", view.facts(BookmarkFacts).bookmark))


def loses(view: View) -> bool:
    """Whether rows or values go, or nobody knows: the only thing that is red at the gate."""
    if view.session.record.is_adoption:
        return False
    return not isinstance(_lost(view.facts(RehearsalFacts)), str)


def _named(*lines: tuple[str, Cell]) -> list[Line]:
    return [((name, QUIET), cell) for name, cell in lines if cell]


def _schema(view: View, rehearsed: RehearsalFacts) -> Cell:
    """What the schema loses, indexes and triggers too; a rename loses nothing."""
    session = view.session
    drawn = differences(rehearsed.schema, session.migration, session.analysis.effects)
    gone = [f"{one.object} {one.before}" for one in drawn if one.change == "removed"]
    if not gone:
        return "loses nothing" if rehearsed.tables else ""
    return f"loses {' · '.join(gone)}", DANGER


def _lost(rehearsed: RehearsalFacts) -> Cell:
    """Which tables lose what, by name."""
    tables = rehearsed.tables
    if not tables:
        return "? unknown", DANGER
    lost = [f"{t.table} {plural(t.lost, 'row')}" for t in tables if t.lost]
    columns = [words for table in tables if (words := _values(table, rehearsed))]
    if not lost and not columns:
        return "0 rows"
    return "; ".join([*(lost or ["0 rows"]), *columns]), DANGER


def _changes(rehearsed: RehearsalFacts, down: DownTestFacts) -> Cell:
    """What changes, and what of it no down file gives back; red where rows are lost."""
    words = changed_words(rehearsed, down)
    return (words, DANGER) if words and rehearsed.rows_lost else words


def _order(order: DeployOrderFacts) -> Cell:
    """The deploy order, and what breaks in between."""
    words = order_words(order)
    return (words, WAIVED) if words and order.breaks_until else words


def _values(table: TableChange, rehearsed: RehearsalFacts) -> str:
    removed = [
        change
        for change in rehearsed.schema
        if (change.change, change.object) == ("removed", "column")
        and change.name.rpartition(".")[0] == table.table
    ]
    changed, words = table.changed or 0, []
    if removed and changed:  # a renamed or empty column loses no value
        rows = plural(changed, "row")
        words.append(f"values of {plural(len(removed), 'column')} ({rows})")
    elif changed:
        words.append(f"values changed in {plural(changed, 'row')}")
    if table.nulled:
        words.append(f"references nulled in {plural(table.nulled, 'row')}")
    return f"{table.table}: {', '.join(words)}" if words else ""


def _rollback_path(plan: RollbackPlanFacts) -> Cell:
    return rollback_words(plan) or ("? not decided", WAIVED)
