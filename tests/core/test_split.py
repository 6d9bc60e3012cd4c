"""One file that holds several changes: the split does the same, and each part is one change."""

import re
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from d1_preflight.core.analysis import analyse, schema_after
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.project.naming import Names, Naming
from d1_preflight.core.remedies.patterns.split import Split, split
from d1_preflight.core.remedies.patterns.trial import tried_in_parts
from d1_preflight.core.remedies.remedy import NoRemedy
from d1_preflight.core.schema.schema import Schema
from law_size import examples

BASE = """
CREATE TABLE users(id INTEGER PRIMARY KEY, email TEXT, role TEXT);
CREATE TABLE posts(id INTEGER PRIMARY KEY, author INTEGER REFERENCES users(id), body TEXT);
CREATE TABLE q(a TEXT, b TEXT);
CREATE TABLE logs(id INTEGER PRIMARY KEY, words TEXT);
"""
HEADER = """-- Migration: 0002_change_it_all
-- Description: it all
-- Type: Destructive
-- Rollback: no
-- CRITICAL: Backup required before applying

"""
RENAME = "-- the role\nALTER TABLE users RENAME COLUMN role TO rank; -- behind it\n"
DROP = "-- preflight: loses q.b — unused\nALTER TABLE q DROP COLUMN b;\n"
VALUES = "UPDATE logs SET words = 'x' WHERE words = 'y';\n"
CREATE = "CREATE TABLE tags(id INTEGER PRIMARY KEY);\nCREATE INDEX tags_id ON tags(id);\n"


def prior() -> Schema:
    return schema_after([Migration.from_text("0001_base_it.sql", BASE)])


def name_of(words: str, made: Sequence[str]) -> str:
    return f"{3 + len(made):04}_{re.sub(' ', '_', words)}.sql"


def parted(text: str, *siblings: Migration, naming: Naming | None = None) -> Split | NoRemedy:
    migration = Migration.from_text("0002_change_it_all.sql", text)
    if naming:
        migration = Migration(migration.name, text, migration.sha256, naming=naming)
    return split(migration, prior(), (*siblings, migration), name_of)


def test_each_part_is_one_change_with_its_comments_and_its_header() -> None:
    found = parted(HEADER + RENAME + DROP + CREATE)
    assert isinstance(found, Split)
    first, second, third = found.parts
    assert [part.name for part in found.parts] == [
        "0002_change_it_all.sql", "0003_delete_q.sql", "0004_create_tags.sql"
    ]  # fmt: skip
    assert first.text.endswith(f"\n{RENAME}")
    assert "Type: Transformative" in first.text
    assert second.text.endswith(f"\n{DROP}")
    assert "-- Description: it all (1 delete)" in second.text
    assert third.text.endswith(f"\n{CREATE}")
    now, files = prior(), list[Migration]()
    for part in found.parts:
        migration = Migration.from_text(part.name, part.text)
        files.append(migration)
        rules = {f.rule for f in analyse(migration, now, files).findings}
        assert "several-changes" not in rules
        assert "declared-type-differs" not in rules
        now = schema_after([migration], now)


def test_a_split_of_a_part_is_none() -> None:
    found = parted(HEADER + RENAME + DROP)
    assert isinstance(found, Split)
    assert isinstance(parted(found.parts[0].text), NoRemedy)


@pytest.mark.parametrize(
    ("text", "naming", "later", "words"),
    [
        (RENAME, None, "", "one logical change"),
        (RENAME + DROP, None, "0003_later_on.sql", "would run after 0003_later_on.sql"),
        (RENAME + DROP, Naming(Names.INFERRED, "drizzle"), "", "drizzle made this file"),
        (f"{RENAME}{DROP}SELECT nothing;\n", None, "", "Not every statement"),
    ],
)
def test_what_has_no_split_says_why(
    text: str, naming: Naming | None, later: str, words: str
) -> None:
    siblings = (Migration.from_text(later, ""),) if later else ()
    found = parted(text, *siblings, naming=naming)
    assert isinstance(found, NoRemedy)
    assert words in found.reason


def test_parts_that_do_something_else_are_no_proof() -> None:
    whole = RENAME + DROP
    assert tried_in_parts(prior(), "a.sql", whole, [RENAME, DROP]).holds
    assert not tried_in_parts(prior(), "a.sql", whole, [RENAME]).holds
    assert not tried_in_parts(prior(), "a.sql", whole, [RENAME, DROP, "DELETE FROM logs;"]).holds
    assert not tried_in_parts(prior(), "a.sql", whole, [RENAME, RENAME]).holds
    assert not tried_in_parts(prior(), "a.sql", "SELECT nothing;", [RENAME]).holds


@settings(deadline=None, max_examples=examples(32))
@given(st.permutations([RENAME, DROP, VALUES, CREATE]), st.integers(2, 4))
def test_any_order_of_changes_is_split_into_as_many_files(texts: list[str], count: int) -> None:
    chosen = texts[:count]
    found = parted("".join(chosen))
    serious = [text for text in chosen if text != CREATE]
    assert isinstance(found, Split) is bool(serious)
    if isinstance(found, Split):
        assert [part.text.strip() for part in found.parts] == [text.strip() for text in chosen]
