"""The catalog of rules, read strictly from `checklists/rules.toml`."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from d1_preflight.core.checklist.definitions import read_definition
from d1_preflight.core.errors import ChecklistInvalid
from d1_preflight.core.findings import Severity
from d1_preflight.core.strict_toml import SourceText

_OPTIONAL = frozenset({"rows_at_risk", "refusal"})
_KEYS = _OPTIONAL | {"title", "severity", "problem", "instead", "verified_with"}


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """What a rule says; `problem` and `instead` have places for the user's names."""

    id: str
    title: str
    severity: Severity
    problem: str
    instead: tuple[str, ...]
    verified_with: str
    rows_at_risk: bool = False
    refusal: bool = False


@cache
def rule_catalog() -> Mapping[str, CatalogEntry]:
    """The entry of every rule by id; raises ChecklistInvalid naming the rule and the key."""
    name = "rules.toml"
    document = SourceText(name, read_definition(name) or "", ChecklistInvalid).toml()
    return {rule: _entry(rule, raw) for rule, raw in document.items()}


def _entry(rule: str, raw: object) -> CatalogEntry:
    if not isinstance(raw, dict):
        raise ChecklistInvalid(f"rules.toml, rule {rule!r} must be a table.")
    unknown = set(raw) - _KEYS
    missing = _KEYS - _OPTIONAL - set(raw)
    if unknown or missing:
        what = ", ".join(sorted(unknown or missing))
        raise ChecklistInvalid(
            f"rules.toml, rule {rule!r}: {'unknown' if unknown else 'missing'} {what}.",
            hint="Every rule has title, severity, problem, instead and verified_with.",
        )
    instead = raw["instead"]
    if not isinstance(instead, list):
        raise ChecklistInvalid(f"rules.toml, rule {rule!r}: instead must be a list of steps.")
    return CatalogEntry(
        id=rule,
        title=str(raw["title"]),
        severity=Severity(str(raw["severity"])),
        problem=str(raw["problem"]),
        instead=tuple(str(step) for step in instead),
        verified_with=str(raw["verified_with"]),
        rows_at_risk=raw.get("rows_at_risk") is True,
        refusal=raw.get("refusal") is True,
    )
