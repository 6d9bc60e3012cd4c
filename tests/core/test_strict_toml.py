"""One strict reader: each refusal names the file, the line and the key."""

from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from d1_preflight.core.errors import ProjectError
from d1_preflight.core.toml.strict import Path, SourceText, TomlTable

TEXT = """\
top = 1

[[section]]
id = "a"

[[section.step]]  # a comment
id = "a.1"
note = '''
[[section.step]]
id = "no step"
'''

[[section.step.prompt]]
key = "k"

[[section]]
id = "b"
inline = { id = 1 }

[[section.step]]
"quoted key" = true
id = "b.1"

[tools."a.b"]
version = "1"
"""
SOURCE = SourceText("x.toml", TEXT)


class Colour(StrEnum):
    """A closed set."""

    RED = "red"


def table(text: str) -> TomlTable:
    return TomlTable.of(SourceText("x.toml", text), "Correct it.")


@pytest.mark.parametrize(
    ("path", "key", "line"),
    [
        ((), "top", 1),
        ((), "absent", 1),
        (("section", 0), "id", 4),
        (("section", 0, "step", 0), "id", 7),
        (("section", 0, "step", 0), "absent", 6),
        (("section", 0, "step", 0, "prompt", 0), "key", 14),
        (("section", 1), "id", 17),
        (("section", 1, "inline"), "id", 18),
        (("section", 1, "step", 0), "quoted key", 21),
        (("section", 1, "step", 0), "id", 22),
        (("tools", "a.b"), "version", 25),
    ],
)
def test_a_key_is_found_in_its_own_table(path: Path, key: str, line: int) -> None:
    assert SOURCE.line_in(path, key) == line


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "x.toml:1: the top level has no key."),
        ("\nkey = 1", "x.toml:2: key of the top level must be a string."),
    ],
)
def test_a_string_is_there_or_refused(text: str, words: str) -> None:
    with pytest.raises(ProjectError) as refused:
        table(text).text("key")

    assert refused.value.message == words
    assert refused.value.hint == "Correct it."


def test_every_other_type_is_refused_by_its_name() -> None:
    found = table('a = true\nb = "red"\nc = [1]\nd = 1.5\n')

    for read, words in (
        (lambda: found.whole("a"), "x.toml:1: a of the top level must be a whole number."),
        (lambda: found.flag("b"), "x.toml:2: b of the top level must be true or false."),
        (lambda: found.texts("c"), "x.toml:3: c of the top level must be a list of strings."),
        (lambda: found.tables("c", "c"), "x.toml:3: c of the top level must be a list of tables."),
        (lambda: found.table("d"), "x.toml:4: d of the top level must be a table."),
        (lambda: found.table("e"), "x.toml:1: the top level has no e."),
        (lambda: found.parsed("b", int, "a number"), "b of the top level must be a number."),
        (lambda: table("k = 'blue'").choice("k", Colour), "'blue' is not one of red."),
    ):
        with pytest.raises(ProjectError) as refused:
            read()
        assert refused.value.message.endswith(words)
    assert found.choice("b", Colour) is Colour.RED


def test_an_unknown_key_is_refused_with_the_nearest_known_one() -> None:
    with pytest.raises(ProjectError) as refused:
        table("verbb = 1").only({"verb", "id"})

    assert refused.value.message == (
        "x.toml:1: unknown key 'verbb' in the top level; did you mean verb?"
    )


@given(st.text(), st.lists(st.text() | st.integers(0, 3), max_size=4), st.text())
def test_any_place_of_any_text_has_a_line(text: str, path: list[str | int], key: str) -> None:
    assert SourceText("x.toml", text).line_in(tuple(path), key) >= 1
