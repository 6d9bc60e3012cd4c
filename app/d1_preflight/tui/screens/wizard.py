"""The one frame: rail of steps, verdict, body, question, output, keys."""

from datetime import tzinfo
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import Screen
from textual.widgets import Static

from d1_preflight.core.checklist import Step
from d1_preflight.core.record import Attempt
from d1_preflight.tui import words as words_of
from d1_preflight.tui.bodies import body_of
from d1_preflight.tui.messages import EditAsked, NoGoAsked, StopAsked, Submitted, WaiveAsked
from d1_preflight.tui.ports import SessionPort
from d1_preflight.tui.screens.dialogs import Reason
from d1_preflight.tui.screens.go import Decision, GoScreen
from d1_preflight.tui.underway import Underway
from d1_preflight.tui.view import View
from d1_preflight.tui.widgets.bars import KeyBar, TitleBar
from d1_preflight.tui.widgets.output import OutputPane
from d1_preflight.tui.widgets.question import QuestionPanel
from d1_preflight.tui.widgets.rail import Rail
from d1_preflight.tui.widgets.sql_view import SqlView

_FRAME = 1 / 20
_ROOMY = 36


class WizardScreen(Screen[None]):
    """Shows the session and hands on what the operator asks; it decides nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("enter", "primary", "go on"),
        ("up,k", "look(-1)", "step before"),
        ("down,j", "look(1)", "step after"),
        ("pageup", "page(-1)", "page up"),
        ("pagedown,space", "page(1)", "page down"),
        ("f", "finding", "next finding"),
        ("o", "output", "output"),
        ("e", "edit", "edit"),
        ("w", "waive", "waive"),
        ("x", "stop", "stop waiting"),
        ("r", "again", "do it again"),
        ("escape,b", "board", "board"),
    ]

    def __init__(self, session: SessionPort, underway: Underway, zone: tzinfo | None) -> None:
        super().__init__()
        self._session, self._underway, self._zone = session, underway, zone
        self._step = session.current or session.path[-1]
        self._last: Attempt | None = None
        self._output: bool | None = None

    @property
    def section(self) -> str:
        """The section looked at, for help."""
        return self._step.section

    def compose(self) -> ComposeResult:
        """Lay the frame."""
        yield TitleBar()
        with Horizontal(id="frame"):
            yield Rail()
            with Vertical(id="main"):
                yield Static(id="verdict")
                with VerticalScroll(id="facts", can_focus=False):
                    yield Static(id="body")
                yield SqlView(id="sql")
                yield QuestionPanel()
                yield Static(id="plan")
                yield OutputPane(self._underway.lines)
        yield KeyBar()

    async def on_mount(self) -> None:
        """Draw, and follow what runs."""
        self.query_one(OutputPane).display = False
        self.set_interval(_FRAME, self._follow)
        await self.redraw()

    async def on_resize(self) -> None:
        """The rail shrinks and the tables are laid anew."""
        self._draw()

    async def performed(self, attempt: Attempt | None) -> None:
        """A step ended: show what it found, and go on to what is next in its section."""
        self._last = attempt
        following = self._session.current
        went_on = attempt is not None and attempt.status.is_answered
        if went_on and following and following.section == self._step.section:
            self._step = following
        await self.redraw(anew=True)

    async def redraw(self, *, anew: bool = False) -> None:
        """Draw everything from the session as it is now; where there is room, with the output."""
        if self._output is None and self._underway.step and self.size.height >= _ROOMY:
            self.query_one(OutputPane).display = True
        if not any(step == self._step for step in self._session.path):
            self._step = self._session.current or self._session.path[-1]
        question = self.query_one(QuestionPanel)
        if self._asks:
            await question.ask(self._step, self._session.prompts(self._step), anew=anew)
        else:
            await question.clear()
            self.set_focus(None)
        self._draw()

    @property
    def _asks(self) -> bool:
        session, step = self._session, self._step
        idle = self._underway.step is None and not session.closed
        open_ = not session.status_of(step).is_answered and not session.blockers(step)
        return idle and open_ and step.section != "go"

    def _view(self) -> View:
        running, live = self._underway.step, self._underway.facts
        known = {running.id: live} if running and live else {}
        return View(self._session, self._step, known, self._zone)

    def _draw(self) -> None:
        view, session = self._view(), self._session
        self._draw_title()
        self.query_one(Rail).show(view, self._underway.step)
        self.query_one("#verdict", Static).update(
            words_of.verdict(session, self._step, self._last, self._underway.step)
        )
        self.query_one("#facts").set_class(self._step.section == "classification", "brief")
        self._draw_body(view)
        self._draw_sql()
        self._draw_plan()
        self._draw_keys()

    def _draw_title(self) -> None:
        session = self._session
        kind = session.kind.value
        danger = kind in ("destructive", "unknown")
        judged = f"{kind.upper() if danger else kind} · {session.analysis.risk} risk"
        database, target = session.record.database.name, session.tools.target
        stem = session.tools.name.removesuffix(".sql")
        self.query_one(TitleBar).tell(stem, judged, danger=danger, database=database, target=target)

    def _draw_body(self, view: View) -> None:
        body = self.query_one("#body", Static)
        width = max(self.query_one("#facts").size.width - 4, 30)
        body.update(body_of(view)(view, width))

    def _draw_sql(self) -> None:
        sql = self.query_one(SqlView)
        sql.display = self._step.section == "classification"
        if sql.display:
            sql.show_sql(self._session.tools.migration().text, self._session.analysis.findings)
            asking = self.query_one(QuestionPanel).asking
            if asking and "@" in asking.key:
                rule, _, line = asking.key.rpartition("@")
                sql.choose_line(rule, int(line) if line.isdigit() else 0)

    def _draw_plan(self) -> None:
        running, session = self._underway.step, self._session
        if running is None:
            words = words_of.plan(session, self._step)
        else:
            line = self._underway.lines[-1] if self._underway.lines else ""
            words = words_of.progress(session, running, line)
        self.query_one("#plan", Static).update(words)

    def _draw_keys(self) -> None:
        bar, running = self.query_one(KeyBar), self._underway.step
        if running is not None:
            bar.tell(("◐", f"running: {running.short}"), [("o", "output"), ("x", "stop waiting")])
            return
        words, danger = words_of.primary(self._session, self._step)
        typing = self.focused is not None
        bar.tell(("Enter", words), words_of.keys(self._session, self._step, typing), danger=danger)

    async def action_primary(self) -> None:
        """The one thing that is next; while a step runs, nothing."""
        session, step = self._session, self._step
        if self._underway.step is not None:
            return
        if session.closed or session.current is None:
            self.dismiss()
        elif session.status_of(step).is_answered:
            await self._look_at(session.current)
        elif session.blockers(step) and step.section != "go":
            await self._look_at(session.blockers(step)[0].step)
        elif step.section == "go":
            self.app.push_screen(GoScreen(session, step, self._zone), self._decided)
        elif self._session.prompts(step):
            self.query_one(QuestionPanel).focus_field()
        else:
            self.post_message(Submitted(step, {}))

    async def action_again(self) -> None:
        """Try an answered step again, where that repeats no write."""
        step = self._step
        if (
            self._session.closed
            or self._underway.step
            or words_of.is_writing(step)
            or step.section == "go"
        ):
            return
        prompts = self._session.prompts(step)
        if prompts:
            await self.query_one(QuestionPanel).ask(step, prompts, anew=True)
        else:
            self.post_message(Submitted(step, {}))

    async def action_look(self, by: int) -> None:
        """Look at another step of the path."""
        path = self._session.path
        index = path.index(self._step) + by
        await self._look_at(path[max(0, min(index, len(path) - 1))])

    def action_page(self, by: int) -> None:
        """Scroll the body by a page."""
        sql, question = self.query_one(SqlView), self.query_one(QuestionPanel)
        body = sql if sql.display else self.query_one("#facts", VerticalScroll)
        view = question if question.display and question.max_scroll_y else body
        (view.scroll_page_down if by > 0 else view.scroll_page_up)(animate=False)

    def action_finding(self) -> None:
        """Unfold the next finding."""
        sql = self.query_one(SqlView)
        sql.choose(sql.chosen + 1)

    def action_output(self) -> None:
        """Open or close the output."""
        pane = self.query_one(OutputPane)
        pane.display = self._output = not pane.display

    def action_edit(self) -> None:
        """Open the migration, or in section 4 its down file, in the editor."""
        tools = self._session.tools
        down = tools.files.down(tools.name.removesuffix(".sql"))
        chosen = down if down and self._step.section == "rollback" else tools.migration()
        if chosen.path is not None and words_of.is_editable(self._step) and not self._underway.step:
            self.post_message(EditAsked(chosen.path))

    def action_waive(self) -> None:
        """Ask for the reason to go on without a proof."""
        step = self._step
        if self._session.closed or self._session.status_of(step).is_answered:
            return

        def told(reason: str | None) -> None:
            if reason is not None:
                self.post_message(WaiveAsked(step, reason))

        if step.waivable and self._underway.step is None:
            words = f"Waive “{step.title}”? It stays visible as waived, with your reason."
            self.app.push_screen(Reason(words, "Why is this all right today?"), told)

    def action_stop(self) -> None:
        """Stop waiting for the running step."""
        self.post_message(StopAsked())

    def action_board(self) -> None:
        """Back to the board; what runs is asked about first by the App."""
        if self._underway.step is None:
            self.dismiss()

    def _decided(self, decision: Decision | None) -> None:
        if decision is None or decision.word == "hold":
            return
        if decision.word == "no-go":
            self.post_message(NoGoAsked(decision.reason))
            return
        go = self._session.checklist.step("go")
        raw = {prompt.key: True for prompt in self._session.prompts(go)}
        self.post_message(Submitted(go, raw))

    async def _look_at(self, step: Step) -> None:
        self._step, self._last = step, None
        await self.redraw()

    def _follow(self) -> None:
        """Once a frame: show what was printed and what changed."""
        self.query_one(OutputPane).take(self._underway.take())
        if self._underway.seen_change() and self._underway.step is not None:
            self._draw_body(self._view())
        if self._underway.step is not None:
            self._draw_plan()
