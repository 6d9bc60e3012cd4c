"""The verdict as workflow commands: GitHub draws them beside the queries."""

from d1_preflight.code.proposal import proposal
from d1_preflight.code.verdict import Verdict
from d1_preflight.lint.deploy_order.places import places_of, shown
from d1_preflight.lint.github import COMMANDS, command


def order_as_github(verdict: Verdict, prefix: str = "") -> str:
    """One command a line, the heavy ones first, and one for the order."""
    level = "error" if verdict.deployed.harmed or verdict.new.harmed_at_home else "notice"
    level = level if verdict.is_proved or level == "error" else "warning"
    unknown = [f"Unknown: {'; '.join(verdict.unseen)}."] if verdict.unseen else []
    words = "\n".join((*proposal(verdict), *unknown))
    title = f"{', '.join(verdict.migrations)}: {verdict.order}"
    lines = [command(level, {"title": title}, words)]
    for place in places_of(verdict):
        path, line = shown(prefix, place.query.path), place.query.line
        where = {"file": path, "line": line, "title": place.title}
        lines.append(command(COMMANDS[place.severity], where, place.query.masked_words))
    return "".join(f"{line}\n" for line in lines)
