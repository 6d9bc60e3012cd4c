"""The board's own rewrite over a real record: the text, what is kept, and the proofs that go."""

from pathlib import Path

import apsw
import pytest

from d1_preflight.board import Board
from d1_preflight.core.errors import UsageError
from d1_preflight.project_context import ProjectContext, open_context
from flow.walking import raw_answers
from lint.running import POSTS, REBUILD, USERS, folder

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
        found = board.rewrite(session)
        kept = board.write_rewrite(session, found)
        assert (tmp_path / "migrations" / NAME).read_text() == found.after != REBUILD
        assert (tmp_path / kept).read_text() == REBUILD
        assert not session.status_of(step).is_answered
        assert session.current is not None
        assert session.current.id == "named"  # from the first step that read the old text
        assert record.read_bytes() == before  # the record keeps what was proved, and of which text
        await session.perform(step, raw_answers(session, step))
        assert session.status_of(step).is_answered
        assert not board.rewrite(session).is_offered
    finally:
        session.close()


@pytest.mark.parametrize("change", [b"-- by another\n", b"\xe9"])
def test_a_file_that_changed_under_us_is_left_alone(
    context: ProjectContext, tmp_path: Path, change: bytes
) -> None:
    board, session = Board(context), context.session(NAME)
    try:
        found = board.rewrite(session)
        path = tmp_path / "migrations" / NAME
        path.write_bytes(change + REBUILD.encode())
        with pytest.raises(UsageError if change.isascii() else Exception):
            board.write_rewrite(session, found)
        assert path.read_bytes() == change + REBUILD.encode()
        assert not list(tmp_path.rglob("before-fix/*"))
    finally:
        session.close()


@pytest.mark.parametrize(("user", "words"), [(1, ""), (99, "on the copy of the target")])
def test_what_the_copy_of_the_target_holds_counts_for_the_proof(
    context: ProjectContext, user: int, words: str
) -> None:
    board, session = Board(context), context.session(NAME)
    try:
        own = session.environment
        path = own.local.file(own.copy)
        path.parent.mkdir(parents=True)
        copy = apsw.Connection(str(path))
        copy.execute("PRAGMA journal_mode = WAL").fetchall()
        copy.execute(USERS + POSTS)
        copy.execute(f"INSERT INTO users VALUES (1, 'a'); INSERT INTO posts VALUES (1, {user})")
        found = board.rewrite(session)
        copy.close()
    finally:
        session.close()
    if words:
        assert words in found.proof.reason
        assert not found.is_offered
    else:
        assert found.proof.rows.startswith("the copy of the target")
        assert "cascade-delete" in {answer.finding.rule for answer in found.done}
