"""Wrangler's file patterns; the expectations were taken from minimatch 3 as wrangler bundles it."""

import pytest

from d1_preflight.core.project.migrations_pattern import Glob, normal_path


@pytest.mark.parametrize(
    ("pattern", "path", "meant"),
    [
        ("*.sql", "0001_a.sql", True),
        ("*.sql", "0001_a.SQL", False),
        ("*.sql", ".hidden.sql", False),
        ("*.sql", ".sql", False),
        ("*.sql", "down/0001_a.sql", False),
        ("*/*.sql", "0001_a/migration.sql", True),
        ("*/*.sql", ".a/migration.sql", False),
        ("**/*.sql", "a.sql", True),
        ("**/*.sql", "a/b/c.sql", True),
        ("**/*.sql", "a/.b/c.sql", False),
        ("**", "a/b.sql", True),
        ("**", "a/.b.sql", False),
        ("a/**", "a", False),
        ("a/**", "a/b", True),
        ("a**b.sql", "a/b.sql", False),
        ("000?_*.sql", "0001_a.sql", True),
        ("?a.sql", ".a.sql", False),
        ("{up,fix}/*.sql", "fix/1.sql", True),
        ("{up,fix}/*.sql", "down/1.sql", False),
        ("*.{sql,SQL}", "a.SQL", True),
        ("{a,b{c,d}}.sql", "bd.sql", True),
        ("a.sql", "aXsql", False),
        ("*", "a\nb", True),
    ],
)
def test_a_path_is_meant_as_minimatch_means_it(pattern: str, path: str, meant: bool) -> None:
    assert Glob.parse(pattern).matches(path) is meant


@pytest.mark.parametrize(
    ("pattern", "folder", "may"),
    [
        ("*.sql", "down", False),
        ("*/*.sql", "down", True),
        ("*/*.sql", "down/deep", False),
        ("**/*.sql", "down/deep", True),
        ("**/*.sql", ".git", False),
        ("up/**/*.sql", "down", False),
    ],
)
def test_a_folder_is_entered_only_where_something_in_it_could_match(
    pattern: str, folder: str, may: bool
) -> None:
    assert Glob.parse(pattern).may_hold(folder) is may


@pytest.mark.parametrize(
    "pattern", ["@(a|b).sql", "!x.sql", "#x", "{1..3}.sql", "[a-z].sql", "{a,b", "+(a)"]
)
def test_a_form_that_could_be_misread_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="does not understand"):
        Glob.parse(pattern)


@pytest.mark.parametrize(
    ("written", "normal"),
    [("./m/", "m"), ("m\\sub", "m/sub"), ("", "."), ("a/../b", "b"), ("../m", "../m")],
)
def test_paths_are_normalised(written: str, normal: str) -> None:
    assert normal_path(written) == normal
