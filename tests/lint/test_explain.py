"""`preflight explain`: every rule in words, and a hand for those who mistype one."""

import pytest

from d1_preflight.core.rules.catalog import rule_catalog
from lint.running import preflight


@pytest.mark.parametrize("rule", sorted(rule_catalog()))
def test_every_rule_is_explained_with_its_steps_and_where_it_is_known_from(rule: str) -> None:
    words = rule_catalog()[rule]
    ran = preflight("explain", rule)
    told = " ".join(ran.out.split())
    assert ran.code == 0
    assert ran.out.startswith(f"{rule}: {words.title}\n")
    assert f"severity: {words.severity.value}" in told
    assert f"{len(words.instead)}. " in told
    assert " ".join(words.verified_with.split()) in told
    assert ("preflight: allow" in told) is not words.rows_at_risk


def test_places_for_names_stand_in_capitals() -> None:
    told = preflight("explain", "cascade-delete").out
    assert 'DROP TABLE "PARENT"' in told
    assert "{" not in told


def test_a_mistyped_rule_gets_the_close_ones() -> None:
    ran = preflight("explain", "cascade-delet")
    assert (ran.code, ran.out) == (2, "")
    assert "cascade-delete" in ran.err


def test_a_rule_is_found_as_it_is_printed_or_as_code_names_it() -> None:
    assert (
        preflight("explain", "[cascade-delete]").out == preflight("explain", "CASCADE_DELETE").out
    )


def test_a_word_like_no_rule_is_sent_to_the_list() -> None:
    ran = preflight("explain", "qqqqqq")
    assert ran.code == 2
    assert "All rules: preflight explain" in ran.err


def test_without_a_rule_all_are_listed() -> None:
    out = preflight("explain").out
    assert all(f"  {rule} " in out for rule in rule_catalog())
    assert out.endswith(f"{len(rule_catalog())} rules. One in full: preflight explain RULE\n")
