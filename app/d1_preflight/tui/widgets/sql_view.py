"""The migration's SQL with line numbers, findings at their lines, and calm highlighting."""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache, partial
from itertools import groupby

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content, Span
from textual.events import Resize

from d1_preflight.core.findings import Finding
from d1_preflight.tui.styles import DANGER, QUIET, STRONG
from d1_preflight.tui.widgets.findings import INKS, FindingsPane, advice
from d1_preflight.tui.widgets.lines import LineView, Match, lines_with
from d1_preflight.tui.widgets.panes import PANES

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
_TEXTS = 8  # both files of a migration, and those beside it on the board
_LOW = 9
_FOLDS = 4


class SqlView(LineView, can_focus=False):
    """Shows and points; `chosen` is the finding unfolded at its line."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._shown: tuple[str, tuple[Finding, ...]] = ("", ())
        self._places: dict[int, int] = {}
        self.chosen = 0
        self._pane: FindingsPane | None = None
        self._sought = ""

    def mark(self, words: str) -> None:
        """Show where these words stand."""
        self._sought = words
        self._draw()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is shown as found."""
        return self._shown[1]

    @property
    def text(self) -> str:
        """The SQL that is shown."""
        return self._shown[0]

    def tell_beside(self, pane: FindingsPane | None) -> None:
        """From now on a pane has the findings' words; None: they stand at their lines."""
        if pane is not self._pane:
            self._pane = pane
            self._draw()
            self._point()

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

    def show_at(self, line: int) -> None:
        """Bring a line of the SQL into view."""
        self.show_line(self._places.get(line, 0))

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
        if self._pane is not None:
            self._pane.show(findings, self.chosen)
        if findings and self.chosen < len(findings):
            above = 2 if self.size.height > _LOW else 0
            line = self._places.get(findings[self.chosen].line, 0)
            self.scroll_to(y=max(line - above, 0), animate=False)

    def _draw(self) -> None:
        text, findings = self._shown
        shown_lines = highlighted(text.rstrip("\n")) if text or findings else ()
        if not self.size.width:  # not laid out: of its lines only the number counts
            return self.show_lines(shown_lines)
        lines: list[Content] = []
        self._places = {}
        blocks = {f.line for f in findings if f.blocks}
        for number, shown in enumerate(shown_lines, start=1):
            code = self._marked(shown)
            self._places[number] = len(lines)
            bar = ("▌", DANGER) if number in blocks else " "
            first, *more = self._folded(code)
            lines.append(Content.assemble(bar, (f"{number:>4}   ", QUIET), first))
            lines += [Content.assemble(bar, " " * (_GUTTER - 1), part) for part in more]
            lines += _once(
                self._block(finding, code.plain, full=full)
                for index, finding in enumerate(findings)
                if max(finding.line, 1) == number
                for full in (self._pane is None and (finding.blocks or index == self.chosen),)
            )
        return self.show_lines(lines)

    def _marked(self, code: Content) -> Content:
        if not self._sought:
            return code
        return code.highlight_regex(re.compile(re.escape(self._sought), re.IGNORECASE),
                                    style="reverse")  # fmt: skip

    def _folded(self, code: Content) -> list[Content]:
        """A line in as many as it needs; of a very long one the beginning."""
        room = max(self.size.width - _GUTTER - 1, 20)
        if code.cell_length <= room:
            return [code]
        if _RULE.fullmatch(code.plain):
            return [code.truncate(room)]
        *before, last = code[: room * _FOLDS + 1].wrap(room)[: _FOLDS + 1]
        if len(before) == _FOLDS:
            return [*before[:-1], before[-1].truncate(room - 1) + "…"]
        return [*before, last]

    def _block(self, finding: Finding, code: str, *, full: bool) -> list[Content]:
        pad, ink = " " * _GUTTER, INKS[finding.severity]
        room = max(self.size.width - _GUTTER - 2, 30)
        start, length = _underlined(finding, code)
        label = f"{finding.rule} · {finding.severity}"
        if len(label) + start + length + 1 > room:
            start, length = 0, max(min(length, room - len(label) - 1), 1)
        rail = f"{'━' * length} {label}"
        head = Content.assemble(pad, " " * start, (rail, ink))
        if not full:
            return [head]
        return [head, *(Content.assemble(pad, line) for line in advice(finding, room))]


_RULE = re.compile(r"-- *([=\-*#~_])\1+ *")
"""A comment that is a line across the file: no word of it is lost where it is cut."""


def _once(blocks: Iterable[list[Content]]) -> Iterator[Content]:
    """The blocks of one line; what would be repeated word by word is counted."""
    for lines, alike in groupby(blocks):
        times = len(list(alike))
        yield from lines[:-1]
        more = f" · {times} times" if times > 1 else ""
        yield Content.assemble(lines[-1], (more, QUIET))


@lru_cache(maxsize=_TEXTS)
def highlighted(text: str) -> tuple[Content, ...]:
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
    return tuple(line.expand_tabs(4) for line in whole.split("\n", allow_blank=True))


def _underlined(finding: Finding, code: str) -> tuple[int, int]:
    start = max(finding.column - 1, 0)
    same_line = finding.end_line in (0, finding.line) and finding.end_column > finding.column
    end = finding.end_column - 1 if same_line else len(code.rstrip())
    return start, max(end - start, 3)


class SqlPanes(Horizontal):
    """The SQL, and beside it what was found in it, where the screen is wide enough."""

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=f"{id}-panes", classes="panes")
        self.sql, self._pane = SqlView(id=id), FindingsPane()

    def compose(self) -> ComposeResult:
        """The SQL to the left."""
        yield self.sql
        yield self._pane

    def show_sql(self, text: str, findings: Sequence[Finding] = ()) -> None:
        """Show a text and what was found in it."""
        self.sql.show_sql(text, findings)
        self._arrange()

    def on_resize(self) -> None:
        """One pane or two."""
        self._arrange()

    def matches(self, words: str) -> list[Match]:
        """The lines of the SQL that hold these words, marked from now on; none while hidden."""
        if not self.display:
            return []
        self.sql.mark(words)
        found = lines_with(words, self.sql.text.split("\n"))
        return [(f"line {n + 1} of the SQL", partial(self.sql.show_at, n + 1)) for n in found]

    def on_findings_pane_chosen(self, event: FindingsPane.Chosen) -> None:
        """A click on a finding goes to its line."""
        event.stop()
        self.sql.choose(event.index)

    def _arrange(self) -> None:
        two = self.size.width >= PANES and bool(self.sql.findings)
        self._pane.display = two
        self.sql.tell_beside(self._pane if two else None)
