"""An adoption: each file with what the target shows of it, and the rows that are written."""

from collections.abc import Mapping

from textual.content import Content

from d1_preflight.core.format import plural
from d1_preflight.core.record.change_facts import AdoptedFacts, ComparedFacts
from d1_preflight.core.target.adopted import Applied
from d1_preflight.tui.styles import DANGER, GOOD, QUIET, STRONG
from d1_preflight.tui.view import View
from d1_preflight.tui.widgets.tables import Cell, Column, table

_COLUMNS = (Column("file"), Column("on the target"), Column("seen by"))
_INKS: Mapping[str, str] = {
    Applied.YES: GOOD,
    Applied.NO: QUIET,
    Applied.PARTLY: DANGER,
    Applied.CONTRADICTS: DANGER,
}


def body(view: View, width: int) -> Content:
    """The files as they were compared; those that get a row are strong."""
    compared = view.facts(ComparedFacts)
    if not compared.files:
        return Content.styled("The files are not compared with the target yet.", QUIET)
    names = view.facts(AdoptedFacts).names
    rows: list[tuple[Cell, ...]] = [
        (
            (f.file, STRONG if f.file in names else ""),
            (f.applied, _INKS.get(f.applied, "")),
            (f.evidence, QUIET),
        )
        for f in compared.files
    ]
    blocks = [table(_COLUMNS, rows, width)]
    if compared.outside:
        outside = ", ".join(compared.outside)
        blocks.append(Content.styled(f"Made by no file: {outside}", QUIET))
    return Content("\n\n").join(blocks)


def ledger_rows(view: View) -> str:
    """The rows that GO is about; nothing else of the database changes."""
    names = view.facts(AdoptedFacts).names
    return f"{plural(len(names), 'row')} of the ledger, no other: {', '.join(names)}"
