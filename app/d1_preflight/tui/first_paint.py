"""The board's rows before the screen itself is loaded: plain escapes, nothing imported for them.

They stand on the alternate screen that Textual then draws on. Where it does not come, they are
wiped, so that what is said instead stands where the command was typed.
"""

import os
import sys
import termios
from collections.abc import Iterator, Sequence
from contextlib import suppress

from d1_preflight.core.project.naming import judged_part, split_number

_ENTER, _LEAVE = "\x1b[?1049h\x1b[H\x1b[2J\x1b[?25l", "\x1b[?1049l\x1b[?25h"
_AROUND = 6  # lines of the board that hold no row
_NUMBER, _CLASS = 5, 15
_SHOWN = {"": "…", "destructive": "DESTRUCTIVE", "unknown": "? unknown"}

Row = tuple[str, str, str]
"""A file's name, the class an earlier start found, and what the ledger said of it then."""


class FirstPaint:
    """What stands on the terminal until the screen comes; keys pressed meanwhile are kept."""

    def __init__(self, place: str, rows: Sequence[Row], ledger_age: str = "") -> None:
        """Paint the migrations of a database, with what earlier runs know of each, or ""."""
        size = os.get_terminal_size(sys.stdout.fileno())
        columns, height = size.columns or 80, size.lines or 24  # some terminals say 0
        lines = [f" preflight   {place}   ◐ reading the files… {ledger_age}", "", *_lines(rows)]
        shown = lines[: max(height - _AROUND, 3)]
        fitting = (printable(line)[:columns] for line in shown)
        self._stands = True
        self._before = termios.tcgetattr(sys.stdin.fileno())
        quiet = [*self._before[:3], self._before[3] & ~(termios.ECHO | termios.ICANON)]
        termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, [*quiet, *self._before[4:]])
        _write(_ENTER + "\r\n".join(fitting))

    def hand_over(self) -> None:
        """The screen comes now, and draws over it."""
        if self._stands:
            self._stands = False
            termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, self._before)

    def wipe(self) -> None:
        """The screen does not come: the terminal is as it was."""
        if self._stands:
            self.hand_over()
            with suppress(OSError):
                _write(_LEAVE)


def _lines(rows: Sequence[Row]) -> Iterator[str]:
    """Number, words, class and the ledger's word in columns, as the board has them."""
    known = [(*split_number(judged_part(name)), name, *told) for name, *told in rows]
    named = [(n, words or name.removesuffix(".sql"), *told) for n, words, name, *told in known]
    width = max((len(words) for _, words, *_ in named), default=0)
    for number, words, kind, remote in named:
        shown = f"{_SHOWN.get(kind, kind):<{_CLASS}}"
        yield f"   {number:<{_NUMBER}}{words:<{width}} {shown}{remote}".rstrip()


def printable(line: str) -> str:
    """The line without what moves a terminal: a file's name may hold escapes."""
    return "".join(c for c in line if c.isprintable())


def _write(text: str) -> None:
    os.write(sys.stdout.fileno(), text.encode("utf-8", "replace"))
