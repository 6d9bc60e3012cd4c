"""The words of the rules, read strictly from `checklists/rules.toml`."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from d1_preflight.core.checklist.definitions import checklists_dir
from d1_preflight.core.errors import ChecklistInvalid
from d1_preflight.core.findings import Severity
from d1_preflight.core.strict_toml import SourceText

_OPTIONAL = frozenset({"rows_at_risk", "refusal"})
_KEYS = _OPTIONAL | {"title", "severity", "problem", "instead", "verified_with"}


@dataclass(frozen=True, slots=True)
class Words:
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
def all_words() -> Mapping[str, Words]:
    """The words of every rule by id; raises ChecklistInvalid naming the rule and the key."""
    source = checklists_dir() / "rules.toml"
    try:
        text = source.read_text(encoding="utf-8")
    except OSError as error:
        raise ChecklistInvalid(f"{source.name} cannot be read: {error}") from error
    document = SourceText(source.name, text, ChecklistInvalid).toml()
    return {rule: _words(rule, raw) for rule, raw in document.items()}


def _words(rule: str, raw: object) -> Words:
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
    return Words(
        id=rule,
        title=str(raw["title"]),
        severity=Severity(str(raw["severity"])),
        problem=str(raw["problem"]),
        instead=tuple(str(step) for step in instead),
        verified_with=str(raw["verified_with"]),
        rows_at_risk=raw.get("rows_at_risk") is True,
        refusal=raw.get("refusal") is True,
    )
