"""The adoptions of a database on the board, as it shows every other record: open or closed."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from d1_preflight.board.record_state import record_words
from d1_preflight.board.row import BoardRow, Remote
from d1_preflight.core.errors import PreflightError
from d1_preflight.core.findings import Kind, Risk
from d1_preflight.core.format import plural
from d1_preflight.core.record.change_facts import AdoptedFacts
from d1_preflight.core.record.gate import as_of, checklist_of
from d1_preflight.core.record.record import MARKS, Record, Status

if TYPE_CHECKING:
    from d1_preflight.project_context import ProjectContext

_NAME = re.compile(r"adoption(?:-([0-9]+))?")


def adoption_rows(context: "ProjectContext") -> Iterator[BoardRow]:
    """A line for each adoption that has a record, the first one first."""
    records = context.project.records
    names = [path.name for path in records.iterdir()] if records.is_dir() else []
    numbered = [(int(found[1] or 1), name) for name in names if (found := _NAME.fullmatch(name))]
    for _, name in sorted(numbered):
        store = context.store(name)
        try:
            record = store.load()
        except PreflightError as error:
            yield _row(name, None, MARKS[Status.FAILED], f"damaged: {error.message}")
            continue
        if record is not None:
            checklist = checklist_of(record, context.checklist)
            record = as_of(record, checklist, context.now())
            signed = bool(store.read("record.toml.sig"))
            mark, words = record_words(record, checklist, Kind.ADDITIVE, signed=signed)
            yield _row(name, record, mark, words)


def _row(name: str, record: Record | None, mark: str, words: str) -> BoardRow:
    written = record.last("applied") if record else None
    is_written = written is not None and written.status is Status.PROVED
    rows = AdoptedFacts.from_attempt(record.last(AdoptedFacts.step) if record else None).names
    about = f"{name}: {plural(len(rows), 'row')} for the ledger" if rows else name
    lines = "".join(f"--   {row}\n" for row in rows)
    return BoardRow(
        name, "", about, Kind.ADDITIVE, Risk.LOW, Remote.APPLIED if is_written else Remote.PENDING,
        mark, words, f"-- Files that the database has already, for wrangler's ledger:\n{lines}",
    )  # fmt: skip
