"""The last column of the shapes' table: the last migration of each, run to its close.

The configuration, the folder and the names are the shape's own; the target is in memory. All of
them run with `-m matrix`, which prints the column; a sample of them runs in the suite.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from actions.fake_target import CHECKLIST, Clock, FakeTarget, Web, agreeable
from commands.test_every_project import SHAPES, Shape
from core.record_values import ANA, KEYS
from d1_preflight.actions import STEPS
from d1_preflight.actions.context import Environment
from d1_preflight.adapters.local import LocalDatabases
from d1_preflight.adapters.project_files import ProjectFiles
from d1_preflight.core.errors import PreflightError
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.project.project import Project
from d1_preflight.core.verify.verify import verify_record
from d1_preflight.project_context import open_context
from d1_preflight.session import Session
from no_source import NoSource
from plain.fakes import MemoryStore, ReadySigner

UUID = "a1b2c3d4-0000-4000-8000-000000000001"
SAMPLE = ("drizzle v1",)


@dataclass
class Staged(ProjectFiles):
    """The shape's own files; one is staged where the fake wrangler reads it."""

    project: Project

    def __post_init__(self) -> None:
        super().__init__(self.project)

    def stage(self, migration: Migration, folder: Path, more: str = "") -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "staged.sql").write_text(migration.text + more)
        return folder / "wrangler.json"


def opened(root: Path) -> Session:
    """A session of the shape's last migration; the earlier ones are applied."""
    context = open_context(start=root, environ={"PATH": os.defpath, "HOME": str(root)})
    database = context.project.database
    project = replace(context.project, database=replace(database, id=database.id or UUID))
    *earlier, last = (file for file in context.files() if isinstance(file, Migration))
    ledger = database.migrations_table
    local = LocalDatabases(project.database.id, ledger)
    target = FakeTarget(local, "SELECT 1", "SELECT 1", uuid=project.database.id, name=last.name)
    target.connection.execute("DELETE FROM d1_migrations")
    for migration in earlier:
        target.apply(migration.name, migration.text)
    environment = Environment(
        project=project, name=last.name, target="remote", workspace=root / ".preflight" / "walk",
        operator=ANA, versions={"wrangler": target.version}, files=Staged(project),
        store=MemoryStore(), signer=ReadySigner(KEYS, ANA), clock=Clock(), wrangler=target,
        local=local, web=Web(samples=[{"viewer": {"accounts": []}}]), source=NoSource(),
    )  # fmt: skip
    return Session(CHECKLIST, environment, STEPS)


async def closed(session: Session) -> str:
    """Walk it as an agreeable operator; "" where it is closed and verified."""
    while (step := session.current) is not None:
        raw = {prompt.key: agreeable(prompt) for prompt in session.prompts(step)}
        attempt = await session.perform(step, raw)
        if attempt.status.is_answered:
            continue
        if not step.waivable:
            return f"{step.id}: {attempt.words}"
        session.waive(step, "not in a test")
    found = verify_record(session.environment.store.files(), session.checklist, KEYS)
    return "; ".join(problem.words for problem in found.problems)


async def ran(shape: Shape, root: Path) -> str:
    for file, text in {".git/HEAD": "", **shape.files}.items():
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (root / shape.at).mkdir(parents=True, exist_ok=True)
    try:
        said = await closed(opened(root / shape.at))
    except PreflightError as error:
        said = f"{error.message} {error.hint}"
    meant = shape.refused.get("run", shape.refused.get("board", ""))
    if meant:
        return "refused rightly" if meant in said else f"WRONG: {said or 'it was closed'}"
    return f"WRONG: {said}" if said else "closed"


@pytest.mark.parametrize("name", SAMPLE)
async def test_a_sample_of_the_shapes_is_run_to_the_close(tmp_path: Path, name: str) -> None:
    assert await ran(SHAPES[name], tmp_path) == "closed"


@pytest.mark.matrix
async def test_every_shape_is_run_to_the_close_or_refused_rightly(tmp_path: Path) -> None:
    found = {name: await ran(shape, tmp_path / name) for name, shape in SHAPES.items()}
    print("\n".join(f"{name:32}{one[:60]}" for name, one in found.items()))
    print(f"{len(found)} shapes, {sum('WRONG' in one for one in found.values())} wrong")
    assert [f"{name}: {one}" for name, one in found.items() if "WRONG" in one] == []
