"""A full-text index over another table follows it: no loss of its own, and none unseen."""

from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from d1_preflight.core.analysis import analyse, schema_after
from d1_preflight.core.findings import Kind
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.rows.index_gap import failing_indexes
from d1_preflight.core.rows.loss_check import LossVerdict, check_losses
from d1_preflight.core.rows.row_diff import Failing, TableDiff, diff_rows
from sampling import sampled

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
    failing = []
    for name, then in (("before", ""), ("after", sql)):
        connection = apsw.Connection(":memory:")
        connection.execute(f"{prior} {rows}; PRAGMA foreign_keys = ON;")
        connection.execute(then)
        failing.append(failing_indexes(connection))
        (folder / name).write_bytes(connection.serialize("main"))
        connection.close()
    both = apsw.Connection(":memory:")
    both.execute(
        "ATTACH ? AS before; ATTACH ? AS after", (str(folder / "before"), str(folder / "after"))
    )
    schema = schema_after([Migration.from_text("0001_a_b.sql", prior)])
    analysis = analyse(Migration.from_text("0002_a_b.sql", sql), schema, whole=True)
    found = diff_rows(both, rebuilt=analysis.effects.tables_rebuilt, failing=Failing(*failing))
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
    assert "VALUES ('rebuild')" in found["posts_fts"]


def test_the_index_made_again_is_no_loss() -> None:
    schema = schema_after([Migration.from_text("0001_a_b.sql", PRIOR)])
    sql = f"DROP TABLE posts_fts; {INDEX} INSERT INTO posts_fts(posts_fts) VALUES ('rebuild');"
    analysis = analyse(Migration.from_text("0002_a_b.sql", sql), schema, whole=True)
    assert analysis.kind is Kind.TRANSFORMATIVE
    assert analysis.blocking == ()


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TRIGGER posts_au; UPDATE posts SET title = 'x' WHERE spam = 1;",
        "INSERT INTO posts_fts(posts_fts) VALUES ('delete-all');",
        """DROP TRIGGER posts_ad; DROP TRIGGER posts_ai;
        CREATE TABLE n (id INTEGER PRIMARY KEY, title TEXT, spam INTEGER, author INTEGER);
        INSERT INTO n SELECT 21 - id, title, spam, author FROM posts;
        DROP TABLE posts; ALTER TABLE n RENAME TO posts;""",
    ],
)
def test_an_index_of_other_words_is_not_explained(tmp_path: Path, sql: str) -> None:
    found = blocked(rehearsed(tmp_path, PRIOR, ROWS, sql, "posts"))
    assert "VALUES ('rebuild')" in found["posts_fts"]


def test_an_index_that_failed_before_is_no_worse_for_it(tmp_path: Path) -> None:
    rows = f"{ROWS}; DROP TRIGGER posts_au; UPDATE posts SET title = 'x' WHERE id = 2"
    assert (
        blocked(rehearsed(tmp_path, PRIOR, rows, "DELETE FROM posts WHERE id = 4;", "posts")) == {}
    )


def test_an_index_of_some_rows_need_not_hold_a_new_one(tmp_path: Path) -> None:
    prior = PRIOR.replace("AFTER INSERT ON posts", "AFTER INSERT ON posts WHEN new.spam = 0")
    sql = "INSERT INTO posts(id, title, spam) VALUES (98, 'shown', 0), (99, 'hidden', 1);"
    assert blocked(rehearsed(tmp_path, prior, ROWS, sql)) == {}


CONTENTLESS = POSTS.format(key="") + "CREATE VIRTUAL TABLE posts_fts USING fts5(title, content='');"


@pytest.mark.parametrize(
    ("sql", "declared", "blocking"),
    [
        ("DELETE FROM posts WHERE spam = 1;", ("posts", "posts_fts"), []),
        ("DELETE FROM posts WHERE spam = 1;", ("posts",), ["posts_fts"]),
        ("INSERT INTO posts_fts(posts_fts) VALUES ('delete-all');", (), ["posts_fts"]),
        ("UPDATE posts SET title = 'x' WHERE spam = 1;", (), []),
    ],
)
def test_a_contentless_index_loses_what_its_triggers_forget(
    tmp_path: Path, sql: str, declared: tuple[str, ...], blocking: list[str]
) -> None:
    found = rehearsed(tmp_path, CONTENTLESS + TRIGGERS, ROWS, sql, *declared)
    assert list(blocked(found)) == blocking


@pytest.mark.parametrize(
    "options",
    sampled(
        ["tokenize='porter'", "prefix='2 3'", "columnsize=0", "detail=none", "tokenize='trigram'"],
        2,
    ),
)
def test_an_index_of_any_options_follows_its_content(tmp_path: Path, options: str) -> None:
    prior = PRIOR.replace("content_rowid='id'", f"content_rowid='id', {options}")
    sql = "DELETE FROM posts WHERE spam = 1;"
    assert blocked(rehearsed(tmp_path, prior, ROWS, sql, "posts")) == {}
    (tmp_path / "before").unlink()
    (tmp_path / "after").unlink()
    assert "posts_fts" in blocked(
        rehearsed(tmp_path, prior, ROWS, f"DROP TRIGGER posts_ad; {sql}", "posts")
    )


def test_an_index_with_fewer_entries_is_not_untouched() -> None:
    index = TableDiff("posts_fts", 20, 20, content="posts")

    assert index.is_untouched
    assert not replace(index, after=10).is_untouched
    assert not replace(index, strays=1).is_untouched
    assert not replace(index, failure="it is damaged").is_untouched
