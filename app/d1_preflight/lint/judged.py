"""One migration with its analysis, and the summary of a whole run."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from d1_preflight.core.findings import Analysis, Finding, Kind, Severity
from d1_preflight.core.format import plural
from d1_preflight.core.project.migration import Migration
from d1_preflight.lazy_dataclass import dataclass

if TYPE_CHECKING:  # only lint --fix pays for the remedies
    from d1_preflight.core.remedies.fix import Fix

AT_MOST = 20
"""How often one rule is shown in one file: a seed file can have one finding ten thousand times."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One migration, judged; `path` is how the reader names the file."""

    path: str
    migration: Migration
    analysis: Analysis
    fix: "Fix | None" = None  # where a rewrite was looked for

    @property
    def blocks(self) -> bool:
        """Whether it must not be applied: a finding blocks, or something of it is unknown."""
        unknown = self.analysis.kind is Kind.UNKNOWN or bool(self.analysis.engine.refused)
        return bool(self.analysis.blocking) or unknown

    @property
    def shown(self) -> tuple[Finding, ...]:
        """The findings, no rule more than `AT_MOST` times."""
        return tuple(f for f, turn in self._turns() if turn <= AT_MOST)

    @property
    def left_out(self) -> tuple[tuple[Finding, int], ...]:
        """Of the rules shown no more: the first finding that is not shown, and how many are not."""
        found = tuple(self._turns())
        total = Counter(finding.rule for finding, _ in found)
        return tuple((f, total[f.rule] - AT_MOST) for f, turn in found if turn == AT_MOST + 1)

    def _turns(self) -> Iterator[tuple[Finding, int]]:
        turns: Counter[str] = Counter()
        for finding in self.analysis.findings:
            turns[finding.rule] += 1
            yield finding, turns[finding.rule]


def summary(judged: Sequence[Judged]) -> str:
    """One line for people: how many migrations, of which class, with which findings."""
    kinds = Counter(one.analysis.kind for one in judged)
    findings = [finding for one in judged for finding in one.analysis.findings]
    weights = Counter(f.severity for f in findings if not f.allowed and not f.declared)
    allowed = sum(1 for finding in findings if finding.allowed)
    declared = sum(1 for finding in findings if finding.declared)
    parts = [
        plural(len(judged), "migration"),
        ", ".join(f"{kinds[kind]} {_KINDS[kind]}" for kind in Kind if kinds[kind]),
        ", ".join(
            [
                plural(weights[Severity.BLOCKING], Severity.BLOCKING),
                plural(weights[Severity.WARNING], Severity.WARNING),
                plural(weights[Severity.NOTE], Severity.NOTE),
                *([f"{allowed} allowed in the file"] if allowed else []),
                *([f"{declared} declared in the file"] if declared else []),
            ]
        ),
    ]
    return " · ".join(filter(None, parts))


_KINDS = {kind: kind.value for kind in Kind} | {Kind.NONE: "without effect"}
