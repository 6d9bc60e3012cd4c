"""The App's one worker: performs a step, updates the screen, and ends cleanly."""

from collections.abc import Awaitable, Callable
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

_GOES_ON = (
    "“{}” is writing to the target. It continues on its own: leaving does not stop it. "
    "The record will say interrupted, and the next session checks first."
)
_IS_ENDED = (
    "“{}” is still running. It only reads, or works on this machine: it is ended, "
    "and the record says interrupted."
)


class StepWorker:
    """One step at a time, never one twice: a second press while it runs changes nothing.

    After an answer it goes on by itself, as far as no person is needed. What is answered meanwhile
    waits for the running step, and comes before the next one that starts by itself.
    """

    def __init__(self, app: App[None], failed: Callable[[Exception], None]) -> None:
        self._app, self._failed = app, failed
        self._worker: Worker[None] | None = None
        self._shown: Callable[[], Awaitable[None]] | None = None
        self._answered: dict[str, Submitted] = {}
        self.running_step = RunningStep()

    @property
    def busy(self) -> bool:
        """Whether a step runs."""
        return self.running_step.step is not None

    def start(self, session: Session, wizard: WizardScreen, asked: Submitted) -> None:
        """Perform the step in the App's worker; an answer to another step waits while one runs."""
        if self.is_walking:
            if asked.step != self.running_step.step and (asked.raw or not self.busy):
                self._keep({**self._answered, asked.step.id: asked})
            return
        self.running_step.begin(asked.step)
        self._set_off(session, wizard, asked)

    def _set_off(self, session: Session, wizard: WizardScreen, asked: Submitted | None) -> None:
        wizard.unattended.begin()
        walk = self._walk(session, wizard, asked)
        self._worker = self._app.run_worker(walk, group="step", exit_on_error=False)

    def _keep(self, answered: dict[str, Submitted]) -> None:
        self._answered = answered
        self.running_step.answered = frozenset(answered)

    async def _walk(self, session: Session, wizard: WizardScreen, asked: Submitted | None) -> None:
        """Perform what was asked, then what was answered meanwhile or needs no person."""
        following = asked or await self._following(session, wizard)
        while following is not None:
            self.running_step.begin(following.step)
            self._shown = partial(self._show, session, wizard, following.step)
            went_well = await self._perform(session, wizard, following)
            following = await self._following(session, wizard) if went_well else None
            if went_well and following is None and wizard.is_current:
                await wizard.arrive()

    async def _following(self, session: Session, wizard: WizardScreen) -> Submitted | None:
        for step_id, answered in list(self._answered.items()):
            self._keep({key: kept for key, kept in self._answered.items() if key != step_id})
            if not session.status_of(answered.step).is_answered:
                wizard.unattended.begin()
                return answered
        if not wizard.is_attached:
            return None
        step = await wizard.unattended.next()
        if self._answered:
            return await self._following(session, wizard)
        return None if step is None else Submitted(step, {})

    async def waive(self, session: Session, wizard: WizardScreen, asked: WaiveAsked) -> None:
        """Waive a step by its reason."""
        if await self._at_once(wizard, lambda: session.waive(asked.step, asked.reason)):
            self._set_off(session, wizard, None)

    async def no_go(self, session: Session, wizard: WizardScreen, asked: NoGoAsked) -> None:
        """Write a NO-GO down."""
        await self._at_once(wizard, lambda: session.no_go(asked.reason))

    def before_leaving(self, *, stopping: bool) -> tuple[str, tuple[str, ...]]:
        """The warning and the choices before a running step is left."""
        step = self.running_step.step
        short = step.short if step else ""
        leave = "stop waiting" if stopping else "leave"
        if step is not None and is_writing(step):
            return _GOES_ON.format(short), ("stay until it ends", leave)
        return _IS_ENDED.format(short), ("stay", leave)

    def leaver(self, stopping: bool) -> Callable[[str | None], None]:
        """What is done with the answer."""

        def decided(choice: str | None) -> None:
            if choice is not None and not choice.startswith("stay"):
                self._app.run_worker(self._leave(stopping=stopping), group="leave")

        return decided

    async def _leave(self, *, stopping: bool) -> None:
        worker = self._worker
        self._keep({})
        if worker is not None and self.busy:
            worker.cancel()
            try:
                await worker.wait()
            except (WorkerCancelled, WorkerFailed):
                self.running_step.end()
                if stopping and self._shown is not None:
                    await self._shown()
        if not stopping:
            self._app.exit()

    async def _perform(self, session: Session, wizard: WizardScreen, asked: Submitted) -> bool:
        """Perform one step and show what came out; whether it may go on."""
        attempt: Attempt | None = None
        problem: PreflightError | None = None
        try:
            await wizard.redraw()
            attempt = await session.perform(
                asked.step,
                asked.raw,
                emit=self.running_step.emit,
                progress=self.running_step.progress,
                terminal=Terminal(self._app),
            )
        except PreflightError as error:
            problem = error
        except Exception as error:  # noqa: BLE001 - the face is where our own bugs end, and says so
            self._failed(error)
        finally:
            self.running_step.end(attempt)
        await self._show(session, wizard, asked.step, problem)
        return attempt is not None

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
