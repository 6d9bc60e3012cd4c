"""Inline waivers: `-- preflight: allow <rule> — reason`, in a real comment only."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from d1_preflight.core.findings import Finding
from d1_preflight.core.rules.case import Case
from d1_preflight.core.sql import Shape, all_tokens

_ALLOW = re.compile(r"preflight:\s*allow\s+(?P<rule>[a-z0-9-]+)\s*(?:—|–|--|-|:)\s*(?P<reason>.+)")


@dataclass(frozen=True, slots=True)
class Waiver:
    """One allow: for findings of `rule` that begin between its line and `last`."""

    rule: str
    reason: str
    line: int
    last: int


def waived(case: Case, found: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """The findings with the reasons of the waivers that fit; row loss is never waived here."""
    waivers = tuple(_waivers(case))
    return tuple(_with_reason(finding, waivers) for finding in found) if waivers else found


def _with_reason(finding: Finding, waivers: tuple[Waiver, ...]) -> Finding:
    if finding.rows_at_risk:
        return finding
    for waiver in waivers:
        fits = waiver.line <= finding.line <= waiver.last or finding.line == 1
        if waiver.rule == finding.rule and fits:
            return replace(finding, allowed=waiver.reason)
    return finding


def _waivers(case: Case) -> Iterator[Waiver]:
    if "preflight:" not in case.text:
        return
    for act in case.acts:
        statement = act.statement
        last, _ = statement.place(len(statement.text))
        for token in all_tokens(statement.text):
            found = _ALLOW.search(token.text) if token.shape is Shape.COMMENT else None
            if found:
                line = statement.line - statement.text[token.start : statement.lead].count("\n")
                reason = found["reason"].removesuffix("*/").strip()
                yield Waiver(found["rule"], reason, line, last)
