"""A proved rewrite before it is written: what it does, what it leaves and why, and the diff."""

from collections.abc import Iterator
from difflib import SequenceMatcher, unified_diff
from itertools import zip_longest
from textwrap import wrap
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.widgets import Static

from d1_preflight.core.remedies.fix import Fix
from d1_preflight.tui.copyable import Copyable
from d1_preflight.tui.screens.quick import QuickScreen
from d1_preflight.tui.screens.reading import pick_to_copy
from d1_preflight.tui.styles import ACCENT, DANGER, QUIET, STRONG
from d1_preflight.tui.widgets.bars import KeyBar
from d1_preflight.tui.widgets.lines import LineView

_SIDE_BY_SIDE = 120
_AROUND = 2
_GAP = " │ "
_GOES_ON = " " * 6


class RewriteScreen(QuickScreen[Fix | None]):
    """Shows a rewrite, or the split of the file; gives what is to be written after a yes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("y", "write", "write it"),
        ("s", "split", "a file for each change"),
        ("c", "copy", "copy the rewritten file or the diff"),
        ("escape,enter,q", "close", "back"),
    ]

    def __init__(self, found: Fix, path: str) -> None:
        super().__init__()
        self._fix, self._path = found, path
        only_split = found.split is not None and not found.is_offered
        self._found = found.split if found.split and only_split else found

    def compose(self) -> ComposeResult:
        """The title, the words and the diff, the keys."""
        yield Static(self._title, classes="card-title")
        yield LineView(id="rewrite")
        yield KeyBar()

    def on_mount(self) -> None:
        """Draw."""
        view = self.query_one(LineView)
        view.add_class("card")
        view.focus()
        self._draw()

    def on_resize(self) -> None:
        """Lay the diff out anew."""
        self._draw()

    def action_write(self) -> None:
        """Yes: write it. Where nothing is offered there is nothing to write."""
        if self._found.is_offered:
            self.dismiss(self._found)

    def action_split(self) -> None:
        """Show the file for each change, or the rewrite again."""
        if self._fix.split is not None:
            self._found = self._fix.split if self._found is self._fix else self._fix
            self.query_one(".card-title", Static).update(self._title)
            self._draw()

    def action_copy(self) -> None:
        """Ask what of the rewrite is copied; where none is proved there is nothing to copy."""
        pick_to_copy(self, _copies(self._found, self._path))

    def action_close(self) -> None:
        """No: nothing is written."""
        self.dismiss(None)

    @property
    def _title(self) -> str:
        if self._found is self._fix.split:
            return "A file for each change"
        return "The safe way" if self._found.is_offered else "No proved rewrite was found"

    def _draw(self) -> None:
        width = max(self.size.width - 4, 40)
        lines = [*_words(self._found, width), Content(""), *diff_lines(self._found, width)]
        lines += _new_files(self._found)
        self.query_one(LineView).show_lines(lines)
        keys = [("↑↓", "scroll")]
        first = ("Esc", "back, nothing is written")
        if self._found.is_offered:
            keys.insert(0, ("y", "write it"))
        if self._fix.split is not None:
            other = "the rewrite" if self._found is self._fix.split else "a file for each change"
            keys.append(("s", other))
        if self._found.is_offered:
            keys.append(("c", "copy"))
        self.query_one(KeyBar).tell(first, keys, always=(("!", "emergency"),))


def _copies(found: Fix, path: str) -> list[Copyable]:
    """The rewritten file, its diff as git names files, and each further file, where proved."""
    if not found.is_offered:
        return []
    old, new = (text.splitlines() for text in (found.before, found.after))
    diff = "\n".join(unified_diff(old, new, f"a/{path}", f"b/{path}", lineterm=""))
    more = [(f"the new file {name}", text) for name, text in found.files]
    return [("the rewritten file", found.after), ("the diff", f"{diff}\n"), *more]


def _words(found: Fix, width: int) -> Iterator[Content]:
    """What is done, on what it is proved, what differs, and what stays."""
    for answer in found.done:
        yield from _wrapped(f"+ {answer.finding.rule}: it {answer.what}", width, STRONG)
    if found.is_offered:
        rows = f"Proved on {found.proof.rows}: no row or value of yours is lost."
        yield from _wrapped(rows, width, "")
    for difference in found.proof.differences if found.is_offered else ():
        yield from _wrapped(f"The final schema differs from yours: {difference}", width, DANGER)
    for note in found.notes:
        yield from _wrapped(note, width, "")
    for rule, reason in found.reasons:
        yield from _wrapped(f"- {rule} stays: {reason}", width, QUIET)


def _new_files(found: Fix) -> Iterator[Content]:
    """The further files, each behind its name."""
    for name, text in found.files:
        yield Content("")
        yield Content.styled(f"new file {name}", STRONG)
        yield from (Content.styled(f"+ {line}", ACCENT) for line in _shown(text))


def _wrapped(words: str, width: int, ink: str) -> Iterator[Content]:
    for line in wrap(words, width, subsequent_indent="  "):
        yield Content.styled(line, ink) if ink else Content(line)


def diff_lines(found: Fix, width: int) -> Iterator[Content]:
    """The diff: side by side where the screen is wide enough."""
    if not found.is_offered:
        return
    old, new = (_shown(text) for text in (found.before, found.after))
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    for number, group in enumerate(matcher.get_grouped_opcodes(_AROUND)):
        if number:
            yield Content.styled("…", QUIET)
        for tag, a, b, c, d in group:
            if width >= _SIDE_BY_SIDE - _AROUND * 2:
                yield from _beside(old[a:b], new[c:d], width, same=tag == "equal")
            else:
                yield from _below(old[a:b], new[c:d], width, same=tag == "equal")


def _below(old: list[str], new: list[str], width: int, *, same: bool) -> Iterator[Content]:
    if same:
        yield from (Content(line) for line in _marked(" ", old, width))
        return
    yield from (Content.styled(line, QUIET) for line in _marked("-", old, width))
    yield from (Content.styled(line, ACCENT) for line in _marked("+", new, width))


def _beside(old: list[str], new: list[str], width: int, *, same: bool) -> Iterator[Content]:
    half = (width - len(_GAP)) // 2
    for one, other in zip_longest(old, new):
        left = list(_marked(" " if same else "-", [] if one is None else [one], half))
        right = list(_marked(" " if same else "+", [] if other is None else [other], half))
        for first, second in zip_longest(left, right, fillvalue=""):
            yield Content.assemble(
                (f"{first:<{half}}", "" if same else QUIET),
                (_GAP, QUIET),
                (second, "" if same else ACCENT),
            )


def _marked(mark: str, lines: list[str], width: int) -> Iterator[str]:
    """Lines behind their mark; what is too long goes on below, so that nothing is cut off."""
    for line in lines:
        left, begin, room = line, f"{mark} ", width - len(mark) - 1
        while len(left) > room:
            blank = left.rfind(" ", room // 2, room) + 1
            yield f"{begin}{left[: blank or room]}"
            left, begin, room = left[blank or room :], _GOES_ON, width - len(_GOES_ON)
        yield f"{begin}{left}"


def _shown(text: str) -> list[str]:
    """The lines as a terminal can show them."""
    lines = (line.expandtabs(4) for line in text.splitlines())
    return ["".join(c if c.isprintable() else "·" for c in line) for line in lines]
