"""The account: no row and no value goes without being counted, and none is counted wrongly."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from d1_preflight.adapters.row_copies import compare_copy
from d1_preflight.core.analysis import analyse
from d1_preflight.core.errors import RecordInvalid
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.rows.loss_check import LossStatus, check_losses, renames_by
from d1_preflight.core.rows.row_diff import (
    Pairing,
    Renames,
    RowDiff,
    TableDiff,
    diff_rows,
)
from d1_preflight.core.schema.schema import Schema
from law_size import examples
from local_copies import copy_rows, diff_files, make_file, table_diff, two_states
from sampling import sampled

SHOP = """
CREATE TABLE teams(id TEXT PRIMARY KEY, name TEXT, old TEXT);
CREATE TABLE members(id INTEGER PRIMARY KEY, team TEXT REFERENCES teams(id) ON DELETE CASCADE,
  role TEXT);
CREATE TABLE badges(id INTEGER PRIMARY KEY, team TEXT REFERENCES teams(id) ON DELETE SET NULL);
CREATE TABLE log(what TEXT);
INSERT INTO teams VALUES ('a', 'A', 'x'), ('b', 'B', NULL), ('c', 'C', 'z');
INSERT INTO members VALUES (1, 'a', 'OWNER'), (2, 'a', 'owner'), (3, 'b', NULL);
INSERT INTO badges VALUES (1, 'a'), (2, NULL), (3, 'c');
INSERT INTO log VALUES ('one'), ('one'), ('two');
"""
REBUILD = """
CREATE TABLE teams_new(id TEXT PRIMARY KEY, name TEXT);
INSERT INTO teams_new(id, name) SELECT id, name FROM teams;
DROP TABLE teams;
ALTER TABLE teams_new RENAME TO teams;
"""
Compare = Callable[..., RowDiff]


@pytest.fixture
def compare() -> Compare:
    """Run a migration as D1 would, and account for the rows."""

    def run(migration: str, *, setup: str = SHOP, **options: object) -> RowDiff:
        after = setup + "PRAGMA foreign_keys = ON; BEGIN;" + migration + ";COMMIT;"
        with two_states(setup, after) as connection:
            return diff_rows(connection, **options)  # type: ignore[arg-type]  # one door for tests

    return run


@pytest.mark.parametrize(("emptied", "values"), [("", 3), ("DELETE FROM log;", 0)])
def test_a_table_that_keeps_none_of_its_columns_is_accounted_for(
    compare: Compare, emptied: str, values: int
) -> None:
    other = "ALTER TABLE log ADD COLUMN who TEXT; ALTER TABLE log DROP COLUMN what"

    found = table_diff(compare(other, setup=f"{SHOP}{emptied}"), "log")

    assert (found.lost, found.added, dict(found.dropped)) == (
        0,
        0,
        {"what": values} if values else {},
    )


def test_an_empty_migration_leaves_every_table_untouched(compare: Compare) -> None:
    found = compare("SELECT 1")
    assert [t.table for t in found.tables] == ["badges", "log", "members", "teams"]
    assert all(t.is_untouched for t in found.tables)


def test_a_rebuild_is_charged_with_the_cascade(compare: Compare) -> None:
    found = compare(REBUILD)
    assert table_diff(found, "members").lost == 3
    assert table_diff(found, "badges").nulled == (("team", 2),)
    teams = table_diff(found, "teams")
    assert (teams.lost, teams.columns_gone, teams.dropped) == (0, ("old",), (("old", 2),))
    assert teams.changed == 2


@pytest.mark.parametrize(
    ("mutant", "table", "sees"),
    [
        ("DELETE FROM teams WHERE id = 'c'", "teams", lambda t: t.lost == 1),
        ("DELETE FROM log WHERE what = 'two'", "log", lambda t: t.lost == 1),
        ("DELETE FROM log WHERE rowid = 1", "log", lambda t: t.lost == 1),
        ("UPDATE members SET role = 'x'", "members", lambda t: t.altered == (("role", 3),)),
        ("UPDATE members SET role = NULL", "members", lambda t: t.nulled == (("role", 2),)),
        ("UPDATE teams SET name = CAST(name AS BLOB)", "teams", lambda t: t.changed == 3),
        ("UPDATE teams SET name = lower(name)", "teams", lambda t: t.altered == (("name", 3),)),
        ("UPDATE members SET id = 9 WHERE id = 1", "members", lambda t: t.lost == t.added == 1),
        ("INSERT INTO log VALUES ('one')", "log", lambda t: t.added == 1 and not t.lost),
        ("DROP TABLE log", "log", lambda t: t.after is None and t.lost == 3),
        ("ALTER TABLE teams DROP COLUMN old", "teams", lambda t: t.dropped == (("old", 2),)),
        ("CREATE TABLE new(a)", "new", lambda t: t.before is None and t.after == 0),
        (
            "INSERT OR REPLACE INTO teams VALUES ('a', 'A', 'x')",
            "members",
            lambda t: t.lost == 2,
        ),
    ],
)
def test_a_mutant_is_caught(
    compare: Compare, mutant: str, table: str, sees: Callable[[TableDiff], bool]
) -> None:
    found = compare("PRAGMA defer_foreign_keys = ON;" + mutant)
    assert sees(table_diff(found, table)), table_diff(found, table)


def test_a_copy_that_forgets_a_where_or_a_column_is_caught(compare: Compare) -> None:
    filtered = REBUILD.replace("FROM teams;", "FROM teams WHERE old IS NOT NULL;", 1)
    assert table_diff(compare(filtered), "teams").lost == 1


def test_a_copy_that_forgets_a_column_is_caught(compare: Compare) -> None:
    forgetful = REBUILD.replace("(id, name) SELECT id, name", "(id) SELECT id")
    assert table_diff(compare(forgetful), "teams").nulled == (("name", 3),)


def test_a_quoted_typo_is_caught(compare: Compare) -> None:
    typo = REBUILD.replace("SELECT id, name", "SELECT id, 'nmae'")
    assert table_diff(compare(typo), "teams").altered == (("name", 3),)


def test_keys_that_a_new_type_makes_equal_are_counted_as_lost(compare: Compare) -> None:
    setup = "CREATE TABLE t(k TEXT PRIMARY KEY); INSERT INTO t VALUES ('007'), ('7');"
    moved = """CREATE TABLE n(k INTEGER PRIMARY KEY); INSERT OR IGNORE INTO n SELECT k FROM t;
        INSERT INTO n VALUES (8); DROP TABLE t; ALTER TABLE n RENAME TO t"""
    assert table_diff(compare(moved, setup=setup), "t").lost >= 1


def test_a_change_of_letter_case_alone_is_seen_under_nocase(compare: Compare) -> None:
    setup = "CREATE TABLE t(k PRIMARY KEY, v TEXT COLLATE NOCASE); INSERT INTO t VALUES (1, 'A');"
    assert table_diff(compare("UPDATE t SET v = 'a'", setup=setup), "t").changed == 1


@pytest.mark.parametrize("value", ["1.0", "'1'", "x'31'", "CAST(x'ff' AS TEXT)", "'1' || char(0)"])
def test_a_change_of_type_alone_is_seen(compare: Compare, value: str) -> None:
    setup = "CREATE TABLE t(k PRIMARY KEY, v); INSERT INTO t VALUES (1, 1);"
    assert table_diff(compare(f"UPDATE t SET v = {value}", setup=setup), "t").changed == 1


def test_null_keys_are_paired_by_rowid_and_not_forgotten(compare: Compare) -> None:
    setup = "CREATE TABLE t(k TEXT PRIMARY KEY, v); INSERT INTO t VALUES (NULL, 1), (NULL, 2);"
    found = table_diff(compare("DELETE FROM t WHERE v = 1", setup=setup), "t")
    assert (found.lost, found.pairing) == (1, Pairing.ROWID)


def test_renames_are_followed(compare: Compare) -> None:
    moved = "ALTER TABLE members RENAME TO people; ALTER TABLE people RENAME COLUMN role TO part"
    found = compare(moved, renames=Renames({"members": "people"}, {"members.role": "part"}))
    members = table_diff(found, "members")
    assert members.is_untouched
    assert [table.table for table in found.tables if table.before is None] == []


def test_the_renames_are_read_from_the_migration() -> None:
    moved = """ALTER TABLE members RENAME TO people; ALTER TABLE people RENAME COLUMN role TO x;
        ALTER TABLE people RENAME COLUMN x TO part;"""
    renames = renames_by(Migration.from_text("1_a.sql", moved), _schema(SHOP))
    assert renames == Renames({"members": "people"}, {"members.role": "part"})


def test_a_table_without_a_key_that_was_rebuilt_is_paired_by_content(compare: Compare) -> None:
    rebuilt = """CREATE TABLE n(what TEXT); INSERT INTO n SELECT what FROM log ORDER BY what DESC;
        DROP TABLE log; ALTER TABLE n RENAME TO log"""
    found = table_diff(compare(rebuilt, rebuilt=["log"]), "log")
    assert found.is_untouched


def test_the_rows_of_a_virtual_table_are_counted(compare: Compare) -> None:
    setup = "CREATE VIRTUAL TABLE notes USING fts5(body); INSERT INTO notes VALUES ('x'), ('y');"
    found = compare("DELETE FROM notes WHERE body = 'x'", setup=setup)
    assert [t.table for t in found.tables if t.table.startswith("notes")] == ["notes"]
    assert (table_diff(found, "notes").before, table_diff(found, "notes").lost) == (2, 1)
    assert table_diff(compare("SELECT 1", setup=setup), "notes").is_untouched


@pytest.mark.parametrize(
    ("migration", "declared", "marks"),
    sampled(
        [
            (REBUILD, (), {"members", "badges", "teams"}),
            (REBUILD, ("teams",), {"members", "badges"}),
            (REBUILD, ("teams", "members", "badges"), set()),
            ("DROP TABLE log;", (), {"log"}),
            ("DROP TABLE log;", ("log",), set()),
            ("DELETE FROM log;", (), {"log"}),
            ("UPDATE members SET role = 'x' WHERE role = 'OWNER';", (), set()),
            ("UPDATE members SET role = NULL;", (), {"members"}),
            ("ALTER TABLE teams ADD COLUMN extra TEXT;", (), set()),
            ("ALTER TABLE members RENAME COLUMN role TO part;", (), set()),
            ("CREATE TABLE new(a); INSERT INTO new SELECT id FROM teams;", (), set()),
            ("INSERT INTO log VALUES ('three');", (), set()),
        ],
        2,
    ),
)
def test_what_is_not_both_done_and_declared_is_not_explained(
    compare: Compare, migration: str, declared: tuple[str, ...], marks: set[str]
) -> None:
    file, prior = Migration.from_text("0001_a_b.sql", migration), _schema(SHOP)
    analysis = analyse(file, prior)
    found = compare(
        migration, renames=renames_by(file, prior), rebuilt=analysis.effects.tables_rebuilt
    )
    explained = check_losses(found, analysis, declared)
    assert {one.diff.table for one in explained if one.blocks} == marks


def test_the_cascade_is_told_with_its_line(compare: Compare) -> None:
    analysis = analyse(Migration.from_text("0001_a_b.sql", REBUILD), _schema(SHOP))
    explained = {one.diff.table: one for one in check_losses(compare(REBUILD), analysis)}
    assert explained["members"].words == "rows lost by cascade from line 4, not declared"
    assert explained["log"].status is LossStatus.UNTOUCHED


def test_a_loss_that_the_migration_does_not_do_is_never_explained(compare: Compare) -> None:
    analysis = analyse(Migration.from_text("0001_a_b.sql", "DROP TABLE log;"), _schema(SHOP))
    explained = check_losses(compare("DELETE FROM badges"), analysis, ["badges", "log"])
    assert explained[0].words == "rows lost, not explained by a statement"
    assert explained[0].blocks


ROWS = st.lists(
    st.tuples(
        st.integers(0, 15),
        st.one_of(st.none(), st.integers(-2, 2), st.sampled_from(["a", "A", b"a", 1.0])),
    ),
    max_size=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(150))
@given(before=ROWS, after=ROWS, keyed=st.booleans())
def test_the_numbers_add_up_and_equal_a_count_by_hand(
    tmp_path: Path, before: list[tuple[int, object]], after: list[tuple[int, object]], keyed: bool
) -> None:
    sides = [dict(before), dict(after)]
    for name, rows in zip(("b", "a"), sides, strict=True):
        (path := tmp_path / name).unlink(missing_ok=True)
        connection = apsw.Connection(str(path))
        connection.execute(f"CREATE TABLE t(k {'PRIMARY KEY' if keyed else ''}, v)")
        connection.executemany(
            "INSERT INTO t(rowid, k, v) VALUES (?1, ?1, ?2)",
            list(rows.items()),
        )
        connection.close()
    (found,) = diff_files(tmp_path / "b", tmp_path / "a").tables
    old, new = sides
    both = old.keys() & new.keys()
    differs = [k for k in both if (type(old[k]), old[k]) != (type(new[k]), new[k])]
    assert (found.lost, found.added) == (len(old) - len(both), len(new) - len(both))
    assert found.changed == len(differs)
    assert sum(n for _, n in found.nulled) == sum(new[k] is None for k in differs)


def test_a_restored_database_is_the_same_as_its_copy(tmp_path: Path) -> None:
    _make(tmp_path / "a.sqlite", SHOP)
    _make(tmp_path / "b.sqlite", SHOP)
    for copy in copy_rows(tmp_path / "a.sqlite", ["teams", "members", "log"], tmp_path / "c"):
        assert compare_copy(copy, tmp_path / "b.sqlite") is None


@pytest.mark.parametrize(
    ("damage", "table", "problem", "column"),
    [
        ("DELETE FROM teams WHERE id = 'b'", "teams", "a row is missing", ""),
        ("INSERT INTO teams(id) VALUES ('q')", "teams", "a row that the copy", ""),
        ("UPDATE teams SET name = CAST(name AS BLOB)", "teams", "a value differs", "name"),
        ("UPDATE members SET id = 9 WHERE id = 1", "members", "a row is missing", ""),
        ("INSERT INTO log VALUES ('one')", "log", "a row that the copy", ""),
        ("UPDATE log SET what = 'two' WHERE rowid = 1", "log", "a value differs", "what"),
        ("ALTER TABLE teams DROP COLUMN name", "teams", "the column is missing", "name"),
        ("DROP TABLE teams", "teams", "the table is missing", ""),
    ],
)
def test_a_damaged_restore_is_found_and_placed(
    tmp_path: Path, damage: str, table: str, problem: str, column: str
) -> None:
    _make(tmp_path / "a.sqlite", SHOP)
    _make(tmp_path / "b.sqlite", SHOP + damage)
    (copy,) = copy_rows(tmp_path / "a.sqlite", [table], tmp_path / "c")
    found = compare_copy(copy, tmp_path / "b.sqlite")
    assert found is not None
    assert problem in found.words
    assert found.column == column


def test_a_tampered_copy_proves_nothing(tmp_path: Path) -> None:
    _make(tmp_path / "a.sqlite", SHOP)
    (copy,) = copy_rows(tmp_path / "a.sqlite", ["log"], tmp_path / "c")
    changer = apsw.Connection(str(copy.path))
    changer.execute("DELETE FROM rows")
    changer.close()
    with pytest.raises(RecordInvalid, match="changed"):
        compare_copy(copy, tmp_path / "a.sqlite")


def test_a_difference_never_tells_the_values(tmp_path: Path) -> None:
    _make(
        tmp_path / "a.sqlite",
        "CREATE TABLE t(k PRIMARY KEY, v); INSERT INTO t VALUES ('canary', 'secret')",
    )
    _make(
        tmp_path / "b.sqlite",
        "CREATE TABLE t(k PRIMARY KEY, v); INSERT INTO t VALUES ('canary', 'other')",
    )
    (copy,) = copy_rows(tmp_path / "a.sqlite", ["t"], tmp_path / "c")
    found = compare_copy(copy, tmp_path / "b.sqlite")
    assert found is not None
    assert not any(word in repr(found) for word in ("canary", "secret", "other"))


COUNTER = """CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, a);
INSERT INTO t VALUES (1, 'x'), (9, 'y'); DELETE FROM t WHERE id = 9;"""


@pytest.mark.parametrize(
    ("migration", "issued", "reissues"),
    [
        ("SELECT 1", (9, 9), False),
        ("INSERT INTO t(a) VALUES ('z')", (9, 10), False),
        ("UPDATE sqlite_sequence SET seq = 3", (9, 3), True),
        ("DELETE FROM sqlite_sequence", (9, 1), True),
        (
            (
                "CREATE TABLE n(id INTEGER PRIMARY KEY, a); INSERT INTO n SELECT * FROM t;"
                "DROP TABLE t; ALTER TABLE n RENAME TO t"
            ),
            (9, 1),
            True,
        ),
    ],
)
def test_ids_that_are_issued_again_are_seen(
    compare: Compare, migration: str, issued: tuple[int, int], *, reissues: bool
) -> None:
    found = table_diff(compare(migration, setup=COUNTER), "t")

    assert (found.issued_before, found.issued_after) == issued
    assert found.reissues is reissues
    assert found.is_untouched is (migration == "SELECT 1")


def test_a_table_that_issues_no_ids_has_no_mark(compare: Compare) -> None:
    found = table_diff(compare("DELETE FROM badges"), "badges")

    assert (found.issued_before, found.issued_after, found.reissues) == (None, None, False)


TEAMS = TableDiff("teams", 3, 3, pairing=Pairing.KEY)
LOG = TableDiff("log", 3, 3, pairing=Pairing.ROWID)


@pytest.mark.parametrize(
    ("migration", "expected"),
    [
        ("SELECT 1", TEAMS),
        ("DELETE FROM log WHERE what = 'two'", replace(LOG, after=2, lost=1)),
        ("UPDATE log SET what = NULL", replace(LOG, changed=3, nulled=(("what", 3),))),
        ("INSERT INTO log VALUES ('x'), ('y')", replace(LOG, after=5, added=2)),
        ("SELECT 2", replace(LOG, pairing=Pairing.CONTENT)),
        ("DELETE FROM teams WHERE id = 'c'", replace(TEAMS, after=2, lost=1)),
        (
            "UPDATE teams SET name = NULL, old = 'n' WHERE id <> 'c'",
            replace(TEAMS, changed=2, nulled=(("name", 2),), altered=(("old", 2),)),
        ),
        (
            "UPDATE teams SET old = 'y' WHERE id = 'b'; DELETE FROM teams WHERE id = 'c'",
            replace(TEAMS, after=2, lost=1, changed=1, altered=(("old", 1),)),
        ),
        (
            "ALTER TABLE teams DROP COLUMN old; UPDATE teams SET name = 'n' WHERE id = 'b'",
            replace(
                TEAMS, changed=3, altered=(("name", 1),), dropped=(("old", 2),),
                columns_gone=("old",),
            ),
        ),
        ("DROP TABLE log", TableDiff("log", 3, None, lost=3)),
        ("CREATE TABLE more AS SELECT * FROM log", TableDiff("more", None, 3, added=3)),
        ("ALTER TABLE log ADD COLUMN at INTEGER", replace(LOG, pairing=Pairing.CONTENT)),
    ],
)  # fmt: skip
def test_every_number_of_a_diff_is_the_one_that_a_hand_would_count(
    compare: Compare, migration: str, expected: TableDiff
) -> None:
    found = table_diff(compare(migration), expected.table)

    assert found == expected
    still = migration.startswith(("SELECT", "ALTER TABLE log ADD"))
    assert found.is_untouched is still


def test_what_is_ignored_is_not_compared_and_the_ledger_by_itself(compare: Compare) -> None:
    setup = SHOP + "CREATE TABLE d1_migrations(id INTEGER PRIMARY KEY, name TEXT);"
    change = "INSERT INTO d1_migrations VALUES (1, 'x')"

    assert "d1_migrations" not in {t.table for t in compare(change, setup=setup).tables}
    found = compare(change, setup=setup, ignore=("log",))
    assert table_diff(found, "d1_migrations").added == 1
    assert "log" not in {table.table for table in found.tables}


def _make(path: Path, sql: str) -> None:
    make_file(path, sql)


def _schema(sql: str) -> Schema:
    connection = apsw.Connection(":memory:")
    connection.execute(sql)
    return Schema.from_connection(connection)
