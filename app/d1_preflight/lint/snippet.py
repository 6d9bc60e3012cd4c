"""The reader's own line with the place underlined, safe for any terminal and never too long."""

from d1_preflight.core.findings import Finding
from d1_preflight.core.format import cell_width, clean
from d1_preflight.lazy_dataclass import dataclass

_LEAD = 20
"""How much of a long line is kept before the place."""


@dataclass(frozen=True, slots=True)
class Snippet:
    """One line, and where the underline begins and how far it goes, in terminal columns.

    `more` is how many further lines the place covers.
    """

    line: str
    offset: int
    length: int
    more: int


class Lines:
    """A text's lines by number, as SQLite counts them: only line feeds end one."""

    def __init__(self, text: str) -> None:
        self._lines = text.split("\n")

    def snippet(self, finding: Finding, width: int) -> Snippet | None:
        """The place of a finding; None for one that is about the file as a whole."""
        if (finding.line, finding.column) == (finding.end_line, finding.end_column):
            return None
        if not 0 < finding.line <= len(self._lines):
            return None
        line = clean(self._lines[finding.line - 1].removesuffix("\r"))
        start = min(max(finding.column - 1, 0), len(line))
        end = finding.end_column - 1 if finding.end_line <= finding.line else len(line.rstrip())
        end = max(start + 1, min(end, len(line)))
        cut, left = _window(line, start, width)
        return Snippet(
            line=cut,
            offset=cell_width(cut[: start - left]),
            length=max(1, cell_width(cut[start - left : end - left])),
            more=max(0, finding.end_line - finding.line),
        )


def _window(line: str, start: int, width: int) -> tuple[str, int]:
    """What fits around the place, and the index of its first character in the line."""
    if len(line) <= width:
        return line, 0
    left = max(0, min(start - _LEAD, len(line) - width))
    part = line[left : left + width]
    if left:
        part = f"…{part[1:]}"
    return (f"{part[:-1]}…" if left + width < len(line) else part), left
