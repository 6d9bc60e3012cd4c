"""Numbers, dates and keys that no record of ours holds are refused where TOML is read."""

import pytest

from d1_preflight.core.checklist.file import load_checklist
from d1_preflight.core.errors import ChecklistInvalid, ProjectError, RecordInvalid
from d1_preflight.core.format import moment as moment_words
from d1_preflight.core.project.settings import load_settings
from d1_preflight.core.record.facts import moment
from d1_preflight.core.record.file import load_facts, load_record
from example_record import EXAMPLE

RECORD = EXAMPLE / "record.toml"
ENDLESS = [
    "a = " + "9" * 400,
    "a = " + "9" * 5000,
    f"a = {2**63}",
    f"a = -{2**63 + 1}",
    "a = inf",
    "a = -nan",
    "a = [[{ b = inf }]]",
    "a = " + "[" * 2000 + "]" * 2000,
    ".".join("a" * 2000) + " = 1",
    " . ".join(["'a'"] * 2000) + " = 1",
    "[" + ".".join("a" * 2000) + "]",
    "x = { " + ".".join("a" * 2000) + " = 1 }",
]


@pytest.mark.parametrize("text", ENDLESS, ids=lambda text: text[:24])
def test_no_reader_takes_what_has_no_end(text: str) -> None:
    with pytest.raises(RecordInvalid):
        load_facts(text.encode(), "go.toml")
    with pytest.raises(RecordInvalid):
        load_record(text.encode() + b"\n" + RECORD.read_bytes())
    with pytest.raises(ProjectError):
        load_settings(text)
    with pytest.raises(ChecklistInvalid):
        load_checklist(text, "d1.toml")


@pytest.mark.parametrize("number", ["1e999999999", "-1e-999999999", "1e400"])
def test_an_exact_number_of_a_million_digits_is_none(number: str) -> None:
    with pytest.raises(ProjectError):
        load_settings(f"[data]\ncopy_limit_mb = {number}")


@pytest.mark.parametrize("year", ["0001", "1969", "9999"])
def test_a_year_that_no_zone_can_show_is_none_of_a_record(year: str) -> None:
    with pytest.raises(ValueError, match="year"):
        moment(f"{year}-01-01T00:00:00Z")
    text = RECORD.read_text().replace('when = "2026', f'when = "{year}')
    with pytest.raises(RecordInvalid):
        load_record(text.encode())


def test_a_far_moment_is_shown_as_it_is_written() -> None:
    now = moment("2026-11-23T00:00:00Z")
    assert moment_words("0001-01-01T00:00:00+00:00", now.tzinfo, now)
    assert moment_words("9999-12-31T23:59:59-12:00", now.tzinfo, now)


def test_the_largest_numbers_are_kept() -> None:
    large = {"a": 2**63 - 1, "b": -(2**63) + 1}
    assert load_facts(f"a = {large['a']}\nb = {large['b']}".encode(), "x") == large
