"""The checklist is data, read strictly: whatever is not understood is named with file and line."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.record_values import BEFORE_GO, AnyAction, shipped_checklist
from d1_preflight.actions import STEPS
from d1_preflight.core.checklist.answers import ANSWER_LABELS, ROLLED_BACK
from d1_preflight.core.checklist.checklist import Prompt, PromptKind
from d1_preflight.core.checklist.definitions import checklists_dir
from d1_preflight.core.checklist.file import load_checklist, require_acts
from d1_preflight.core.errors import ChecklistInvalid, Rejected
from d1_preflight.core.findings import Kind

SMALL = """\
schema = 1

[[section]]
id = "classification"
number = "1"
title = "Classification"

[[section.step]]
id = "named"
short = "name"
title = "Named"
why = "Order."
action = "check_name"
needs = ["header"]

[[section.step]]
id = "header"
short = "header"
title = "Header"
why = "Context."
action = "check_header"

[[section.step.prompt]]
key = "open"
kind = "confirm"
label = "It is open"
"""


def loaded(text: str) -> object:
    return load_checklist(text, "d1.toml", STEPS)


def test_the_shipped_checklist_loads_with_the_actions_that_exist() -> None:
    text = (checklists_dir() / "d1.toml").read_text("utf-8")

    checklist = load_checklist(text, "d1.toml", STEPS)

    assert [section.number for section in checklist.sections if section.number] == list("123456")
    assert {step.action for step in checklist.steps} == set(STEPS)


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("schema = 1", "schema = 2", 1, "schema must be 1"),
        ('number = "1"', 'number = "1"\ncolour = 1', 6, "unknown key 'colour' in a section"),
        ('short = "name"', 'short = "name"\nshell = "ls"', 11, "unknown key 'shell'"),
        ('action = "check_name"', 'action = "rm"', 13, "unknown action 'rm'"),
        ('needs = ["header"]', 'needs = ["heading"]', 14, "needs unknown 'heading'"),
        ('needs = ["header"]', 'needs = "header"', 14, "must be a list of strings"),
        ('needs = ["header"]', "needs = [1]", 14, "must be a list of strings"),
        ('why = "Order."', "", 8, "step 'named' has no why"),
        ('id = "header"', "", 16, "a step of section 'classification' has no id"),
        ('label = "It is open"', "", 23, "a prompt of step 'header' has no label"),
        ('why = "Order."', "why = 7", 12, "why of step 'named' must be a string"),
        ('why = "Order."', 'why = "x"\nwaivable = "yes"', 13, "must be true or false"),
        ('why = "Order."', 'why = "x"\neffect = "boom"', 13, "'boom' is not one of none"),
        ('why = "Order."', 'why = "x"\napplies = ["all"]', 13, "'all' is not one of none"),
        ('why = "Order."', 'why = "x"\ngood_for = "soon"', 13, "must be a time such as"),
        ('why = "Order."', 'why = "x"\ngood_for = "0 min"', 13, "must be a time such as"),
        ('why = "Order."', 'why = "x"\ngood_for = 15', 13, "good_for of step 'named' must be"),
        ('kind = "confirm"', 'kind = "guess"', 25, "'guess' is not one of confirm"),
        ('kind = "confirm"', 'kind = "confirm"\ndefault = true', 26, "unknown key 'default'"),
        ('id = "header"', 'id = "named"', 9, "two steps are called 'named'"),
    ],
)
def test_what_is_not_understood_is_named_with_its_line(
    old: str, new: str, line: int, words: str
) -> None:
    assert old in SMALL

    with pytest.raises(ChecklistInvalid) as refused:
        loaded(SMALL.replace(old, new, 1))

    assert refused.value.message.startswith(f"d1.toml:{line}: ")
    assert words in refused.value.message


@pytest.mark.parametrize(
    ("text", "age"),
    [("15 min", timedelta(minutes=15)), ("1 h", timedelta(hours=1)), ("1 day", timedelta(days=1)),
     ("7 days", timedelta(days=7))],
)  # fmt: skip
def test_an_age_is_read_in_the_words_that_people_write(text: str, age: timedelta) -> None:
    small = SMALL.replace('why = "Order."', f'why = "Order."\ngood_for = "{text}"')

    assert load_checklist(small, "d1.toml", STEPS).step("named").good_for == age


def test_steps_that_need_each_other_are_told_as_a_circle() -> None:
    circle = SMALL.replace('action = "check_header"', 'action = "check_header"\nneeds = ["named"]')

    with pytest.raises(ChecklistInvalid, match="steps need each other: "):
        loaded(circle)


def test_a_step_before_go_cannot_need_go() -> None:
    text = (checklists_dir() / "d1.toml").read_text("utf-8")
    circle = text.replace('needs = ["rehearsed"]', 'needs = ["go"]', 1)

    with pytest.raises(ChecklistInvalid, match="steps need each other: "):
        load_checklist(circle, "d1.toml", AnyAction())


@given(st.text(max_size=60))
def test_any_text_is_a_checklist_or_refused_in_words(text: str) -> None:
    with pytest.raises(ChecklistInvalid):
        loaded(text)


@pytest.mark.parametrize(
    "broken", ["section = 1\nschema = 1", "schema = 1\nsection = [1]", "schema = 1"]
)
def test_sections_that_are_none_are_refused(broken: str) -> None:
    with pytest.raises(ChecklistInvalid):
        loaded(broken)


def test_go_needs_every_step_before_it() -> None:
    checklist = shipped_checklist()
    before = {step.id for step in checklist.steps if step.section in BEFORE_GO}

    assert set(checklist.step("go").needs) == before


@pytest.mark.parametrize("kind", [Kind.ADDITIVE, Kind.TRANSFORMATIVE, Kind.DESTRUCTIVE])
def test_no_path_needs_a_step_that_is_not_on_it_for_ever(kind: Kind) -> None:
    path = shipped_checklist().steps_for(kind)

    assert {"named", "rehearsed", "go", "applied", "ledger", "close"} <= {s.id for s in path}


raw_values = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text())


@given(
    st.sampled_from(PromptKind),
    st.lists(st.text(), max_size=3).map(tuple),
    st.booleans(),
    raw_values,
)
def test_a_prompt_reads_an_answer_or_refuses_in_words(
    kind: PromptKind, choices: tuple[str, ...], optional: bool, raw: object
) -> None:
    prompt = Prompt("k", kind, "Why?", choices=choices, optional=optional)

    try:
        answer = prompt.read(raw)
    except Rejected:
        return
    assert isinstance(answer, (str, bool, tuple))
    assert optional or answer not in (False, ())


def test_a_typed_prompt_takes_only_the_exact_text() -> None:
    prompt = Prompt("database", PromptKind.TEXT, "Type it", typed="marketplace-production")

    assert prompt.read(" marketplace-production ") == "marketplace-production"
    for wrong in ("marketplace", "Marketplace-production", "", "y"):
        with pytest.raises(Rejected):
            prompt.read(wrong)


def test_a_checklist_that_drops_the_apply_is_refused() -> None:
    text = (checklists_dir() / "d1.toml").read_text()
    whole = load_checklist(text, "d1.toml", None)
    dropped = replace(
        whole, sections=tuple(section for section in whole.sections if section.id != "apply")
    )

    assert require_acts(whole) is whole
    with pytest.raises(ChecklistInvalid, match="applied"):
        require_acts(dropped)


def test_a_choice_is_answered_by_its_label_and_stored_in_its_own_words() -> None:
    ends = ANSWER_LABELS["end"]
    prompt = Prompt(
        "end", PromptKind.CHOOSE, "End?", choices=tuple(ends), labels=tuple(ends.values())
    )

    assert prompt.read("rolled back") == ROLLED_BACK == "it was taken back"
    assert prompt.read(ROLLED_BACK) == ROLLED_BACK
    with pytest.raises(Rejected) as refused:
        prompt.read("undone")
    assert refused.value.hint == "kept · rolled back · fixed manually"
