"""Section 1: what the migration is, and why; the SQL is shown below."""

from textual.content import Content

from d1_preflight.core.findings import Kind
from d1_preflight.core.record.change_facts import ClassFacts
from d1_preflight.tui.finding_counts import counts
from d1_preflight.tui.styles import DANGER, QUIET, STRONG
from d1_preflight.tui.view import View

_ROOM = 80


def body(view: View, width: int) -> Content:
    """The class with its reasons, and how many findings there are."""
    analysis = view.session.analysis
    decided = view.facts(ClassFacts)
    confirmed = decided.kind
    kind = confirmed or analysis.kind.value
    ink = DANGER if kind in (Kind.DESTRUCTIVE, Kind.UNKNOWN) else STRONG
    risk = decided.risk or analysis.risk.value
    undo = f", rollback effort: {analysis.rollback}" if width >= _ROOM else ""
    head = Content.assemble((kind.capitalize(), ink), f", {risk} risk{undo}")
    if confirmed and confirmed != analysis.kind:
        head = head + f" (raised; found: {analysis.kind.value})"
    reasons = [
        Content.assemble((f"line {reason.line}: ", QUIET), reason.clause)
        for reason in analysis.reasons[:2]
    ]
    more = len(analysis.reasons) - len(reasons)
    if more > 0:
        reasons.append(Content.styled(f"{more} more", QUIET))
    first = Content.assemble(head, "   ", counts(analysis.findings))
    return Content("\n").join([first, *reasons])
