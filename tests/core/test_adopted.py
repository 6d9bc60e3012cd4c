"""Which files a schema shows to be applied; what it does not show is never guessed."""

import pytest

from d1_preflight.core.analysis import made_outside, schema_after, schemas_between
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.target.adopted import (
    Applied,
    JudgedFile,
    gaps,
    judge_files,
    with_ledger,
)
from d1_preflight.core.target.ledger_rows import adoption_sql

YES, NO, PARTLY, OTHER, UNKNOWN = (
    Applied.YES, Applied.NO, Applied.PARTLY, Applied.CONTRADICTS, Applied.UNKNOWN,
)  # fmt: skip
FILES = (
    "CREATE TABLE a(id INTEGER PRIMARY KEY, n TEXT);",
    "ALTER TABLE a ADD COLUMN z INT; CREATE INDEX az ON a(z);",
    "UPDATE a SET n = 'x';",
    "CREATE TABLE gone(x);",
    "DROP TABLE gone;",
    "ALTER TABLE a RENAME COLUMN n TO m;",
)
REBUILT = "CREATE TABLE b(id, k); DROP TABLE a; ALTER TABLE b RENAME TO a;"


def judged(files: tuple[str, ...], live: str) -> list[Applied]:
    migrations = [Migration.from_text(f"{n:04d}_f.sql", sql) for n, sql in enumerate(files, 1)]
    target = schema_after([Migration.from_text("live.sql", live)])
    steps, _ = schemas_between(migrations, made_outside(migrations, target))
    return [f.applied for f in judge_files([m.name for m in migrations], steps, target)]


@pytest.mark.parametrize(
    ("live", "expected"),
    [
        ("", [NO, NO, UNKNOWN, UNKNOWN, UNKNOWN, NO]),
        (FILES[0], [YES, NO, UNKNOWN, UNKNOWN, UNKNOWN, NO]),
        ("CREATE TABLE A(id integer primary key, m text, z int); CREATE INDEX az ON a (z);",
         [YES, YES, UNKNOWN, UNKNOWN, UNKNOWN, YES]),
        ("CREATE TABLE a(id INTEGER PRIMARY KEY, n TEXT, z INT);",
         [YES, PARTLY, UNKNOWN, UNKNOWN, UNKNOWN, NO]),
        ("CREATE TABLE a(id INTEGER PRIMARY KEY, n INT);",
         [OTHER, NO, UNKNOWN, UNKNOWN, UNKNOWN, OTHER]),
        (FILES[0] + FILES[3], [YES, NO, UNKNOWN, YES, NO, NO]),
    ],
)  # fmt: skip
def test_each_file_is_judged_by_what_it_changes(live: str, expected: list[Applied]) -> None:
    assert judged(FILES, live) == expected


def test_what_a_file_that_is_not_applied_would_undo_still_shows_an_earlier_one() -> None:
    files = ("CREATE TABLE a(id, n);", "ALTER TABLE a ADD COLUMN z;", REBUILT)

    assert judged(files, "CREATE TABLE a(id, n);") == [YES, NO, NO]
    assert judged(files, "CREATE TABLE a(id, n, z);") == [YES, YES, NO]
    assert judged(files, "CREATE TABLE a(id, k);") == [YES, UNKNOWN, YES]


def test_a_base_schema_that_no_file_makes_is_found_as_it_was_before_the_first() -> None:
    files = ("ALTER TABLE users ADD COLUMN z; CREATE INDEX uz ON users(z);",)
    live = schema_after([Migration.from_text("l.sql", "CREATE TABLE users(id);" + files[0])])

    outside = made_outside([Migration.from_text("0001_z.sql", files[0])], live)

    assert [made.sql for made in outside.objects] == ["CREATE TABLE users(id)"]
    assert judged(files, "CREATE TABLE users(id, z); CREATE INDEX uz ON users(z);") == [YES]


@pytest.mark.parametrize(
    ("state", "is_recorded", "expected"),
    [(UNKNOWN, True, YES), (UNKNOWN, False, NO), (YES, True, YES), (YES, False, OTHER),
     (NO, True, OTHER), (PARTLY, True, PARTLY)],
)  # fmt: skip
def test_another_ledger_decides_where_the_schema_is_silent_and_contradicts_where_not(
    state: Applied, *, is_recorded: bool, expected: Applied
) -> None:
    file = JudgedFile("0001_a.sql", state, "seen")

    found = with_ledger(file, "drizzle", is_recorded=is_recorded, others_in_it=True)

    assert found.applied is expected
    assert with_ledger(file, "drizzle", is_recorded=False, others_in_it=False) == file


def test_a_file_that_is_not_applied_before_one_that_is_is_a_gap() -> None:
    files = [JudgedFile(name, state, "") for name, state in (("1", YES), ("2", NO), ("3", YES))]

    assert gaps(files) == ("2",)


def test_many_rows_go_into_statements_that_d1_takes() -> None:
    names = [f"{n:04d}_{'long' * 10}.sql" for n in range(1_500)]

    statements = adoption_sql("d1_migrations", [*names, "0000_it's.sql"]).split(";")

    assert all(len(statement.encode()) < 100_000 for statement in statements)
    assert "('0000_it''s.sql')" in statements[-2]
