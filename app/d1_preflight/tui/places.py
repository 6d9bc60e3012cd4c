"""What the keys of a step point at: the file that e edits, the page that d opens."""

from pathlib import Path

from d1_preflight.core.checklist.checklist import Step
from d1_preflight.core.record.safety_facts import DeployOrderFacts
from d1_preflight.session import Session
from d1_preflight.tui.words import is_editable

_PAGE = "https://"


def editable(session: Session, step: Step) -> Path | None:
    """The migration, or in section 4 its down file; None once it may not be edited any more."""
    down = session.down if step.section == "rollback" else None
    chosen = down or session.migration
    return chosen.path if is_editable(session, step) else None


def broken_query(session: Session, step: Step, chosen: int) -> tuple[Path, int] | None:
    """The file and line of the chosen broken query; None where the step shows none."""
    if step.id != DeployOrderFacts.step or not is_editable(session, step):
        return None
    breaks = DeployOrderFacts.from_attempt(session.attempt(step.id)).breaks
    path, _, line = breaks[chosen % len(breaks)].at.rpartition(":") if breaks else ("", "", "")
    file = session.project.root / path
    return (file, int(line)) if path and line.isdigit() and file.is_file() else None


def address(session: Session, section: str) -> str:
    """The page that a step of this section names in its plan; "" where none does."""
    steps = (step for step in session.path if step.section == section)
    lines = (line for step in steps for line in session.plan(step))
    return next((line for line in lines if line.startswith(_PAGE)), "")
