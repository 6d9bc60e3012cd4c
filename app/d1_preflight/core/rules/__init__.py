"""The linter's rules: each a small function over one migration, listed here by theme."""

from d1_preflight.core.findings import Finding
from d1_preflight.core.rules.catalog import Words, all_words
from d1_preflight.core.rules.context import Case, Find, Hit
from d1_preflight.core.rules.data_loss import cascade, data
from d1_preflight.core.rules.engine import limits, remote, statements
from d1_preflight.core.rules.engine import refusals as engine
from d1_preflight.core.rules.project import conventions as house
from d1_preflight.core.rules.project import files
from d1_preflight.core.rules.structure import columns, rebuild
from d1_preflight.core.rules.suppressions import ignored, waived, waivers_of

_THEMES = (
    cascade.RULES,
    data.RULES,
    rebuild.RULES,
    columns.RULES,
    statements.RULES,
    engine.RULES,
    limits.RULES,
    remote.RULES,
    files.RULES,
    house.RULES,
)
RULES: tuple[Find, ...] = tuple(rule for theme in _THEMES for rule in theme)
ALLOW_IGNORED = "allow-ignored"
"""The one rule that looks at the other rules' findings."""


def rule_id(rule: Find) -> str:
    """The id of a rule: its function's name in kebab case."""
    return str(getattr(rule, "__name__", "")).replace("_", "-")


def findings_of(case: Case) -> tuple[Finding, ...]:
    """What all rules find, in the order of the file."""
    words = all_words()
    found = dict.fromkeys(_finding(words[rule_id(r)], hit) for r in RULES for hit in r(case))
    waivers = waivers_of(case)
    if waivers:
        unused = ignored(waivers, tuple(found), words.keys())
        told = [_finding(words[ALLOW_IGNORED], hit) for hit in unused]
        found = dict.fromkeys([*waived(found, waivers), *told])
    return tuple(sorted(found, key=lambda finding: (finding.line, finding.column)))


def _finding(words: Words, hit: Hit) -> Finding:
    return Finding(
        rule=words.id,
        severity=hit.severity or words.severity,
        line=hit.line,
        column=hit.column,
        title=words.title,
        message=words.problem.format_map(hit.values),
        instead=tuple(step.format_map(hit.values) for step in words.instead),
        tables=hit.tables,
        end_line=hit.end_line,
        end_column=hit.end_column,
        rows_at_risk=words.rows_at_risk,
        refusal=words.refusal,
    )
