"""What a mouse does, and what the command palette offers."""

from textual.command import CommandPalette
from textual.pilot import Pilot
from textual.widgets import Input

from d1_preflight.tui import theme
from d1_preflight.tui.app import PreflightApp
from d1_preflight.tui.screens.board import BoardScreen
from d1_preflight.tui.screens.dialogs import Reason
from d1_preflight.tui.screens.emergency import EmergencyScreen
from d1_preflight.tui.screens.wizard import WizardScreen
from d1_preflight.tui.widgets.bars import KeyBar
from d1_preflight.tui.widgets.board_table import BoardTable
from d1_preflight.tui.widgets.rail import Rail
from tui import scenes
from tui.reading import screen_text
from tui.scenarios import app_for, look, settle


async def click_words(pilot: Pilot[None], app: PreflightApp, words: str) -> None:
    """Click on the first character of these words of the key bar."""
    bar = app.screen.query_one(KeyBar)
    x = bar.render().plain.index(words)
    await pilot.click(bar, offset=(x, 1))
    await settle(pilot)


async def test_a_click_chooses_a_row_and_a_second_one_opens_it() -> None:
    session = scenes.rebuild()
    app = app_for(scenes.board(session))
    async with app.run_test() as pilot:
        await settle(pilot)
        table = app.screen.query_one(BoardTable)
        await pilot.click(table, offset=(5, 3))
        chosen = table.cursor
        row = next(n for n, r in enumerate(scenes.rows()) if r.name == scenes.REBUILD)
        await pilot.click(table, offset=(5, row))
        await pilot.click(table, offset=(5, row))
        await settle(pilot)
        opened = app.screen

    assert chosen == 3
    assert isinstance(opened, WizardScreen)


async def test_a_click_on_the_key_bar_presses_the_key() -> None:
    app = app_for(scenes.board())
    async with app.run_test() as pilot:
        await settle(pilot)
        await click_words(pilot, app, "/ filter")
        filtering = app.screen.query_one("#filter", Input).has_focus
        await pilot.press("escape")
        await click_words(pilot, app, "! emergency")
        emergency = app.screen

    assert filtering
    assert isinstance(emergency, EmergencyScreen)


async def test_a_click_on_the_rail_goes_to_the_step() -> None:
    session = scenes.rebuild().walked_to("rehearsed")
    app = app_for(scenes.board(session), scenes.REBUILD)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        rail = app.screen.query_one(Rail)
        lines = rail.render().plain.splitlines()
        y = next(n for n, line in enumerate(lines) if "3 Data safety" in line)
        await pilot.click(rail, offset=(3, y))
        await settle(pilot)
        third = screen_text(app)
        y = next(n for n, line in enumerate(rail.render().plain.splitlines()) if "backup" in line)
        await pilot.click(rail, offset=(3, y))
        await settle(pilot)
        backup = screen_text(app)

    assert "3 Data safety" in third
    assert third != backup


async def test_the_palette_offers_every_act_with_its_key_every_step_and_theme() -> None:
    session = scenes.rebuild()
    app = app_for(scenes.board(session), scenes.REBUILD)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("ctrl+p")
        await settle(pilot)
        assert isinstance(app.screen, CommandPalette)
        await pilot.press(*"high contrast")
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        chosen = app.theme
        await pilot.press("ctrl+p")
        await settle(pilot)
        await pilot.press(*"waive")
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        asked = app.screen

    assert chosen == theme.CONTRAST
    assert isinstance(asked, Reason)


async def test_the_palette_jumps_to_a_step() -> None:
    session = scenes.rebuild()
    app = app_for(scenes.board(session), scenes.REBUILD)
    text = await look(app, "ctrl+p", (*"Go to Timing",), "enter", size=(120, 40))

    assert "▸5 Timing" in text or " 5 Timing" in text


async def test_the_filter_takes_names_classes_and_states_and_says_when_nothing_matches() -> None:
    app = app_for(scenes.board())
    shown: dict[str, list[str]] = {}
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert isinstance(app.screen, BoardScreen)
        for words in ("destructive", "pending additive", "rebuild", "nothing-like-it"):
            await pilot.press("slash")
            app.screen.query_one("#filter", Input).value = words
            await settle(pilot)
            shown[words] = [row.name for row in app.screen._shown]
            text = screen_text(app)
            await pilot.press("escape")

    rows = {row.name: row for row in scenes.rows()}
    assert shown["destructive"]
    assert all(rows[name].kind.value == "destructive" for name in shown["destructive"])
    assert shown["pending additive"]
    assert shown["rebuild"] == [scenes.REBUILD]
    assert shown["nothing-like-it"] == []
    assert "No migration matches" in text
