"""What the keys of a step point at: the file that e edits, the page that d opens."""

import os
import webbrowser
from pathlib import Path

from d1_preflight.core.checklist import Step
from d1_preflight.tui.ports import SessionPort
from d1_preflight.tui.words import is_editable

_PAGE = "https://"


def editable(session: SessionPort, step: Step) -> Path | None:
    """The migration, or in section 4 its down file; None once it may not be edited any more."""
    tools = session.tools
    down = tools.files.down(tools.name.removesuffix(".sql"))
    chosen = down if down and step.section == "rollback" else tools.migration()
    return chosen.path if is_editable(session, step) else None


def address(session: SessionPort, section: str) -> str:
    """The page that a step of this section names in its plan; "" where none does."""
    steps = (step for step in session.path if step.section == section)
    lines = (line for step in steps for line in session.plan(step))
    return next((line for line in lines if line.startswith(_PAGE)), "")


def browse(page: str) -> bool:
    """Open a page in a browser with a window of its own; False where this machine has none."""
    try:
        browser = webbrowser.get()
        # What is left without a display is a text browser, and this terminal is taken.
        in_terminal = type(browser) is webbrowser.GenericBrowser and "BROWSER" not in os.environ
        return not in_terminal and browser.open(page)
    except webbrowser.Error:
        return False
