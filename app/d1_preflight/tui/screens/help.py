"""Help: keys and reference, one key from every screen."""

from textwrap import wrap
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.widgets import Static

from d1_preflight.tui.help_text import TOPICS, Topic, topic_for
from d1_preflight.tui.screens.quick import QuickScreen
from d1_preflight.tui.screens.reading import pick_to_copy
from d1_preflight.tui.styles import QUIET, STRONG
from d1_preflight.tui.widgets.bars import KeyBar
from d1_preflight.tui.widgets.lines import LineView

_EXAMPLE = "    "


def help_screen(app: App[None], section: str) -> None:
    """Open help at the topic of a section, once."""
    if not isinstance(app.screen, HelpScreen):
        app.push_screen(HelpScreen(topic_for(section)))


class HelpScreen(QuickScreen[None]):
    """Keys and reference, a topic at a time."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("left,shift+tab", "turn(-1)", "topic before"),
        ("right,tab", "turn(1)", "topic after"),
        ("c", "copy", "copy a command or the page"),
        ("escape,enter,question_mark", "close", "close"),
    ]

    def __init__(self, first: Topic) -> None:
        super().__init__()
        self._index = TOPICS.index(first)

    def compose(self) -> ComposeResult:
        """The topic's title, its text, the keys."""
        yield Static(id="topic", classes="card-title")
        yield LineView(id="text")
        yield KeyBar()

    def on_mount(self) -> None:
        """Draw."""
        self.query_one(LineView).add_class("card")
        self.query_one(LineView).focus()
        self._draw()

    def on_resize(self) -> None:
        """Wrap anew."""
        self._draw()

    def action_turn(self, by: int) -> None:
        """Show another topic."""
        self._index = (self._index + by) % len(TOPICS)
        self._draw()
        self.query_one(LineView).scroll_home(animate=False)

    def action_copy(self) -> None:
        """Ask which command or SQL of the page is copied, or the page."""
        topic = TOPICS[self._index]
        examples = [(" ".join(text.split()), text) for text in _examples(topic)]
        pick_to_copy(self, [*examples, ("the page", topic.text)])

    def action_close(self) -> None:
        """Back to where it was opened."""
        self.dismiss()

    def _draw(self) -> None:
        topic = TOPICS[self._index]
        place = Content.styled(f"   {self._index + 1} of {len(TOPICS)}", QUIET)
        self.query_one("#topic", Static).update(Content.assemble(topic.title, place))
        self.query_one(LineView).show_lines(_laid(topic, max(self.size.width - 6, 40)))
        before = TOPICS[self._index - 1].title
        after = TOPICS[(self._index + 1) % len(TOPICS)].title
        keys = [("←", before), ("→", after), ("↑↓", "scroll"), ("c", "copy")]
        self.query_one(KeyBar).tell(("Esc", "back"), keys, always=(("!", "emergency"),))


def _examples(topic: Topic) -> list[str]:
    """The commands and statements of a page; a statement of several lines is one."""
    found: list[str] = []
    goes_on = False
    for line in topic.text.splitlines():
        is_example = line.startswith(_EXAMPLE)
        if is_example and goes_on:
            found[-1] += f"\n{line.removeprefix(_EXAMPLE)}"
        elif is_example:
            found.append(line.removeprefix(_EXAMPLE))
        goes_on = is_example and found[-1].count("(") > found[-1].count(")")
    return found


def _laid(topic: Topic, width: int) -> list[Content]:
    lines: list[Content] = []
    for line in topic.text.splitlines():
        words, rest = line.strip(), line
        if line.startswith("## "):
            lines.append(Content.styled(line[3:], STRONG))
        elif line.startswith(_EXAMPLE):
            lines.append(Content.styled(rest[2:], "$string"))
        elif "│" in line:
            first, _, second = words.partition("│")
            room = min(30, width // 3)
            lines += _two(first.strip(), second.strip(), room, width)
        else:
            lines += [Content(part) for part in (wrap(words, width) or [""])]
    return lines


def _two(first: str, second: str, room: int, width: int) -> list[Content]:
    left, right = wrap(first, room) or [""], wrap(second, width - room - 2) or [""]
    count = max(len(left), len(right))
    left += [""] * (count - len(left))
    right += [""] * (count - len(right))
    return [
        Content.assemble((f"{a:<{room}}  ", STRONG), b) for a, b in zip(left, right, strict=True)
    ]
