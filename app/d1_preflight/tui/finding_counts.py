"""How many findings there are of each weight, for every screen."""

from collections.abc import Sequence

from textual.content import Content

from d1_preflight.core.findings import Finding, Severity
from d1_preflight.core.format import plural
from d1_preflight.tui.styles import DANGER, QUIET, STRONG


def counts(findings: Sequence[Finding]) -> Content:
    """How many findings there are of each weight: the same words on every screen."""
    parts: list[tuple[str, str]] = []
    marks = {
        Severity.BLOCKING: ("✗", DANGER),
        Severity.WARNING: ("!", STRONG),
        Severity.NOTE: ("·", QUIET),
    }
    for severity, (mark, ink) in marks.items():
        number = sum(f.severity is severity for f in findings)
        if number:
            parts.append((f"{mark} {plural(number, severity)}  ", ink))
    return Content.assemble(*parts) if parts else Content("✓ nothing found")
