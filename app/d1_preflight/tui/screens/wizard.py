"""The wizard: walks one session; shows it in the frame and hands on what the operator asks."""

from datetime import tzinfo

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen

from d1_preflight.core.checklist.checklist import Prompt, Step
from d1_preflight.core.errors import PreflightError
from d1_preflight.core.record.gate import earlier_reason
from d1_preflight.core.record.record import Attempt
from d1_preflight.session import Session
from d1_preflight.tui import places
from d1_preflight.tui import words as words_of
from d1_preflight.tui.messages import (
    BrowseAsked,
    EditAsked,
    FixAsked,
    HeaderAsked,
    NoGoAsked,
    StopAsked,
    Submitted,
    WaiveAsked,
)
from d1_preflight.tui.running_step import RunningStep
from d1_preflight.tui.screens.dialogs import Problem, Reason
from d1_preflight.tui.screens.go import Decision, GoScreen
from d1_preflight.tui.screens.reading import ReadingScreen
from d1_preflight.tui.view import View
from d1_preflight.tui.widgets.bars import KeyBar, TitleBar
from d1_preflight.tui.widgets.frame import Frame
from d1_preflight.tui.widgets.output import OutputPane
from d1_preflight.tui.widgets.rail import Rail
from d1_preflight.unattended import Unattended

_FRAME = 1 / 20
_BINDINGS: list[BindingType] = [
    ("enter", "primary", "do what the footer names first"),
    ("up,k", "look(-1)", "previous step"),
    ("down,j", "look(1)", "next step"),
    ("pageup", "page(-1)", "page up"),
    ("pagedown,space", "page(1)", "page down"),
    ("f", "finding", "unfold the next finding"),
    ("o", "output", "show or hide the output"),
    ("e", "edit", "edit the file"),
    ("h", "header", "write the header"),
    ("p", "fix", "show the proved rewrite"),
    ("w", "waive", "waive the step"),
    ("d", "browse(0)", "open the D1 dashboard"),
    ("W", "browse(-1)", "open the Worker's metrics page"),
    ("x", "stop", "stop waiting"),
    ("s", "pace", "step by step, or automatic"),
    ("r", "again", "repeat the step"),
    ("A", "primary(True)", "apply"),
    ("escape,b", "board", "back to the board"),
]


def ask_waiver(screen: Screen[None], step: Step, offered: str) -> None:
    """Ask for the reason to go on without a proof; where none is possible, say why."""
    if not step.waivable:
        screen.app.push_screen(Problem(words_of.never_waived(step)))
        return

    def waive(reason: str | None) -> None:
        if reason is not None:
            screen.post_message(WaiveAsked(step, reason))

    words = f"Waive “{step.title}”? It stays visible as waived, with your reason."
    dialog = Reason(words, "Why is this acceptable today?", offered=offered)
    screen.app.push_screen(dialog, waive)


class WizardScreen(ReadingScreen):
    """Shows the session and hands on what the operator asks; it decides nothing."""

    AUTO_FOCUS = ""
    BINDINGS = _BINDINGS

    def __init__(self, session: Session, running_step: RunningStep, zone: tzinfo | None) -> None:
        super().__init__()
        self._session, self._running_step = session, running_step
        self._zone, self._query = zone, 0
        self._step = session.current or session.path[-1]
        self._last: Attempt | None = None
        self._stays = False
        self.unattended = Unattended(session)

    @property
    def section(self) -> str:
        """The section looked at, for help."""
        return self._step.section

    @property
    def _view(self) -> View:
        facts = self._running_step.facts(self._step)
        return View(self._session, self._step, facts, self._zone, self._query)

    def compose(self) -> ComposeResult:
        """On what, the frame, the keys."""
        yield TitleBar()
        yield Frame(self._running_step)
        yield KeyBar()

    async def on_mount(self) -> None:
        """Draw, and follow what runs."""
        self.set_interval(_FRAME, self._follow)
        await self.redraw()

    async def performed(self, attempt: Attempt | None) -> None:
        """A step ended: show what it found, and go on to what is next, unless one looks around."""
        self._last = attempt
        question = self.query_one(Frame).question
        ended = attempt is not None and attempt.step == self._step.id
        self._stays = self._stays and not ended
        # Under a question nothing moves: the next key is meant for what was read.
        reads = question.asking is not None and not ended
        if attempt is not None and attempt.status.is_answered:
            answered = self._running_step.answered
            stays = self._stays or reads
            self._step = self.unattended.following(self._step, answered, stays=stays)
        elif attempt is not None and not reads:
            self._step = self._session.checklist.step(attempt.step)
        await self.redraw(anew=ended)

    async def took_answer(self) -> None:
        """An answer waits for its turn: show that, and go on to what else is asked."""
        if self.unattended.has_begun:
            waiting = self._running_step.answered
            self._step = self.unattended.following(self._step, waiting, stays=self._stays)
        await self.redraw()

    async def refresh_files(self) -> None:
        """The files may have changed: go back to the first step that lost its answer."""
        if words_of.is_earlier(self._session, self._step) and self._session.current:
            self._step, self._last = self._session.current, None
        await self.redraw()

    async def redraw(self, *, anew: bool = False) -> None:
        """Draw everything from the session as it is now."""
        if self._step not in self._session.path:
            self._step = self._session.current or self._session.path[-1]
        frame = self.query_one(Frame)
        asks = words_of.is_asked(self._session, self._step, self._running_step)
        await (self._ask(anew=anew) if asks else frame.question.clear())
        if frame.question.asking is None:
            self.set_focus(None)
        frame.draw(self._view, self._last)
        self.query_one(TitleBar).show(self._session, len(self._running_step.steps))
        self._draw_keys()

    async def _ask(self, *, anew: bool) -> None:
        question, prompts = self.query_one(Frame).question, self._prompts(self._step)
        if prompts is None:
            await question.clear()
        else:
            last = self._session.record.last(self._step.id)
            await question.ask(self._step, prompts, last.answers if last else {}, anew=anew)

    def _prompts(self, step: Step) -> tuple[Prompt, ...] | None:
        """What the step asks; None, after a word about it, where that cannot be read."""
        try:
            return tuple(self._session.prompts(step))
        except PreflightError as error:
            self.app.push_screen(Problem(error))
            return None

    def _draw_keys(self) -> None:
        question, by_itself = self.query_one(Frame).question, self.unattended.by_itself
        asked = question.keys(words_of.verb(self._step)) if question.has_keys else []
        running, scrolls = self._running_step, isinstance(self.focused, OutputPane)
        bar = words_of.key_bar(
            self._session,
            self._step,
            running,
            asked,
            by_itself=by_itself,
            goes_on=self.unattended.is_set_off_by(self._step),
            scrolls=scrolls,
        )
        self.query_one(KeyBar).tell(bar.primary, bar.keys, danger=bar.danger)

    async def arrive(self) -> None:
        """Nothing goes by itself any more: where only GO is left, its plan opens."""
        if self.unattended.has_begun and words_of.is_next(self._session, self._step, "go"):
            await self.action_primary()

    async def action_primary(self, capital: bool = False) -> None:
        """The one thing that is next; while a step runs, nothing. A capital applies."""
        session, step = self._session, self._step
        self._stays = False
        if self._running_step.holds(step) or capital > words_of.needs_capital(session, step):
            return
        if session.closed or session.current is None:
            self.dismiss()
        elif session.status_of(step).is_answered:
            await self._look_at(session.current)
        elif session.blockers(step) and step.id != "go":
            await self._look_at(session.blockers(step)[0].step)
        elif step.id == "go":
            self.app.push_screen(GoScreen(session, step, self._zone), self._decided)
        elif prompts := self._prompts(step):
            self.query_one(Frame).question.focus_field()
        elif prompts is not None and capital < words_of.needs_capital(session, step):
            self.notify("Enter does not apply. Press a capital A to apply.")
        elif prompts is not None:
            self.post_message(Submitted(step, {}))

    async def action_again(self) -> None:
        """Try an answered step again, where that repeats no write."""
        step = self._step
        busy = self._session.closed or self._running_step.runs(step)
        if busy or words_of.is_writing(step) or step.id == "go":
            return
        if prompts := self._prompts(step):
            await self._ask(anew=True)
        elif prompts is not None:
            self.post_message(Submitted(step, {}))

    async def action_look(self, by: int) -> None:
        """Look at another step of the path."""
        path, self._stays = self._session.path, True
        await self._look_at(path[max(0, min(path.index(self._step) + by, len(path) - 1))])

    def action_page(self, by: int) -> None:
        """Scroll by a page."""
        self.query_one(Frame).page(by)

    async def action_finding(self) -> None:
        """Unfold the next finding, or choose the next broken query."""
        if broken := words_of.broken_queries(self._session, self._step):
            self._query = (self._query + 1) % len(broken)
            return await self.redraw()
        return self.query_one(Frame).turn_finding()

    def action_output(self) -> None:
        """Open or shut the output."""
        self.query_one(Frame).turn_output()

    def action_edit(self) -> None:
        """Open the migration at the finding, in section 4 its down file, or a broken query."""
        place = places.editable(self._session, self._step, self._query)
        if place is not None and not self._running_step.step:
            path, line = place
            self.post_message(EditAsked(path, line or self.query_one(Frame).finding_line))

    def action_header(self) -> None:
        """Write the header from what was found, while the file may still be edited."""
        if words_of.is_header(self._session, self._step) and not self._running_step.step:
            self.post_message(HeaderAsked())

    def action_fix(self) -> None:
        """Look for the proved rewrite of the migration; nothing is written before a yes."""
        free = not self._session.closed and self._running_step.step is None
        if free and words_of.is_editable(self._session, self._step):
            self.post_message(FixAsked())

    def action_waive(self) -> None:
        """Ask for the reason to go on without a proof."""
        step, session = self._step, self._session
        if session.closed or session.status_of(step).is_answered or self._running_step.step:
            return
        ask_waiver(self, step, earlier_reason(session.record, session.checklist, step))

    def action_browse(self, which: int) -> None:
        """Open an address that a step of this section names, as the dashboard's."""
        if page := places.address(self._session, self._step.section, which):
            self.post_message(BrowseAsked(page))

    def action_stop(self) -> None:
        """Stop waiting for what runs."""
        self.post_message(StopAsked())

    def action_pace(self) -> None:
        """Step by step, or by itself again."""
        self.unattended.turn()
        self._draw_keys()

    def action_board(self) -> None:
        """Out of the output, or back to the board; what runs is asked about first by the App."""
        if isinstance(self.focused, OutputPane):
            self.set_focus(None)
        elif self._running_step.step is None:
            self.dismiss()

    def _decided(self, decision: Decision | None) -> None:
        if decision is None or decision.word == "hold":
            return
        if decision.word == "no-go":
            self.post_message(NoGoAsked(decision.reason))
            return
        go = self._session.checklist.step("go")
        if (prompts := self._prompts(go)) is not None:
            self.post_message(Submitted(go, {prompt.key: True for prompt in prompts}))

    @on(Rail.Chosen)
    async def _jump(self, event: Rail.Chosen) -> None:
        await self._look_at(event.step)

    async def _look_at(self, step: Step) -> None:
        self._step, self._last, self._query = step, None, 0
        await self.redraw()

    def on_descendant_focus(self) -> None:
        """In a field the keys are other ones; out of it, these again."""
        self._draw_keys()

    on_descendant_blur = on_descendant_focus

    def _follow(self) -> None:
        self.query_one(Frame).follow(self._view)
