"""The whole way by a mouse alone, and by keys alone: only what is said in words is typed."""

import pytest
from textual.pilot import Pilot

from d1_preflight.core.record.record import Status
from d1_preflight.tui.app import PreflightApp
from d1_preflight.tui.screens.go import GoScreen
from d1_preflight.tui.widgets.bars import KeyBar
from d1_preflight.tui.widgets.fields import OptionsField, TextField
from tui import scenes
from tui.fakes import FakeSession
from tui.reading import screen_text
from tui.scenarios import app_for, settle

_MOST = 60


async def click_words(pilot: Pilot[None], words: str) -> None:
    """Click where these words stand on the screen."""
    lines = screen_text(pilot.app).splitlines()
    at = next((line.index(words), y) for y, line in enumerate(lines) if words in line)
    await pilot.click(offset=at)
    await settle(pilot)


async def click_primary(pilot: Pilot[None], app: PreflightApp) -> None:
    """Click on what the footer names first."""
    await pilot.click(app.screen.query_one(KeyBar), offset=(2, 1))
    await settle(pilot)


async def click_on(pilot: Pilot[None], app: PreflightApp) -> None:
    """Do what is next, by clicks alone."""
    field = app.focused
    if isinstance(field, TextField):
        await pilot.press(*"meant so")
        await click_primary(pilot, app)
    elif isinstance(app.screen, GoScreen):
        await click_words(pilot, "[ G  Sign GO ]")
        await click_words(pilot, "[ G  Sign GO ]")
    elif isinstance(field, OptionsField):
        await pilot.click(field, offset=(4, 0))
        await settle(pilot)
        if app.focused is field:
            await click_primary(pilot, app)
    else:
        await click_primary(pilot, app)


async def press_on(pilot: Pilot[None], app: PreflightApp) -> None:
    """Do what is next, by keys alone."""
    field, keys = app.focused, screen_text(app).splitlines()[-1]
    if isinstance(app.screen, GoScreen):
        await pilot.press("G")
    elif isinstance(field, TextField):
        typed = {"name:": scenes.DATABASE, "at risk:": "0"}
        text = screen_text(app)
        words = next((said for mark, said in typed.items() if mark in text), "meant so")
        await pilot.press(*words, "enter")
    elif isinstance(field, OptionsField):
        first = ("space",) if "Space mark" in keys else ("down", "up")  # nothing may be chosen yet
        await pilot.press(*(("y",) if keys.strip().startswith("y ") else (*first, "enter")))
    else:
        await pilot.press("A" if keys.strip().startswith("A ") else "enter")
    await settle(pilot)


def states(session: FakeSession) -> set[Status]:
    return {session.status_of(step) for step in session.path}


async def test_a_button_of_the_gate_is_pressed_by_the_second_click_on_it() -> None:
    session = scenes.rebuild().walked_to("go")
    app = app_for(scenes.board(session), scenes.REBUILD)
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        await click_words(pilot, "[ G  Sign GO ]")
        once = list(session.performed)
        await click_words(pilot, "[ G  Sign GO ]")

    assert once == []
    assert session.performed[0] == ("go", {"go": True})


async def test_a_choice_is_answered_by_the_second_click_on_it() -> None:
    session = scenes.rebuild().walked_to("way_back")
    app = app_for(scenes.board(session), scenes.REBUILD)
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        await click_words(pilot, "time travel")
        once = list(session.performed)
        await click_words(pilot, "time travel")

    assert once == []
    assert session.performed == [("way_back", {"way": "time travel"})]


@pytest.mark.matrix
async def test_the_additive_one_is_walked_by_a_mouse() -> None:
    session = scenes.billing()
    app = app_for(scenes.board(session, name=scenes.BILLING))
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        await click_words(pilot, "add_team_billing")
        if app.screen.query("#rows"):
            await click_words(pilot, "add_team_billing")
        for _ in range(_MOST):
            if session.current is None:
                break
            await click_on(pilot, app)

    assert session.current is None, session.current
    assert states(session) <= {Status.PROVED, Status.ATTESTED}


@pytest.mark.matrix
async def test_the_destructive_one_is_walked_by_keys_alone() -> None:
    session = scenes.rebuild()
    app = app_for(scenes.board(session))
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        await pilot.press("slash", *"rebuild_teams", "enter", "enter")
        await settle(pilot)
        for _ in range(_MOST):
            if session.current is None:
                break
            await press_on(pilot, app)

    assert session.current is None, session.current
    assert states(session) <= {Status.PROVED, Status.ATTESTED}
