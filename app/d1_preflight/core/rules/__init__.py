"""The linter's rules: each a small function over one migration, listed here by theme."""

from collections.abc import Iterable

from d1_preflight.core.findings import Finding, Severity
from d1_preflight.core.rules.catalog import CatalogEntry, rule_catalog
from d1_preflight.core.rules.context import Match, Rule, RuleContext
from d1_preflight.core.rules.data_loss import cascade, data
from d1_preflight.core.rules.declarations import declarations_of, declared, unused_declarations
from d1_preflight.core.rules.engine import broken, limits, remote, statements
from d1_preflight.core.rules.engine import refusals as engine
from d1_preflight.core.rules.project import baseline, files
from d1_preflight.core.rules.project import conventions as house
from d1_preflight.core.rules.structure import columns, full_text, keys, rebuild, values
from d1_preflight.core.rules.suppressions import suppressed, suppressions_of, unused_suppressions

_THEMES = (
    cascade.RULES,
    data.RULES,
    rebuild.RULES,
    columns.RULES,
    full_text.RULES,
    values.RULES,
    keys.RULES,
    statements.RULES,
    broken.RULES,
    engine.RULES,
    limits.RULES,
    remote.RULES,
    files.RULES,
    baseline.RULES,
    house.RULES,
)
RULES: tuple[Rule, ...] = tuple(rule for theme in _THEMES for rule in theme)
ALLOW_IGNORED = "allow-ignored"
"""The one rule that looks at the other rules' findings."""

ABOUT_NAMES = frozenset(
    {"name-pattern", "duplicate-number", "number-out-of-order", "number-gap", "number-behind"}
)
"""The rules that may ask for another name: no applied file can have one."""

_PROJECT_WIDE = frozenset(
    {
        ("baseline-missing", Severity.NOTE),
        ("header-missing", Severity.NOTE),
        ("two-lineages", Severity.BLOCKING),
    }
)


def project_wide(found: Iterable[Finding]) -> frozenset[str]:
    """The rules that say something of the whole folder here, so that no later file repeats it."""
    return frozenset(f.rule for f in found if (f.rule, f.severity) in _PROJECT_WIDE)


def rule_id(rule: Rule) -> str:
    """The id of a rule: its function's name in kebab case."""
    return str(getattr(rule, "__name__", "")).replace("_", "-")


def findings_of(context: RuleContext) -> tuple[Finding, ...]:
    """What all rules find, in the order of the file."""
    catalog = rule_catalog()
    found = dict.fromkeys(
        _finding(catalog[rule_id(r)], match) for r in RULES for match in r(context)
    )
    suppressions = suppressions_of(context)
    if suppressions:
        matches = unused_suppressions(suppressions, tuple(found), catalog.keys())
        unused = [_finding(catalog[ALLOW_IGNORED], match) for match in matches]
        found = dict.fromkeys([*suppressed(found, suppressions), *unused])
    declarations = declarations_of(context)
    if declarations:
        matches = unused_declarations(declarations, tuple(found))
        unused = [_finding(catalog[ALLOW_IGNORED], match) for match in matches]
        found = dict.fromkeys([*declared(found, declarations), *unused])
    return tuple(sorted(found, key=lambda finding: (finding.line, finding.column)))


def _finding(entry: CatalogEntry, match: Match) -> Finding:
    return Finding(
        rule=entry.id,
        severity=match.severity or entry.severity,
        line=match.line,
        column=match.column,
        title=entry.title,
        message=entry.problem.format_map(match.values),
        instead=match.instead or tuple(s.format_map(match.values) for s in entry.instead),
        tables=match.tables,
        end_line=match.end_line,
        end_column=match.end_column,
        rows_at_risk=entry.rows_at_risk,
        refusal=entry.refusal,
        losses=_losses(match) if entry.rows_at_risk else (),
    )


def _losses(match: Match) -> tuple[tuple[str, str], ...]:
    """What a finding about lost values stands for, to be compared with the declared losses."""
    return match.columns or tuple((table, "") for table in match.tables)
