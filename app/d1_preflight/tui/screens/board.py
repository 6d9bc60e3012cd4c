"""The board: every migration with its class, where it stands on the target, and its record."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Input, Static

from d1_preflight.core.board import BoardRow, BoardState, Remote
from d1_preflight.core.errors import PreflightError
from d1_preflight.core.findings import Kind
from d1_preflight.tui.bodies.classification import counts
from d1_preflight.tui.messages import DatabaseAsked, OpenAsked
from d1_preflight.tui.ports import BoardSource
from d1_preflight.tui.screens.dialogs import Pick, Problem
from d1_preflight.tui.styles import DANGER, QUIET, STRONG
from d1_preflight.tui.widgets.bars import KeyBar, place_mark
from d1_preflight.tui.widgets.lines import ChoiceView
from d1_preflight.tui.widgets.sql_view import SqlView

_WIDE = 90
_MARGIN = 4
_NUMBER, _CLASS, _REMOTE, _RECORD, _LEAST = 5, 15, 10, 23, 16


class BoardTable(ChoiceView):
    """The rows; the cursor's row is previewed below."""

    class Chosen(Message):
        """The cursor stands on another row."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self.touched = False

    def action_move(self, by: int) -> None:
        """Move; from now on the cursor stays where the operator put it."""
        self.touched = True
        super().action_move(by)

    def moved(self) -> None:
        """Tell the screen."""
        self.post_message(self.Chosen())


class BoardScreen(Screen[None]):
    """Paints at once from local files; the remote column fills in when the target answers."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("enter", "open", "open"),
        ("slash", "filter", "filter"),
        ("r", "read", "read the target again"),
        ("d", "database", "choose the database"),
        ("escape", "unfilter", "all"),
        ("q", "app.leave", "quit"),
    ]

    def __init__(self, source: BoardSource) -> None:
        super().__init__()
        self._source = source
        self._all: tuple[BoardRow, ...] = ()
        self._shown: tuple[BoardRow, ...] = ()
        self._told = "◐ reading the target…"
        self._hint = ""
        self._bad = False

    def compose(self) -> ComposeResult:
        """Where, the table, the preview, the keys."""
        yield Static(id="place")
        yield Static(id="heads")
        yield BoardTable(id="rows")
        yield Input(placeholder="part of a name", id="filter")
        yield Static(id="gist")
        yield SqlView(id="preview")
        yield KeyBar()

    def on_mount(self) -> None:
        """Show what the local files say, and ask the target."""
        self.query_one("#filter").display = False
        self.query_one(BoardTable).focus()
        self.reload()

    def reload(self) -> None:
        """Read the local files again, then the target."""
        try:
            self._take(self._source.rows())
        except PreflightError as error:
            self.app.push_screen(Problem(error))
        self.action_read()

    def on_resize(self) -> None:
        """Fit the columns."""
        self._draw()
        self._preview()

    def action_read(self) -> None:
        """Ask the target in the background; the newest answer counts."""
        self._told, self._hint, self._bad = "◐ reading the target…", "", False
        self._draw()
        self.run_worker(self._read(), exclusive=True, group="board", exit_on_error=False)

    async def _read(self) -> None:
        try:
            state = await self._source.refresh()
        except PreflightError as error:
            state = BoardState(self._all, error.message, error.hint, failed=True)
        mark = "✗" if state.failed else "✓"
        self._told, self._hint, self._bad = f"{mark} {state.words}", state.hint, state.failed
        self._take(state.rows)

    def action_open(self) -> None:
        """Open the row under the cursor."""
        row = self._row
        if row is not None:
            self.post_message(OpenAsked(row.name))

    def action_filter(self) -> None:
        """Type a part of a name."""
        field = self.query_one("#filter", Input)
        field.display = True
        field.focus()

    def action_unfilter(self) -> None:
        """Show all rows again."""
        field = self.query_one("#filter", Input)
        field.value, field.display = "", False
        self.query_one(BoardTable).focus()
        self._take(self._all)

    def action_database(self) -> None:
        """Choose another of the project's databases."""
        names = self._source.place.databases
        if len(names) > 1:

            def told(name: str | None) -> None:
                if name is not None:
                    self.post_message(DatabaseAsked(name))

            self.app.push_screen(Pick("Which database?", names), told)

    @on(Input.Changed, "#filter")
    def _narrow(self) -> None:
        self._take(self._all)

    @on(Input.Submitted, "#filter")
    def _back_to_rows(self) -> None:
        self.query_one(BoardTable).focus()

    @on(BoardTable.Chosen)
    def _preview(self) -> None:
        row = self._row
        self.query_one("#preview", SqlView).show_sql(
            row.preview if row else "", row.findings if row else ()
        )
        self.query_one("#gist", Static).update(_gist(row, self.size.width) if row else Content(""))

    @property
    def _row(self) -> BoardRow | None:
        cursor = self.query_one(BoardTable).cursor
        return self._shown[cursor] if 0 <= cursor < len(self._shown) else None

    def _take(self, rows: tuple[BoardRow, ...]) -> None:
        self._all = rows
        part = self.query_one("#filter", Input).value.strip().lower()
        table = self.query_one(BoardTable)
        chosen = self._row.name if self._row and table.touched else ""
        self._shown = tuple(row for row in rows if part in row.name.lower())
        self._draw()
        names = [row.name for row in self._shown]
        at = names.index(chosen) if chosen in names else _first_pending(self._shown)
        table.move_to(at)

    def _draw(self) -> None:
        width = self.size.width - _MARGIN
        place = self._source.place
        self.query_one("#place", Static).update(self._place(width))
        self.query_one("#heads", Static).update(_heads(self._shown, width))
        self.query_one(BoardTable).show_lines(
            [_line(row, self._shown, width) for row in self._shown]
        )
        keys = [("/", "filter"), ("r", "read again"), ("q", "quit")]
        if len(place.databases) > 1:
            keys.insert(1, ("d", "database"))
        self.query_one(KeyBar).tell(("Enter", "open") if self._shown else ("", ""), keys)

    def _place(self, width: int) -> Content:
        place = self._source.place
        mark = place_mark(place.target)
        left = Content.assemble(
            (" preflight", STRONG), ("   ", ""), place.database, (" · ", QUIET), mark
        )
        if width >= _WIDE:
            left = left + Content.styled(f"   {place.wrangler}", QUIET)
        told = Content.styled(self._told, DANGER if self._bad else "")
        gap = width + 2 - left.cell_length - told.cell_length
        if gap > 1:
            first = Content.assemble(left, " " * gap, told)
        else:
            first = Content("\n").join([left, Content.assemble("  ", told)])
        if not self._hint:
            return first
        return Content("\n").join([first, Content.styled(f"  {self._hint}", QUIET)])


def _first_pending(rows: tuple[BoardRow, ...]) -> int:
    waiting = [i for i, row in enumerate(rows) if row.remote is not Remote.APPLIED]
    return waiting[0] if waiting else max(len(rows) - 1, 0)


def _class(row: BoardRow) -> tuple[str, str]:
    match row.kind:
        case Kind.DESTRUCTIVE:
            return ("DESTRUCTIVE", DANGER)
        case Kind.UNKNOWN:
            return ("? unknown", STRONG)
        case _:
            return (row.kind.value, "")


@dataclass(frozen=True)
class _Fit:
    """How wide each column is: the record's words are kept whole, the name gives way."""

    name: int
    risk: int

    @classmethod
    def of(cls, rows: tuple[BoardRow, ...], width: int) -> "_Fit":
        risk = 9 if width >= _WIDE else 0
        record = max((len(row.record) + 2 for row in rows), default=6)
        room = width - (_NUMBER + 1 + _CLASS + risk + _REMOTE + min(record, _RECORD))
        longest = max((len(row.words) for row in rows), default=0)
        return cls(max(min(longest, room), _LEAST), risk)

    def line(self, cells: Sequence[str], inks: Sequence[str]) -> Content:
        widths = (_NUMBER, self.name + 1, _CLASS, self.risk, _REMOTE, 0)
        return Content.assemble(
            *(
                (f"{_cut(cell, width):<{width}}", ink)
                for cell, width, ink in zip(cells, widths, inks, strict=True)
                if width or cell is cells[-1]
            )
        )


def _cut(words: str, width: int) -> str:
    return f"{words[: width - 2]}…" if width and len(words) > width - 1 else words


def _heads(rows: tuple[BoardRow, ...], width: int) -> Content:
    cells = ("#", "migration", "class", "risk", "remote", "record")
    return Content("   ") + _Fit.of(rows, width).line(cells, (QUIET,) * len(cells))


def _line(row: BoardRow, rows: tuple[BoardRow, ...], width: int) -> Content:
    kind, ink = _class(row)
    remote = "? unknown" if row.remote is Remote.UNKNOWN else row.remote.value
    quiet = QUIET if row.remote is Remote.APPLIED else ""
    cells = (row.number, row.words, kind, row.risk.value, remote, f"{row.mark} {row.record}")
    return _Fit.of(rows, width).line(cells, (QUIET, quiet, ink or quiet, quiet, quiet, quiet))


def _gist(row: BoardRow, width: int) -> Content:
    worst = next((f for f in row.findings if f.blocks), None)
    parts = [Content.styled(f" {row.name}   ", QUIET)]
    if row.findings or row.kind is not Kind.UNKNOWN:
        parts.append(counts(row.findings) + " ")
    if worst is not None:
        parts.append(Content(f"line {worst.line}: {worst.title}"))
    line = Content("")
    for part in parts:
        if line.cell_length + len(part.plain.rstrip()) > width:
            break  # half a word tells nothing
        line = line + part
    return line
