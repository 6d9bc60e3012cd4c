"""A full-text index over another table follows it: no loss of its own, and none unseen."""

from pathlib import Path

import apsw
import pytest

from d1_preflight.core.analysis import analyse, schema_after
from d1_preflight.core.findings import Kind
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.rows.loss_check import LossVerdict, check_losses
from d1_preflight.core.rows.row_diff import diff_rows

POSTS = (
    "CREATE TABLE posts (id INTEGER PRIMARY KEY, title TEXT, spam INTEGER, author INTEGER{key});"
)
INDEX = "CREATE VIRTUAL TABLE posts_fts USING fts5(title, content='posts', content_rowid='id');"
REMOVE = "INSERT INTO posts_fts(posts_fts, rowid, title) VALUES ('delete', old.id, old.title);"
ADD = "INSERT INTO posts_fts(rowid, title) VALUES (new.id, new.title);"
TRIGGERS = f"""
CREATE TRIGGER posts_ai AFTER INSERT ON posts BEGIN {ADD} END;
CREATE TRIGGER posts_ad AFTER DELETE ON posts BEGIN {REMOVE} END;
CREATE TRIGGER posts_au AFTER UPDATE ON posts BEGIN {REMOVE} {ADD} END;
"""
PRIOR = POSTS.format(key="") + INDEX + TRIGGERS
OF_AUTHORS = (
    "CREATE TABLE authors (id INTEGER PRIMARY KEY);"
    + POSTS.format(key=" REFERENCES authors(id) ON DELETE CASCADE")
    + INDEX
    + TRIGGERS
)
ROWS = "INSERT INTO posts(id, title, spam, author) VALUES " + ", ".join(
    f"({n}, 'word{n}', {n % 2}, 1)" for n in range(1, 21)
)


def rehearsed(folder: Path, prior: str, rows: str, sql: str, *declared: str) -> list[LossVerdict]:
    for name, then in (("before", ""), ("after", sql)):
        connection = apsw.Connection(str(folder / name))
        connection.execute(f"{prior} {rows}; PRAGMA foreign_keys = ON;")
        connection.execute(then)
        connection.close()
    both = apsw.Connection(":memory:")
    both.execute(
        "ATTACH ? AS before; ATTACH ? AS after", (str(folder / "before"), str(folder / "after"))
    )
    schema = schema_after([Migration.from_text("0001_a_b.sql", prior)])
    analysis = analyse(Migration.from_text("0002_a_b.sql", sql), schema, whole=True)
    found = diff_rows(both, rebuilt=analysis.effects.tables_rebuilt)
    return list(check_losses(found, analysis, declared))


def blocked(verdicts: list[LossVerdict]) -> dict[str, str]:
    return {one.diff.table: one.words for one in verdicts if one.blocks}


@pytest.mark.parametrize(
    ("prior", "rows", "sql", "declared"),
    [
        (PRIOR, ROWS, "DELETE FROM posts WHERE spam = 1;", ("posts",)),
        (PRIOR, ROWS, "UPDATE posts SET title = 'x' WHERE spam = 1;", ()),
        (PRIOR, ROWS, "INSERT INTO posts(id, title) VALUES (99, 'new');", ()),
        (
            OF_AUTHORS,
            f"INSERT INTO authors VALUES (1); {ROWS}",
            "DELETE FROM authors WHERE id = 1;",
            ("authors", "posts"),
        ),
        (
            PRIOR,
            ROWS,
            f"DROP TABLE posts_fts; {INDEX} INSERT INTO posts_fts(posts_fts) VALUES ('rebuild');",
            (),
        ),
    ],
)
def test_the_index_follows_its_content(
    tmp_path: Path, prior: str, rows: str, sql: str, declared: tuple[str, ...]
) -> None:
    assert blocked(rehearsed(tmp_path, prior, rows, sql, *declared)) == {}


def test_the_rows_of_the_content_are_declared_as_ever(tmp_path: Path) -> None:
    found = blocked(rehearsed(tmp_path, PRIOR, ROWS, "DELETE FROM posts WHERE spam = 1;"))
    assert list(found) == ["posts"]


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TRIGGER posts_ad; DELETE FROM posts WHERE spam = 1;",
        "DROP TRIGGER posts_ai; INSERT INTO posts(id, title) VALUES (99, 'new');",
        f"DROP TABLE posts_fts; {INDEX}",
    ],
)
def test_an_index_that_does_not_follow_is_not_explained(tmp_path: Path, sql: str) -> None:
    found = blocked(rehearsed(tmp_path, PRIOR, ROWS, sql, "posts"))
    assert "have lost each other" in found["posts_fts"]


def test_the_index_made_again_is_no_loss() -> None:
    schema = schema_after([Migration.from_text("0001_a_b.sql", PRIOR)])
    sql = f"DROP TABLE posts_fts; {INDEX} INSERT INTO posts_fts(posts_fts) VALUES ('rebuild');"
    analysis = analyse(Migration.from_text("0002_a_b.sql", sql), schema, whole=True)
    assert analysis.kind is Kind.TRANSFORMATIVE
    assert analysis.blocking == ()
