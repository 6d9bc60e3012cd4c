"""Edits of the author's text: spans are replaced, everything else stays as it is."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import takewhile
from typing import Self

from d1_preflight.core.engine.trace import StatementTrace
from d1_preflight.core.project.migration import is_header_line
from d1_preflight.core.sql.tokenizer import Statement, Token, TokenKind, all_tokens

BREAKPOINT = "--> statement-breakpoint"
"""The comment that drizzle writes between two statements."""
_REST_OF_LINE = re.compile(r"[ \t]*(?:/\*[^\n]*?\*/[ \t]*)*(?:--[^\r\n]*)?(?=\r?\n|\Z)")


@dataclass(frozen=True, slots=True)
class Edit:
    """The text from `start` up to `end` becomes `text`."""

    start: int
    end: int
    text: str

    @classmethod
    def of(cls, trace: StatementTrace, token: Token, text: str, last: Token | None = None) -> Self:
        """A token of a statement, or all from it to the `last`, becomes `text`."""
        begin = trace.statement.begin
        return cls(begin + token.start, begin + (last or token).end, text)

    @classmethod
    def behind(cls, trace: StatementTrace, token: Token, text: str) -> Self:
        """`text` comes behind a token of a statement."""
        place = trace.statement.begin + token.end
        return cls(place, place, text)


def edited(text: str, edits: Iterable[Edit]) -> str:
    """The text with all edits made; those at one place come in the given order."""
    parts, at = list[str](), 0
    for edit in sorted(edits, key=lambda e: e.start):
        if edit.start < at:
            raise ValueError(f"two edits overlap at {edit.start}")
        parts += [text[at : edit.start], edit.text]
        at = edit.end
    made = "".join((*parts, text[at:]))
    return _between_statements(made, text) if parts and BREAKPOINT in text else made


def _between_statements(made: str, before: str) -> str:
    """The text with drizzle's comment between statements alone: a part that holds none joins in.

    drizzle runs each part by itself, and D1 refuses one that holds comments alone.
    """
    parts, waiting = list[str](), ""
    for part in made.split(BREAKPOINT):
        if all(token.kind is TokenKind.COMMENT for token in all_tokens(part)):
            waiting = _joined(waiting, part)
        else:
            parts.append(_joined(waiting, part))
            waiting = ""
    if not parts:
        return waiting
    if re.search(rf"{BREAKPOINT}\s*\Z", before):
        return BREAKPOINT.join((*parts[:-1], _joined(parts[-1], waiting.rstrip()), _end_of(made)))
    return BREAKPOINT.join((*parts[:-1], _joined(parts[-1], waiting).rstrip() + _end_of(made)))


def _joined(one: str, other: str) -> str:
    """Two parts as one, on lines of their own; blank ones leave nothing."""
    if not one.strip() or not other.strip():
        return other if other.strip() or not one.strip() else one
    return one.rstrip() + newline(other) + other.lstrip("\r\n")


def _end_of(text: str) -> str:
    return text[len(text.rstrip()) :]


class LinesBefore:
    """The lines of a text that was edited, as they were numbered before."""

    def __init__(self, before: str) -> None:
        self._before = self._now = before
        self._blocks: list[tuple[int, int, int]] | None = None

    def now(self, text: str) -> None:
        """From here on lines are those of this text."""
        if text != self._now:
            self._now, self._blocks = text, None

    def of(self, line: int) -> int:
        """The line before; of one that is new, that which stood in its place."""
        if self._now == self._before:
            return line
        if self._blocks is None:
            self._blocks = _same_lines(self._before.splitlines(), self._now.splitlines())
        old, new, size = next((b for b in reversed(self._blocks) if b[1] < line), (0, 0, 0))
        return min(old + min(line - new, size + 1), self._before.count("\n") + 1)


def _same_lines(before: Sequence[str], now: Sequence[str]) -> list[tuple[int, int, int]]:
    """The blocks of lines that both have; what is equal at both ends is not compared."""
    head = _alike(before, now)
    tail = _alike(before[head:][::-1], now[head:][::-1])
    old, new = (lines[head : len(lines) - tail] for lines in (before, now))
    found = SequenceMatcher(None, old, new).get_matching_blocks()
    blocks = [(b.a + head, b.b + head, b.size) for b in found if b.size]
    ends = [(0, 0, head), *blocks, (len(before) - tail, len(now) - tail, tail)]
    return [block for block in ends if block[2]]


def _alike(one: Sequence[str], other: Sequence[str]) -> int:
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
                min(len(one), len(other)))  # fmt: skip


def insert_before(text: str, statement: Statement, lines: Sequence[str]) -> Edit:
    """New statements before one; the comments above it stay with it."""
    place = end_of_line(text, statement.start)
    begin = statement.begin
    if statement.start == 0 or place > begin:
        return Edit(begin, begin, "".join(f"{line}{_between(text)}" for line in lines))
    if BREAKPOINT in text[statement.start : place]:
        return Edit(place, place, _with_breakpoints(text, lines, last=True))
    return Edit(place, place, _between(text) + _between(text).join(lines))


def insert_after(text: str, statement: Statement, lines: Sequence[str]) -> Edit:
    """New statements after one, and after the comment on its line."""
    place = end_of_line(text, statement.end)
    if BREAKPOINT in text[statement.end : place]:
        is_last = not text[place:].strip()
        return Edit(place, place, _with_breakpoints(text, lines, last=not is_last))
    return Edit(place, place, _between(text) + _between(text).join(lines))


def _with_breakpoints(text: str, lines: Sequence[str], *, last: bool) -> str:
    """Lines that end in drizzle's comment, as the author's do."""
    end = newline(text)
    return end + f"{BREAKPOINT}{end}".join(lines) + (BREAKPOINT if last else "")


def without(text: str, statement: Statement, *, heading: bool = False) -> Edit:
    """A statement taken out, with its line where nothing else is on it.

    With `heading` the comments right above it go too: they would head nothing.
    """
    begin, end = statement.begin, statement.end
    line = text.rfind("\n", 0, begin) + 1
    after = re.compile(r"[ \t]*(?:--> statement-breakpoint)?[ \t]*(?:\r?\n|\Z)").match(text, end)
    if not text[line:begin].strip() and after:
        return Edit(_above(text, line) if heading else line, after.end(), "")
    blanks = len(text[end:]) - len(text[end:].lstrip(" \t"))
    return Edit(begin, end + blanks, "")


def _above(text: str, line: int) -> int:
    """Where the comments right above a line begin; the line itself, if they head the file."""
    lines = text[:line].splitlines(keepends=True)
    count = len(list(takewhile(_is_heading, reversed(lines))))
    if count in (0, len(lines)):
        return line
    count += not lines[-count - 1].strip()
    return line - sum(map(len, lines[len(lines) - count :]))


def _is_heading(line: str) -> bool:
    words = line.strip()
    is_kept = "preflight:" in words or BREAKPOINT in words or is_header_line(words)
    return words.startswith("--") and not is_kept


def newline(text: str) -> str:
    """The line end of a text."""
    return "\r\n" if "\r\n" in text else "\n"


def _between(text: str) -> str:
    end = newline(text)
    return f"{end}{BREAKPOINT}{end}" if BREAKPOINT in text else end


def end_of_line(text: str, offset: int) -> int:
    """The end of the line, where only a comment follows on it; else the place itself."""
    found = _REST_OF_LINE.match(text, offset)
    return found.end() if found else offset
