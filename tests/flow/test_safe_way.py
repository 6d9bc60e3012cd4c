"""The rebuild of the practice project, rewritten: no row is lost, and no loss is declared."""

from pathlib import Path

import pytest

from d1_preflight.board import Board
from d1_preflight.cli import main
from d1_preflight.core.record.change_facts import FindingsFacts, RehearsalFacts
from d1_preflight.session import Session
from flow.conftest import OpenPractice
from flow.walking import open_session, raw_answers, walk_to

pytestmark = [pytest.mark.wrangler, pytest.mark.matrix]
REBUILD = "0061_rebuild_teams_remove_deprecated.sql"


async def answered_to_go(session: Session) -> int:
    """Walk to GO, and count the questions that a person answers."""
    asked = 0
    while (step := session.current) is not None and step.id != "go":
        asked += len(session.prompts(step))
        attempt = await session.perform(step, raw_answers(session, step))
        if not attempt.status.is_answered:
            assert step.waivable, f"{step.id}: {attempt.words}"
            session.waive(step, "waived in a test")
    return asked


async def test_one_key_and_one_look_lead_to_go_without_a_lost_row(practice: OpenPractice) -> None:
    context, _ = practice("0061")
    session, _ = open_session(context, REBUILD)
    board = Board(context)
    await walk_to(session, "findings")

    found = await board.rewrite(session)  # the key `p`, and the look at its diff
    assert found.is_offered
    board.write_rewrite(session, found)  # the key `y`
    asked = await answered_to_go(session)

    rehearsed = RehearsalFacts.from_attempt(session.attempt("rehearsed"))
    assert [change.table for change in rehearsed.tables if change.lost] == []
    declared = FindingsFacts.from_attempt(session.attempt("findings"))
    assert "team_members" not in str(declared.declared_losses)
    print(f"0061 the safe way: 2 keys for the rewrite, {asked} questions to GO")
    assert session.current is not None
    assert session.current.id == "go"


def test_an_applied_file_is_refused_and_a_pending_one_is_written(
    practice: OpenPractice, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    context, running = practice("0061")
    program = Path(context.toolchain.argv[-1]).resolve()
    wrangler = next(p for p in program.parents if (p / "package.json").is_file())
    settings = context.project.root / "preflight.toml"
    text = settings.read_text().replace('use = "own"', f'command = "{wrangler}"')
    settings.write_text(text)
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(context.project.root)
    folder = context.project.migrations_folder
    applied, pending = folder / "0059_create_audit_logs.sql", folder / REBUILD
    before = applied.read_text()

    assert main(["fix", "0059", "--write"]) == 2
    assert "is applied: wrangler does not apply it again" in capsys.readouterr().err
    assert applied.read_text() == before

    assert main(["fix", "0061", "--write"]) == 0
    assert "DROP COLUMN" in pending.read_text()
