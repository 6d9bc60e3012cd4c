"""The live output of the commands: plain lines, never markup."""

from collections.abc import Iterable

from textual.widgets import Log

from d1_preflight.tui.running_step import KEPT_LINES


class OutputPane(Log):
    """Follows what is printed; `o` opens and closes it."""

    def __init__(self, lines: Iterable[str]) -> None:
        super().__init__(highlight=False, max_lines=KEPT_LINES, id="output")
        self._earlier = tuple(lines)
        self.border_title = "output"

    def on_mount(self) -> None:
        """Show what was printed before this screen opened."""
        self.write_lines(self._earlier)

    def take(self, lines: list[str]) -> None:
        """Add the lines of one frame in one go."""
        if lines:
            self.write_lines(lines)
