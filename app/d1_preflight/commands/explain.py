"""`preflight explain`: what a rule means, what to write instead, and how it was verified."""

import argparse
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from d1_preflight.commands.output import write
from d1_preflight.core.errors import UsageError
from d1_preflight.core.findings import Severity
from d1_preflight.core.format import plural

if TYPE_CHECKING:
    from d1_preflight.core.rules.catalog import CatalogEntry

_WIDTH = 96


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = commands.add_parser("explain", help="explain a lint rule and what to write instead")
    parser.add_argument("rule", nargs="?", default="", metavar="RULE", help="all rules if omitted")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print one rule, or the list of all."""
    from d1_preflight.core.rules.catalog import rule_catalog

    words = rule_catalog()
    lines = _listed(words) if not arguments.rule else _explained(_wanted(words, arguments.rule))
    write("\n".join(lines) + "\n")
    return 0


def _wanted(words: "Mapping[str, CatalogEntry]", wanted: str) -> "CatalogEntry":
    rule = wanted.strip("[]").lower().replace("_", "-")
    if rule in words:
        return words[rule]
    from difflib import get_close_matches

    parts = [known for known in words if rule and rule in known]
    close = list(dict.fromkeys([*get_close_matches(rule, words, n=5, cutoff=0.5), *parts]))[:6]
    hint = f"Did you mean: {', '.join(close)}" if close else "All rules: preflight explain"
    raise UsageError(f"There is no rule {wanted!r}.", hint=hint)


def _listed(words: "Mapping[str, CatalogEntry]") -> Iterator[str]:
    width = max(map(len, words))
    for severity in Severity:
        found = [rule for rule in words.values() if rule.severity is severity]
        yield f"{severity.value} ({len(found)})"
        yield from (f"  {rule.id:<{width}}  {rule.title}" for rule in found)
        yield ""
    yield f"{plural(len(words), 'rule')}. One in full: preflight explain RULE"


def _explained(rule: "CatalogEntry") -> Iterator[str]:
    yield f"{rule.id}: {rule.title}"
    yield ""
    at_risk = "; rows are at risk, so no comment in the file can allow it"
    yield f"severity: {rule.severity.value}{at_risk if rule.rows_at_risk else ''}"
    yield ""
    from d1_preflight.commands.rule_examples import in_general
    from d1_preflight.lint.text import wrapped

    yield from wrapped(in_general(rule.id, rule.problem), _WIDTH)
    yield ""
    yield "instead:"
    for number, step in enumerate(rule.instead, start=1):
        yield from wrapped(in_general(rule.id, step), _WIDTH, f"  {number}. ")
    yield ""
    yield from wrapped(rule.verified_with, _WIDTH, "verified: ")
    if rule.rows_at_risk:
        yield ""
        yield "to declare an intended loss, write anywhere in the file (the wizard asks again):"
        yield "  -- preflight: loses TABLE — the reason"
    else:
        yield ""
        yield "to allow it at one statement, write above it:"
        yield f"  -- preflight: allow {rule.id} — the reason"
