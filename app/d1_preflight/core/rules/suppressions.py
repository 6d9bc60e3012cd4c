"""Inline waivers: `-- preflight: allow <rule> — reason`, in a real comment only."""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from d1_preflight.core.findings import Finding
from d1_preflight.core.rules.context import Case, Hit
from d1_preflight.core.sql.tokenizer import TokenKind, all_tokens

_ALLOW = re.compile(
    r"preflight:\s*allow\s+(?P<rule>[a-z0-9-]+)(?:\s*(?:—|–|--|-|:)\s*(?P<reason>[^\n]*))?"
)


@dataclass(frozen=True, slots=True)
class Waiver:
    """One allow: for findings of `rule` that begin between its line and `last`."""

    rule: str
    reason: str
    line: int
    last: int

    def fits(self, finding: Finding) -> bool:
        """Whether it is about this finding; one about the file as a whole may stand anywhere."""
        near = self.line <= finding.line <= self.last or finding.line == 1
        return self.rule == finding.rule and near and bool(self.reason)


def waivers_of(case: Case) -> tuple[Waiver, ...]:
    """The allows that a file's comments hold."""
    if "preflight:" not in case.text:
        return ()
    return tuple(waiver for act in case.acts for waiver in _within(act.statement.text, act.line))


def waived(found: Iterable[Finding], waivers: Collection[Waiver]) -> Iterator[Finding]:
    """The findings with the reasons of the waivers that fit; facts are never waived here."""
    for finding in found:
        is_fact = finding.rows_at_risk or finding.refusal
        fitting = () if is_fact else tuple(w for w in waivers if w.fits(finding))
        yield replace(finding, allowed=fitting[0].reason) if fitting else finding


def ignored(
    waivers: Iterable[Waiver], found: Collection[Finding], known: Collection[str]
) -> Iterator[Hit]:
    """The allows that change nothing, each with why."""
    for waiver in waivers:
        fitting = [finding for finding in found if waiver.fits(finding)]
        if waiver.rule not in known:
            why = "there is no such rule"
        elif not waiver.reason:
            why = "it gives no reason"
        elif any(finding.rows_at_risk for finding in fitting):
            why = "a comment cannot allow rows to be lost"
        elif any(finding.refusal for finding in fitting):
            why = "D1 refuses it all the same"
        elif not fitting:
            why = "the rule finds nothing here"
        else:
            continue
        values = {"rule": waiver.rule, "why": why}
        yield Hit(waiver.line, 1, waiver.line, 1, values)


def _within(text: str, line_of_lead: int) -> Iterator[Waiver]:
    lead = next((t.start for t in all_tokens(text) if t.kind is not TokenKind.COMMENT), len(text))
    first = line_of_lead - text.count("\n", 0, lead)
    last = first + text.count("\n")
    for token in all_tokens(text):
        found = _ALLOW.search(token.text) if token.kind is TokenKind.COMMENT else None
        if found:
            reason = (found["reason"] or "").removesuffix("*/").strip()
            yield Waiver(found["rule"], reason, first + text.count("\n", 0, token.start), last)
