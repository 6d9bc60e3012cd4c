"""The catalog of rules, read strictly from `checklists/rules.toml`."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise

from d1_preflight.core.checklist.definitions import read_definition
from d1_preflight.core.errors import ChecklistInvalid
from d1_preflight.core.findings import Severity
from d1_preflight.core.toml.strict import SourceText, TomlTable
from d1_preflight.lazy_dataclass import dataclass

_FILE = "rules.toml"
_HINT = "Every rule has title, severity, problem, instead, verified_with."
_HEADING = re.compile(r"^\[(?=[a-z][a-z0-9-]*\]$)", re.MULTILINE)
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


class _Catalog(Mapping[str, CatalogEntry]):
    """The entries by id, each read when it is asked for: a clean file needs none of them."""

    def __init__(self, text: str) -> None:
        starts = [found.start() for found in _HEADING.finditer(text)]
        self._texts = {
            text[start + 1 : text.index("]", start)]: f"{_lines(text, start)}{text[start:end]}"
            for start, end in pairwise((*starts, len(text)))
        }
        self._read: dict[str, CatalogEntry] = {}

    def __getitem__(self, rule: str) -> CatalogEntry:
        if rule not in self._read:
            source = SourceText(_FILE, self._texts[rule], ChecklistInvalid)
            self._read[rule] = _entry(rule, TomlTable.of(source, _HINT).table(rule))
        return self._read[rule]

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)


def _lines(text: str, start: int) -> str:
    """As many empty lines as there are before, so that a refusal names the right one."""
    return "\n" * text.count("\n", 0, start)


@cache
def rule_catalog() -> Mapping[str, CatalogEntry]:
    """The entry of every rule by id; a bad one raises ChecklistInvalid naming rule and key."""
    return _Catalog(read_definition(_FILE) or "")


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
