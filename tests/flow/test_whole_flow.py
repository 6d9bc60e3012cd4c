"""One migration through every section, with the real wrangler against the stand-in."""

import json
import shlex
import subprocess
from pathlib import Path

import pytest

from d1_preflight.actions.workspace import Folder
from d1_preflight.adapters.localdb import open_read
from d1_preflight.cli import main
from d1_preflight.core.record.change_facts import RehearsalFacts
from d1_preflight.core.record.record import Status
from d1_preflight.core.record.signing import CLOSE, GO
from d1_preflight.core.schema.sequences import local_sequences
from d1_preflight.project_context import ProjectContext
from d1_preflight.session import Session
from flow.conftest import OpenPractice
from flow.walking import open_session, try_step, walk_to

pytestmark = pytest.mark.wrangler
ADDITIVE, REBUILD = "0057_add_team_billing_columns.sql", "0061_rebuild_teams_remove_deprecated.sql"


def stock_verify(folder: Path, signers: Path, name: str, namespace: str, who: str) -> int:
    """What the README tells a stranger to run."""
    return subprocess.run(
        ["ssh-keygen", "-Y", "verify", "-f", str(signers), "-I", who, "-n", namespace,
         "-s", str(folder / f"{name}.sig")],
        input=(folder / name).read_bytes(), capture_output=True, check=False,
    ).returncode  # fmt: skip


def assert_nothing_leaks(context: ProjectContext, session: Session) -> None:
    """No secret of the environment and no address of a row stands in any file of the record."""
    named = {"CLOUDFLARE_API_TOKEN", "PREFLIGHT_WEBHOOK", "WORKWAY_API_TOKEN"}
    secrets = [value for name, value in context.environ.items() if name in named]
    (copies,) = (context.workspace(REBUILD) / "backup").glob("*/export.sql")
    emails = {word for word in copies.read_text().split("'") if "@" in word and "." in word}
    assert len(secrets) == 3
    assert emails
    for file in session.environment.store.folder.rglob("*"):
        if not file.is_file():
            continue
        content = file.read_text("utf-8", "replace")
        assert not [secret for secret in secrets if secret in content], file
        leaked = [email for email in emails if email in content and email != context.operator]
        assert not leaked, file


@pytest.mark.matrix
async def test_an_additive_migration_walks_a_short_path_to_a_signed_record(
    practice: OpenPractice, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, running = practice("0057")
    session, _ = open_session(context, ADDITIVE)

    await walk_to(session)

    assert session.closed
    walked = {attempt.step for attempt in session.record.attempts}
    assert not walked & {"backed_up", "restored", "down_written", "down_tested"}
    folder = session.environment.store.folder
    signers = context.project.root / "checklists" / "allowed_signers"
    assert stock_verify(folder, signers, "go.toml", GO, context.operator) == 0
    assert stock_verify(folder, signers, "record.toml", CLOSE, context.operator) == 0
    record = folder / "record.toml"
    record.write_bytes(record.read_bytes().replace(b"0 lost", b"9 lost", 1))
    assert stock_verify(folder, signers, "record.toml", CLOSE, context.operator) != 0
    monkeypatch.chdir(context.project.root)
    assert main(["verify", ADDITIVE.removesuffix(".sql")]) == 4
    assert len(running.server.cloud.messages) == 1


async def test_the_rebuild_tells_its_losses_leaks_nothing_and_its_backup_brings_them_back(
    practice: OpenPractice, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    context, _ = practice("0061")
    session, wrangler = open_session(context, REBUILD)

    await walk_to(session, "losses")
    undeclared = await try_step(session, "losses", {"losses": ()})
    assert undeclared.status is Status.FAILED
    assert "team_members: all 1,204 rows" in undeclared.words
    assert "losses" in {item.step.id for item in session.open_before_go()}
    await walk_to(session, "go")

    assert sum(call[0] == "d1" for call in wrangler.remote) <= 8, wrangler.remote
    assert sum(call[0] != "d1" for call in wrangler.remote) <= 2, wrangler.remote
    rehearsed = RehearsalFacts.from_attempt(session.attempt("rehearsed"))
    lost = {change.table: change.lost for change in rehearsed.tables}
    assert lost["team_members"] == 1204
    await walk_to(session, "close")
    verified = session.attempt("rows")
    assert verified is not None
    assert verified.status is Status.PROVED
    assert_nothing_leaks(context, session)
    session.close()

    monkeypatch.chdir(context.project.root)
    assert main(["restore", REBUILD]) == 0
    fill = shlex.split(capsys.readouterr().out.splitlines()[3])
    assert fill[:3] == ["wrangler", "d1", "execute"]
    ran = await wrangler.run((*fill[1:], "--json"), cwd=context.project.root)
    assert ran.exit_code == 0, ran.stdout + ran.stderr
    again = await wrangler.run(
        ("d1", "execute", context.project.database.name, "--remote", "--json",
         "--command=SELECT count(*) AS n FROM team_members"),
        cwd=context.project.root,
    )  # fmt: skip
    assert '"n": 1204' in again.stdout


@pytest.mark.matrix  # the suite has it on a target in memory: actions/test_rehearsal_ends
async def test_a_migration_that_fails_on_real_rows_never_reaches_the_target(
    practice: OpenPractice,
) -> None:
    context, _ = practice("0063")
    session, _ = open_session(context, "0063_broken_backfill.sql")
    await walk_to(session, "syntax")

    attempt = await try_step(session, "syntax")

    assert attempt.status is Status.FAILED
    assert "UNIQUE" in attempt.words or "NOT NULL" in attempt.words or "FOREIGN" in attempt.words
    assert session.current is not None
    assert session.current.id == "syntax"


@pytest.mark.matrix
async def test_the_marks_of_autoincrement_are_those_of_the_target(practice: OpenPractice) -> None:
    context, _ = practice("0057")
    session, wrangler = open_session(context, ADDITIVE)

    async def execute(sql: str) -> list[dict[str, object]]:
        name, root = context.project.database.name, context.project.root
        ran = await wrangler.run(
            ("d1", "execute", name, "--remote", "--json", f"--command={sql}"), cwd=root
        )
        assert ran.exit_code == 0, ran.stdout + ran.stderr
        return list(json.loads(ran.stdout)[-1]["results"])

    # What a deleted row leaves behind: a mark above every id that is there.
    raised = "UPDATE sqlite_sequence SET seq = seq + 7 WHERE name <> 'd1_migrations'"
    found = await execute(f"{raised}; SELECT name, seq FROM sqlite_sequence")
    await walk_to(session, "rehearsed")
    await try_step(session, "rehearsed")

    environment = session.environment
    for folder in (Folder.COPY.of(environment), Folder.REHEARSAL.of(environment)):
        connection = open_read(environment.local.file(folder))
        kept = local_sequences(connection)
        connection.close()
        assert len(kept) > 1
        assert {n: kept[n] for n in kept if n != "d1_migrations"} == {
            row["name"]: row["seq"] for row in found if row["name"] != "d1_migrations"
        }
