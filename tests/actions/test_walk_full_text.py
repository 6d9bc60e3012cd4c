"""A full-text index walks with the table whose text it holds, up to the close."""

from pathlib import Path

import pytest

from actions.fake_target import Bench
from d1_preflight.core.record.change_facts import RehearsalFacts
from d1_preflight.core.record.safety_facts import RestoreFacts

POSTS = "CREATE TABLE posts(id INTEGER PRIMARY KEY, title TEXT, body TEXT, spam INTEGER{more});"
REMOVE = (
    "INSERT INTO posts_fts(posts_fts, rowid, title, body)"
    " VALUES ('delete', old.id, old.title, old.body);"
)
ADD = "INSERT INTO posts_fts(rowid, title, body) VALUES (new.id, new.title, new.body);"
TRIGGERS = f"""
CREATE TRIGGER posts_ai AFTER INSERT ON posts BEGIN {ADD} END;
CREATE TRIGGER posts_ad AFTER DELETE ON posts BEGIN {REMOVE} END;
CREATE TRIGGER posts_au AFTER UPDATE ON posts BEGIN {REMOVE} {ADD} END;
"""
EXTERNAL = (
    "CREATE VIRTUAL TABLE posts_fts USING fts5(title, body, content='posts', content_rowid='id');"
)
ROWS = "INSERT INTO posts(id, title, body, spam) VALUES " + ", ".join(
    f"({n}, 'title {n}', 'running words of {n}', {n % 2})" for n in range(1, 21)
)
AUTHORS = "CREATE TABLE authors(id INTEGER PRIMARY KEY);"
PURGE = "DELETE FROM posts WHERE spam = 1;"
SHAPES = {
    "external": (POSTS.format(more="") + EXTERNAL + TRIGGERS, ROWS, PURGE),
    "cascade": (
        AUTHORS
        + POSTS.format(more=", author INTEGER REFERENCES authors(id) ON DELETE CASCADE")
        + EXTERNAL
        + TRIGGERS,
        f"INSERT INTO authors VALUES (1), (2); {ROWS};UPDATE posts SET author = 1 + spam;",
        "DELETE FROM authors WHERE id = 2;",
    ),
    "plain": (
        POSTS.format(more="")
        + "CREATE VIRTUAL TABLE posts_fts USING fts5(title, body);"
        + TRIGGERS.replace(REMOVE, "DELETE FROM posts_fts WHERE rowid = old.id;"),
        ROWS,
        PURGE,
    ),
    "porter and prefix": (
        POSTS.format(more="")
        + EXTERNAL.replace(");", ", tokenize='porter unicode61', prefix='2 3');")
        + TRIGGERS,
        ROWS,
        PURGE,
    ),
    "contentless": (
        POSTS.format(more="")
        + "CREATE VIRTUAL TABLE posts_fts USING fts5(title, body, content='');"
        + TRIGGERS,
        ROWS,
        PURGE,
    ),
    "contentless_delete": (
        POSTS.format(more="") + "CREATE VIRTUAL TABLE posts_fts"
        " USING fts5(title, body, content='', contentless_delete=1);"
        + TRIGGERS.replace(REMOVE, "DELETE FROM posts_fts WHERE rowid = old.id;"),
        ROWS,
        PURGE,
    ),
    "two indexes": (
        POSTS.format(more="")
        + EXTERNAL
        + EXTERNAL.replace("posts_fts", "posts_tri").replace(");", ", tokenize='trigram');")
        + TRIGGERS
        + TRIGGERS.replace("posts_", "tri_").replace("tri_fts", "posts_tri"),
        ROWS,
        PURGE,
    ),
    "over a view": (
        POSTS.format(more="")
        + "CREATE VIEW shown AS SELECT id, title, body FROM posts WHERE spam IS NOT NULL;"
        + EXTERNAL.replace("content='posts'", "content='shown'")
        + TRIGGERS,
        ROWS,
        PURGE,
    ),
    "no docsize": (
        POSTS.format(more="") + EXTERNAL.replace(");", ", columnsize=0);") + TRIGGERS,
        ROWS,
        PURGE,
    ),
}


CONTENT = POSTS.format(more="") + EXTERNAL
OTHERS = {
    "the index is dropped with its triggers": (
        CONTENT + TRIGGERS,
        ROWS,
        "DROP TRIGGER posts_ai; DROP TRIGGER posts_ad; DROP TRIGGER posts_au;DROP TABLE posts_fts;",
    ),
    "the index lost its content before": (
        CONTENT + "CREATE TABLE kept(id INTEGER);",
        ROWS + "; DROP TABLE posts;",
        "DROP TABLE posts_fts;",
    ),
    "the index was stale before": (
        CONTENT + TRIGGERS,
        ROWS + "; DROP TRIGGER posts_au; UPDATE posts SET title = 'other';",
        PURGE,
    ),
    "the index is rebuilt": (CONTENT, ROWS, "INSERT INTO posts_fts(posts_fts) VALUES('rebuild');"),
    "a vocabulary": (
        CONTENT + TRIGGERS + "CREATE VIRTUAL TABLE words USING fts5vocab('posts_fts', 'row');",
        ROWS,
        PURGE,
    ),
}
KEPT_IN_THE_SUITE = ("cascade",)  # "external" is walked to GO below


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param(name, marks=() if name in KEPT_IN_THE_SUITE else pytest.mark.matrix)
        for name in SHAPES
    ],
)
async def test_a_content_with_its_index_is_walked_to_the_close(tmp_path: Path, shape: str) -> None:
    earlier, rows, sql = SHAPES[shape]
    bench = Bench(tmp_path, sql, "destructive", earlier=earlier, rows=rows)

    await bench.walk()

    assert bench.session.closed
    restored = bench.session.record.last(RestoreFacts.step)
    given_back = RestoreFacts.from_attempt(restored).gives_back
    assert given_back is not None
    assert (given_back.runs, given_back.whole, given_back.words) == (True, True, "")


@pytest.mark.matrix
@pytest.mark.parametrize("case", OTHERS)
async def test_an_index_in_any_state_keeps_no_migration_from_its_close(
    tmp_path: Path, case: str
) -> None:
    earlier, rows, sql = OTHERS[case]
    bench = Bench(tmp_path, sql, "destructive", earlier=earlier, rows=rows)

    await bench.walk()

    assert bench.session.closed


async def test_the_rows_of_an_index_are_counted_once(tmp_path: Path) -> None:
    earlier, rows, sql = SHAPES["external"]
    bench = Bench(tmp_path, sql, "destructive", earlier=earlier, rows=rows)

    await bench.walk("go")

    rehearsed = RehearsalFacts.from_attempt(bench.session.record.last(RehearsalFacts.step))
    assert (rehearsed.rows, rehearsed.rows_lost) == (20, 10)
    words = {table.table: table.verdict for table in rehearsed.tables}
    assert words["posts_fts"] == "follows posts"
