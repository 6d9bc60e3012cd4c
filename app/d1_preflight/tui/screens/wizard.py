"""The wizard: walks one session; shows it in the frame and hands on what the operator asks."""

from datetime import tzinfo
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen

from d1_preflight.core.checklist.checklist import Prompt, Step
from d1_preflight.core.errors import PreflightError
from d1_preflight.core.record.change_facts import ClassFacts
from d1_preflight.core.record.record import Attempt
from d1_preflight.session import Session
from d1_preflight.tui import places
from d1_preflight.tui import words as words_of
from d1_preflight.tui.messages import (
    BrowseAsked,
    EditAsked,
    FixAsked,
    NoGoAsked,
    StopAsked,
    Submitted,
    WaiveAsked,
)
from d1_preflight.tui.running_step import RunningStep
from d1_preflight.tui.screens.dialogs import Problem, Reason
from d1_preflight.tui.screens.go import Decision, GoScreen
from d1_preflight.tui.view import View
from d1_preflight.tui.widgets.bars import KeyBar, TitleBar
from d1_preflight.tui.widgets.frame import Frame

_FRAME = 1 / 20


class WizardScreen(Screen[None]):
    """Shows the session and hands on what the operator asks; it decides nothing."""

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        ("enter", "primary", "go on"),
        ("up,k", "look(-1)", "step before"),
        ("down,j", "look(1)", "step after"),
        ("pageup", "page(-1)", "page up"),
        ("pagedown,space", "page(1)", "page down"),
        ("f", "finding", "next finding"),
        ("o", "output", "output"),
        ("e", "edit", "edit"),
        ("s", "fix", "safe way"),
        ("w", "waive", "waive"),
        ("d", "browse", "dashboard"),
        ("x", "stop", "stop waiting"),
        ("r", "again", "do it again"),
        ("escape,b", "board", "board"),
    ]

    def __init__(self, session: Session, running_step: RunningStep, zone: tzinfo | None) -> None:
        super().__init__()
        self._session, self._running_step, self._zone = session, running_step, zone
        self._step = session.current or session.path[-1]
        self._last: Attempt | None = None

    @property
    def section(self) -> str:
        """The section looked at, for help."""
        return self._step.section

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
        """A step ended: show what it found, and go on to what is next in its section."""
        self._last = attempt
        following = self._session.current
        went_on = attempt is not None and attempt.status.is_answered
        if went_on and following and following.section == self._step.section:
            self._step = following
        await self.redraw(anew=True)

    async def refresh_files(self) -> None:
        """The files may have changed: go back to the first step that lost its answer."""
        path, current = self._session.path, self._session.current
        if current and self._step in path and path.index(current) < path.index(self._step):
            self._step, self._last = current, None
        await self.redraw()

    async def redraw(self, *, anew: bool = False) -> None:
        """Draw everything from the session as it is now."""
        if self._step not in self._session.path:
            self._step = self._session.current or self._session.path[-1]
        frame = self.query_one(Frame)
        if self._asks:
            await self._ask(anew=anew)
        else:
            await frame.question.clear()
            self.set_focus(None)
        frame.draw(self._view(), self._last)
        self._draw_title()
        self._draw_keys()

    async def _ask(self, *, anew: bool) -> None:
        last = self._session.record.last(self._step.id)
        given = last.answers if last else {}
        question, prompts = self.query_one(Frame).question, self._prompts(self._step)
        if prompts is None:
            await question.clear()
        else:
            await question.ask(self._step, prompts, given, anew=anew)

    def _prompts(self, step: Step) -> tuple[Prompt, ...] | None:
        """What the step asks; None, after a word about it, where that cannot be read."""
        try:
            return tuple(self._session.prompts(step))
        except PreflightError as error:
            self.app.push_screen(Problem(error))
            return None

    @property
    def _asks(self) -> bool:
        session, step = self._session, self._step
        idle = self._running_step.step is None and not session.closed
        open_ = not session.status_of(step).is_answered and not session.blockers(step)
        return idle and open_ and step.id != "go"

    def _view(self) -> View:
        return View(self._session, self._step, self._running_step.facts, self._zone)

    def _draw_title(self) -> None:
        session = self._session
        kind = session.kind.value
        danger = kind in ("destructive", "unknown")
        # Once applied, the schema already has the change, so the earlier class is shown.
        decided = ClassFacts.from_attempt(session.attempt(ClassFacts.step))
        risk = decided.risk or session.analysis.risk.value
        judged = f"{kind.upper() if danger else kind} · {risk} risk"
        database = session.record.database
        stem = session.record.migration.removesuffix(".sql")
        self.query_one(TitleBar).tell(
            stem, judged, danger=danger, database=database.label, target=database.target
        )

    def _draw_keys(self) -> None:
        bar, running = self.query_one(KeyBar), self._running_step.step
        if running is not None:
            bar.tell(("◐", f"running: {running.short}"), [("o", "output"), ("x", "stop waiting")])
            return
        words, danger = words_of.primary(self._session, self._step)
        question = self.query_one(Frame).question
        asked = question.keys(words_of.verb(self._step)) if question.has_keys else []
        if asked:
            bar.tell(asked[0], asked[1:], danger=danger and words in asked[0])
        else:
            bar.tell(("Enter", words), words_of.keys(self._session, self._step), danger=danger)

    async def action_primary(self) -> None:
        """The one thing that is next; while a step runs, nothing."""
        session, step = self._session, self._step
        if self._running_step.step is not None:
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
        elif prompts is not None:
            self.post_message(Submitted(step, {}))

    async def action_again(self) -> None:
        """Try an answered step again, where that repeats no write."""
        step = self._step
        busy = self._session.closed or self._running_step.step is not None
        if busy or words_of.is_writing(step) or step.id == "go":
            return
        prompts = self._prompts(step)
        if prompts:
            await self._ask(anew=True)
        elif prompts is not None:
            self.post_message(Submitted(step, {}))

    async def action_look(self, by: int) -> None:
        """Look at another step of the path."""
        path = self._session.path
        index = path.index(self._step) + by
        await self._look_at(path[max(0, min(index, len(path) - 1))])

    def action_page(self, by: int) -> None:
        """Scroll by a page."""
        self.query_one(Frame).page(by)

    def action_finding(self) -> None:
        """Unfold the next finding."""
        self.query_one(Frame).turn_finding()

    def action_output(self) -> None:
        """Open or shut the output."""
        self.query_one(Frame).turn_output()

    def action_edit(self) -> None:
        """Open the migration, or in section 4 its down file, in the editor."""
        file = places.editable(self._session, self._step)
        if file is not None and not self._running_step.step:
            self.post_message(EditAsked(file))

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
        if not step.waivable:
            self.app.push_screen(Problem(words_of.never_waived(step)))
            return

        def waive(reason: str | None) -> None:
            if reason is not None:
                self.post_message(WaiveAsked(step, reason))

        words = f"Waive “{step.title}”? It stays visible as waived, with your reason."
        self.app.push_screen(Reason(words, "Why is this acceptable today?"), waive)

    def action_browse(self) -> None:
        """Open the address that a step of this section names, as the dashboard's."""
        page = places.address(self._session, self._step.section)
        if page:
            self.post_message(BrowseAsked(page))

    def action_stop(self) -> None:
        """Stop waiting for the running step."""
        self.post_message(StopAsked())

    def action_board(self) -> None:
        """Back to the board; what runs is asked about first by the App."""
        if self._running_step.step is None:
            self.dismiss()

    def _decided(self, decision: Decision | None) -> None:
        if decision is None or decision.word == "hold":
            return
        if decision.word == "no-go":
            self.post_message(NoGoAsked(decision.reason))
            return
        go = self._session.checklist.step("go")
        prompts = self._prompts(go)
        if prompts is not None:
            self.post_message(Submitted(go, {prompt.key: True for prompt in prompts}))

    async def _look_at(self, step: Step) -> None:
        self._step, self._last = step, None
        await self.redraw()

    def on_descendant_focus(self) -> None:
        """In a field the keys are other ones."""
        self._draw_keys()

    def on_descendant_blur(self) -> None:
        """Out of it, these again."""
        self._draw_keys()

    def _follow(self) -> None:
        self.query_one(Frame).follow(self._view())
