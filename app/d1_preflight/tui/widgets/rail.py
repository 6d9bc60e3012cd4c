"""The rail: every section and step with mark and word; where am I?"""

from collections.abc import Container, Iterator, Mapping, Sequence

from textual import events
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.widget import Widget

from d1_preflight.core.checklist.checklist import Section, Step
from d1_preflight.core.record.record import MARKS, Status
from d1_preflight.tui.styles import ACCENT, QUIET, STRONG, WORDS, ink_of
from d1_preflight.tui.view import View

_SHORT, _TITLE = 13, 16


class Rail(Widget):
    """The sections; the one looked at is unfolded, on a high screen all. Narrow: only marks."""

    class Chosen(Message):
        """A step was clicked, or a section: its first open step."""

        def __init__(self, step: Step) -> None:
            super().__init__()
            self.step = step

    def __init__(self) -> None:
        super().__init__()
        self._view: View | None = None
        self._states: Mapping[str, Status] = {}
        self._laid: tuple[Size, list[tuple[Content, Step]]] = (Size(), [])

    def show(self, view: View, running: Container[str]) -> None:
        """Draw the states as they are now; of the lines, those that differ."""
        steps = [step for _, steps in view.session.sections for step in steps]
        self._view, self._states = (
            view,
            {
                step.id: Status.RUNNING if step.id in running else view.session.status_of(step)
                for step in steps
            },
        )
        size, before = self._laid
        now = self._lay()
        if size != self.size or len(before) != len(now):
            self.refresh()
            return
        for y, ((old, _), (new, _)) in enumerate(zip(before, now, strict=True)):
            if not new.is_same(old):
                self.refresh(Region(0, y, size.width, 1))

    @property
    def steps(self) -> list[tuple[Section, Step]]:
        """Every step that one may go to, with its section."""
        sections = self._view.session.sections if self._view else ()
        return [(section, step) for section, steps in sections for step in steps]

    def render(self) -> Content:
        """One line a section, and one a step of the section looked at."""
        lines = self._laid[1] if self._laid[0] == self.size else self._lay()
        return Content("\n").join([line for line, _ in lines])

    def on_click(self, event: events.Click) -> None:
        """A click on a line goes to its step."""
        lines = self._laid[1]
        if event.y < len(lines):
            self.post_message(self.Chosen(lines[event.y][1]))

    def _lay(self) -> list[tuple[Content, Step]]:
        lines = list(self._lines(self._view)) if self._view else []
        self._laid = (self.size, lines)
        return lines

    def _lines(self, view: View) -> Iterator[tuple[Content, Step]]:
        """Each line, and the step that a click on it goes to."""
        narrow = self.size.width < _TITLE
        whole = sum(1 + len(steps) for _, steps in view.session.sections) <= self.size.height
        for section, steps in view.session.sections:
            here = view.step in steps
            waiting = (step for step in steps if not self._status(step).is_answered)
            marks = self._marks(steps)
            yield _folded(section, marks, here=here, narrow=narrow), next(waiting, steps[0])
            if (here or whole) and not narrow and section.number:
                yield from ((self._step(step), step) for step in steps)

    def _status(self, step: Step) -> Status:
        return self._states.get(step.id, Status.PENDING)

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
        ink = ink_of(status)
        return Content.assemble(
            (" ▸ " if here else "   ", ACCENT),
            (f"{MARKS[status]} ", ink),
            (f"{step.short[:_SHORT]:<{_SHORT}} ", ACCENT if here else ink),
            (WORDS[status], ink if here else QUIET),
        )


def _folded(section: Section, marks: Content, *, here: bool, narrow: bool) -> Content:
    ink = STRONG if here else ""
    pointer = ("▸" if here else " ", ACCENT)
    if narrow:
        return Content.assemble(pointer, (section.number or section.title[:5], ink), " ", marks)
    name = f"{section.number} {section.title}" if section.number else f"  {section.title}"
    return Content.assemble(pointer if not section.number else " ", (f"{name:<18}", ink), marks)
