"""A project's own checklist says more than the shipped one, or says it otherwise; never less."""

import re
from datetime import timedelta

import pytest

from core.record_values import AnyAction, shipped_checklist, shipped_text, with_section
from d1_preflight.core.checklist.checklist import Checklist
from d1_preflight.core.checklist.file import load_checklist, require_acts
from d1_preflight.core.checklist.policy import REQUIRED, advice, with_ages
from d1_preflight.core.errors import ChecklistInvalid

TEXT = shipped_text()
OPTIONAL = [step.id for step in shipped_checklist().steps if step.id not in REQUIRED]


def required(text: str) -> Checklist:
    return require_acts(load_checklist(text, "checklists/d1.toml", AnyAction()))


def refused(text: str) -> tuple[int, str]:
    """The line at which a checklist is refused, and the words."""
    with pytest.raises(ChecklistInvalid) as error:
        required(text)
    told = re.fullmatch(r"checklists/d1\.toml:(\d+): (.+)\.", error.value.message)
    assert told, error.value.message
    return int(told[1]), told[2]


def at(step: str, old: str, new: str, text: str = TEXT) -> str:
    """The text with one change inside a step."""
    head, mark, rest = text.rpartition(f'\n\n[[section.step]]\nid = "{step}"\n')
    assert mark, step
    assert old in rest, old
    return head + mark + rest.replace(old, new, 1)


def without(step: str, text: str = TEXT) -> str:
    """The text without a step, and without those who need it saying so; its section stays."""
    parts = re.split(r"(?m)^(?=\[\[section(?:\.step)?\]\])", text)
    kept = [part for part in parts if not part.startswith(f'[[section.step]]\nid = "{step}"\n')]
    assert len(kept) == len(parts) - 1
    named = re.sub(rf'(?m)^(needs = .*?)"{step}"(, )?', r"\1", "".join(kept))
    return re.sub(r"(?m)^needs = \[\]\n", "", named.replace(", ]", "]"))


def line_of(text: str, step: str, words: str) -> int:
    start = text.index(f'[[section.step]]\nid = "{step}"\n')
    return text.count("\n", 0, text.index(words, start)) + 1


def test_the_shipped_checklist_fulfils_itself() -> None:
    assert required(TEXT).sha256 == shipped_checklist().sha256


@pytest.mark.parametrize("step", sorted(REQUIRED - {"go", "applied", "close"}))
def test_a_step_that_the_acts_rest_on_cannot_be_dropped(step: str) -> None:
    line, words = refused(without(step))

    assert line == 1
    assert f"there is no step {step!r} with the action" in words


@pytest.mark.parametrize("act", ["go", "apply", "close"])
def test_an_act_cannot_be_dropped(act: str) -> None:
    start = TEXT.index(f'[[section]]\nid = "{act}"\n')
    end = TEXT.find("[[section]]\n", start + 1)
    rest = TEXT[end:] if end > 0 else ""
    rest = rest.replace('needs = ["applied"]\n', "")

    assert "there is no step" in refused((TEXT[:start] + rest).replace('needs = ["go"]\n', ""))[1]


@pytest.mark.parametrize("step", OPTIONAL)
def test_every_other_step_may_be_dropped(step: str) -> None:
    assert not required(without(step)).has(step)


def test_words_may_be_changed_and_steps_be_added() -> None:
    text = at("applied", 'title = "Only this migration', 'title = "This migration alone')

    assert required(text.replace('title = "Data safety"', 'title = "The rows"'))
    for before in ("classification", "data", "go", "apply", "verification", "close"):
        assert require_acts(with_section(before)).has("dpo")


@pytest.mark.parametrize(
    ("step", "old", "new", "key", "words"),
    [
        ("applied", '"apply_migration"', '"notify_team"', "action", "there is no step 'applied'"),
        ("applied", 'effect = "remote-write"\n', "", "id", "'none', not 'remote-write'"),
        ("copied", '"remote-read"', '"local"', "effect", "'local', not 'remote-read'"),
        (
            "rehearsed", 'effect = "local"\n', 'effect = "local"\napplies = ["additive"]\n',
            "applies", "leaves out 'none', 'transformative', 'destructive'",
        ),
        ("backed_up", ', "destructive"]', "]", "applies", "leaves out 'destructive'"),
        ("rehearsed", '"syntax", ', "", "needs", "needs of step 'rehearsed' leaves out 'syntax'"),
        ("restored", 'needs = ["backed_up"]\n', "", "id", "leaves out 'backed_up'"),
        ("way_back", 'about = ["migration", "down"]\n', "", "id", "leaves out 'down'"),
        ("class", "needs", 'about = ["nothing"]\nneeds', "about", "leaves out 'migration'"),
        ("rehearsed", "effect", "waivable = true\neffect", "waivable", "must not be waivable"),
    ],
)  # fmt: skip
def test_what_makes_a_step_weaker_is_refused_with_its_line(
    step: str, old: str, new: str, key: str, words: str
) -> None:
    text = at(step, old, new)

    line, told = refused(text)

    assert words in told
    above = key == "id"  # the key is left out: the line of its table
    assert line == line_of(text, step, f"{key} = ") - above


def test_a_step_that_may_be_waived_need_not_be() -> None:
    assert not required(at("errors", "waivable = true\n", "")).step("errors").waivable


def test_a_proof_may_be_good_for_less_but_never_for_longer() -> None:
    shorter = at("window", 'good_for = "15 min"', 'good_for = "5 min"')
    assert required(shorter).step("window").good_for == timedelta(minutes=5)

    longer = at("bookmark", 'good_for = "2 h"', 'good_for = "2 days"')

    line, told = refused(longer)
    assert told == "good_for of step 'bookmark' is 2 days, longer than 2 h"
    assert line == line_of(longer, "bookmark", "good_for = ")


def test_a_proof_under_another_name_is_not_good_for_longer() -> None:
    renamed = TEXT.replace('id = "window"', 'id = "hours"')
    text = renamed.replace('good_for = "15 min"', 'good_for = "9 h"')

    assert "'hours' is 9 h, longer than 15 min" in refused(text)[1]


@pytest.mark.parametrize("step", ["go", "applied", "ledger", "close"])
def test_an_age_that_nobody_would_look_at_is_refused(step: str) -> None:
    text = at(step, "short = ", 'good_for = "2 h"\nshort = ')

    assert f"good_for of step '{step}' has no effect" in refused(text)[1]


def test_a_step_of_ones_own_ages_as_the_project_says() -> None:
    text = TEXT.replace(
        '[[section]]\nid = "go"',
        """[[section.step]]
id = "dpo"
short = "agreed"
title = "The data protection officer agreed"
why = "The law."
action = "open_dashboard"
good_for = "7 days"

[[section]]
id = "go\"""",
    )
    own = with_ages(required(text), shipped_checklist())

    assert own.step("dpo").good_for == timedelta(days=7)


def test_a_checklist_from_before_ages_is_walked_with_the_shipped_ones() -> None:
    earlier = required(re.sub("good_for = .*\n", "", TEXT))
    assert all(step.good_for is None for step in earlier.steps)

    aging = with_ages(earlier, shipped_checklist())

    ages = {step.id: step.good_for for step in shipped_checklist().steps}
    assert {step.id: step.good_for for step in aging.steps} == ages
    assert aging.sha256 == earlier.sha256


def test_a_checklist_that_lacks_what_came_later_is_told_what_to_paste() -> None:
    assert advice(shipped_checklist(), shipped_checklist()) == ()
    own = required(without("ready"))

    (told,) = advice(own, shipped_checklist())

    assert "has no step “Endpoints and analytics answer before the apply”" in told.words
    place = '[[section.step]]\nid = "window"\n'
    pasted = required(own.text.replace(place, f"{told.lines}\n\n{place}"))
    assert pasted.step("ready") == shipped_checklist().step("ready")


def moved(section: str, before: str) -> str:
    """The text with a section before another one ("": at the end)."""
    start = TEXT.index(f'[[section]]\nid = "{section}"\n')
    end = TEXT.find("[[section]]\n", start + 1)
    rest = TEXT[:start] + TEXT[end:]
    place = rest.index(f'[[section]]\nid = "{before}"\n') if before else len(rest)
    return f"{rest[:place]}\n{TEXT[start:end]}{rest[place:]}"


def test_a_step_behind_its_act_is_refused() -> None:
    needs = 'needs = ["bookmark", "restored", "down_tested"]\n'
    text = moved("data", "close").replace(needs, "")

    line, words = refused(text)

    assert words == "step 'counted' is between the apply and the close; it must be before GO"
    assert line == line_of(text, "counted", "id = ")


def test_nothing_stands_after_the_close() -> None:
    own = TEXT + '[[section.step]]\nid = "party"\nshort = "p"\ntitle = "p"\nwhy = "p"\n'
    assert "'party' comes after the close" in refused(own + 'action = "notify_team"\n')[1]


@pytest.mark.parametrize(("act", "step"), [("go", "go"), ("apply", "applied"), ("close", "close")])
def test_an_act_stands_in_its_own_section(act: str, step: str) -> None:
    text = TEXT.replace(f'[[section]]\nid = "{act}"\n', '[[section]]\nid = "release"\n')

    assert refused(text) == (
        line_of(text, step, "id = "),
        f"step {step!r} must be in the section {act!r}",
    )


def test_any_other_section_may_be_renamed() -> None:
    assert required(TEXT.replace('id = "data"\n', 'id = "safety"\n'))


@pytest.mark.parametrize("action", ["sign_go", "apply_migration", "sign_close"])
def test_an_act_has_no_second_name(action: str) -> None:
    text = at("named", '"check_name"', f'"{action}"')

    line, words = refused(text)

    assert words.startswith(f"step 'named' has the action {action!r}, which is for step ")
    assert line == line_of(text, "named", "action = ")
