"""Every id that Python writes down exists: of rules, steps, actions, sections and prompts.

A list of ids that nobody has is never equal to anything: it lets pass what it was to hold.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from app_source import APP
from d1_preflight import actions
from d1_preflight.core.checklist.file import shipped_checklist
from d1_preflight.core.checklist.shipped import adoption_checklist
from d1_preflight.core.rules import ALLOW_IGNORED, RULES, rule_id
from d1_preflight.core.rules.catalog import rule_catalog
from d1_preflight.core.rules.project.merged import Change
from d1_preflight.tui.bodies import BODIES
from reading_ids import Sources, Use

CHECKLISTS = (shipped_checklist(), adoption_checklist())
ALL_STEPS = [step for checklist in CHECKLISTS for step in checklist.steps]
STEPS = {step.id for step in ALL_STEPS}
SECTIONS = {section.id for checklist in CHECKLISTS for section in checklist.sections}


@cache
def written() -> tuple[Use, ...]:
    """Every id in the source; read when a test asks, for it takes seconds."""
    return tuple(Sources.read(APP).uses())


@cache
def known() -> Mapping[str, set[str]]:
    made = {use.word for use in written() if use.sort == "made prompt"}
    return {
        "rule": set(rule_catalog()),
        "step": STEPS,
        "action": {step.action for step in ALL_STEPS},
        "section": SECTIONS,
        "step or section": STEPS | SECTIONS,
        "prompt": {prompt.key for step in ALL_STEPS for prompt in step.prompts} | made,
    }


def invented(uses: tuple[Use, ...]) -> list[Use]:
    return [use for use in uses if use.word and use.word not in known().get(use.sort, {use.word})]


def test_every_id_in_the_source_exists() -> None:
    assert invented(written()) == []


@pytest.mark.parametrize(
    ("sort", "some"),
    [
        ("rule", {"several-changes", "name-pattern", "syntax-error", "pragma-refused"}),
        ("step", {"rehearsed", "deploy_order", "way_back", "applied", "go", "close", "ledger"}),
        ("action", {"apply_migration"}),
        ("section", {"rollback"}),
        ("prompt", {"losses", "loss_reason", "class", "purpose", "down", "order", "end"}),
    ],
)
def test_the_ids_are_found_where_they_are_written(sort: str, some: set[str]) -> None:
    assert some <= {use.word for use in written() if use.sort == sort}


@pytest.mark.parametrize(
    "source",
    [
        '_BAD = frozenset({"refused-by-d1"})\ndef f(x): return x.rule in _BAD',
        'def f(x): return x.rule == "refused-by-d1"',
        'def f(x): return "refused-by-d1" != x.rule',
        'def f(x): return x.rule in {"syntax-error", "refused-by-d1"}',
        "from d1_preflight.other import LIST\ndef f(x): return x.rule in LIST",
        'def f(rule: str): ...\nf("refused-by-d1")',
        'class F:\n    rule: str\nF(rule="refused-by-d1")',
        'def f(step_id: str): ...\nfor s in ("go", "rehersed"):\n    f(s)',
        'def f(step_id: str): ...\n[f(s) for s, _ in (("rehersed", 1),)]',
        '_T = {"rehersed": 1}\ndef f(step): return _T[step.id]',
        '_T = {"aply": 1}\ndef f(step): return _T.get(step.action)',
        'def f(step): return step.section == "roll_back"',
        'def f(work): return work.answer("lossses")',
        'def f(work): return work.answers["lossses"]',
        'class F(StepFacts):\n    step = "rehersed"',
    ],
)  # fmt: skip
def test_an_invented_id_is_found(tmp_path: Path, source: str) -> None:
    (tmp_path / "one.py").write_text(source)
    (tmp_path / "other.py").write_text('LIST = ("syntax-error", "refused-by-d1")')
    assert len(invented(tuple(Sources.read(tmp_path).uses()))) == 1


def test_every_id_in_the_data_has_its_python() -> None:
    rules = {rule_id(rule) for rule in RULES} | {ALLOW_IGNORED, *Change}
    assert rules == known()["rule"]
    assert {*actions.STEPS, *actions.ADOPTION_STEPS} == known()["action"]
    migration, adoption = CHECKLISTS
    assert {step.action for step in migration.steps} == set(actions.STEPS)
    assert {step.action for step in adoption.steps} == set(actions.ADOPTION_STEPS)
    assert set(BODIES) <= SECTIONS


def test_no_action_has_two_homes() -> None:
    assert len(actions.STEPS) == sum(len(section) for section in actions.sections())
