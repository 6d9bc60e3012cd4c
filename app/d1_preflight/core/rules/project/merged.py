"""What is said of a file that was merged before and is no longer as it was merged.

This is about two revisions, which no rule over one migration sees.
"""

from enum import StrEnum

from d1_preflight.core.findings import Analysis, Finding, Kind, Risk
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.rules.catalog import rule_catalog
from d1_preflight.core.rules.suppressions import allow_reason
from d1_preflight.lazy_dataclass import dataclass, replace


class Change(StrEnum):
    """What became of a merged file, by the id of the finding."""

    EDITED = "edited"
    APPLIED_EDITED = "applied-edited"
    REMOVED = "merged-removed"
    DOWN_EDITED = "down-edited"


@dataclass(frozen=True, slots=True)
class MergedChange:
    """One merged file that is not as it was at `revision`; without text where it is gone.

    `-- preflight: allow edited — reason` in the file answers it where `may_be_declared`.
    """

    change: Change
    migration: Migration
    revision: str
    may_be_declared: bool = False

    @property
    def finding(self) -> Finding:
        """The finding about the file as a whole."""
        entry = rule_catalog()[self.change]
        values = {"name": self.migration.name, "revision": self.revision}
        return Finding(
            rule=entry.id,
            severity=entry.severity,
            line=1,
            column=1,
            end_line=1,
            end_column=1,
            title=entry.title,
            message=entry.problem.format_map(values),
            instead=tuple(step.format_map(values) for step in entry.instead),
            allowed=allow_reason(self.migration.text, "edited") if self.may_be_declared else "",
        )

    @property
    def alone(self) -> Analysis:
        """The judgement of a file that wrangler does not run, or no longer finds."""
        return Analysis(Kind.NONE, Risk.LOW, rollback="low", findings=(self.finding,))

    def before(self, analysis: Analysis) -> Analysis:
        """The judgement of the file as it reads now, with the change said first."""
        return replace(analysis, findings=(self.finding, *analysis.findings))
