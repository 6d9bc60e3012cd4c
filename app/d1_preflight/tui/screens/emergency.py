"""The emergency card: one key from every screen; what happened, and what to do now."""

from textwrap import wrap
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.widgets import Static

from d1_preflight.board import Board, BoardHeader
from d1_preflight.core.errors import PreflightError
from d1_preflight.core.recovery.runbook import (
    RunbookStep,
    Scenario,
)
from d1_preflight.core.recovery.scenarios import likely, runbook
from d1_preflight.session import Session
from d1_preflight.tui.messages import RunAsked
from d1_preflight.tui.screens.dialogs import Pick, Problem
from d1_preflight.tui.screens.quick import QuickScreen
from d1_preflight.tui.styles import ACCENT, QUIET, STRONG
from d1_preflight.tui.widgets.bars import KeyBar, place_mark
from d1_preflight.tui.widgets.lines import LineView

_PRACTICE = "In practice r runs them here; in another terminal first run: . .practice/env"
_NO, _YES = "do not run it", "run it now"


def emergency_screen(app: App[None], source: Board, session: Session | None) -> None:
    """Open the card over whatever is shown, once."""
    if isinstance(app.screen, EmergencyScreen):
        return
    record = session.record if session else None
    try:
        target = source.target(record.migration if record else "")
    except PreflightError as error:
        app.push_screen(Problem(error))
        return
    app.push_screen(EmergencyScreen(runbook(target, record), likely(record), source.header))


class EmergencyScreen(QuickScreen[None]):
    """What happened, and what to do now, in order."""

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        *((str(n), f"situation({n - 1})", f"situation {n}") for n in range(1, 6)),
        ("left", "turn(-1)", "before"),
        ("right,tab", "turn(1)", "after"),
        ("up,k", "move(-1)", "up"),
        ("down,j", "move(1)", "down"),
        ("r", "run", "run"),
        ("y,c", "copy", "copy"),
        ("escape,enter,exclamation_mark", "close", "close"),
    ]

    def __init__(self, situations: tuple[Scenario, ...], first: int, header: BoardHeader) -> None:
        super().__init__()
        self._situations, self._chosen, self._act = situations, first, 0
        self._header = header
        self._said: dict[str, str] = {}  # by its key: how what it was asked for came out
        self._ended: dict[str, str] = {}

    def compose(self) -> ComposeResult:
        """The question, the situations, the acts."""
        mark = place_mark(self._header.target)
        title = Content.assemble("EMERGENCY   ", (self._header.label, ""), " · ", mark)
        yield Static(title, classes="card-title danger")
        if self._header.target == "practice":
            yield Static(Content.styled(f"  {_PRACTICE}", QUIET))
        yield Static(id="situations")
        yield LineView(id="acts")
        yield KeyBar()

    def on_mount(self) -> None:
        """Draw."""
        self.query_one(LineView).add_class("card")
        self.query_one(LineView).can_focus = False
        self._draw()

    def on_resize(self) -> None:
        """Wrap anew."""
        self._draw()

    def action_situation(self, index: int) -> None:
        """Show one situation."""
        self._chosen, self._act, self._said = index, 0, {}
        self._draw()

    def action_turn(self, by: int) -> None:
        """Show the situation before or after."""
        self.action_situation((self._chosen + by) % len(self._situations))

    def action_move(self, by: int) -> None:
        """Go to another act."""
        steps = self._situations[self._chosen].steps
        self._act, self._said = max(0, min(self._act + by, len(steps) - 1)), {}
        self._draw()

    def action_copy(self) -> None:
        """Copy the command of the act under the cursor."""
        command = self._situations[self._chosen].steps[self._act].command
        if command:
            self.app.copy_to_clipboard(command)
        self._said = {"c": "copied" if command else "no command here"}
        self._draw()

    def action_run(self) -> None:
        """Run the command of the act under the cursor; a writing one is asked about first."""
        act = self._situations[self._chosen].steps[self._act]
        if not act.is_ready:
            why = "copy, run it elsewhere" if act.shown_only else "copy, then fill in <…>"
            self._said = {"r": why if act.command else "nothing to run"}
            self._draw()
        elif act.writes:
            words = f"This writes to {self._header.label}:\n\n{act.command}"
            self.app.push_screen(Pick(words, (_NO, _YES), danger=True), self._sure)
        else:
            self._run(act)

    def _sure(self, choice: str | None) -> None:
        if choice == _YES:
            self._run(self._situations[self._chosen].steps[self._act])

    def _run(self, act: RunbookStep) -> None:
        def ended(words: str) -> None:
            self._ended[act.command] = words
            self._draw()

        self.post_message(RunAsked(act.command, ended, noted=True))

    def action_close(self) -> None:
        """Back to where it was opened."""
        self.dismiss()

    def _asked(self, width: int) -> Content:
        """The answers to "what happened?", in one line where they fit, else two to a line."""
        names = [
            (f"{'▸' if i == self._chosen else ' '} {i + 1} {s.title}", i == self._chosen)
            for i, s in enumerate(self._situations)
        ]
        parts = [Content.styled(f"{name:<34}", ACCENT if here else "") for name, here in names]
        if sum(len(name) for name, _ in names) + 9 <= width:
            return Content("   ").join(Content.styled(n, ACCENT if h else "") for n, h in names)
        pairs = [parts[n : n + 2] for n in range(0, len(parts), 2)]
        return Content("\n").join([Content("").join(pair) for pair in pairs])

    def _draw(self) -> None:
        width = max(self.size.width - 8, 40)
        self.query_one("#situations", Static).update(self._asked(width))
        lines, first, last = self._laid(width)
        view = self.query_one(LineView)
        view.show_lines(lines)
        view.show_span(first, last)
        said = self._said
        keys = [
            ("1–5", "what happened"),
            ("↑↓", "steps"),
            ("r", said.get("r", "run")),
            ("c", said.get("c", "copy")),
        ]
        self.query_one(KeyBar).tell(("Esc", "back"), keys, always=(("?", "help"),))

    def _laid(self, width: int) -> tuple[list[Content], int, int]:
        """The steps as lines, and the first and last line of the marked one."""
        situation = self._situations[self._chosen]
        lines = [Content(f"  {line}") for line in wrap(situation.when, width)]
        first = last = 0
        for index, act in enumerate(situation.steps):
            here = index == self._act
            start = len(lines)
            lines += self._told(index, act, width)
            if here:
                first, last = (start if index else 0), len(lines) - 1
        return lines, first, last

    def _told(self, index: int, act: RunbookStep, width: int) -> list[Content]:
        here = index == self._act
        label = self._situations[self._chosen].labels[index]
        lines = [Content("")]
        lines += [
            Content.assemble(("▸ " if here and not i else "  ", ACCENT), (line, STRONG))
            for i, line in enumerate(wrap(f"{label}. {act.words}", width))
        ]
        lines += [
            Content.assemble(("   $ " if not i else "     ", QUIET), line)
            for i, line in enumerate(wrap(act.command, width - 4, break_on_hyphens=False))
        ]
        if act.command in self._ended:
            lines.append(Content.styled(f"     ran here: {self._ended[act.command]}", QUIET))
        return lines
