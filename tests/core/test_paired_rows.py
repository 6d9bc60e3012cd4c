"""Which rows of two states are taken for the same one, and what no pairing may hide."""

from dataclasses import replace

import apsw
import pytest

from d1_preflight.core.errors import ProjectError
from d1_preflight.core.rows.row_diff import Pairing, Renames, TableDiff, diff_rows
from local_copies import table_diff, two_states

SAME = TableDiff("t", 3, 3)
TWO = "CREATE TABLE t(k INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 'a'), (2, 'b');"


def diff_of(before: str, after: str, **options: object) -> TableDiff:
    """The diff of the first table."""
    with two_states(before, after) as connection:
        return diff_rows(connection, **options).tables[0]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("diff", "is_untouched"),
    [
        (SAME, True),
        (replace(SAME, lost=1), False),
        (replace(SAME, added=1), False),
        (replace(SAME, changed=1), False),
        (replace(SAME, nulled=(("a", 1),), changed=1), False),
        (replace(SAME, altered=(("a", 1),), changed=1), False),
        (replace(SAME, dropped=(("a", 1),), changed=1), False),
        (replace(SAME, columns_gone=("a",)), False),
        (replace(SAME, strays=1), False),
        (replace(SAME, before=None), False),
        (replace(SAME, after=None), False),
        (replace(SAME, issued_before=4, issued_after=3), False),
        (replace(SAME, issued_before=3, issued_after=3), True),
        (replace(SAME, issued_before=3, issued_after=4), True),
        (replace(SAME, issued_before=3), True),
        (replace(SAME, issued_after=3), True),
        (replace(SAME, issued_before=1, issued_after=0), False),
    ],
)
def test_whatever_moved_is_not_untouched(diff: TableDiff, *, is_untouched: bool) -> None:
    assert diff.is_untouched is is_untouched
    assert diff.reissues is (diff.issued_after in (0, 3) and diff.issued_before in (1, 4))


def test_a_key_that_is_no_key_any_more_pairs_only_rows_that_it_names_once() -> None:
    twice = "CREATE TABLE t(k, v); INSERT INTO t VALUES (1, 'a'), (2, 'b'), (2, 'c');"

    found = diff_of(TWO, twice)

    assert (found.pairing, found.lost, found.added) == (Pairing.ROWID, 0, 1)


def test_a_key_that_became_null_pairs_nothing() -> None:
    nulled = "CREATE TABLE t(k, v); INSERT INTO t VALUES (1, 'a'), (NULL, 'b');"

    found = diff_of(TWO, nulled)

    assert (found.pairing, found.nulled, found.lost) == (Pairing.ROWID, (("k", 1),), 0)


def test_a_key_that_stays_one_under_another_declaration_still_pairs() -> None:
    keyless = "CREATE TABLE t(k, v); INSERT INTO t VALUES (2, 'b'), (1, 'x');"

    found = diff_of(TWO, keyless)

    assert (found.pairing, found.altered, found.lost) == (Pairing.KEY, (("v", 1),), 0)


def test_half_of_a_key_of_two_columns_pairs_nothing() -> None:
    pairs = "(a, b, v, PRIMARY KEY (a, b))"
    before = f"CREATE TABLE t{pairs}; INSERT INTO t VALUES (1, 1, 'x'), (1, 2, 'y');"
    after = "CREATE TABLE t(a PRIMARY KEY, v); INSERT INTO t VALUES (1, 'x');"

    found = diff_of(before, after, rebuilt=["T"])

    assert (found.pairing, found.lost, found.added) == (Pairing.CONTENT, 1, 0)
    assert (found.columns_gone, found.dropped) == (("b",), (("b", 2),))
    assert found.changed == 2


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_key_that_a_collation_makes_one_never_counts_a_row_twice(side: str) -> None:
    """Under NOCASE 'a' names two rows of the other side."""
    exact = "CREATE TABLE t(k TEXT PRIMARY KEY, v); INSERT INTO t VALUES ('a', 1), ('A', 2);"
    folded = "CREATE TABLE t(k TEXT COLLATE NOCASE PRIMARY KEY, v); INSERT INTO t VALUES ('a', 1);"
    states = (exact, folded) if side == "after" else (folded, exact)

    found = diff_of(*states, rebuilt=["t"])

    assert (found.lost, found.added) == ((1, 0) if side == "after" else (0, 1))


def test_the_rowids_of_a_rebuilt_table_pair_nothing() -> None:
    before = "CREATE TABLE t(v); INSERT INTO t VALUES ('a'), ('b'), ('c');"
    after = "CREATE TABLE t(v); INSERT INTO t VALUES ('b'), ('c'), ('d');"

    trusted, rebuilt = diff_of(before, after), diff_of(before, after, rebuilt=["T"])

    assert (trusted.pairing, trusted.altered, trusted.lost) == (Pairing.ROWID, (("v", 3),), 0)
    assert (rebuilt.pairing, rebuilt.lost, rebuilt.added) == (Pairing.CONTENT, 1, 1)


@pytest.mark.parametrize("without", ["before", "after"])
def test_a_table_without_rowids_is_not_paired_by_them(without: str) -> None:
    plain = "CREATE TABLE t(a TEXT, v); INSERT INTO t VALUES ('a', 1), ('b', 2);"
    bare = "CREATE TABLE t(k TEXT PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO t VALUES ('a', 1);"
    states = (bare, plain) if without == "before" else (plain, bare)

    assert diff_of(*states).pairing is Pairing.CONTENT


def test_equal_rows_are_counted_one_by_one() -> None:
    before = "CREATE TABLE t(v); INSERT INTO t VALUES ('a'), ('a'), ('a'), ('b');"
    after = "CREATE TABLE t(v); INSERT INTO t VALUES ('a'), ('b'), ('b'), ('b');"

    found = diff_of(before, after, rebuilt=["t"])

    assert (found.lost, found.added, found.changed) == (2, 2, 0)


def test_names_in_other_letters_are_the_same_names() -> None:
    before = 'CREATE TABLE "My T"("A b" INTEGER PRIMARY KEY, Old); INSERT INTO "My T" VALUES (1,2);'
    after = 'CREATE TABLE "their"("a B" INTEGER PRIMARY KEY, new); INSERT INTO their VALUES (1,2);'

    found = diff_of(before, after, renames=Renames({"MY T": "Their"}, {"my t.OLD": "NEW"}))

    assert found == TableDiff("My T", 1, 1, pairing=Pairing.KEY)


@pytest.mark.parametrize(("before", "after"), [(2, 3), (3, 2), (2, 2)])
def test_the_rows_of_a_virtual_table_are_counted_on_both_sides(before: int, after: int) -> None:
    sides = (
        "CREATE VIRTUAL TABLE t USING fts5(v);" + "INSERT INTO t VALUES ('x');" * number
        for number in (before, after)
    )

    found = diff_of(*sides)

    assert found is not None
    assert (found.before, found.after) == (before, after)
    assert (found.lost, found.added) == (max(0, before - after), max(0, after - before))


def test_a_table_that_became_virtual_is_counted() -> None:
    plain = "CREATE TABLE t(v); INSERT INTO t VALUES ('x'), ('y');"
    virtual = "CREATE VIRTUAL TABLE t USING fts5(v); INSERT INTO t VALUES ('x');"

    found = diff_of(plain, virtual)

    assert found == TableDiff("t", 2, 1, lost=1)


INDEXED = """CREATE TABLE docs(id INTEGER PRIMARY KEY, v);
CREATE VIRTUAL TABLE t USING fts5(v, content='docs', content_rowid='id');"""
ENTRY = "INSERT INTO docs VALUES ({0}, 'x'); INSERT INTO t(rowid, v) VALUES ({0}, 'x');"
STRAY = "INSERT INTO docs VALUES ({0}, 'x');"


@pytest.mark.parametrize(
    ("before", "after", "strays"),
    [
        ((1, 2), (1, 2), 0),
        ((1, 2), (1,), 0),
        ((1,), (1, 2), 0),
        ((1,), (1, -2), 1),
        ((1, -2), (1, -2), 0),
        ((1, -2), (1,), 0),
        ((1, -2), (1, -2, -3, -4), 2),
    ],
)
def test_an_index_is_charged_with_what_strayed_since(
    before: tuple[int, ...], after: tuple[int, ...], strays: int
) -> None:
    sides = [
        INDEXED + "".join((ENTRY if n > 0 else STRAY).format(abs(n)) for n in side)
        for side in (before, after)
    ]
    with two_states(*sides) as connection:
        found = table_diff(diff_rows(connection), "t")

    counts = (sum(n > 0 for n in before), sum(n > 0 for n in after))
    assert found == TableDiff("t", *counts, content="docs", strays=strays)


def test_what_the_engine_says_of_a_row_is_not_repeated() -> None:
    def fail(*_: object) -> bool:
        raise apsw.SQLError("bad JSON path: 'canary'")

    with two_states(TWO, TWO) as connection:
        connection.exec_trace = fail
        with pytest.raises(ProjectError) as refused:
            diff_rows(connection)

    assert refused.value.message == "The two copies cannot be compared (SQLError)."
    assert refused.value.hint == "Copy the target and rehearse again."


def test_a_key_of_two_columns_pairs_by_both() -> None:
    table = "CREATE TABLE t(a, b, v, PRIMARY KEY (a, b)) WITHOUT ROWID;"
    before = f"{table} INSERT INTO t VALUES (1, 1, 'x'), (1, 2, 'y'), (2, 1, 'z');"
    after = f"{table} INSERT INTO t VALUES (1, 1, 'x'), (1, 2, NULL), (2, 2, 'z');"

    found = diff_of(before, after)

    assert found == TableDiff(
        "t", 3, 3, lost=1, added=1, changed=1, nulled=(("v", 1),), pairing=Pairing.KEY
    )


def test_a_pairing_is_said_in_these_words() -> None:
    assert [*Pairing] == ["primary key", "rowid", "whole rows", "nothing to pair"]
