"""What a plain apply would apply."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from d1_preflight.core.project.migration import ledger_key, looks_like_down
from d1_preflight.core.project.pending import PendingSet, pending_set


def test_pending_are_the_files_that_the_ledger_lacks_in_wranglers_order() -> None:
    files = ["0010_d.sql", "abc.sql", "2_e.sql", "0001_c.sql", "0003_it's.sql"]
    found = pending_set(files, ["0001_c.sql"])
    assert found.names == ("2_e.sql", "0003_it's.sql", "0010_d.sql", "abc.sql")
    assert found.applied == ("0001_c.sql",)


def test_of_no_files_none_is_pending() -> None:
    assert pending_set(["0001_a.sql"], ["0001_a.sql"]).names == ()
    assert pending_set([], []) == PendingSet()


def test_a_renamed_applied_file_is_pending_again_and_its_row_is_extra() -> None:
    found = pending_set(["0002_new_name.sql"], ["0002_old_name.sql"])
    assert found.names == ("0002_new_name.sql",)
    assert found.extra == ("0002_old_name.sql",)


def test_a_late_lower_number_is_told() -> None:
    found = pending_set(["0003_late.sql", "0005_x.sql", "0006_y.sql", "z.sql"], ["0005_x.sql"])
    assert found.late == ("0003_late.sql",)


def test_files_that_share_a_number_are_told() -> None:
    found = pending_set(["0001_a.sql", "1_b.sql", "0002_c.sql", "x.sql", "y.sql"], [])
    assert found.duplicates == (("0001_a.sql", "1_b.sql"),)


def test_files_of_one_numbered_folder_are_no_duplicates() -> None:
    found = pending_set(["0001_a/1_x.sql", "0001_a/2_y.sql", "0001_b/1_x.sql"], [])
    assert found.duplicates == (("0001_a/1_x.sql", "0001_a/2_y.sql", "0001_b/1_x.sql"),)
    assert pending_set(["0001_a/1_x.sql", "0001_a/2_y.sql"], []).duplicates == ()


def test_order_goes_part_by_part_and_by_code_units() -> None:
    names = ["2_a/1_x.sql", "10_a/1.sql", "2_a/10_x.sql", "2_a/2_x.sql", "b/1.sql"]
    assert sorted(names, key=ledger_key) == [
        "2_a/1_x.sql", "2_a/2_x.sql", "2_a/10_x.sql", "10_a/1.sql", "b/1.sql",
    ]  # fmt: skip
    assert min(["\uff5e.sql", "\U0001f600.sql"], key=ledger_key) == "\U0001f600.sql"


@pytest.mark.parametrize(
    ("name", "down"),
    [
        ("0061_x.down.sql", True),
        ("0061_x.DOWN.SQL", True),
        ("0061_x/down.sql", True),
        ("0061_x.rollback.sql", True),
        ("0061_shut_down.sql", False),
        ("0061_x.sql", False),
    ],
)
def test_a_way_back_among_the_migrations_is_recognised(name: str, down: bool) -> None:
    assert looks_like_down(name) is down


NAMES = st.lists(st.from_regex(r"\A[0-9]{0,3}_?[a-z]{1,3}\.sql\Z"), max_size=12)


@given(files=NAMES, ledger=NAMES)
def test_every_file_is_applied_or_pending_and_every_row_applied_or_extra(
    files: list[str], ledger: list[str]
) -> None:
    found = pending_set(files, ledger)
    assert set(found.names) | set(found.applied) == set(files)
    assert set(found.applied) | set(found.extra) == set(ledger)
    assert not set(found.names) & set(ledger)
    assert set(found.late) <= set(found.names)
    assert list(found.names) == sorted(found.names, key=ledger_key)
