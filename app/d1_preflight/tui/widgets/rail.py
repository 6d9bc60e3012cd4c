"""The rail: every section and step with mark and word; where am I?"""

from collections.abc import Sequence

from textual.content import Content
from textual.widget import Widget

from d1_preflight.core.checklist.checklist import Section, Step
from d1_preflight.core.record.record import MARKS, Status
from d1_preflight.tui.styles import ACCENT, QUIET, STRONG, WORDS, ink_of
from d1_preflight.tui.view import View

_SHORT, _TITLE = 10, 16


class Rail(Widget):
    """The sections; the one looked at is unfolded. On narrow screens only marks and numbers."""

    def __init__(self) -> None:
        super().__init__()
        self._view: View | None = None
        self._runs: Step | None = None

    def show(self, view: View, running: Step | None) -> None:
        """Draw the states as they are now."""
        self._view, self._runs = view, running
        self.refresh()

    def render(self) -> Content:
        """One line a section, and one a step of the section looked at."""
        if self._view is None:
            return Content("")
        narrow = self.size.width < _TITLE
        lines: list[Content] = []
        for section, steps in self._view.session.sections:
            here = self._view.step in steps
            marks = self._marks(steps)
            lines.append(_folded(section, marks, here=here, narrow=narrow))
            if here and not narrow and section.number:
                lines.extend(self._step(step) for step in steps)
        return Content("\n").join(lines)

    def _status(self, step: Step) -> Status:
        if step == self._runs or self._view is None:
            return Status.RUNNING
        return self._view.session.status_of(step)

    def _marks(self, steps: Sequence[Step]) -> Content:
        states = [(step, self._status(step)) for step in steps]
        chosen = self._view.step if self._view else None
        parts = [
            (MARKS[status], f"{ink_of(status)} underline" if step == chosen else ink_of(status))
            for step, status in states
        ]
        return Content.assemble(*parts)

    def _step(self, step: Step) -> Content:
        here = self._view is not None and step == self._view.step
        status = self._status(step)
        ink = ACCENT if here else ink_of(status)
        return Content.assemble(
            (" ▸ " if here else "   ", ACCENT),
            (f"{MARKS[status]} {step.short[:_SHORT]:<{_SHORT}} ", ink),
            (WORDS[status], ink if here else QUIET),
        )


def _folded(section: Section, marks: Content, *, here: bool, narrow: bool) -> Content:
    ink = STRONG if here else ""
    pointer = ("▸" if here else " ", ACCENT)
    if narrow:
        return Content.assemble(pointer, (section.number or section.title[:5], ink), " ", marks)
    name = f"{section.number} {section.title}" if section.number else f"  {section.title}"
    return Content.assemble(pointer if not section.number else " ", (f"{name:<18}", ink), marks)
