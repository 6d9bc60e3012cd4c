"""The output of the step looked at: plain lines, never markup."""

from textual.widgets import Log

from d1_preflight.core.checklist.checklist import Step
from d1_preflight.tui.running_step import KEPT_LINES, RunningStep


class OutputPane(Log):
    """Follows what a step's commands print; `o` opens and closes it."""

    def __init__(self, running_step: RunningStep) -> None:
        super().__init__(highlight=False, max_lines=KEPT_LINES, id="output")
        self._running_step = running_step
        self._step, self._seen = "", 0

    @property
    def has_lines(self) -> bool:
        """Whether the step looked at has printed anything."""
        return self._seen > 0

    def follow(self, step: Step) -> None:
        """Show what this step printed, each frame's new lines in one go."""
        if step.id != self._step or self._running_step.counts.get(step.id, 0) < self._seen:
            self._step, self._seen = step.id, 0
            self.clear()
            self.border_title = f"output of {step.short}"
        if lines := self._running_step.after(step.id, self._seen):
            self._seen = self._running_step.counts[step.id]
            self.write_lines(lines)
