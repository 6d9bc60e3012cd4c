"""The board's own rewrite over a real record: the text, what is kept, and the proofs that go."""

import asyncio
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from d1_preflight.adapters.wrangler.toolchain import Toolchain
from d1_preflight.board import Board
from d1_preflight.board.rewrite import against_rewrite
from d1_preflight.core.errors import PreflightError, UsageError
from d1_preflight.project_context import ProjectContext, open_context
from d1_preflight.session import Session
from flow.walking import raw_answers
from lint.running import POSTS, REBUILD, USERS, folder
from sampling import sampled

NAME = "0002_rebuild_users.sql"
CONFIG = (
    '{"name": "api", "d1_databases": [{"binding": "DB", "database_name": "prod",'
    ' "database_id": "11111111-1111-4111-8111-111111111111"}]}'
)


@pytest.fixture
def context(tmp_path: Path) -> ProjectContext:
    files = {
        "wrangler.jsonc": CONFIG,
        "migrations/0001_make_users.sql": USERS + POSTS,
        f"migrations/{NAME}": REBUILD,
    }
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    return open_context(start=folder(tmp_path, files), environ=environ)


async def test_the_file_is_written_whole_and_every_proof_of_the_old_text_counts_no_more(
    context: ProjectContext, tmp_path: Path
) -> None:
    board, session = Board(context), context.session(NAME)
    try:
        step = session.checklist.step("findings")
        await session.perform(step, raw_answers(session, step))
        assert session.status_of(step).is_answered
        record = session.environment.store.folder / "record.toml"
        before = record.read_bytes()
        found = await board.rewrite(session)
        kept = board.write_rewrite(session, found)
        assert (tmp_path / "migrations" / NAME).read_text() == found.after != REBUILD
        assert (tmp_path / kept).read_text() == REBUILD
        assert not session.status_of(step).is_answered
        assert session.current is not None
        assert session.current.id == "named"  # from the first step that read the old text
        assert record.read_bytes() == before  # the record keeps what was proved, and of which text
        await session.perform(step, raw_answers(session, step))
        assert session.status_of(step).is_answered
        assert not (await board.rewrite(session)).is_offered
    finally:
        session.close()


@pytest.mark.parametrize("change", sampled([b"-- by another\n", b"\xe9"], 2))
def test_a_file_that_changed_under_us_is_left_alone(
    context: ProjectContext, tmp_path: Path, change: bytes
) -> None:
    board, session = Board(context), context.session(NAME)
    try:
        found = asyncio.run(board.rewrite(session))
        path = tmp_path / "migrations" / NAME
        path.write_bytes(change + REBUILD.encode())
        with pytest.raises(UsageError if change.isascii() else Exception):
            board.write_rewrite(session, found)
        assert path.read_bytes() == change + REBUILD.encode()
        assert not list(tmp_path.rglob("before-fix/*"))
    finally:
        session.close()


def copied(session: Session, user: int) -> None:
    """A copy of the target with one user, and a post of another or of them."""
    own = session.environment
    path = own.local.file(own.copy)
    path.parent.mkdir(parents=True)
    copy = apsw.Connection(str(path))
    copy.execute("PRAGMA journal_mode = WAL").fetchall()
    copy.execute(USERS + POSTS)
    copy.execute(f"INSERT INTO users VALUES (1, 'a'); INSERT INTO posts VALUES (1, {user})")
    copy.close()


async def test_rows_of_the_copy_that_the_rewrite_would_not_take_speak_against_it(
    context: ProjectContext,
) -> None:
    board, session = Board(context), context.session(NAME)
    try:
        copied(session, user=99)
        found = await board.rewrite(session)
    finally:
        session.close()
    assert "on the copy of the target" in found.proof.reason
    assert not found.is_offered


@pytest.mark.matrix
@pytest.mark.wrangler
async def test_the_real_wrangler_runs_a_rewrite_on_the_copy_before_it_is_offered(
    context: ProjectContext, wrangler_command: Toolchain
) -> None:
    own = replace(context, _toolchain=wrangler_command)
    session = own.session(NAME)
    try:
        copied(session, user=1)
        found = await Board(own).rewrite(session)
        step = session.context(session.checklist.steps[0])
        refused = await against_rewrite(step, "INSERT INTO nowhere VALUES (1);\n")
        losing = await against_rewrite(step, "DROP TABLE posts; CREATE TABLE posts(id);\n")
    finally:
        session.close()
    assert found.proof.rows.startswith("the copy of the target")
    assert "cascade-delete" in {answer.finding.rule for answer in found.done}
    assert refused.startswith("wrangler does not run it on the copy")
    assert losing == ""  # the text itself says that they go
    assert not found.refused("it was late").is_offered


SEVERAL = (
    "-- Migration: 0002_rebuild_users\n"
    "ALTER TABLE users RENAME COLUMN name TO full_name;\n"
    "DROP TABLE logs;\n"
)


async def test_several_changes_become_a_file_each_and_all_are_written_or_none(
    tmp_path: Path,
) -> None:
    files = {
        "wrangler.jsonc": CONFIG,
        "migrations/0001_make_users.sql": "CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT);\n"
        "CREATE TABLE logs(id INTEGER PRIMARY KEY);\n",
        f"migrations/{NAME}": SEVERAL,
    }
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    context = open_context(start=folder(tmp_path, files), environ=environ)
    board, session = Board(context), context.session(NAME)
    migrations = tmp_path / "migrations"
    try:
        split = (await board.rewrite(session)).split
        assert split is not None
        [(name, text)] = split.files
        assert ("RENAME COLUMN" in split.after, "DROP TABLE" in text) == (True, True)
        (migrations / name).write_text("-- another's\n")
        with pytest.raises(PreflightError):
            board.write_rewrite(session, split)
        assert (migrations / NAME).read_text() == SEVERAL
        (migrations / name).unlink()
        kept = board.write_rewrite(session, split)
        assert (migrations / NAME).read_text() == split.after
        assert (migrations / name).read_text() == text
        assert (tmp_path / kept).read_text() == SEVERAL
        assert (await board.rewrite(session)).split is None
    finally:
        session.close()
