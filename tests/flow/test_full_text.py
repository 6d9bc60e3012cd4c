"""A full-text index over another table, with the real wrangler from the copy to the close."""

import pytest

from d1_preflight.core.record.safety_facts import RestoreFacts
from flow.conftest import OpenPractice
from flow.walking import by_hand, in_ledger, open_session, walk_to

pytestmark = [pytest.mark.wrangler, pytest.mark.matrix]
NAME = "0062_purge_spam_posts.sql"
BEFORE = "0061_z_create_posts.sql"
EARLIER = """CREATE TABLE posts (id INTEGER PRIMARY KEY, title TEXT, spam INTEGER);
CREATE VIRTUAL TABLE posts_fts USING fts5(title, content='posts', content_rowid='id');
CREATE TRIGGER posts_ai AFTER INSERT ON posts BEGIN
  INSERT INTO posts_fts(rowid, title) VALUES (new.id, new.title);
END;
CREATE TRIGGER posts_ad AFTER DELETE ON posts BEGIN
  INSERT INTO posts_fts(posts_fts, rowid, title) VALUES ('delete', old.id, old.title);
END;
INSERT INTO posts VALUES (1, 'kept words', 0), (2, 'spam words', 1), (3, 'more spam', 1);
"""
PURGE = """-- Migration: 0062_purge_spam_posts
-- Author: Ana
-- Date: 2026-11-23
-- Ticket: T-1
-- Description: remove spam posts
-- Type: DESTRUCTIVE
-- Rollback: restore from the backup

DELETE FROM posts WHERE spam = 1;
"""


async def test_spam_is_purged_from_a_content_and_its_index(practice: OpenPractice) -> None:
    context, running = practice("0062")
    by_hand(running, f"{EARLIER} INSERT INTO d1_migrations(name) VALUES ('{BEFORE}')")
    folder = context.project.migrations_folder
    (folder / BEFORE).write_text(EARLIER)
    for path in folder.glob("006[2-9]*.sql"):
        path.unlink()
    (folder / NAME).write_text(PURGE)
    session, _ = open_session(context, NAME)

    await walk_to(session)

    assert session.closed
    assert in_ledger(running, NAME) == 1
    found = "SELECT count(*) AS n FROM posts_fts WHERE posts_fts MATCH 'words'"
    assert by_hand(running, found) == [{"n": 1}]
    restored = RestoreFacts.from_attempt(session.record.last(RestoreFacts.step))
    assert restored.gives_back is not None
    assert (restored.gives_back.runs, restored.gives_back.whole) == (True, True)
