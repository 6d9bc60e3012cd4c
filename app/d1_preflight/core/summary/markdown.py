"""The summary as `SUMMARY.md`: made for a pull request, and read as it is in a terminal."""

import re
from collections.abc import Sequence

from d1_preflight.core.format import clean, count
from d1_preflight.core.record.record import Record
from d1_preflight.core.summary.changed_rows import ChangedTable
from d1_preflight.core.summary.form import PRESENT_FORM, SPLIT_FORM
from d1_preflight.core.summary.summary import Event, Summary, summary_of

_SPECIAL = re.compile(r"[\\`*\[\]<>|~&$]|(?<![^\W_])_|_(?![^\W_])|#(?=\w)")
_LINK = re.compile(r"(?<=[A-Za-z]):(?=//)|(?<=\bwww)\.", re.IGNORECASE)
_MENTION = re.compile(r"(?<![\w.+-])@")
_NOT_THERE = -1
_HOW_TO_VERIFY = (
    "Verify all of it with the first command, in the project. The others need only ssh-keygen: run "
    "in this folder they verify GO and the close."
)


def summary_bytes(record: Record, timeline: Sequence[Event] = ()) -> bytes:
    """The bytes of `SUMMARY.md` for a record as it is."""
    return as_markdown(summary_of(record, timeline)).encode()


def as_markdown(summary: Summary) -> str:
    """The file's text; what is not ours is escaped, also from mentions and HTML."""
    form = summary.form
    lines = [f"# {escaped(summary.title, form)}", "", f"**{escaped(summary.verdict, form)}**", ""]
    lines += [f"- **{name}**: {escaped(text, form)}" for name, text in summary.facts]
    if summary.tables:
        lines += ["", *_table(summary)]
    if summary.events:
        lines += [
            "",
            "**Emergency** (UTC)",
            *(f"- {escaped(line, form)}" for line in summary.events),
        ]
    if summary.commands:
        lines += ["", *([_HOW_TO_VERIFY] if form >= SPLIT_FORM else []), *_code(summary.commands)]
    return "\n".join(lines) + "\n"


def escaped(text: str, form: int = PRESENT_FORM) -> str:
    """Text that Markdown shows letter for letter; most names stay as they are.

    The first form leaves an address a link.
    """
    shown = _MENTION.sub("@\u200b", _SPECIAL.sub(r"\\\g<0>", clean(text)))
    return _LINK.sub(r"\\\g<0>", shown) if form > 1 else shown


def table_columns(summary: Summary) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Header and cells of the changed tables; “now” only where somebody counted."""
    has_now = any(table.now is not None for table in summary.tables)
    after = "rehearsed" if summary.is_rehearsed else "after"
    now = "now" if summary.form == 1 else "at the close"
    head = ("table", "before", after, *((now,) if has_now else ()), "lost", "changed")
    return head, tuple(_cells(table, has_now=has_now) for table in summary.tables)


def _cells(table: ChangedTable, *, has_now: bool) -> tuple[str, ...]:
    counts = (table.before, table.after, *((table.now,) if has_now else ()))
    shown = ("none" if rows == _NOT_THERE else count(rows) for rows in counts)
    return (table.table, *shown, count(table.gone), count(table.changed))


def _table(summary: Summary) -> list[str]:
    head, rows = table_columns(summary)
    rule = "|".join("---" if n == 0 else "---:" for n in range(len(head)))
    lines = [f"| {' | '.join(head)} |", f"|{rule}|"]
    lines += [f"| {' | '.join(escaped(cell, summary.form) for cell in row)} |" for row in rows]
    return [*lines, f"| … and {count(summary.unlisted)} more |"] if summary.unlisted else lines


def _code(commands: tuple[str, ...]) -> list[str]:
    longest = max(len(run) for run in ["``", *re.findall("`+", "".join(commands))])
    fence = "`" * (longest + 1)
    return [fence, *(clean(command) for command in commands), fence]
