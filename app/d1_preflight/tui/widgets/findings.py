"""What was found in a migration: its words at the SQL's line, or in a pane beside the SQL."""

from collections.abc import Iterator, Sequence
from textwrap import wrap

from textual import events
from textual.content import Content
from textual.message import Message

from d1_preflight.core.findings import Finding, Severity
from d1_preflight.tui.styles import ACCENT, DANGER, QUIET, STRONG
from d1_preflight.tui.widgets.lines import LineView

INKS = {Severity.BLOCKING: DANGER, Severity.WARNING: STRONG, Severity.NOTE: QUIET}
_INSTEAD, _JOINTS = "Instead  ", "_.,(/"
_ROOMY, _LEAST = 40, 20
_MARKS = {Severity.BLOCKING: "✗", Severity.WARNING: "!", Severity.NOTE: "·"}


def advice(finding: Finding, room: int) -> list[Content]:
    """What happens, what to write instead, and what the file says about it."""
    words = [Content(line) for line in folded(finding.message or finding.title, room)]
    instead = [Content(line) for line in _instead(finding.instead, room)]
    said = {"allowed": finding.allowed, "declared": finding.declared}
    answered = [
        Content(line)
        for word, reason in said.items()
        if reason
        for line in folded(f"{word} in the file: {reason}", room)
    ]
    return [*words, *instead, *answered]


def _instead(steps: Sequence[str], room: int) -> Iterator[str]:
    if steps and room < _ROOMY:  # a line of its own: the steps need the breadth
        yield _INSTEAD.rstrip()
    before = _INSTEAD if room >= _ROOMY else "  "
    indent = len(before) + 2
    for number, step in enumerate(steps, start=1):
        first, *rest = [*folded(step, max(room - indent, _LEAST))] or [""]
        yield f"{before if number == 1 else ' ' * len(before)}{number} {first}"
        yield from (f"{' ' * indent}{line}" for line in rest)


def folded(words: str, room: int) -> Iterator[str]:
    """Lines of whole words; one that is too long breaks where its parts meet, if it has any."""
    line, room = "", max(room, 1)  # a breadth of nothing ends, too
    for word in words.split():
        longer = f"{line} {word}" if line else word
        if len(longer) > room:
            yield from [line] * bool(line)
            *full, longer = _parts(word, room)
            yield from full
        line = longer
    yield from [line] * bool(line)


def _parts(word: str, room: int) -> Iterator[str]:
    while len(word) > room:
        joint = max(word.rfind(sign, room // 3, room) for sign in _JOINTS) + 1
        cut = joint or room
        yield word[:cut]
        word = word[cut:]
    yield word


class FindingsPane(LineView, can_focus=False):
    """The findings beside the SQL: what blocks is unfolded, and so is the chosen one."""

    class Chosen(Message):
        """A finding was clicked."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._findings: tuple[Finding, ...] = ()
        self._chosen = 0
        self._owners: list[int] = []

    def show(self, findings: Sequence[Finding], chosen: int) -> None:
        """Show them with one chosen, and bring that one into view."""
        self._findings, self._chosen = tuple(findings), chosen
        self._draw()

    def on_resize(self) -> None:
        """Wrap the words anew."""
        self._draw()

    def on_click(self, event: events.Click) -> None:
        """A click chooses the finding."""
        line = event.y + self.scroll_offset.y
        if 0 <= line < len(self._owners):
            self.post_message(self.Chosen(self._owners[line]))

    def _draw(self) -> None:
        room = max(self.size.width - 2, 20)
        lines: list[Content] = []
        self._owners = []
        for index, finding in enumerate(self._findings):
            shown = self._told(index, finding, room)
            lines += shown
            self._owners += [index] * len(shown)
        self.show_lines(lines)
        if self._chosen in self._owners:
            first = self._owners.index(self._chosen)
            self.show_span(first, first + self._owners.count(self._chosen) - 1)

    def _told(self, index: int, finding: Finding, room: int) -> list[Content]:
        here, ink = index == self._chosen, INKS[finding.severity]
        place = f"line {finding.line}  " if finding.line else ""
        head = f"{_MARKS[finding.severity]} {finding.severity}  {place}{finding.rule}"
        shown = [
            Content.assemble(("▸" if here and not n else " ", ACCENT), (line, ink))
            for n, line in enumerate(wrap(head, room, break_on_hyphens=False))
        ]
        if here or finding.blocks:
            shown += [Content.assemble("  ", line) for line in advice(finding, room - 2)]
        elif finding.title:
            shown += [
                Content.styled(f"  {line}", QUIET) for line in folded(finding.title, room - 2)
            ]
        return [*shown, Content("")]
