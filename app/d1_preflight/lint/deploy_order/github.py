"""The verdict as workflow commands: GitHub draws them beside the queries."""

from d1_preflight.code.proposal import proposal
from d1_preflight.code.verdict import Verdict
from d1_preflight.core.findings import Severity
from d1_preflight.lint.deploy_order.places import places_of, shown
from d1_preflight.lint.github import command_data, command_property

_COMMANDS = {Severity.BLOCKING: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def order_as_github(verdict: Verdict, prefix: str = "") -> str:
    """One command a line, the heavy ones first, and one for the order."""
    level = "error" if verdict.deployed.harmed or verdict.new.harmed_at_home else "notice"
    level = level if verdict.is_proved or level == "error" else "warning"
    unknown = [f"Unknown: {'; '.join(verdict.unseen)}."] if verdict.unseen else []
    words = "\n".join((*proposal(verdict), *unknown))
    title = f"{', '.join(verdict.migrations)}: {verdict.order}"
    lines = [f"::{level} title={command_property(title)}::{command_data(words)}"]
    for place in places_of(verdict):
        where = {"file": shown(prefix, place.query.path), "line": str(place.query.line)}
        where["title"] = place.title
        properties = ",".join(f"{key}={command_property(value)}" for key, value in where.items())
        text = command_data(place.query.masked_words)
        lines.append(f"::{_COMMANDS[place.severity]} {properties}::{text}")
    return "".join(f"{line}\n" for line in lines)
