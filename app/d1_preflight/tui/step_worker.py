"""The App's one worker: performs a step, updates the screen, and ends cleanly."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from textual.app import App
from textual.worker import Worker, WorkerCancelled, WorkerFailed

from d1_preflight.core.checklist.checklist import Step
from d1_preflight.core.errors import PreflightError
from d1_preflight.core.record.record import Attempt
from d1_preflight.session import Session
from d1_preflight.tui.messages import NoGoAsked, Submitted, WaiveAsked
from d1_preflight.tui.running_step import RunningStep
from d1_preflight.tui.screens.dialogs import Problem
from d1_preflight.tui.screens.wizard import WizardScreen
from d1_preflight.tui.terminal import Terminal
from d1_preflight.tui.words import is_writing
from d1_preflight.unattended import SideBySide

_GOES_ON = (
    "“{}” is writing to the target. It continues on its own: leaving does not stop it. "
    "The record marks it as interrupted, and the next session checks first."
)
_IS_ENDED = (
    "“{}” is still running. It only reads, or works on this machine: leaving stops it, "
    "and the record marks it as interrupted."
)
_ARE_ENDED = (
    "“{}” are still running. They only read, or work on this machine: leaving stops them, "
    "and the record marks each as interrupted."
)


class StepWorker:
    """Never one step twice: a second press while it runs changes nothing.

    After an answer it goes on by itself, as far as no person is needed. What is answered meanwhile
    begins as soon as nothing is in its way, before what starts by itself.
    """

    def __init__(self, app: App[None], failed: Callable[[Exception], None]) -> None:
        self._app, self._failed = app, failed
        self._worker: Worker[None] | None = None
        self._side: SideBySide | None = None
        self._shown: Callable[[], Awaitable[None]] | None = None
        self.running_step = RunningStep()

    @property
    def busy(self) -> bool:
        """Whether a step runs."""
        return bool(self.running_step.steps)

    async def start(self, session: Session, wizard: WizardScreen, asked: Submitted) -> None:
        """Perform the step in the App's worker, beside what runs where nothing is in its way."""
        if not self.is_walking:
            self.running_step.begin(asked.step)
            self._set_off(session, wizard, asked)
        elif self._side is not None and not self.running_step.holds(asked.step):
            self._side.ask(asked.step, asked.raw)
            self.running_step.answered = self._side.waiting
            if not wizard.unattended.is_free(asked.step):  # else it begins at once
                await wizard.took_answer()

    def _set_off(self, session: Session, wizard: WizardScreen, asked: Submitted | None) -> None:
        wizard.unattended.begin()
        self._side = side = SideBySide(
            session,
            wizard.unattended,
            partial(self._perform, session),
            partial(self._starts, session, wizard),
            partial(self._ends, session, wizard),
        )
        if asked is not None:
            side.ask(asked.step, asked.raw)
        walk = self._walk(side, wizard)
        self._worker = self._app.run_worker(walk, group="step", exit_on_error=False)

    async def _walk(self, side: SideBySide, wizard: WizardScreen) -> None:
        """Perform what was asked, and what needs no person; then show what is left for one."""
        try:
            await side.run()
            if side.went_well and wizard.is_current:
                await wizard.arrive()
            while side.waiting:
                await side.run()
        except Exception as error:  # noqa: BLE001 - the face is where our own bugs end, and says so
            self._failed(error)

    async def _starts(self, session: Session, wizard: WizardScreen, step: Step) -> None:
        self.running_step.begin(step)
        self.running_step.answered = self._side.waiting if self._side else frozenset()
        self._shown = partial(self._show, session, wizard, step)
        if wizard.is_attached:
            await wizard.redraw()

    async def _ends(
        self,
        session: Session,
        wizard: WizardScreen,
        step: Step,
        attempt: Attempt | None,
        problem: PreflightError | None,
    ) -> None:
        """Where there is neither, the target did not say who it is, or it was left."""
        self.running_step.end(step, attempt)
        if attempt is not None or problem is not None:
            await self._show(session, wizard, step, problem)
        elif wizard.is_attached:
            await wizard.redraw()

    async def waive(self, session: Session, wizard: WizardScreen, asked: WaiveAsked) -> None:
        """Waive a step by its reason."""
        if await self._at_once(wizard, lambda: session.waive(asked.step, asked.reason)):
            self._set_off(session, wizard, None)

    async def no_go(self, session: Session, wizard: WizardScreen, asked: NoGoAsked) -> None:
        """Write a NO-GO down."""
        await self._at_once(wizard, lambda: session.no_go(asked.reason))

    def before_leaving(self, *, stopping: bool) -> tuple[str, tuple[str, ...]]:
        """The warning and the choices before running steps are left."""
        leave = "stop waiting" if stopping else "leave"
        for step in self.running_step.steps.values():
            if is_writing(step):
                return _GOES_ON.format(step.short), ("stay until it ends", leave)
        names = "” and “".join(step.short for step in self.running_step.steps.values())
        words = _ARE_ENDED if len(self.running_step.steps) > 1 else _IS_ENDED
        return words.format(names), ("stay", leave)

    def leaver(self, stopping: bool) -> Callable[[str | None], None]:
        """What is done with the answer."""

        def decided(choice: str | None) -> None:
            if choice is not None and not choice.startswith("stay"):
                self._app.run_worker(self._leave(stopping=stopping), group="leave")

        return decided

    async def _leave(self, *, stopping: bool) -> None:
        worker = self._worker
        if self._side is not None:
            self._side.forget()
        self.running_step.answered = frozenset()
        if worker is not None and self.busy:
            worker.cancel()
            try:
                await worker.wait()
            except (WorkerCancelled, WorkerFailed):
                if stopping and self._shown is not None:
                    await self._shown()
        if not stopping:
            self._app.exit()

    async def _perform(self, session: Session, step: Step, raw: Mapping[str, object]) -> Attempt:
        running = self.running_step
        return await session.perform(
            step,
            raw,
            emit=running.emit(step),
            progress=running.progress(step),
            terminal=Terminal(self._app),
        )

    async def _show(
        self,
        session: Session,
        wizard: WizardScreen,
        step: Step,
        problem: PreflightError | None = None,
    ) -> None:
        """Draw how the step ended, of itself or because it was left; then what went wrong."""
        try:
            if wizard.is_attached:
                await wizard.performed(session.record.last(step.id))
        except PreflightError as error:  # a question of the next step that cannot be asked yet
            problem = problem or error
        if problem is not None:
            self._app.push_screen(Problem(problem))

    async def _at_once(self, wizard: WizardScreen, act: Callable[[], Attempt]) -> bool:
        """Act, unless a step runs, and show it; whether it was done."""
        if self.is_walking:
            return False
        try:
            await wizard.performed(act())
        except PreflightError as error:
            self._app.push_screen(Problem(error))
            return False
        return True

    @property
    def is_walking(self) -> bool:
        """Whether a step runs, or is about to."""
        return self._worker is not None and not self._worker.is_finished
