"""The board's table: one line for each migration."""

from collections.abc import Sequence

from textual.content import Content
from textual.message import Message

from d1_preflight.board import BoardRow, Remote
from d1_preflight.core.findings import Kind, Risk
from d1_preflight.lazy_dataclass import dataclass
from d1_preflight.tui.finding_counts import counts
from d1_preflight.tui.styles import DANGER, QUIET, STRONG
from d1_preflight.tui.widgets.lines import ChoiceView

WIDE = 90
_NOWHERE = -1
_NUMBER, _CLASS, _REMOTE, _RECORD, _LEAST = 5, 15, 10, 23, 16


class BoardTable(ChoiceView):
    """The rows; the cursor's row is previewed below."""

    class Chosen(Message):
        """The cursor moved to another row."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self.touched = False

    def choose(self, index: int) -> None:
        """From now on the cursor stays where the operator put it."""
        self.touched = True
        super().choose(index)

    def action_move(self, by: int) -> None:
        """Move; where no row is chosen yet, from the newest."""
        self.choose((len(self._lines) - (by > 0) if self.cursor < 0 else self.cursor) + by)

    def choose_none(self) -> None:
        """No row has the cursor, as long as nobody knows which is next; the newest are in sight."""
        self.cursor = _NOWHERE
        self.scroll_end(animate=False)
        self.refresh()
        self.moved()

    def on_resize(self) -> None:
        """The cursor stays in sight, or the newest rows."""
        if self.cursor < 0:
            self.scroll_end(animate=False)
        else:
            super().on_resize()

    class Opened(Message):
        """The cursor's row was clicked."""

    def moved(self) -> None:
        """Tell the screen."""
        self.post_message(self.Chosen())

    def clicked(self) -> None:
        """A second click opens, as Enter does."""
        self.post_message(self.Opened())


def _is_known(row: BoardRow, *, is_reading: bool) -> bool:
    """Whether it was judged; an earlier start's class of the same texts counts until then."""
    return row.is_judged or (is_reading and row.kind is not Kind.UNKNOWN)


def _class(row: BoardRow, *, is_reading: bool) -> tuple[str, str]:
    if not _is_known(row, is_reading=is_reading):
        return ("judging…", QUIET) if is_reading else ("? not judged", STRONG)
    match row.kind:
        case Kind.DESTRUCTIVE:
            return ("DESTRUCTIVE", DANGER)
        case Kind.UNKNOWN:
            return ("? unknown", STRONG)
        case _:
            return (row.kind.value, "")


@dataclass(frozen=True)
class _Fit:
    """How wide each column is: the record column stays whole, the name is shortened."""

    name: int
    risk: int

    @classmethod
    def of(cls, rows: tuple[BoardRow, ...], width: int) -> "_Fit":
        risk = 9 if width >= WIDE else 0
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


def heads(rows: tuple[BoardRow, ...], width: int) -> Content:
    """The columns' names, over the rows."""
    cells = ("#", "migration", "class", "risk", "remote", "record")
    return Content("   ") + _Fit.of(rows, width).line(cells, (QUIET,) * len(cells))


def line(
    row: BoardRow, rows: tuple[BoardRow, ...], width: int, *, is_reading: bool = False
) -> Content:
    """One migration; the columns are as wide as all rows together need.

    While it `is_reading`, what is not known yet is not unknown: what an earlier run read is shown.
    """
    kind, ink = _class(row, is_reading=is_reading)
    is_known = _is_known(row, is_reading=is_reading)
    risk = row.risk.value if is_known else "…" if is_reading else Risk.UNKNOWN.value
    remote = row.remote.value
    if row.remote is Remote.UNKNOWN:
        remote = "reading…" if is_reading else "? unknown"
    if is_reading and row.remembered is not Remote.UNKNOWN:
        remote = row.remembered.value
    quiet = QUIET if row.remote is Remote.APPLIED else ""
    cells = (row.number, row.words, kind, risk, remote, f"{row.mark} {row.record}")
    return _Fit.of(rows, width).line(cells, (QUIET, quiet, ink or quiet, quiet, quiet, quiet))


def gist(row: BoardRow, width: int) -> Content:
    """The findings of a migration in one line."""
    worst = next((f for f in row.findings if f.blocks), None)
    parts = [Content.styled(f" {row.name}   ", QUIET)]
    if row.findings or row.kind is not Kind.UNKNOWN:
        parts.append(counts(row.findings) + " ")
    if worst is not None:
        parts.append(Content(f"line {worst.line}: {worst.title}"))
    line = Content("")
    for part in parts:
        if line.cell_length + len(part.plain.rstrip()) > width:
            break  # half a word says nothing
        line = line + part
    return line
