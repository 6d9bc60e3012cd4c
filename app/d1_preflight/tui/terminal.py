"""The terminal, lent to a child that talks to the operator itself: ssh-keygen, an editor."""

from contextlib import AbstractContextManager, ExitStack
from types import TracebackType

from textual.app import App, SuspendNotSupported


class Terminal(AbstractContextManager[None]):
    """Suspends the screen while it is held; can be held again. Without a terminal it holds."""

    def __init__(self, app: App[None]) -> None:
        self._app = app
        self._held = ExitStack()

    def __enter__(self) -> None:
        """Lend the terminal."""
        try:
            self._held.enter_context(self._app.suspend())
        except SuspendNotSupported:
            # Under a test or a web terminal there is nothing to lend; the child needs none.
            return

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take it back, whatever the child met: what it raised goes on from here by itself."""
        # Textual's suspend resumes only where nothing is thrown into it.
        held, self._held = self._held, ExitStack()
        held.close()
