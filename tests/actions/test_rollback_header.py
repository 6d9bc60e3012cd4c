"""The header says how to roll back, and the file that it names is there."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from core.record_values import Walk, shipped_checklist
from d1_preflight.actions.context import Environment, StepContext
from d1_preflight.actions.rollback import check_rollback_header
from d1_preflight.core.findings import Kind
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.record.record import Status

CHECKLIST = shipped_checklist()


def context(root: Path, rollback: str) -> StepContext:
    migration = Migration.from_text("0061_mend_teams.sql", f"-- Rollback: {rollback}\nSELECT 1;")
    project = SimpleNamespace(root=root, migrations_folder=root / "migrations")
    environment = SimpleNamespace(migration=lambda: migration, project=project, name=migration.name)
    return StepContext(
        environment=cast("Environment", environment),
        record=Walk(CHECKLIST).record, checklist=CHECKLIST,
        kind=Kind.TRANSFORMATIVE, step=CHECKLIST.step("documented"), answers={},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rollback", "status"),
    [
        ("down/0061_mend_teams.sql", Status.PROVED),
        ("migrations/down/0061_mend_teams.sql", Status.PROVED),
        ("run 0061_mend_teams.sql, of down", Status.PROVED),
        ("restore from the backup", Status.PROVED),
        ("down/0004_x.sql", Status.FAILED),
        ("down/0061_mend_teams.sql, then down/0004_x.sql.", Status.FAILED),
        ("", Status.FAILED),
    ],
)
async def test_a_named_file_must_be_there(tmp_path: Path, rollback: str, status: Status) -> None:
    down = tmp_path / "migrations" / "down"
    down.mkdir(parents=True)
    (down / "0061_mend_teams.sql").write_text("SELECT 1;")

    outcome = await check_rollback_header(context(tmp_path, rollback))

    assert outcome.status is status, outcome.words
    assert "Press" not in outcome.words
    assert ("0004_x.sql" in outcome.words) == ("0004" in rollback)
