"""The deploy order on the screen: queries side by side, the editor at the line, no preselection."""

from dataclasses import replace
from pathlib import Path

from d1_preflight.core.checklist.answers import NO_WORKER, Order
from d1_preflight.core.record.record import Outcome, Status
from d1_preflight.core.record.safety_facts import BrokenQueryFacts, DeployOrderFacts
from tui import scenes
from tui.fakes import FakeSession, NotedEdits
from tui.reading import screen_text
from tui.scenarios import app_for, settle

BREAKS = (
    BrokenQueryFacts(code="deployed code", schema="new schema", at="src/runs.ts:12",
                     words="no such column: old_name", query="SELECT old_name FROM runs"),
    BrokenQueryFacts(code="new code", schema="old schema", at="src/next.ts:7",
                     words="no such column: new_name", query="SELECT new_name FROM runs"),
)  # fmt: skip
SPLIT = DeployOrderFacts(
    order=NO_WORKER, safe_order=Order.SPLIT, deployed="0c1d2e3f4", new="the working tree",
    deployed_queries=3, new_queries=3, deployed_breaks=1, new_breaks=1, new_breaks_at_home=0,
    breaks=BREAKS, steps=("Expand, a migration for now: add column runs.new_name.",),
    contradicted="No order is safe.",
)  # fmt: skip


def contradicted(folder: Path) -> FakeSession:
    """A session whose order was contradicted by two queries."""
    session = scenes.rebuild()
    failed = Outcome(Status.FAILED, "The queries contradict it.", SPLIT)
    session.script = {**scenes.outcomes(), "deploy_order": failed}
    session.walked_to("deploy_order")
    project = replace(session.project, root=folder)
    session.environment = replace(session.environment, project=project)
    (folder / "src").mkdir()
    for query in BREAKS:
        (folder / query.at.partition(":")[0]).touch()
    return session


async def test_the_queries_stand_side_by_side_and_e_opens_the_chosen_one(tmp_path: Path) -> None:
    session = contradicted(tmp_path)
    app = app_for(scenes.board(session), scenes.REBUILD)
    edits = NotedEdits()
    app._edit = edits
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("down", "enter")
        await settle(pilot)
        await pilot.press("escape")
        text = screen_text(app)
        await pilot.press("e", "f", "e")
        await settle(pilot)

    titles = next(line for line in text.splitlines() if "deployed code × new schema" in line)
    assert "new code × old schema" in titles
    assert "▸ src/runs.ts:12" in text
    assert "no such column: old_name" in text
    assert "no safe order: split it" in text
    assert [(p.name, n) for p, n in zip(edits.paths, edits.lines, strict=True)] == [
        ("runs.ts", 12), ("next.ts", 7)
    ]  # fmt: skip


async def test_enter_alone_chooses_no_order() -> None:
    session = scenes.rebuild().walked_to("deploy_order")
    app = app_for(scenes.board(session), scenes.REBUILD)
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        refused, text = list(session.performed), screen_text(app)
        await pilot.press("down", "enter")
        await settle(pilot)

    assert refused == []
    assert "Nothing is chosen yet" in text
    assert session.performed == [("deploy_order", {"order": NO_WORKER})]
