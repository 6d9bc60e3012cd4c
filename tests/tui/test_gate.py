"""The gate: Hold has the focus, Enter never passes, the capital G signs."""

import pytest

from d1_preflight.core.checklist.checklist import Prompt, PromptKind
from d1_preflight.core.record.change_facts import RehearsalFacts
from d1_preflight.core.record.facts import Facts, StepFacts
from d1_preflight.core.record.record import Outcome, Status
from d1_preflight.plain.text import go_summary
from d1_preflight.tui.app import PreflightApp
from d1_preflight.tui.screens.dialogs import Reason
from d1_preflight.tui.screens.go import GoScreen
from d1_preflight.tui.screens.wizard import WizardScreen
from sampling import sampled
from tui import scenes
from tui.fakes import FakeSession
from tui.reading import screen_text
from tui.scenarios import app_for, body_text, look, settle


def at_the_gate() -> tuple[FakeSession, PreflightApp]:
    session = scenes.rebuild().walked_to("go")
    return session, app_for(scenes.board(session), scenes.REBUILD)


async def test_the_gate_says_what_is_applied_to_what_and_what_it_loses() -> None:
    _, app = at_the_gate()
    text = await look(app, "enter")

    for words in (
        scenes.REBUILD, scenes.DATABASE, "a1b2c3d4-5e6f-4a7b-8c9d-0e1f2a3b4c5d", "0 rows",
        "table restore, 41.0 s", "5 min, error rate below 0.1 %", "proved 18", "open 0",
        "▸ [ Hold ]", "good for 30 min",
    ):  # fmt: skip
        assert words in text


@pytest.mark.parametrize(
    "moves", sampled([((),), (("right", "right"),), (("tab", "tab", "tab"),)], 2)
)
async def test_enter_never_passes_the_gate(moves: tuple[str, ...]) -> None:
    session, app = at_the_gate()
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        await pilot.press(*moves, "enter", "enter", "enter")
        await settle(pilot)

    assert session.performed == []


async def test_the_capital_g_signs() -> None:
    session, app = at_the_gate()
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        await pilot.press("g")
        await settle(pilot)
        small = list(session.performed)
        await pilot.press("G")
        await settle(pilot)

    assert small == []
    assert session.performed == [("go", {"go": True}), ("signed", {})]


async def test_no_go_is_one_key_and_a_reason() -> None:
    session, app = at_the_gate()
    text = await look(app, "enter", "n", (*"on-call is ill", "enter"))

    assert session.status_of(session.checklist.step("go")) is Status.FAILED
    assert "NO-GO: on-call is ill" in text


async def test_hold_decides_nothing() -> None:
    session, app = at_the_gate()
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        await pilot.press("h")
        await settle(pilot)

        assert isinstance(app.screen, WizardScreen)
        assert session.record.last("go") is None


async def test_an_open_item_keeps_the_gate_shut() -> None:
    session = scenes.rebuild().walked_to("dashboard")
    app = app_for(scenes.board(session), scenes.REBUILD)
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("escape", "down", "enter")
        await settle(pilot)
        text = screen_text(app)
        await pilot.press("G")
        await settle(pilot)

        assert isinstance(app.screen, GoScreen)
        assert "1 item open" in text
        assert "The D1 dashboard is open" in text
        assert session.performed == []


async def test_the_gate_names_the_tables_that_lose_and_what_g_signs_at_the_smallest_size() -> None:
    session = scenes.rebuild()
    gone = Outcome(Status.PROVED, "Declared.", RehearsalFacts.read(scenes._rehearsed(1_204)))
    session.script = {**scenes.outcomes(), "rehearsed": gone}
    session.walked_to("go")
    long = f"First signature: creates the SSH key {'a/' * 40}id_ed25519"
    session._prompts = {
        **scenes.prompts(),
        "go": (Prompt("prepare", PromptKind.CONFIRM, long), *scenes.prompts()["go"]),
    }
    app = app_for(scenes.board(session), scenes.REBUILD)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        text = " ".join(screen_text(app).split())

    assert "team_members 1,204 rows; teams: values of 1 column (112 rows)" in text
    assert text.index("G signs:") < text.index("First signature:")
    assert "id_ed25519" in text


@pytest.mark.parametrize(
    "keys", sampled([(("pagedown",) * 3,), (("end",),), (("space",) * 3,), (("down",) * 14,)], 4)
)
async def test_the_steps_and_their_waivers_are_read_by_scrolling(keys: tuple[str, ...]) -> None:
    session = scenes.rebuild().walked_to("dashboard")
    session.waive(session.checklist.step("dashboard"), "no browser on this machine")
    app = app_for(scenes.board(session), scenes.REBUILD)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        first = screen_text(app)
        await pilot.press(*keys)
        await settle(pilot)
        last = screen_text(app)
        await pilot.press(*("pageup",) * 3)
        await settle(pilot)
        paged = screen_text(app)
        await pilot.press("end", "home")
        await settle(pilot)

        assert "↑↓ read" in first.splitlines()[-1]
        assert "G sign GO" in first.splitlines()[-1]
        assert "no browser on this machine" not in first
        assert "no browser on this machine" in last
        assert "G signs:" in paged
        assert screen_text(app) == first


async def test_an_empty_reason_is_refused_and_the_dialog_stays() -> None:
    session, app = at_the_gate()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        await pilot.press("n", "space", "enter")
        await settle(pilot)
        text = screen_text(app)

        assert isinstance(app.screen, Reason)
        assert "Write one sentence as the reason" in text
        assert session.record.last("go") is None


def left_applied() -> FakeSession:
    """An additive migration whose rollback path is to leave it, walked to the gate."""
    session = scenes.billing()
    ways: tuple[Facts, ...] = (
        {"way": "leave it", "takes_ms": 0, "loses": "nothing"},
        {"way": "time travel", "loses": "every write since"},
    )
    facts = StepFacts.read({"chosen": "leave it", "ways": ways})
    session.script = {**session.script, "way_back": Outcome(Status.ATTESTED, "No rollback.", facts)}
    return session.walked_to("go")


async def test_where_no_rollback_is_needed_the_gate_of_both_faces_says_so_in_words() -> None:
    session = left_applied()
    text = await look(app_for(scenes.board(session, name=scenes.BILLING), scenes.BILLING), "enter")
    plain = "\n".join(go_summary(session))

    words = "none needed, leaving it applied loses nothing"
    assert f"rollback   {words}" in text
    assert f"undo    {words}" in plain
    assert "no rollback" not in text + plain


async def test_the_gate_of_both_faces_says_what_the_rollback_path_loses() -> None:
    session, app = at_the_gate()
    text = await look(app, "enter")
    plain = "\n".join(go_summary(session))

    words = "table restore, 41.0 s locally, loses later writes to 2 tables"
    assert words in text
    assert f"undo    {words}" in plain


def test_the_rollback_paths_do_not_time_what_is_not_run() -> None:
    session = left_applied()
    text = body_text(session, "way_back")

    (line,) = [line for line in text.splitlines() if "✎ no rollback" in line]
    assert " ".join(line.partition("✎ no rollback")[2].split()) == "– nothing, it stays applied"
