"""The terminal face: holds the screens, and the one worker that performs steps."""

from collections.abc import Callable
from datetime import tzinfo
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

from textual import on
from textual.app import App
from textual.binding import Binding, BindingType

from d1_preflight.board import Board
from d1_preflight.core.errors import NotAllowed, PreflightError
from d1_preflight.tui import messages, theme
from d1_preflight.tui.palette import Acts
from d1_preflight.tui.screens.board import BoardScreen
from d1_preflight.tui.terminal import Terminal

if TYPE_CHECKING:
    from d1_preflight.core.remedies.fix import Fix
    from d1_preflight.session import Session
    from d1_preflight.tui.screens.wizard import WizardScreen
    from d1_preflight.tui.step_worker import StepWorker

_OUR_BUG = 70


class Edit(Protocol):
    """Opens a file in the operator's editor, at a line, and returns when it is closed."""

    def __call__(self, path: Path, /, *, line: int = 0) -> None:
        """Edit the file; raises PreflightError where there is no editor."""
        ...


Browse = Callable[[str], bool]
"""Opens a page in the operator's browser; False where there is none."""


class Adopt(Protocol):
    """The adoption of what a database has already: which is next, and what follows its close."""

    def next(self, database: str) -> str:
        """The adoption that is open, else the next one's name."""
        ...

    def finish(self, session: "Session") -> str:
        """Write the baseline for lint after the close; what was written, or ""."""
        ...


class PreflightApp(App[None]):
    """Passes messages to the session. `failure` is our own bug, for the caller to report."""

    CSS_PATH = "preflight.tcss"
    TITLE = "preflight"
    COMMANDS = {Acts}  # noqa: RUF012 - Textual types it so
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("exclamation_mark,f2", "emergency", "open the emergency card"),
        Binding("question_mark,f1", "help", "open the help"),
        Binding("q", "leave", "quit"),
        Binding("ctrl+c,ctrl+q", "leave", "quit", priority=True),
        Binding("ctrl+t", "theme", "switch the theme"),
        Binding("ctrl+z", "suspend_process", "suspend the program; fg brings it back"),
    ]

    def __init__(
        self,
        source: Board,
        *,
        edit: Edit,
        browse: Browse,
        adopt: Adopt,
        opened: str = "",
        zone: tzinfo | None = None,
    ) -> None:
        super().__init__()
        self._browse, self._adopt = browse, adopt
        self._source, self._edit, self._opened, self._zone = source, edit, opened, zone
        self._board = BoardScreen(source, waits=bool(opened))
        self._wizard: WizardScreen | None = None
        self._session: Session | None = None
        self.failure: Exception | None = None
        self._sessions: dict[str, Session] = {}
        self._by_itself: bool | None = None  # as the last walk was left; None: as the settings say
        theme.begin(self)
        self.animation_level = "none"  # nothing slides, whoever looks at it

    @cached_property
    def _step_worker(self) -> "StepWorker":
        """The one worker; the board paints before it and the wizard are loaded."""
        from d1_preflight.tui.step_worker import StepWorker

        return StepWorker(self, self._fail)

    def get_default_screen(self) -> BoardScreen:
        """The board: another one below it would be laid out and painted for nobody."""
        return self._board

    def on_mount(self) -> None:
        """Open the named migration over the board."""
        if self._opened:
            self.post_message(messages.OpenAsked(self._opened))

    def problem(self, error: PreflightError) -> None:
        """Say what happened and what to do next."""
        from d1_preflight.tui.screens.dialogs import Problem

        self.push_screen(Problem(error))

    def _fatal_error(self) -> None:
        # Textual would print a traceback over the terminal; the caller says it in words instead.
        self.failure = self.failure or self._exception
        self._close_messages_no_wait()

    def _fail(self, error: Exception) -> None:
        self.failure = error
        self.exit(return_code=_OUR_BUG)

    @on(messages.OpenAsked)
    async def _open(self, event: messages.OpenAsked) -> None:
        from d1_preflight.tui.screens.wizard import WizardScreen

        try:
            session = self._source.open(event.name)
            wizard = WizardScreen(session, self._step_worker.running_step, self._zone)
        except PreflightError as error:
            await self._board.compose_late()
            self.problem(error)
            return
        if self._by_itself is not None:
            wizard.unattended.by_itself = self._by_itself
        self._step_worker.running_step.turn_to(session.record.migration)
        self._session, self._wizard = session, wizard
        self._sessions[session.record.migration] = session
        self.push_screen(wizard, self._put_away)

    def _put_away(self, _nothing: None) -> None:
        stood_on = self._session.record.migration if self._session else ""
        if self._wizard is not None:
            self._by_itself = self._wizard.unattended.by_itself
        if self._session is not None:
            self._finish_adoption(self._session)
            self._source.close(self._session)
        self._session = self._wizard = None
        self._board.reload(stood_on)

    def _finish_adoption(self, session: "Session") -> None:
        is_done = session.record.is_adoption and session.closed
        if is_done and (written := self._adopt.finish(session)):
            self.notify(written, markup=False)

    @on(messages.AdoptAsked)
    def _adopted(self) -> None:
        self.post_message(messages.OpenAsked(self._adopt.next(self._source.header.database)))

    @property
    def worked_on(self) -> "list[Session]":
        """The sessions whose records hold attempts."""
        return [s for s in self._sessions.values() if s.record.attempts]

    @on(messages.DatabaseAsked)
    def _database(self, event: messages.DatabaseAsked) -> None:
        try:
            self._source.choose(event.database)
        except PreflightError as error:
            self.problem(error)
        self._board.reload()

    @on(messages.Submitted)
    async def _submitted(self, event: messages.Submitted) -> None:
        if self._session and self._wizard:
            await self._step_worker.start(self._session, self._wizard, event)

    @on(messages.WaiveAsked)
    async def _waived(self, event: messages.WaiveAsked) -> None:
        if self._session and self._wizard:
            await self._step_worker.waive(self._session, self._wizard, event)

    @on(messages.NoGoAsked)
    async def _no_go(self, event: messages.NoGoAsked) -> None:
        if self._session and self._wizard:
            await self._step_worker.no_go(self._session, self._wizard, event)

    @on(messages.EditAsked)
    async def _edited(self, event: messages.EditAsked) -> None:
        try:
            with Terminal(self):
                self._edit(event.path, line=event.line)
            if self._session and self._wizard:
                self._session.refresh()
                await self._wizard.refresh_files()
        except PreflightError as error:
            self.problem(error)

    @on(messages.HeaderAsked)
    def _header(self) -> None:
        if self._session is None:
            return
        migration, kind = self._session.record.migration, self._session.kind.value
        command = self._source.own_command("header", migration, "--type", kind)
        self.post_message(messages.RunAsked(command, self._header_written))

    def _header_written(self, _ended: str) -> None:
        if self._session and self._wizard:
            self._session.refresh()
            self.run_worker(self._wizard.refresh_files())

    @on(messages.FixAsked)
    def _fix_asked(self) -> None:
        if self._session and not self._step_worker.busy:
            self.run_worker(self._show_rewrite(self._session), group="rewrite", exclusive=True)

    async def _show_rewrite(self, session: "Session") -> None:
        """Look for the rewrite beside the screen, and show it; written after a yes alone."""
        self.notify("Looking for a rewrite and proving it on rows.", timeout=3)
        try:
            found = await self._source.rewrite(session)
        except PreflightError as error:
            self.problem(error)
            return
        if self._session is session:
            from d1_preflight.tui.places import in_project
            from d1_preflight.tui.screens.rewrite import RewriteScreen

            screen = RewriteScreen(found, in_project(session))
            self.push_screen(screen, partial(self._rewrite, session))

    async def _rewrite(self, session: "Session", found: "Fix | None") -> None:
        if found is None:
            return
        try:
            if self._step_worker.busy:
                raise NotAllowed("A step is running.", hint="Wait until it ends, or press x.")
            kept = self._source.write_rewrite(session, found)
        except PreflightError as error:
            self.problem(error)
            return
        self.notify(f"Written. The earlier text: {kept}")
        if self._wizard:
            await self._wizard.refresh_files()

    @on(messages.BrowseAsked)
    def _browsed(self, event: messages.BrowseAsked) -> None:
        if not self._browse(event.page):
            said = "No browser could be opened from here. Open this page in one yourself:"
            self.problem(NotAllowed(said, hint=event.page))

    @on(messages.RunAsked)
    async def _run(self, event: messages.RunAsked) -> None:
        name = self._session.record.migration if self._session else ""
        try:
            if self._step_worker.busy:
                raise NotAllowed("A step is running.", hint="Wait until it ends, or press x.")
            with Terminal(self):
                ended = self._source.run(event.command, name, noted=event.noted)
            event.ended(ended)
        except PreflightError as error:
            self.problem(error)

    @on(messages.StopAsked)
    async def action_leave(self, event: messages.StopAsked | None = None) -> None:
        """Leave (or stop waiting); while a step runs, ask first and say what goes on."""
        from d1_preflight.tui.screens.dialogs import Pick

        stopping = event is not None
        if not self._step_worker.busy:
            if not stopping:
                self.exit()
            return
        if isinstance(self.screen, Pick):
            return
        asked = self._step_worker.before_leaving(stopping=stopping)
        self.push_screen(Pick(*asked, danger=True), self._step_worker.leaver(stopping))

    def action_emergency(self) -> None:
        """The emergency card, from everywhere."""
        from d1_preflight.tui.screens.emergency import emergency_screen

        emergency_screen(self, self._source, self._session)

    def action_help(self) -> None:
        """Help, the section looked at first."""
        from d1_preflight.tui.screens.help import help_screen

        help_screen(self, self._wizard.section if self._wizard else "")

    def action_theme(self) -> None:
        """Dark, light, high contrast, and dark again."""
        self.theme = theme.after(self.theme)
