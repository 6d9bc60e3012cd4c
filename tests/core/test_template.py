"""A new migration's name and header are what the checklist will ask for."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from d1_preflight.core.errors import UsageError
from d1_preflight.core.findings import Kind
from d1_preflight.core.project.migration import Migration, parse_header
from d1_preflight.core.project.template import (
    down_text,
    migration_name,
    migration_text,
)

NOW = datetime(2026, 11, 26, 8, 30, 5, tzinfo=UTC)
TAKEN = ("0056_add_workflow_tags.sql", "0057_add_team_billing.sql")


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("add users last login", "0058_add_users_last_login.sql"),
        ("Add-Users-Email", "0058_add_users_email.sql"),
        ("add_users_email.sql", "0058_add_users_email.sql"),
        ("0060_add_users_email", "0060_add_users_email.sql"),
    ],
)
def test_a_name_is_numbered_and_spelt_as_the_checklist_wants_it(typed: str, name: str) -> None:
    assert migration_name(typed, TAKEN, NOW) == name


@pytest.mark.parametrize(
    "typed", ["teams", "", "add users; drop", "../evil_file", "0057_a_b", "ä b"]
)
def test_what_is_no_name_is_refused_with_the_next_step(typed: str) -> None:
    with pytest.raises(UsageError) as refused:
        migration_name(typed, TAKEN, NOW)

    assert refused.value.hint


@given(st.text(max_size=30))
def test_any_words_become_a_good_name_or_are_refused(typed: str) -> None:
    try:
        name = migration_name(typed, TAKEN, NOW)
    except UsageError:
        return
    assert re.fullmatch(r"\d{4}_[a-z0-9]+(?:_[a-z0-9]+)+\.sql", name)


def test_numbers_go_on_from_the_highest_one() -> None:
    names = ("0009_a_b.sql", "0041_c_d.sql", "notes.sql")
    assert migration_name("add users", (), NOW) == "0001_add_users.sql"
    assert migration_name("add users", names, NOW) == "0042_add_users.sql"


@pytest.mark.parametrize("kind", [Kind.ADDITIVE, Kind.TRANSFORMATIVE, Kind.DESTRUCTIVE])
def test_the_header_is_complete_and_declares_its_type(kind: Kind) -> None:
    header = parse_header(migration_text("0058_add_users_email.sql", kind, "For the bills"))

    assert header.missing == ()
    assert header.type.lower().startswith(kind.value)
    assert header.migration == "0058_add_users_email"
    assert bool(header.critical) is (kind is Kind.DESTRUCTIVE)


def test_the_shell_of_a_way_back_is_no_way_back_yet() -> None:
    shell = Migration.from_text("down/0058_a_b.sql", down_text("0058_a_b.sql"))

    assert shell.is_blank
    assert not Migration.from_text("x.sql", shell.text + "DROP TABLE t;\n").is_blank
