"""The convention of a folder is read from its files; a tool's own names are the tool's."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from d1_preflight.core.analysis import judge_some
from d1_preflight.core.errors import UsageError
from d1_preflight.core.findings import Finding, Kind
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.project.naming import HOUSE, Names, Naming, inferred, split_number
from d1_preflight.core.project.template import migration_name, migration_text
from d1_preflight.core.rules import ABOUT_NAMES
from d1_preflight.core.schema.schema import Schema

NOW = datetime(2026, 11, 26, 8, 30, 5, tzinfo=UTC)
FOLDERS = {
    "NNNN_descriptive_action.sql": ("0001_add_users.sql", "0002_teams.sql", "0003_add_tags.sql"),
    "NNNN-descriptive-action.sql": ("0001-init.sql", "0002-add-users.sql"),
    "NNNN_descriptive-action.sql": ("0001_init.sql", "0002_add-users.sql", "0003_add-tags.sql"),
    "NNN_descriptive_action.sql": ("001_init.sql", "002_add_users.sql", "010_add_tags.sql"),
    "N_descriptive_action.sql": tuple(f"{n}_add_t{n}.sql" for n in range(1, 12)),
    "YYYYMMDDHHMMSS_descriptive_action.sql": ("20260101120000_add_users.sql",),
    "YYYYMMDDHHMMSS-descriptive-action.sql": ("20260101120000-add-users.sql",),
    "YYYYMMDD_descriptive_action.sql": ("20260101_add_users.sql", "20260203_add_tags.sql"),
    "YYYYMMDDHHMMSS_descriptive_action/migration.sql": (
        "20260101120000_add_users/migration.sql",
        "20260201120000_dear_moon/migration.sql",
    ),
    "NNNN_descriptive_action/migration.sql": ("0001_add_users/migration.sql",),
}
NEXT = {
    "NNNN_descriptive_action.sql": "0004_add_users_email.sql",
    "NNNN-descriptive-action.sql": "0003-add-users-email.sql",
    "NNNN_descriptive-action.sql": "0004_add-users-email.sql",
    "NNN_descriptive_action.sql": "011_add_users_email.sql",
    "N_descriptive_action.sql": "12_add_users_email.sql",
    "YYYYMMDDHHMMSS_descriptive_action.sql": "20261126083005_add_users_email.sql",
    "YYYYMMDDHHMMSS-descriptive-action.sql": "20261126083005-add-users-email.sql",
    "YYYYMMDD_descriptive_action.sql": "20261126_add_users_email.sql",
    "YYYYMMDDHHMMSS_descriptive_action/migration.sql": (
        "20261126083005_add_users_email/migration.sql"
    ),
    "NNNN_descriptive_action/migration.sql": "0002_add_users_email/migration.sql",
}


@pytest.mark.parametrize("shown", FOLDERS)
def test_the_convention_is_the_folders_and_the_next_file_follows_it(shown: str) -> None:
    names = FOLDERS[shown]
    convention = inferred(names)

    assert convention.shown == shown
    assert migration_name("add users email", names, NOW, convention) == NEXT[shown]


@pytest.mark.parametrize("shown", [shown for shown in FOLDERS if not shown.startswith("NNNN_")])
def test_no_file_of_the_convention_is_told_to_be_renamed(shown: str) -> None:
    assert rules_about_names(FOLDERS[shown]) <= {"number-gap"}


def test_a_name_of_another_convention_than_the_folders_is_said_with_the_folders() -> None:
    names = (*FOLDERS["NNNN-descriptive-action.sql"], "0003_add_users_email.sql")
    message = next(f.message for f in judged(names[-1], names) if f.rule == "name-pattern")

    assert '"0003_add_users_email.sql" is not NNNN-descriptive-action.sql.' in message


@pytest.mark.parametrize("names", [(), ("users.sql",), ("001_init.sql",), ("0001-init.sql",)])
def test_too_few_files_show_no_convention(names: tuple[str, ...]) -> None:
    assert inferred(names) == HOUSE


@pytest.mark.parametrize(
    ("names", "name", "fits"),
    [
        (Names.NUMBERS, "0001_add_users.sql", True),
        (Names.NUMBERS, "0001-add-users.sql", False),
        (Names.HYPHENS, "0001-add-users.sql", True),
        (Names.HYPHENS, "0001_add_users.sql", False),
        (Names.TIMESTAMPS, "20260101120000_add_users.sql", True),
        (Names.TIMESTAMPS, "0001_add_users.sql", False),
        (Names.FOLDERS, "20260101120000_add_users/migration.sql", True),
    ],
)
def test_a_convention_that_is_set_counts_whatever_the_files_are(
    names: Names, name: str, fits: bool
) -> None:
    files = ("0001_a_b.sql", "0002-c-d.sql", "20260101120000_e_f.sql")

    assert Naming(names).convention(files).fits(name) is fits


@pytest.mark.parametrize("tool", ["drizzle", "prisma"])
@pytest.mark.parametrize("name", ["0000_auth.sql", "0001_A.sql", "init.sql", "1_x/migration.sql"])
def test_what_a_tool_keeps_books_of_is_never_told_to_be_renamed(tool: str, name: str) -> None:
    others = ("0001_other_name.sql", "0005_fifth_name.sql")
    found = judged(name, (*others, name), Naming(tool=tool), known=others)

    assert {finding.rule for finding in found if finding.rule in ABOUT_NAMES} <= {
        "duplicate-number",
        "number-out-of-order",
    }
    words = " ".join(step for f in found if f.rule in ABOUT_NAMES for step in f.instead)
    assert "next free number" not in words
    assert not words or words.startswith("Do not rename it")


def test_a_file_that_the_journal_does_not_list_is_judged_as_any_other() -> None:
    naming = Naming(tool="drizzle", listed=frozenset({"0000_auth.sql"}))

    assert "name-pattern" not in {f.rule for f in judged("0000_auth.sql", (), naming)}
    assert "name-pattern" in {f.rule for f in judged("auth.sql", (), naming)}


def test_a_stamp_is_above_all_that_are_taken() -> None:
    taken = ("20991231235958_far_ahead.sql",)

    assert migration_name("add users", taken, NOW, inferred(taken)).startswith("20991231235959_")


def test_a_number_that_is_taken_is_refused_in_every_convention() -> None:
    taken = FOLDERS["NNNN-descriptive-action.sql"]
    with pytest.raises(UsageError, match=r"0002 is used by 0002-add-users\.sql"):
        migration_name("0002-add-tags", taken, NOW, inferred(taken))


def test_the_header_of_every_convention_describes_what_the_name_says() -> None:
    for name in NEXT.values():
        assert "-- Description: add users email\n" in migration_text(name, Kind.ADDITIVE, "")


@pytest.mark.parametrize(
    ("part", "split"),
    [("0007_dear_moon", ("0007", "dear_moon")), ("0007-dear-moon", ("0007", "dear-moon"))],
)
def test_a_name_is_split_at_its_own_separator(part: str, split: tuple[str, str]) -> None:
    assert split_number(part) == split


PLAIN = Naming()


def judged(
    name: str, names: Iterable[str], naming: Naming = PLAIN, known: tuple[str, ...] = ()
) -> tuple[Finding, ...]:
    texts = {**dict.fromkeys(names, "SELECT 1;"), name: "CREATE TABLE a(x);"}
    files = [replace(Migration.from_text(n, text), naming=naming) for n, text in texts.items()]
    [(_, found)] = judge_some(files, {name}, Schema(), known)
    return found.findings


def rules_about_names(names: tuple[str, ...]) -> set[str]:
    return {f.rule for name in names for f in judged(name, names)} & ABOUT_NAMES
