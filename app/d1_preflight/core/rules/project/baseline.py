"""Objects that no file makes: a base schema made outside of the folder is not known here."""

from collections.abc import Iterator

from d1_preflight.core.effects.outside import outside_changes
from d1_preflight.core.findings import Severity
from d1_preflight.core.rules.context import Match, Rule, RuleContext, listed, match_at, match_target


def baseline_missing(context: RuleContext) -> Iterator[Match]:
    """Statements on what no file makes; said once a folder."""
    missing = [
        (trace, name) for trace in context.statements if (name := context.script.missing(trace))
    ]
    if missing and "baseline-missing" not in context.noted:
        trace, first = missing[0]
        token = next((t for t in trace.parsed.tokens if t.name.lower() == first), None)
        names = listed(dict.fromkeys(name for _, name in missing))
        yield match_at(trace, token, names=names)


def drop_unknown(context: RuleContext) -> Iterator[Match]:
    """A DROP or DELETE of what no file makes, which may be there all the same."""
    for change in outside_changes(context.script):
        if change.kind == "values":  # the class says it
            continue
        severity = None if change.loses else Severity.NOTE
        tables = (change.name,) if change.loses_rows else ()
        values = {"words": change.words, "name": change.name}
        yield match_target(change.trace, severity=severity, tables=tables, values=values)


RULES: tuple[Rule, ...] = (baseline_missing, drop_unknown)
