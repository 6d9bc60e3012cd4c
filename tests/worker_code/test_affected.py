"""Queries are tried where the schemas differ for them: by view, trigger and foreign key too."""

import pytest

from d1_preflight.code.affected import affected
from d1_preflight.core.analysis import schema_after
from d1_preflight.core.project.migration import Migration

OTHER = "CREATE TABLE other (id INTEGER PRIMARY KEY, v);"
KIN = (
    "CREATE TABLE teams (id INTEGER PRIMARY KEY);"
    "CREATE TABLE users (id INTEGER PRIMARY KEY, team REFERENCES teams ON DELETE CASCADE);"
    "CREATE TABLE posts (id INTEGER PRIMARY KEY, author REFERENCES users ON DELETE CASCADE);"
    "CREATE TABLE tags (id INTEGER PRIMARY KEY, post REFERENCES posts);"
)


@pytest.mark.parametrize(
    ("before", "change", "named"),
    [
        ("CREATE TABLE zt (a);", "ALTER TABLE zt ADD COLUMN b;", {"zt"}),
        ("CREATE TABLE zt (a);", "CREATE UNIQUE INDEX zi ON zt (a);", {"zt", "zi"}),
        (("CREATE TABLE zt (a); CREATE VIEW zv AS SELECT * FROM zt;"
         "CREATE VIEW zw AS SELECT a FROM zv;"),
         "ALTER TABLE zt ADD COLUMN b;", {"zt", "zv", "zw"}),
        (("CREATE TABLE zt (a); CREATE TABLE zl (x);"
         "CREATE TRIGGER zg AFTER INSERT ON zl BEGIN INSERT INTO zt VALUES (1); END;"),
         "ALTER TABLE zt ADD COLUMN b;", {"zt", "zl", "zg"}),
        (KIN, "ALTER TABLE posts ADD COLUMN b;", {"posts", "users", "teams", "tags"}),
        (KIN, "ALTER TABLE teams ADD COLUMN b;", {"teams", "users"}),
        ('CREATE TABLE "a""b" (x);', "CREATE TABLE zn (x);", {"other", "zt", "zv"}),
        ("CREATE TABLE zt (a);", "", set()),
    ],
)  # fmt: skip
def test_what_a_change_reaches(before: str, change: str, named: set[str]) -> None:
    first = Migration.from_text("0001.sql", OTHER + before)
    second = Migration.from_text("0002.sql", change)
    old = schema_after([first])

    pattern = affected(old, schema_after([second], old) if change else old)

    asked = {"other", "zt", "zi", "zv", "zw", "zg", "zl", "posts", "users", "teams", "tags"}
    found = {name for name in asked if pattern.search(f"select 1 from {name} ")}
    assert found == (asked if "other" in named else named)
