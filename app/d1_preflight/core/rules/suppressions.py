"""Inline suppressions: `-- preflight: allow <rule> — reason`, in a real comment only."""

import re
from collections.abc import Collection, Iterable, Iterator

from d1_preflight.core.findings import Finding
from d1_preflight.core.rules.context import Match, RuleContext
from d1_preflight.core.sql.tokenizer import TokenKind, all_tokens
from d1_preflight.lazy_dataclass import dataclass, replace

_ALLOW = re.compile(
    r"preflight:\s*allow\s+(?P<rule>[a-z0-9-]+)(?:\s*(?:—|–|--|-|:)\s*(?P<reason>[^\n]*))?"
)
_ABOUT_REVISIONS = "edited"  # answers what only `lint --base` finds


@dataclass(frozen=True, slots=True)
class Suppression:
    """One allow: for findings of `rule` that begin between its line and `last`."""

    rule: str
    reason: str
    line: int
    last: int

    def fits(self, finding: Finding) -> bool:
        """Whether it is about this finding; one about the file as a whole may stand anywhere."""
        near = self.line <= finding.line <= self.last or finding.line == 1
        return self.rule == finding.rule and near and bool(self.reason)


def suppressions_of(context: RuleContext) -> tuple[Suppression, ...]:
    """The suppressions in a file's comments."""
    if "preflight:" not in context.text:
        return ()
    return tuple(
        suppression
        for trace in context.statements
        for suppression in _within(trace.statement.text, trace.line)
    )


def suppressed(
    found: Iterable[Finding], suppressions: Collection[Suppression]
) -> Iterator[Finding]:
    """The findings with the reasons of the suppressions that fit; facts are never suppressed."""
    for finding in found:
        is_fact = finding.rows_at_risk or finding.refusal
        fitting = () if is_fact else tuple(s for s in suppressions if s.fits(finding))
        yield replace(finding, allowed=fitting[0].reason) if fitting else finding


def unused_suppressions(
    suppressions: Iterable[Suppression], found: Collection[Finding], known: Collection[str]
) -> Iterator[Match]:
    """The suppressions that change nothing, each with why."""
    for suppression in suppressions:
        fitting = [finding for finding in found if suppression.fits(finding)]
        if suppression.rule == _ABOUT_REVISIONS and suppression.reason:
            continue
        if suppression.rule not in known:
            why = "there is no such rule"
        elif not suppression.reason:
            why = "it gives no reason"
        elif any(finding.rows_at_risk for finding in fitting):
            why = "it cannot allow rows to be lost; declare the loss: loses TABLE — reason"
        elif any(finding.refusal for finding in fitting):
            why = "D1 refuses it anyway"
        elif not fitting:
            why = "the rule finds nothing here"
        else:
            continue
        values = {"said": f"allow {suppression.rule}", "why": why}
        yield Match(suppression.line, 1, suppression.line, 1, values)


def allow_reason(text: str, rule: str) -> str:
    """The reason of an allow that may stand anywhere in a file; "" where there is none."""
    if "preflight:" not in text:
        return ""
    comments = (t.text for t in all_tokens(text) if t.kind is TokenKind.COMMENT)
    found = (_ALLOW.search(comment) for comment in comments)
    return next((_reason(one) for one in found if one and one["rule"] == rule and _reason(one)), "")


def _within(text: str, line_of_lead: int) -> Iterator[Suppression]:
    if "preflight:" not in text:
        return
    lead = next((t.start for t in all_tokens(text) if t.kind is not TokenKind.COMMENT), len(text))
    first = line_of_lead - text.count("\n", 0, lead)
    last = first + text.count("\n")
    line, at = first, 0
    for token in all_tokens(text):
        found = _ALLOW.search(token.text) if token.kind is TokenKind.COMMENT else None
        if found:
            line, at = line + text.count("\n", at, token.start), token.start
            yield Suppression(found["rule"], _reason(found), line, last)


def _reason(found: re.Match[str]) -> str:
    return (found["reason"] or "").removesuffix("*/").strip()
