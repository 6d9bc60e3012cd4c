"""The emergency card by keys: reading commands run at once, writing ones are asked about."""

import asyncio

import pytest
from textual.pilot import Pilot

from d1_preflight.tui.app import PreflightApp
from d1_preflight.tui.screens.dialogs import Pick, Problem
from d1_preflight.tui.screens.emergency import EmergencyScreen
from sampling import sampled
from tui import scenes
from tui.fakes import FakeBoard
from tui.reading import screen_text
from tui.scenarios import app_for, settle


def card_over(step: str = "ledger") -> tuple[PreflightApp, FakeBoard]:
    board = scenes.board(scenes.rebuild().walked_to(step))
    return app_for(board, scenes.REBUILD), board


async def press(pilot: Pilot[None], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await settle(pilot)


async def test_a_reading_command_runs_at_once_and_says_how_it_ended() -> None:
    app, board = card_over()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "exclamation_mark", "5", "r")

        assert "ran here: exit code 0" in screen_text(app)
    (ran,) = board.ran
    assert "d1_migrations" in ran[0]
    assert ran[1] == scenes.REBUILD


@pytest.mark.parametrize(("keys", "runs"), [(("enter",), 0), (("down", "enter"), 1)])
async def test_a_writing_command_is_asked_about_and_the_first_choice_runs_nothing(
    keys: tuple[str, ...], runs: int
) -> None:
    app, board = card_over()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "exclamation_mark", "3", "down", "r")
        assert isinstance(app.screen, Pick)
        assert "wrangler rollback 5f2c11aa --name workway-api" in screen_text(app)
        await press(pilot, *keys)

    config = ".preflight/targets/a1b2c3d4-5e6f-4a7b-8c9d-0e1f2a3b4c5d.json"
    assert [command for command, _ in board.ran] == [
        f"wrangler rollback 5f2c11aa --name workway-api --config {config}"
    ] * runs


async def test_words_without_a_command_and_blanks_run_nothing() -> None:
    app, board = card_over()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "exclamation_mark", "1", "down", "r")
        assert "nothing to run" in screen_text(app)
    assert board.ran == []


async def test_while_a_step_runs_no_other_command_is_started() -> None:
    session = scenes.rebuild().walked_to("copied")
    session.hold = asyncio.Event()
    board = scenes.board(session)
    app = app_for(board, scenes.REBUILD)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await pilot.pause()
        await press(pilot, "exclamation_mark", "5", "r")
        assert isinstance(app.screen, Problem)
        session.hold.set()
    assert board.ran == []


@pytest.mark.parametrize("situation", sampled("12345", 5))
async def test_the_arrows_move_the_mark_and_the_marked_act_stays_in_view(situation: str) -> None:
    app, _ = card_over()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "exclamation_mark", situation)
        card = app.screen
        assert isinstance(card, EmergencyScreen)
        steps = card._situations[card._chosen].steps
        labels = card._situations[card._chosen].labels
        for label in labels:
            assert f"▸ {label}. " in screen_text(app)
            await press(pilot, "down")
        assert steps[-1].words.split()[-1] in screen_text(app)
        for label in reversed(labels):
            assert f"▸ {label}. " in screen_text(app)
            await press(pilot, "up")


async def test_an_act_without_a_command_says_that_there_is_none_to_copy() -> None:
    app, _ = card_over()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "exclamation_mark", "1", "down", "y")
        told = screen_text(app)
        await press(pilot, "up")
        moved = screen_text(app)
        await press(pilot, "y")
        copied = screen_text(app)

    assert "c no command here" in told
    assert "c copy" in moved
    assert "c copied" in copied
    assert "d1_migrations" in app.clipboard


async def test_the_maintenance_deploy_is_never_run_from_the_card() -> None:
    app, board = card_over()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "exclamation_mark", "3", "r")

        assert "copy, run it elsewhere" in screen_text(app)
    assert board.ran == []


@pytest.mark.parametrize("size", sampled([((80, 24),), ((120, 40),)], 2))
async def test_every_answer_to_what_happened_is_on_the_screen(size: tuple[int, int]) -> None:
    app, _ = card_over()
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await press(pilot, "exclamation_mark")
        card = app.screen
        assert isinstance(card, EmergencyScreen)
        told = screen_text(app)

    for number, situation in enumerate(card._situations, 1):
        assert f"{number} {situation.title}" in told
