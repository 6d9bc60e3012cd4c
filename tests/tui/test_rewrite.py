"""The safe way in the wizard: looked for on a key, shown as a diff, written after a yes alone."""

from dataclasses import replace

import pytest

from d1_preflight.core.findings import Finding, Severity
from d1_preflight.core.remedies.fix import Answer, Fix
from d1_preflight.core.remedies.proof import Proof
from d1_preflight.tui.screens.rewrite import RewriteScreen
from d1_preflight.tui.screens.wizard import WizardScreen
from sampling import sampled
from tui import scenes
from tui.fakes import FakeBoard
from tui.reading import screen_text
from tui.scenarios import app_for, settle

FOUND = Finding("cascade-delete", Severity.BLOCKING, 3, 12, "title", "message")
OTHER = Finding("delete-without-where", Severity.BLOCKING, 9, 1, "title", "message")
BEFORE = "-- one\nCREATE TABLE a(id);\nDROP TABLE teams;\n"
AFTER = "-- one\nCREATE TABLE a(id);\nDELETE FROM members;\nDROP TABLE teams;\n"
OFFERED = Fix(
    BEFORE,
    AFTER,
    (Answer(FOUND, what="sets the rows of members"),),
    (Answer(OTHER, reason="Only the author knows which rows may go."),),
    Proof("", ("index i is gone",), "rows in every table"),
)
DIFF = f"""--- a/migrations/{scenes.REBUILD}
+++ b/migrations/{scenes.REBUILD}
@@ -1,3 +1,4 @@
 -- one
 CREATE TABLE a(id);
+DELETE FROM members;
 DROP TABLE teams;
"""
NOTHING = Fix(BEFORE, BEFORE, (), OFFERED.left)
SEVERAL = Finding("several-changes", Severity.WARNING, 1, 1, "title", "message")
SPLIT = Fix(
    BEFORE,
    "-- one\nCREATE TABLE a(id);\n",
    (Answer(SEVERAL, what="becomes 2 files"),),
    proof=Proof(rows="rows in every table"),
    files=(("0062_delete_teams.sql", "DROP TABLE teams;\n"),),
)


def board(offered: Fix, step: str = "findings") -> FakeBoard:
    found = scenes.board(scenes.rebuild().walked_to(step))
    found.offered = offered
    return found


async def keys(source: FakeBoard, *pressed: str, size: tuple[int, int] = (100, 40)) -> list[str]:
    """The screen after each key."""
    app = app_for(source, scenes.REBUILD)
    seen = []
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await pilot.press("escape")  # out of the field
        if isinstance(app.screen, WizardScreen):
            await settle(pilot)
        for key in pressed:
            await pilot.press(key)
            await settle(pilot)
            seen.append(screen_text(app))
            seen.append(type(app.screen).__name__)
    return seen


async def test_the_diff_comes_first_and_y_writes_it() -> None:
    source = board(OFFERED)
    shown, screen, _, after = await keys(source, "p", "y")
    assert screen == RewriteScreen.__name__
    assert "+ DELETE FROM members;" in shown
    assert "cascade-delete: it sets the rows of members" in shown
    assert "Proved on rows in every table" in shown
    assert "index i is gone" in shown
    assert "delete-without-where stays: Only the author knows" in shown
    assert after == WizardScreen.__name__
    assert source.written == [AFTER]


@pytest.mark.parametrize("key", sampled(["enter", "escape"], 2))
async def test_any_other_way_out_writes_nothing(key: str) -> None:
    source = board(OFFERED)
    assert (await keys(source, "p", key))[-1] == WizardScreen.__name__
    assert source.written == []


async def test_without_a_rewrite_the_reasons_are_said_and_y_does_nothing() -> None:
    source = board(NOTHING)
    shown, *_, after = await keys(source, "p", "y")
    assert "No proved rewrite was found" in shown
    assert "Only the author knows which rows may go" in shown
    assert after == RewriteScreen.__name__
    assert source.written == []


async def test_several_changes_are_split_behind_a_key_and_written_after_a_yes() -> None:
    source = board(replace(OFFERED, split=SPLIT))
    first, _, shown, _, again, _, _, after = await keys(source, "p", "s", "s", "s")
    assert "s a file for each change" in first
    assert "A file for each change" in shown
    assert "new file 0062_delete_teams.sql" in shown
    assert "+ DROP TABLE teams;" in shown
    assert "The safe way" in again
    assert after == RewriteScreen.__name__
    await keys(source, "p", "s", "y")
    assert source.written == [SPLIT.after]


@pytest.mark.matrix  # the suite has it behind a key: test_several_changes_…
async def test_where_the_split_alone_is_proved_it_is_shown_at_once() -> None:
    source = board(replace(NOTHING, split=SPLIT))
    shown, *_ = await keys(source, "p", "y")
    assert "new file 0062_delete_teams.sql" in shown
    assert source.written == [SPLIT.after]


async def test_from_120_columns_on_both_texts_stand_side_by_side() -> None:
    shown, _ = await keys(board(OFFERED), "p", size=(130, 40))
    [line] = [line for line in shown.splitlines() if "+ DELETE FROM members;" in line]
    assert "│" in line
    assert "- " not in line
    [line] = [line for line in shown.splitlines() if "DROP TABLE teams;" in line]
    assert line.count("DROP TABLE teams;") == 2


async def test_from_the_gate_on_the_text_stays() -> None:
    source = board(OFFERED, "go")
    seen = await keys(source, "p")
    assert RewriteScreen.__name__ not in seen


@pytest.mark.parametrize(
    ("offered", "pressed", "copied"),
    sampled(
        [
            (OFFERED, ("enter",), AFTER),
            (OFFERED, ("down", "enter"), DIFF),
            (replace(NOTHING, split=SPLIT), ("3",), "DROP TABLE teams;\n"),
            (NOTHING, (), ""),
        ],
        4,
    ),
)
async def test_the_rewritten_file_and_the_diff_are_copied(
    offered: Fix, pressed: tuple[str, ...], copied: str
) -> None:
    source = board(offered)
    app = app_for(source, scenes.REBUILD)
    async with app.run_test(size=(100, 40)) as pilot:
        await settle(pilot)
        for key in ("escape", "p", "c", *pressed):
            await pilot.press(key)
            await settle(pilot)
        text, screen = screen_text(app), type(app.screen).__name__

    assert app.clipboard == copied
    assert ("c copy" in text) == bool(copied)
    assert screen == RewriteScreen.__name__
    assert source.written == []


@pytest.mark.parametrize("size", sampled([((80, 24),), ((120, 40),)], 2))
async def test_a_line_that_is_longer_than_its_side_goes_on_below(size: tuple[int, int]) -> None:
    long = f"ALTER TABLE teams ADD COLUMN {'long_' * 16}name TEXT;\n"
    found = replace(OFFERED, after=AFTER + long)
    *_, shown, _ = await keys(board(found), "p", "end", size=size)
    sides = [line.rpartition("│")[2].strip() for line in shown.splitlines()]

    assert long.replace(" ", "").strip() in "".join(sides).replace(" ", "").replace("+", "")
