"""The catalog of rules, read strictly from `checklists/rules.toml`."""

from collections.abc import Mapping
from functools import cache

from d1_preflight.core.checklist.definitions import read_definition
from d1_preflight.core.errors import ChecklistInvalid
from d1_preflight.core.findings import Severity
from d1_preflight.core.toml.strict import SourceText, TomlTable
from d1_preflight.lazy_dataclass import dataclass

_KEYS = frozenset(
    {"title", "severity", "problem", "instead", "verified_with", "rows_at_risk", "refusal"}
)


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
    source = SourceText(name, read_definition(name) or "", ChecklistInvalid)
    top = TomlTable.of(source, "Every rule has title, severity, problem, instead, verified_with.")
    return {rule: _entry(rule, top.table(rule)) for rule in top.raw}


def _entry(rule: str, table: TomlTable) -> CatalogEntry:
    table = table.called(f"rule {rule!r}")
    table.only(_KEYS)
    return CatalogEntry(
        id=rule,
        title=table.text("title"),
        severity=table.choice("severity", Severity),
        problem=table.text("problem"),
        instead=table.texts("instead", None),
        verified_with=table.text("verified_with"),
        rows_at_risk=table.flag("rows_at_risk"),
        refusal=table.flag("refusal"),
    )
