"""The board: every migration with its class, its state on the target, and its record."""

from collections.abc import Callable, Iterable
from typing import ClassVar

from textual import on
from textual.binding import BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, Static

from d1_preflight.board import Board, BoardHeader, BoardRow, BoardState, KeptRecord, Remote
from d1_preflight.core.errors import PreflightError
from d1_preflight.core.record.record import MARKS, Status
from d1_preflight.tui.messages import AdoptAsked, DatabaseAsked, OpenAsked, RunAsked
from d1_preflight.tui.screens.late import LateScreen, heed_garbage
from d1_preflight.tui.styles import DANGER, QUIET, STRONG
from d1_preflight.tui.widgets.bars import KeyBar, place_mark
from d1_preflight.tui.widgets.board_table import WIDE, BoardTable, gist, heads, line
from d1_preflight.tui.widgets.sql_view import SqlPanes

_NEW = "A new migration: the next number, the header, and a down file"
_WORDS = "Write a few words: they become its name. Esc goes back."
_MARGIN = 5  # the cursor, and the scrollbar of a long list
_FILTER = "part of a name, a class, a risk, a state: drop · destructive · pending · closed"
_KEYS = (("/", "filter"), ("r", "refresh"), ("n", "new"), ("q", "quit"), ("v", "verify"),
         ("s", "show record"), ("c", "copy"))  # fmt: skip
_BY_FUNCTION = (("F2", "emergency"), ("F1", "help"))  # in a field, ! and ? are letters


class BoardScreen(LateScreen):
    """Paints at once from local files; the remote column fills in when the target answers."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("enter", "open", "open the migration"),
        ("slash", "filter", "filter the rows"),
        ("r", "read", "refresh from the target"),
        ("n", "new", "write a new migration"),
        ("v", "verify", "verify the records"),
        ("s", "show", "show the record read-only"),
        ("d", "database", "choose the database"),
        ("a", "adopt", "adopt what the database has already"),
        ("c", "copy", "copy the name, the SQL or a command"),
        ("escape", "unfilter", "show all rows"),
        ("q", "app.leave", "quit"),
    ]

    def __init__(self, source: Board, *, waits: bool = False) -> None:
        super().__init__(waits=waits)
        self._source, self._header = source, source.header
        self._all: tuple[BoardRow, ...] = ()
        self._shown: tuple[BoardRow, ...] = ()
        self._state = "◐ reading the target…"
        self._hint = ""
        self._bad = self._may_adopt = False
        self._wanted = self._stood_on = ""

    def parts(self) -> Iterable[Widget]:
        """The header, the table, the preview, the keys."""
        yield Static(id="place")
        yield Static(id="heads")
        yield BoardTable(id="rows")
        yield Input(placeholder=_FILTER, id="filter")
        yield Static(id="gist")
        yield SqlPanes(id="preview")
        yield KeyBar()

    def begin(self) -> None:
        """Show what the local files say, and ask the target."""
        self.query_one("#filter").display = False
        self.query_one(BoardTable).focus()
        self.reload(self._wanted)

    def reload(self, stand_on: str = "") -> None:
        """Read the local files again, then the target; the cursor goes to the named migration."""
        self._wanted = stand_on
        if not self.is_there:  # it begins so
            return
        self._fill(self._source.listed)
        self.app.call_later(self.call_after_refresh, self._judge)  # before, nothing is drawn

    def _judge(self) -> None:
        """The classes fill in once the rows are in sight; then the target is asked."""
        heed_garbage()
        self._fill(self._source.rows)
        self.action_read()

    def _fill(self, rows: Callable[[], tuple[BoardRow, ...]]) -> None:
        try:
            self._take(rows())
        except PreflightError as error:
            self.app.push_screen(_problem(error))

    def on_resize(self) -> None:
        """Fit the columns."""
        if self.is_there:
            self._draw()
            self._preview()

    def action_read(self) -> None:
        """Ask the target in the background; the newest answer counts."""
        self._state, self._hint, self._bad = "◐ reading the target…", "", False
        self._draw()
        self.run_worker(self._read(), exclusive=True, group="board", exit_on_error=False)

    async def _read(self) -> None:
        try:
            state = await self._source.refresh()
        except PreflightError as error:
            state = BoardState(self._all, error.message, error.hint, failed=True)
        mark = "✗" if state.failed else "✓"
        self._state, self._hint, self._bad = f"{mark} {state.words}", state.hint, state.failed
        self._may_adopt = state.may_adopt
        self._take(state.rows)

    def action_open(self) -> None:
        """Open the row under the cursor."""
        if row := self._row:
            self.post_message(OpenAsked(row.record_of or row.name))

    def action_filter(self) -> None:
        """Type a part of a name; the chosen row stays chosen if it matches."""
        self.query_one(BoardTable).touched = True
        self._stood_on = self._row.name if self._row else ""
        field = self.query_one("#filter", Input)
        field.display, field.cursor_blink = True, False
        field.focus()

    def action_unfilter(self) -> None:
        """Show all rows again."""
        field = self.query_one("#filter", Input)
        field.value, field.display = "", False
        if self._row is None:  # nothing was found: back to where it was looked from
            self._wanted = self._stood_on
        self.query_one(BoardTable).focus()
        self._take(self._all)

    def action_database(self) -> None:
        """Choose another of the project's databases."""
        names = self._header.databases
        if len(names) > 1:

            def choose(name: str | None) -> None:
                if name is not None:
                    self.post_message(DatabaseAsked(name))

            self.app.push_screen(_which_database(names), choose)

    def action_adopt(self) -> None:
        """Walk the adoption: ledger rows for the files that are applied already."""
        self.post_message(AdoptAsked())

    def action_show(self) -> None:
        """Show the row's record: read only, and without its lock."""
        if not (row := self._row):
            return
        try:
            kept = self._source.record(row.record_of or row.name)
        except PreflightError as error:
            self.app.push_screen(_problem(error))
            return
        if kept is None:
            self.notify(f"{row.name} has no record yet.", markup=False)
        else:
            self.app.push_screen(_record_screen(kept))

    def action_copy(self) -> None:
        """Ask what of the row is copied."""
        if row := self._row:
            _pick_to_copy(self, row)

    def action_new(self) -> None:
        """Ask what it does, and write the numbered file with its header."""

        def create(words: str | None) -> None:
            if words:
                command = self._source.own_command("new", words)
                self.post_message(RunAsked(command, lambda _ended: self.reload()))

        self.app.push_screen(_what_it_does(), create)

    def action_verify(self) -> None:
        """Check every record: signatures, hashes, completeness, roles."""
        self.post_message(RunAsked("preflight verify", lambda _ended: None))

    @on(Input.Changed, "#filter")
    def _narrow(self) -> None:
        self._take(self._all)

    @on(Input.Submitted, "#filter")
    def _back_to_rows(self) -> None:
        self.query_one(BoardTable).focus()

    @on(BoardTable.Opened)
    def _clicked(self) -> None:
        self.action_open()

    @on(BoardTable.Chosen)
    def _preview(self) -> None:
        row = self._row
        self.query_one(SqlPanes).show_sql(row.preview if row else "", row.findings if row else ())
        self.query_one("#gist", Static).update(gist(row, self.size.width) if row else Content(""))

    @property
    def _row(self) -> BoardRow | None:
        cursor = self.query_one(BoardTable).cursor
        return self._shown[cursor] if 0 <= cursor < len(self._shown) else None

    def _take(self, rows: tuple[BoardRow, ...]) -> None:
        self._all, self._header = rows, self._source.header  # not at each key: it looks at files
        words = self.query_one("#filter", Input).value.lower().split()
        table = self.query_one(BoardTable)
        chosen = self._chosen()
        self._shown = tuple(row for row in rows if all(_has(row, word) for word in words))
        self._draw()
        names = [row.name for row in self._shown]
        at = names.index(chosen) if chosen in names else _likely_next(self._shown)
        if at is None and self._is_reading and not table.touched:
            table.choose_none()
        else:
            table.move_to(len(names) - 1 if at is None else at)
        self._draw_keys()

    def _chosen(self) -> str:
        """The selected migration: the requested one, else the operator's choice, else any."""
        table = self.query_one(BoardTable)
        wanted, self._wanted = self._wanted, ""
        table.touched = table.touched or bool(wanted)
        return wanted or (self._row.name if self._row and table.touched else "")

    def on_descendant_focus(self) -> None:
        """Show the keys of the filter."""
        self._draw_keys()

    def on_descendant_blur(self) -> None:
        """Show the keys of the board."""
        self._draw_keys()

    def _draw(self) -> None:
        width = self.size.width - _MARGIN
        self._draw_place(width)
        self.query_one("#heads", Static).update(heads(self._shown, width))
        reads = self._is_reading
        lines = [line(row, self._shown, width, is_reading=reads) for row in self._shown]
        if self._all and not lines:
            lines = [Content.styled("No migration matches. Esc shows all again.", QUIET)]
        self.query_one(BoardTable).show_lines(lines)
        self._draw_keys()

    @property
    def _is_reading(self) -> bool:
        return self._state.startswith("◐")

    def _draw_keys(self) -> None:
        bar, field = self.query_one(KeyBar), self.query_one("#filter", Input)
        if field.has_focus:
            bar.tell(("Enter", "to the rows"), [("Esc", "all rows")], always=_BY_FUNCTION)
            return
        several = len(self._header.databases) > 1
        keys = _keys(several=several, may_adopt=self._may_adopt, narrowed=field.display)
        first = ("Enter", "open") if self._row else ("↑↓", "choose") if self._shown else ("", "")
        bar.tell(first, keys)

    def _draw_place(self, width: int) -> None:
        header = self._header
        age = f" {header.ledger_age}" if self._is_reading and header.ledger_age else ""
        state = Content.styled(self._state + age, DANGER if self._bad else "")
        self.query_one("#place", Static).update(_place(header, state, self._hint, width))


def _place(header: BoardHeader, state: Content, hint: str, width: int) -> Content:
    """Which database on which target, and what is known of it."""
    mark = place_mark(header.target)
    left = Content.assemble((" preflight", STRONG), ("   ", ""), header.label, (" · ", QUIET), mark)
    if width >= WIDE:
        chosen = f"   {header.chosen_by}" if header.environment else ""
        left = left + Content.styled(f"   {header.wrangler}{chosen}", QUIET)
    gap = width + 2 - left.cell_length - state.cell_length
    if gap > 1:
        first = Content.assemble(left, " " * gap, state)
    else:
        first = Content("\n").join([left, Content.assemble("  ", state)])
    more = [Content.styled(f"  {line}", QUIET) for line in [hint] if line]
    more += [Content.styled(f"  ! {remark}", DANGER) for remark in header.remarks]
    return Content("\n").join([first, *more])


# Loaded when they are asked for: they need what a walk needs.
def _problem(error: PreflightError) -> Screen[None]:
    from d1_preflight.tui.screens.dialogs import Problem

    return Problem(error)


def _which_database(names: tuple[str, ...]) -> Screen[str | None]:
    from d1_preflight.tui.screens.dialogs import Pick

    return Pick("Which database?", names)


def _what_it_does() -> Screen[str | None]:
    from d1_preflight.tui.screens.dialogs import Reason

    return Reason(_NEW, "What does it do? For example: add users last login", _WORDS)


def _record_screen(kept: KeptRecord) -> Screen[None]:
    from d1_preflight.tui.screens.record import RecordScreen

    return RecordScreen(kept)


def _pick_to_copy(screen: Screen[None], row: BoardRow) -> None:
    from d1_preflight.tui.copyable import of_file
    from d1_preflight.tui.screens.reading import pick_to_copy

    pick_to_copy(screen, of_file(row.name, row.preview, None))


def _keys(*, several: bool, may_adopt: bool, narrowed: bool) -> list[tuple[str, str]]:
    """The keys of the board as it is now, those that matter most first."""
    found = [
        ("Esc", "all rows") if narrowed else None,
        _KEYS[0],
        ("a", "adopt") if may_adopt else None,
        ("d", "database") if several else None,
        *_KEYS[1:],
    ]
    return [key for key in found if key]


def _has(row: BoardRow, word: str) -> bool:
    """Whether a word of the filter is in the name, or begins the class, the risk or a state."""
    states = (row.kind.value, row.risk.value, row.remote.value, row.record)
    return word in row.name.lower() or any(
        part.startswith(word) for state in states for part in state.lower().split()
    )


def _likely_next(rows: tuple[BoardRow, ...]) -> int | None:
    """The first pending row, else where a record is open; None where nothing is known of either."""
    waiting = [i for i, row in enumerate(rows) if Remote.PENDING in (row.remote, row.remembered)]
    begun = [i for i, row in enumerate(rows) if row.mark == MARKS[Status.RUNNING]]
    return next(iter((*waiting, *begun)), None)
