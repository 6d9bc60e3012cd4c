"""The gate: GO or NO-GO. Full width, focus on Hold; Enter never passes it."""

from dataclasses import dataclass
from datetime import tzinfo
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from d1_preflight.core.checklist.checklist import Step
from d1_preflight.core.errors import PreflightError
from d1_preflight.core.format import duration, plural, rows_read, short_hash
from d1_preflight.core.record.change_facts import RehearsalFacts, TableChange
from d1_preflight.core.record.gate import tally
from d1_preflight.core.record.record import MARKS, Status
from d1_preflight.core.record.safety_facts import (
    BookmarkFacts,
    DeployOrderFacts,
    DownTestFacts,
    RollbackPlanFacts,
    changed_words,
    order_words,
)
from d1_preflight.session import Session
from d1_preflight.tui.bodies.acts import steps_table
from d1_preflight.tui.screens.dialogs import Reason
from d1_preflight.tui.styles import ACCENT, DANGER, QUIET, STRONG, WORDS
from d1_preflight.tui.view import View
from d1_preflight.tui.widgets.bars import KeyBar, place_mark
from d1_preflight.tui.widgets.tables import Cell, Column, table

_CHOICES = ("Hold", "No-go…", "G  Sign GO")
_HOLD, _NO_GO, _GO = range(3)


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision at the gate: hold, no-go (with a reason) or go."""

    word: str
    reason: str = ""


class GoScreen(Screen[Decision]):
    """Shows the whole plan; only the capital G signs it."""

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        ("left", "move(-1)", "left"),
        ("right,tab", "move(1)", "right"),
        ("enter", "choose", "choose"),
        ("escape,h", "hold", "hold"),
        ("n", "no_go", "no-go"),
        ("up,k", "scroll(-1)", "up"),
        ("down,j", "scroll(1)", "down"),
        ("pageup", "page(-1)", "page up"),
        ("pagedown,space", "page(1)", "page down"),
        ("home", "edge(-1)", "first"),
        ("end", "edge(1)", "last"),
        ("G", "go", "sign GO"),
    ]

    def __init__(self, session: Session, step: Step, zone: tzinfo | None) -> None:
        super().__init__()
        self._session, self._step = session, step
        self._view = View(session, step, zone=zone)
        self._cursor = _HOLD

    def compose(self) -> ComposeResult:
        """The plan between two danger rules, the three choices below."""
        yield Static(self._title(), id="gate-title")
        with VerticalScroll(id="gate", can_focus=False):
            yield Static(id="plan-text")
        yield Static(id="choices")
        yield KeyBar()

    def on_mount(self) -> None:
        """Draw the plan."""
        self._draw()

    def on_resize(self) -> None:
        """Fit the plan to the new size."""
        self._draw()

    def action_move(self, by: int) -> None:
        """Move between the three choices."""
        self._cursor = max(0, min(self._cursor + by, len(_CHOICES) - 1))
        self._draw()

    def action_scroll(self, by: int) -> None:
        """Scroll the plan."""
        self.query_one("#gate", VerticalScroll).scroll_relative(y=3 * by, animate=False)

    def action_page(self, by: int) -> None:
        """Scroll the plan by a page."""
        plan = self.query_one("#gate", VerticalScroll)
        (plan.scroll_page_down if by > 0 else plan.scroll_page_up)(animate=False)

    def action_edge(self, by: int) -> None:
        """To the first line or the last."""
        plan = self.query_one("#gate", VerticalScroll)
        (plan.scroll_end if by > 0 else plan.scroll_home)(animate=False)

    def action_choose(self) -> None:
        """Enter holds or says NO-GO; it never passes the gate."""
        if self._cursor == _HOLD:
            self.action_hold()
        elif self._cursor == _NO_GO:
            self.action_no_go()
        else:
            self._say("Enter never passes a gate. Press a capital G to sign GO.")

    def action_hold(self) -> None:
        """Leave without a decision."""
        self.dismiss(Decision("hold"))

    def action_no_go(self) -> None:
        """Ask for the reason of a NO-GO."""

        def decide(reason: str | None) -> None:
            if reason is not None:
                self.dismiss(Decision("no-go", reason))

        words = "NO-GO: one sentence for later readers, without blame."
        self.app.push_screen(Reason(words, "Why not today?"), decide)

    def action_go(self) -> None:
        """Sign, if nothing is open."""
        if self._session.open_before_go():
            self._say("The gate stays shut while items are open.")
        else:
            self.dismiss(Decision("go"))

    def _draw(self) -> None:
        width = max(self.size.width - 8, 40)
        self.query_one("#plan-text", Static).update(self._plan(width))
        self._say("")
        words = ("hold", "say NO-GO", "(Enter does not sign)")[self._cursor]
        keys = [
            ("G", "sign GO"),
            ("↑↓", "read"),
            ("←→", "choose"),
            ("n", "no-go"),
            ("h", "hold"),
        ]
        self.query_one(KeyBar).tell(("Enter", words), keys)

    def _title(self) -> Content:
        mark = place_mark(self._session.record.database.target)
        return Content.assemble(
            "GO / NO-GO   ", (self._session.record.database.label, ""), " · ", mark
        )

    def _plan(self, width: int) -> Content:
        still_open = self._session.open_before_go()
        before = self._session.checklist.before("go")
        blocks = [table((Column(""), Column("")), self._lines(), width), self._tally()]
        if still_open:
            rows: list[tuple[Cell, ...]] = [
                ((f"{MARKS[item.status]} {WORDS[item.status]}", DANGER), item.step.title)
                for item in still_open
            ]
            head = Content.styled(f"✗ {plural(len(still_open), 'item')} open", DANGER)
            blocks += [Content("\n").join([head, table((Column(""), Column("")), rows, width)])]
        else:
            blocks.insert(0, self._signs())
        blocks.append(steps_table(self._view, before, width))
        return Content("\n\n").join(blocks)

    def _signs(self) -> Content:
        """What G does: it comes first, so that no height cuts it off."""
        try:
            prompts = self._session.prompts(self._step)
        except PreflightError as error:  # G reports it again, and nothing is signed
            return Content.styled(f"{error.message} {error.hint}".strip(), DANGER)
        signed = [f"G signs: “{p.label}”" for p in prompts if p.key == self._step.id]
        agreed = [p.label for p in prompts if p.key != self._step.id]
        return Content("\n").join(Content.styled(words, STRONG) for words in signed + agreed)

    def _lines(self) -> list[tuple[Cell, ...]]:
        view, record = self._view, self._session.record
        rehearsed, database = view.facts(RehearsalFacts), record.database
        predicted = duration(rehearsed.predicted_ms)
        limits = self._session.project.settings.verification
        watch = f"{limits.watch_minutes} min, error rate below {limits.error_rate_percent} %"
        lines: list[tuple[Cell, ...]] = [
            (("apply", QUIET), (record.migration, STRONG)),
            (("sha256", QUIET), short_hash(record.subjects.get("migration", ""))),
            (("to", QUIET), (f"{database.label}  {database.target.upper()}", STRONG)),
            (("id", QUIET), database.id),
            (("", QUIET), "only this file: other pending files stay pending"),
            (("loses", QUIET), _loses(rehearsed)),
            (("rollback", QUIET), _rollback_path(view.facts(RollbackPlanFacts))),
            (("predicted", QUIET), f"{predicted} of D1's 30 s; watch {watch}"),
        ]
        if not self._session.open_before_go():  # what is open comes first while the gate is shut
            lines[6:6] = changes = _changes(rehearsed, view.facts(DownTestFacts))
            lines[0] = (("apply", QUIET), (f"{record.migration}, only this file", STRONG))
            lines[-1:-1] = _order(view.facts(DeployOrderFacts))
            del lines[4 : 4 + bool(changes)]  # the same words in one line: the tally stays in view
        bookmark = view.facts(BookmarkFacts).bookmark
        if bookmark:
            lines.append((("bookmark", QUIET), bookmark))
        return lines

    def _tally(self) -> Content:
        session = self._session
        states = tally(session.record, session.checklist, session.kind)
        shown = (Status.PROVED, Status.ATTESTED, Status.WAIVED, Status.UNKNOWN)
        parts = [(f"{WORDS[s]} {states[s]}   ", STRONG if states[s] else QUIET) for s in shown]
        still_open = len(session.open_before_go())
        parts.append((f"open {still_open}", DANGER if still_open else QUIET))
        read = session.record.rows_read
        if read:
            parts.append((f"\nread {rows_read(read)}", QUIET))
        return Content.assemble(*parts)

    def _say(self, words: str) -> None:
        parts: list[Content] = []
        for index, name in enumerate(_CHOICES):
            here = index == self._cursor
            ink = (ACCENT if index != _GO else DANGER) if here else QUIET
            parts.append(Content.styled(f"{'▸ ' if here else '  '}[ {name} ]", ink))
        minutes = self._session.project.settings.go_minutes
        good = Content.styled(f"good for {minutes} min once signed", QUIET)
        line = Content("    ").join(parts)
        below = Content.styled(words, DANGER) if words else good
        self.query_one("#choices", Static).update(Content("\n").join([line, below]))


def _loses(rehearsed: RehearsalFacts) -> Cell:
    """Which tables lose what, by name."""
    tables = rehearsed.tables
    if not tables:
        return "? unknown", DANGER
    lost = [f"{t.table} {plural(t.lost, 'row')}" for t in tables if t.lost]
    columns = [words for table in tables if (words := _values(table, rehearsed))]
    if not lost and not columns:
        return "0 rows"
    return "; ".join([*(lost or ["0 rows"]), *columns]), DANGER


def _changes(rehearsed: RehearsalFacts, down: DownTestFacts) -> list[tuple[Cell, ...]]:
    """What changes, and what of it no down file gives back."""
    words = changed_words(rehearsed, down)
    return [(("rows", QUIET), (words, DANGER))] if words else []


def _order(order: DeployOrderFacts) -> list[tuple[Cell, ...]]:
    """The deploy order, and what breaks in between."""
    words = order_words(order)
    breaks = DANGER if order.breaks_until else ""
    return [(("order", QUIET), (words, breaks))] if words else []


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
    for path in plan.ways:
        if path.way == plan.chosen:
            took = f", {duration(path.takes_ms)} locally" if path.takes_ms else ""
            return f"{path.way}{took}, loses {path.loses or 'nothing'}"
    return plan.chosen or ("? not decided", DANGER)
