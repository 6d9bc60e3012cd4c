"""The frame of the wizard: rail, verdict, body, question, the commands and their output."""

from collections.abc import Sequence
from functools import partial

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.events import Resize

from d1_preflight.core.record.record import Attempt
from d1_preflight.tui import words as words_of
from d1_preflight.tui.running_step import RunningStep
from d1_preflight.tui.view import View
from d1_preflight.tui.widgets.body import BodyText
from d1_preflight.tui.widgets.lines import Match, lines_with
from d1_preflight.tui.widgets.output import OutputPane
from d1_preflight.tui.widgets.question import QuestionPanel
from d1_preflight.tui.widgets.rail import Rail
from d1_preflight.tui.widgets.sql_view import SqlPanes, SqlView
from d1_preflight.tui.widgets.still_text import StillText

_ROOMY = 36
_LOW, _SLIM, _TALL = 16, 64, 32
_LIVE = 4


class Frame(Horizontal):
    """Draws a view; the output opens by itself where there is room, until the operator decides."""

    def __init__(self, running_step: RunningStep) -> None:
        super().__init__(id="frame")
        self._running_step = running_step
        self._output: bool | None = None
        self.view: View | None = None

    def compose(self) -> ComposeResult:
        """The rail to the left, everything else beside it."""
        yield Rail()
        with Vertical(id="main"):
            yield StillText(id="verdict")
            with VerticalScroll(id="facts", can_focus=False):
                yield BodyText()
            yield SqlPanes(id="sql")
            yield QuestionPanel()
            yield StillText(id="plan")
            yield OutputPane(self._running_step)

    def on_mount(self) -> None:
        """The output is shut at first."""
        self.query_one(OutputPane).display = False

    def on_resize(self, event: Resize) -> None:
        """Where there is little room, the question keeps it."""
        width, height = event.size
        self.set_class(height < _LOW or (width < _SLIM and height < _TALL), "tight")
        self._tell_asking()

    def _tell_asking(self) -> None:
        """A class restyles all that is below it: only a tight frame has use for this one."""
        self.set_class(self.has_class("tight") and self.question.display, "asking")

    @property
    def question(self) -> QuestionPanel:
        """Where the step's prompts are asked."""
        return self.query_one(QuestionPanel)

    @property
    def output(self) -> Sequence[str]:
        """What the step looked at has printed."""
        return self._running_step.after(self.view.step.id, 0) if self.view else ()

    def matches(self, words: str) -> list[Match]:
        """Every line that holds these words, in the order of the screen, and how it is shown."""
        facts = self.query_one("#facts", VerticalScroll)
        body = lines_with(words, self.query_one(BodyText).lines)
        output = lines_with(words, self.output)
        return [
            *self.query_one(SqlPanes).matches(words),
            *(("on the screen", partial(facts.scroll_to, y=n, animate=False)) for n in body),
            *((f"line {n + 1} of the output", partial(self._show_output, n)) for n in output),
        ]

    @property
    def finding_line(self) -> int:
        """The line of the chosen finding, where the SQL is shown; else 0."""
        panes = self.query_one(SqlPanes)
        findings, chosen = panes.sql.findings, panes.sql.chosen
        return findings[chosen].line if panes.display and chosen < len(findings) else 0

    def _show_output(self, line: int) -> None:
        pane = self.query_one(OutputPane)
        pane.display = self._output = True
        pane.scroll_to(y=line, animate=False)

    def draw(self, view: View, last: Attempt | None) -> None:
        """Draw everything as it is now."""
        running, self.view = self._running_step, view
        self._draw_output(view)
        self.query_one(Rail).show(view, running.steps)
        verdict = words_of.verdict(view.session, view.step, last, running)
        self.query_one("#verdict", StillText).show(verdict)
        self._tell_asking()
        self.query_one("#facts").set_class(view.shows_sql, "brief")
        self.query_one(BodyText).show(view)
        self._draw_sql(view)
        self._draw_plan(view)

    def follow(self, view: View) -> None:
        """Once a frame: what was printed, what changed, how long it has taken."""
        self._draw_output(view)
        if self._running_step.step is None:
            return
        if self._running_step.seen_change():
            self.query_one(BodyText).show(view)
        self._draw_plan(view)

    def turn_output(self) -> None:
        """Open or shut the output, and keep the operator's choice."""
        pane = self.query_one(OutputPane)
        pane.display = self._output = not pane.display

    def _draw_output(self, view: View) -> None:
        pane = self.query_one(OutputPane)
        pane.follow(view.step)
        if self._output is None:
            pane.display = pane.has_lines and self.screen.size.height >= _ROOMY

    def turn_finding(self) -> None:
        """Unfold the next finding."""
        sql = self.query_one(SqlView)
        sql.choose(sql.chosen + 1)

    def page(self, by: int) -> None:
        """Scroll what does not fit: a long question first, else the body."""
        sql = self.query_one(SqlView)
        body = sql if self.query_one(SqlPanes).display else self.query_one("#facts", VerticalScroll)
        question = self.question
        view = question if question.display and question.max_scroll_y else body
        (view.scroll_page_down if by > 0 else view.scroll_page_up)(animate=False)

    def _draw_sql(self, view: View) -> None:
        panes, sql = self.query_one(SqlPanes), self.query_one(SqlView)
        panes.display = view.shows_sql
        if not panes.display:
            return
        panes.show_sql(view.session.migration.text, view.session.analysis.findings)
        asking = self.question.asking
        rule, _, line = asking.key.rpartition("@") if asking else ("", "", "")
        if rule and line.isdigit():
            sql.choose_line(rule, int(line))

    def _draw_plan(self, view: View) -> None:
        running = self._running_step
        most = _LIVE if self.size.height >= _ROOMY or not self.question.display else 1
        runs = words_of.live_list(view.session, running, most) if running.steps else None
        self.query_one("#plan", StillText).show(runs or words_of.plan(view.session, view.step))
