"""What the keys of a step point at: the file that e edits, the page that d opens."""

from pathlib import Path

from d1_preflight.core.checklist.checklist import Step
from d1_preflight.session import Session
from d1_preflight.tui.words import broken_queries, is_editable

_PAGE = "https://"


def editable(session: Session, step: Step, query: int = 0) -> tuple[Path, int] | None:
    """The file that e opens, and the line (0: its start); None once none may be edited any more.

    The chosen broken query, else the migration, or in section 4 its down file.
    """
    if not is_editable(session, step):
        return None
    broken = broken_queries(session, step)
    if broken:
        path, _, line = broken[query % len(broken)].at.rpartition(":")
        file = session.project.root / path
        if line.isdigit() and file.is_file():
            return file, int(line)
    down = session.down if step.section == "rollback" else None
    chosen = (down or session.migration).path
    return (chosen, 0) if chosen is not None else None


def in_project(session: Session) -> str:
    """The migration's path from the project's root, as a diff names it."""
    path, root = session.migration.path, session.project.root
    if path is None or not path.is_relative_to(root):
        return session.migration.name
    return path.relative_to(root).as_posix()


def address(session: Session, section: str, which: int = 0) -> str:
    """A page that a step of this section names in its plan; "" where none does."""
    steps = (step for step in session.path if step.section == section)
    lines = (line for step in steps for line in session.plan(step))
    pages = [line for line in lines if line.startswith(_PAGE)]
    return pages[which] if pages else ""
