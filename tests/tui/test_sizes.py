"""Any size of terminal: no screen fails, and what is asked stays to be seen."""

import pytest

from d1_preflight.tui.widgets.rail import Rail
from sampling import sampled
from tui import scenes
from tui.reading import screen_text
from tui.scenarios import SCENARIOS, Scenario, app_at, app_for, body_text, look, resized, settle

_SAMPLE = ((20, 10), (1, 1), (80, 24))
_SIZES = ((31, 24), (20, 10), (13, 5), (10, 24), (3, 3), (1, 1), (80, 24))


@pytest.mark.parametrize("scenario", sampled(SCENARIOS, 22, (one.name for one in SCENARIOS)))
@pytest.mark.parametrize(
    "sizes", [_SAMPLE, pytest.param(_SIZES, marks=pytest.mark.matrix)], ids=["sample", "all"]
)
async def test_no_size_ends_the_program(
    scenario: Scenario, sizes: tuple[tuple[int, int], ...]
) -> None:
    app = scenario.app()
    async with app.run_test(size=(80, 24)) as pilot:
        await scenario.walk(pilot)
        for width, height in sizes:
            await resized(pilot, width, height)

        assert app.failure is None
        assert app.is_running


@pytest.mark.parametrize("size", sampled([((31, 24),), ((10, 10),), ((1, 1),)], 2))
async def test_the_wizard_opens_at_any_size(size: tuple[int, int]) -> None:
    app = app_for(scenes.board(scenes.rebuild().walked_to("window")), scenes.REBUILD)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)

        assert app.failure is None
        assert app.is_running


async def test_what_was_covered_while_the_terminal_shrank_fits_when_it_is_back() -> None:
    app = app_at("window")
    async with app.run_test(size=(120, 30)) as pilot:
        await settle(pilot)
        wide = app.screen.query_one(Rail).size.width
        await pilot.press("f1")
        await resized(pilot, 80, 24)
        await pilot.press("escape")
        await settle(pilot)
        narrow = app.screen.query_one(Rail).size.width
        text = screen_text(app)

    assert (wide, narrow) == (30, 11)
    assert all(len(line) <= 80 for line in text.splitlines())


_SHORT = ((40, 10), (40, 20), (40, 24), (60, 20))
_ASKED = (
    ("applied", "Type the database's", "type it as shown"),
    ("class", "Found: destructive", "▸ destructive"),
    ("way_back", "which rollback path is used first?", "▸ down migration"),
    ("purpose", "What will users gain", ""),
)


@pytest.mark.parametrize(
    ("step", "asked", "field", "size"),
    sampled(((*asked, size) for asked in _ASKED for size in _SHORT), len(_SHORT) + 1),
)
async def test_a_short_screen_keeps_the_question_and_its_field(
    step: str, asked: str, field: str, size: tuple[int, int]
) -> None:
    app = app_for(scenes.board(scenes.rebuild().walked_to(step)), scenes.REBUILD)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        text = screen_text(app)
        focused = app.focused
        shown = focused is not None and app.screen.find_widget(focused).visible_region.height > 0

    assert asked in " ".join(text.split())
    assert field in text
    assert shown


async def test_a_list_that_is_longer_than_the_screen_follows_its_cursor() -> None:
    app = app_for(scenes.board(scenes.rebuild().walked_to("deploy_order")), scenes.REBUILD)
    async with app.run_test(size=(40, 10)) as pilot:
        await settle(pilot)
        await pilot.press("down", "down", "down", "down")
        await settle(pilot)
        last = screen_text(app)
        await pilot.press("up", "up", "up")
        await settle(pilot)

        assert "▸ expand and contract" in last
        assert "▸ no Worker change" in screen_text(app)


async def test_a_comment_that_is_a_line_is_cut_and_not_wrapped() -> None:
    app = app_for(scenes.board())
    shown = await look(app, "up", size=(80, 24))

    rules = [line for line in shown.splitlines() if "=====" in line or "═════" in line]
    assert len(rules) == 1


async def test_a_schema_change_says_that_it_is_not_declared_before_its_note() -> None:
    session = scenes.rebuild(1_204).walked_to("rehearsed")
    await session.perform(session.checklist.step("rehearsed"), {})
    shown = body_text(session, "rehearsed")

    assert "index idx_teams_stripe  ✗ not declared" in shown
