"""`preflight explain` on every rule: what a finding fills in is an example, never a bare name."""

import re

import pytest

from d1_preflight.cli import main
from d1_preflight.commands.rule_examples import NAMES, in_general, placeholders
from d1_preflight.core.rules.catalog import rule_catalog


def test_no_rule_shows_a_placeholder_that_stands_for_words() -> None:
    bare = []
    for rule in rule_catalog().values():
        for words in (rule.problem, *rule.instead):
            shown = in_general(rule.id, words)
            assert "{" not in shown, rule.id
            bare += [
                (rule.id, name)
                for name in set(placeholders(words)) - NAMES
                if re.search(rf"\b{name.upper()}\b", shown)
                and not re.search(rf"\b{name.upper()}\b", words)
            ]

    assert bare == []


def test_a_placeholder_that_nobody_explains_is_refused() -> None:
    with pytest.raises(KeyError, match="mystery"):
        in_general("drop-unknown", "It {mystery}.")
    with pytest.raises(KeyError, match="error"):
        in_general("drop-unknown", "D1 answers: {error}.")


def test_a_dropped_table_that_no_file_creates_is_explained_in_words(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["explain", "drop-unknown"]) == 0

    shown = capsys.readouterr().out
    assert 'Drops table "NAME", if it exists: no file creates it.' in shown
    assert "WORDS" not in shown
