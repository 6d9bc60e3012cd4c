"""The migration's SQL with line numbers, findings at their lines, and calm highlighting."""

import re
from collections.abc import Sequence
from textwrap import wrap

from textual.content import Content, Span
from textual.events import Resize

from d1_preflight.core.findings import Finding, Severity
from d1_preflight.tui.styles import DANGER, QUIET, STRONG
from d1_preflight.tui.widgets.lines import LineView

_TOKEN = re.compile(
    r"(?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z))"
    r"|(?P<string>'(?:[^']|'')*(?:'|\Z))"
    r'|(?P<name>"(?:[^"]|"")*(?:"|\Z)|`[^`]*`|\[[^\]\n]*\])'
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*)",
    re.DOTALL,
)
_KEYWORDS = frozenset(
    [
        "ADD",
        "AFTER",
        "ALTER",
        "AND",
        "AS",
        "AUTOINCREMENT",
        "BEFORE",
        "BEGIN",
        "BY",
        "CASCADE",
        "CASE",
        "CHECK",
        "COLLATE",
        "COLUMN",
        "CONFLICT",
        "CONSTRAINT",
        "CREATE",
        "CROSS",
        "DEFAULT",
        "DELETE",
        "DESC",
        "DISTINCT",
        "DO",
        "DROP",
        "EACH",
        "ELSE",
        "END",
        "EXISTS",
        "FOR",
        "FOREIGN",
        "FROM",
        "GROUP",
        "IF",
        "IN",
        "INDEX",
        "INNER",
        "INSERT",
        "INTO",
        "IS",
        "JOIN",
        "KEY",
        "LEFT",
        "LIKE",
        "LIMIT",
        "NOT",
        "NULL",
        "OF",
        "ON",
        "OR",
        "ORDER",
        "PRAGMA",
        "PRIMARY",
        "REFERENCES",
        "RENAME",
        "REPLACE",
        "RESTRICT",
        "ROW",
        "SELECT",
        "SET",
        "STRICT",
        "TABLE",
        "THEN",
        "TO",
        "TRIGGER",
        "UNION",
        "UNIQUE",
        "UPDATE",
        "USING",
        "VALUES",
        "VIEW",
        "VIRTUAL",
        "WHEN",
        "WHERE",
        "WITH",
        "WITHOUT",
    ]
)
_GUTTER = 8
_LOW = 9
_INKS = {Severity.BLOCKING: DANGER, Severity.WARNING: STRONG, Severity.NOTE: QUIET}


class SqlView(LineView, can_focus=False):
    """Shows and points; `chosen` is the finding unfolded at its line."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._shown: tuple[str, tuple[Finding, ...]] = ("", ())
        self._places: dict[int, int] = {}
        self.chosen = 0

    def show_sql(self, text: str, findings: Sequence[Finding] = ()) -> None:
        """Show a text and what was found in it; a repeated call with the same costs nothing."""
        if (text, tuple(findings)) != self._shown:
            self._shown = (text, tuple(findings))
            blocking = (i for i, finding in enumerate(findings) if finding.blocks)
            self.chosen = next(blocking, 0)
            self._draw()
            self._point()

    def choose(self, index: int) -> None:
        """Unfold one finding and bring its line into view."""
        findings = self._shown[1]
        if findings:
            self.chosen = index % len(findings)
            self._draw()
            self._point()

    def choose_line(self, rule: str, line: int) -> None:
        """Unfold the finding of a rule at a line."""
        for index, finding in enumerate(self._shown[1]):
            if (finding.rule, finding.line) == (rule, line):
                self.choose(index)
                return

    def on_resize(self, event: Resize) -> None:
        """Wrap the findings' words anew."""
        if event.size.width:
            self._draw()
            self._point()

    def _point(self) -> None:
        findings = self._shown[1]
        if findings and self.chosen < len(findings):
            above = 2 if self.size.height > _LOW else 0
            line = self._places.get(findings[self.chosen].line, 0)
            self.scroll_to(y=max(line - above, 0), animate=False)

    def _draw(self) -> None:
        text, findings = self._shown
        lines: list[Content] = []
        self._places = {}
        blocks = {f.line for f in findings if f.blocks}
        for number, code in enumerate(highlighted(text.rstrip("\n")), start=1):
            self._places[number] = len(lines)
            bar = ("▌", DANGER) if number in blocks else " "
            lines.append(Content.assemble(bar, (f"{number:>4}   ", QUIET), code))
            for index, finding in enumerate(findings):
                if max(finding.line, 1) == number:
                    lines.extend(self._block(finding, code.plain, full=index == self.chosen))
        self.show_lines(lines)

    def _block(self, finding: Finding, code: str, *, full: bool) -> list[Content]:
        pad, ink = " " * _GUTTER, _INKS[finding.severity]
        room = max(self.size.width - _GUTTER - 2, 30)
        start, length = _underlined(finding, code)
        label = f"{finding.rule} · {finding.severity}"
        if len(label) + start + length + 1 > room:
            start, length = 0, max(min(length, room - len(label) - 1), 1)
        rail = f"{'━' * length} {label}"
        head = Content.assemble(pad, " " * start, (rail, ink))
        if not full:
            return [head]
        words = [Content(pad + line) for line in wrap(finding.message or finding.title, room)]
        instead = [Content(pad + line) for line in _instead(finding.instead, room)]
        said = {"allowed": finding.allowed, "declared": finding.declared}
        answered = [
            Content(f"{pad}{word} in the file: {reason}") for word, reason in said.items() if reason
        ]
        return [head, *words, *instead, *answered]


def highlighted(text: str) -> list[Content]:
    """Each line as content: keywords bold, comments quiet, strings tinted."""
    spans: list[tuple[int, int, str]] = []
    for match in _TOKEN.finditer(text):
        kind, words = match.lastgroup, match.group()
        if kind == "comment":
            spans.append((*match.span(), QUIET))
        elif kind == "string":
            spans.append((*match.span(), "$string"))
        elif kind == "word" and words.upper() in _KEYWORDS:
            spans.append((*match.span(), STRONG))
    whole = Content(text, [Span(*span) for span in spans])
    return [line.expand_tabs(4) for line in whole.split("\n", allow_blank=True)]


def _underlined(finding: Finding, code: str) -> tuple[int, int]:
    start = max(finding.column - 1, 0)
    same_line = finding.end_line in (0, finding.line) and finding.end_column > finding.column
    end = finding.end_column - 1 if same_line else len(code.rstrip())
    return start, max(end - start, 3)


def _instead(steps: Sequence[str], room: int) -> list[str]:
    lines: list[str] = []
    for number, step in enumerate(steps, start=1):
        first = "Instead  " if number == 1 else " " * 9
        wrapped = wrap(step, max(room - 11, 20)) or [""]
        lines.append(f"{first}{number} {wrapped[0]}")
        lines.extend(f"{' ' * 11}{line}" for line in wrapped[1:])
    return lines
