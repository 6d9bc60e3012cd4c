"""The gate: GO or NO-GO. Full width, focus on Hold; Enter never passes it."""

from dataclasses import dataclass
from datetime import tzinfo
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from d1_preflight.core.checklist.checklist import Prompt, Step
from d1_preflight.core.errors import PreflightError
from d1_preflight.core.format import plural, rows_read
from d1_preflight.core.record.gate import tally
from d1_preflight.core.record.record import MARKS, Status
from d1_preflight.session import Session
from d1_preflight.tui.bodies.acts import steps_table
from d1_preflight.tui.bodies.go_plan import loses, plan_lines, signed_lines
from d1_preflight.tui.screens.dialogs import Reason
from d1_preflight.tui.screens.quick import QuickScreen
from d1_preflight.tui.screens.reading import pick_to_copy
from d1_preflight.tui.styles import ACCENT, QUIET, STRONG, WAIVED, WORDS
from d1_preflight.tui.view import View
from d1_preflight.tui.widgets.bars import KeyBar, place_mark
from d1_preflight.tui.widgets.tables import Cell, Column, table, text_of

_CHOICES = ("Hold", "No-go…", "G  Sign GO")
_HOLD, _NO_GO, _GO = range(3)
_GAP = "    "


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision at the gate: hold, no-go (with a reason) or go."""

    word: str
    reason: str = ""


class Choices(Static):
    """The three buttons, and what pressing the last one means."""

    class Clicked(Message):
        """The line of the buttons was clicked, so many cells from its start."""

        def __init__(self, x: int) -> None:
            super().__init__()
            self.x = x

    def on_click(self, event: events.Click) -> None:
        """Say where it was clicked."""
        spot = event.get_content_offset(self)
        if spot is not None and spot.y == 0:
            self.post_message(self.Clicked(spot.x))


class GoScreen(QuickScreen[Decision]):
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
        ("c", "copy", "copy a value of the plan"),
        ("G", "go", "sign GO"),
    ]

    def __init__(self, session: Session, step: Step, zone: tzinfo | None) -> None:
        super().__init__()
        self._session, self._step = session, step
        self._view = View(session, step, zone=zone)
        self._cursor = _HOLD
        self._prompts: tuple[Prompt, ...] = ()
        self._refused = ""

    def compose(self) -> ComposeResult:
        """The plan between two danger rules, the three choices below."""
        yield Static(self._title(), id="gate-title")
        with VerticalScroll(id="gate", can_focus=False):
            yield Static(id="plan-text")
        yield Choices(id="choices")
        yield KeyBar()

    def on_mount(self) -> None:
        """Draw the plan."""
        try:
            self._prompts = tuple(self._session.prompts(self._step))
        except PreflightError as error:  # G reports it again, and nothing is signed
            self._refused = f"{error.message} {error.hint}".strip()
        self.set_class(loses(self._view), "loses")
        self._draw()

    @on(Choices.Clicked)
    def _clicked(self, event: Choices.Clicked) -> None:
        """A click on a button puts the cursor there, one on the chosen button presses it."""
        left = 0
        for index, part in enumerate(self._buttons()):
            if left <= event.x < left + part.cell_length:
                self._press(index)
                return
            left += part.cell_length + len(_GAP)

    def _press(self, index: int) -> None:
        if index != self._cursor:
            self._cursor = index
            self._draw()
        elif index == _GO:
            self.action_go()
        else:
            self.action_choose()

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
            self._say("Enter does not sign. Press a capital G to sign GO.")

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

    def action_copy(self) -> None:
        """Ask which value of the plan is copied."""
        rows = (*plan_lines(self._view), *signed_lines(self._view))
        whole = ("sha256 in full", self._session.record.subjects.get("migration", ""))
        pick_to_copy(self, [*((text_of(name), text_of(cell)) for name, cell in rows), whole])

    def action_go(self) -> None:
        """Sign, if nothing is open."""
        if self._session.open_before_go():
            self._say("GO is blocked while items are open.")
        else:
            self.dismiss(Decision("go"))

    def _draw(self) -> None:
        width = max(self.size.width - 8, 40)
        self.query_one("#plan-text", Static).update(self._plan(width))
        self._say("")
        does = ("hold", "say NO-GO", "(Enter does not sign)")[self._cursor]
        keys = [
            ("G", "sign GO"),
            ("↑↓", "read"),
            ("←→", "choose"),
            ("n", "no-go"),
            ("h", "hold"),
        ]
        self.query_one(KeyBar).tell(("Enter", does), keys)

    def _title(self) -> Content:
        mark = place_mark(self._session.record.database.target)
        return Content.assemble(
            "GO / NO-GO   ", (self._session.record.database.label, ""), " · ", mark
        )

    def _plan(self, width: int) -> Content:
        still_open = self._session.open_before_go()
        before = self._session.checklist.before("go")
        blocks = [table((Column(""), Column("")), plan_lines(self._view), width), self._tally()]
        if still_open:
            rows: list[tuple[Cell, ...]] = [
                ((f"{MARKS[item.status]} {WORDS[item.status]}", STRONG), item.step.title)
                for item in still_open
            ]
            head = Content.styled(f"✗ {plural(len(still_open), 'item')} open", STRONG)
            blocks += [Content("\n").join([head, table((Column(""), Column("")), rows, width)])]
        else:
            blocks.insert(0, self._signs())
        exactly = table((Column(""), Column("")), signed_lines(self._view), width)
        blocks += [exactly, steps_table(self._view, before, width)]
        return Content("\n\n").join(blocks)

    def _signs(self) -> Content:
        """What G does: it comes first, so that no height cuts it off."""
        signed = (p.label for p in self._prompts if p.key == self._step.id)
        return Content("\n").join(Content.styled(f"G signs: “{s}”", STRONG) for s in signed)

    def _keys(self) -> list[Content]:
        """What G agrees to besides, such as a new SSH key."""
        if self._session.open_before_go():
            return []
        return [Content(p.label) for p in self._prompts if p.key != self._step.id]

    def _tally(self) -> Content:
        session = self._session
        states = tally(session.record, session.checklist, session.kind)
        shown = (Status.PROVED, Status.ATTESTED, Status.WAIVED, Status.UNKNOWN)
        parts = [(f"{WORDS[s]} {states[s]}   ", STRONG if states[s] else QUIET) for s in shown]
        still_open = len(session.open_before_go())
        parts.append((f"open {still_open}", STRONG if still_open else QUIET))
        if read := session.record.rows_read:
            parts.append((f"\nread {rows_read(read, session.record.rows_written)}", QUIET))
        return Content.assemble(*parts)

    def _say(self, words: str) -> None:
        minutes = self._session.project.settings.go_minutes
        good = Content.styled(f"good for {minutes} min once signed", QUIET)
        words = words or self._refused
        below = Content.styled(words, WAIVED) if words else good
        lines = [Content(_GAP).join(self._buttons()), below, *self._keys()]
        self.query_one("#choices", Static).update(Content("\n").join(lines))

    def _buttons(self) -> list[Content]:
        parts: list[Content] = []
        for index, name in enumerate(_CHOICES):
            here = index == self._cursor
            ink = ACCENT if here else QUIET
            parts.append(Content.styled(f"{'▸ ' if here else '  '}[ {name} ]", ink))
        return parts
