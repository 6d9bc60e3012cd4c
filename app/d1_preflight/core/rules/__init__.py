"""The linter's rules: each a small function over one migration's analysis."""

from d1_preflight.core.findings import Finding
from d1_preflight.core.rules.case import Case


def findings_of(_case: Case) -> tuple[Finding, ...]:
    return ()
