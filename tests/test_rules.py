"""Every rule on its own cases: `tests/rules/<id>.toml`, found at its line or passed."""

import tomllib
from functools import cache
from pathlib import Path

import pytest

from d1_preflight.core.analysis import analyse, judge_some, schema_after
from d1_preflight.core.findings import Analysis, Finding
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.rules import ALLOW_IGNORED, RULES, rule_id
from d1_preflight.core.rules.catalog import rule_catalog
from d1_preflight.core.rules.project.merged import Change
from d1_preflight.core.schema.schema import Schema

FOLDER = Path(__file__).parent / "rules"
LONG = {  # what would be too long to write down in a case
    "@LONG@": "x" * 100_001,
    "@NEARLY@": "x" * 95_000,
    "@COLUMNS101@": ", ".join(f"c{n}" for n in range(101)),
    "@COLUMNS95@": ", ".join(f"c{n}" for n in range(95)),
    "@ORS@": " OR ".join(f"x = {n}" for n in range(120)),
    "@ARGS128@": ", ".join("1" for _ in range(128)),
    "@ARGS33@": ", ".join("1" for _ in range(33)),
    "@MANY@": "INSERT INTO a VALUES (1);\n" * 1_001,
}
NOT_BY_SQL = {"prior-incomplete"}  # needs a schema that cannot be made: tested by itself


@cache
def cases(kind: str) -> list[tuple[str, dict[str, object]]]:
    found = []
    for path in sorted(FOLDER.glob("*.toml")):
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        assert set(document) == {"find", "pass"}, path.name
        found += [(path.stem, case) for case in document[kind]]
    return found


def findings(case: dict[str, object], rule: str) -> list[Finding]:
    found = judged(case).findings
    return [finding for finding in found if finding.rule == rule]


JUDGED: dict[int, Analysis] = {}
"""What was found in a case, by the place of the case in memory: it is kept by `cases`."""


def judged(case: dict[str, object]) -> Analysis:
    """The analysis of a case, made once for all that is asked of it."""
    if id(case) not in JUDGED:
        JUDGED[id(case)] = judge(case)
    return JUDGED[id(case)]


@cache
def prior_of(sql: str) -> Schema:
    return schema_after([Migration.from_text("0001_prior_state.sql", sql)])


def judge(case: dict[str, object]) -> Analysis:
    sql = str(case["sql"])
    for mark, text in LONG.items():
        sql = sql.replace(mark, text)
    prior = prior_of(str(case.get("prior", "")))
    names = case.get("siblings", [])
    assert isinstance(names, list)
    siblings = [Migration.from_text(str(name), "SELECT 1;") for name in names]
    name = str(case.get("name", "0002_a_b.sql"))
    known = case.get("known", [])
    assert isinstance(known, list)
    whole = case.get("whole", True) is True
    migration = Migration.from_text(name, sql)
    if known:
        names = tuple(map(str, known))
        [(_, found)] = judge_some([*siblings, migration], {name}, prior, names, whole=whole)
        return found
    return analyse(migration, prior, siblings, whole=whole)


@pytest.mark.parametrize(("rule", "case"), cases("find"))
def test_the_rule_finds_its_case_at_its_line(rule: str, case: dict[str, object]) -> None:
    found = findings(case, rule)
    assert [finding.line for finding in found][:1] == [case["line"]]
    assert "severity" not in case or found[0].severity == case["severity"]


@pytest.mark.parametrize(("rule", "case"), cases("pass"))
def test_the_rule_passes_what_is_in_order(rule: str, case: dict[str, object]) -> None:
    assert findings(case, rule) == []


@pytest.mark.parametrize(("rule", "case"), cases("find"))
def test_a_finding_is_filled_with_the_users_names(rule: str, case: dict[str, object]) -> None:
    for finding in findings(case, rule):
        text = " ".join([finding.message, *finding.instead])
        assert "{" not in text
        assert '""' not in text
        assert finding.instead
        assert (finding.end_line, finding.end_column) >= (finding.line, finding.column)


def test_every_rule_has_words_and_cases_and_nothing_else_has() -> None:
    ids = {rule_id(rule) for rule in RULES} | {ALLOW_IGNORED}
    assert len(ids) == len(RULES) + 1
    assert set(rule_catalog()) == ids | set(Change)
    assert {path.stem for path in FOLDER.glob("*.toml")} == ids - NOT_BY_SQL


def test_each_refused_statement_gets_exactly_one_explanation() -> None:
    for _, case in cases("find"):
        analysis = judged(case)
        refused = [r for r in analysis.reasons if r.text.startswith("D1 refuses a statement")]
        assert not refused or analysis.blocking
