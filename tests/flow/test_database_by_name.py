"""The board finds a database without an id through the real wrangler, and says its uuid."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from d1_preflight.board import Board
from d1_preflight.core.errors import ProjectError
from d1_preflight.practice.run import Practice
from d1_preflight.practice.state import DATABASE_ID, DATABASE_NAME
from d1_preflight.project_context import ProjectContext, open_context

pytestmark = pytest.mark.wrangler


async def test_a_database_without_an_id_opens_with_its_uuid(
    practice: Callable[..., tuple[ProjectContext, Practice]],
) -> None:
    context, running = practice("0061")
    root = context.project.root
    entry = {"binding": "DB", "database_name": DATABASE_NAME}
    text = {"name": "workway-api", "d1_databases": [entry]}
    (root / "wrangler.jsonc").write_text(json.dumps(text))
    opened = open_context(start=root, environ=context.environ, target="practice")
    opened = replace(opened, _toolchain=context._toolchain)
    name = opened.files()[-1].name
    with pytest.raises(ProjectError, match="no database_id"):
        opened.session(name)

    board = Board(opened)
    state = await board.refresh()

    assert not state.failed, state.words
    assert f"{DATABASE_ID}, found by its name" in state.words
    session = board.open(name)
    assert session.record.database.id == DATABASE_ID
    board.close(session)
    assert running.server.requests
