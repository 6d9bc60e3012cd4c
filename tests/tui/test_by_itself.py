"""The walk goes by itself on the screen: one Enter begins it, a person answers the questions."""

import asyncio
from dataclasses import replace

import pytest
from textual.pilot import Pilot

from d1_preflight.core.checklist.checklist import ACTS, Effect
from d1_preflight.core.project.settings import Settings
from d1_preflight.core.record.record import Outcome, Status
from d1_preflight.tui.app import PreflightApp
from d1_preflight.tui.screens.wizard import WizardScreen
from d1_preflight.tui.widgets.output import OutputPane
from sampling import sampled
from tui import scenes
from tui.fakes import FakeSession
from tui.reading import screen_text
from tui.scenarios import looks, settle
from tui.test_wizard import opened, state

FIRST = [
    "named", "header", "copied", "syntax", "bookmark", "documented", "running_code", "ready",
    "window",
]  # fmt: skip
"""What one Enter sets off: everything that waits for no answer."""


def by_itself(step: str = "named") -> FakeSession:
    """The rebuild by the default settings, walked to a step; its target has said who it is."""
    session = scenes.rebuild().walked_to(step)
    tools = session.environment
    session.environment = replace(tools, project=replace(tools.project, settings=Settings()))
    session.environment.cache.uuid = tools.project.database.id
    return session


async def at_rest(pilot: Pilot[None], session: FakeSession, count: int) -> None:
    """Wait until so many steps have run and none runs."""
    for _ in range(300):
        await settle(pilot)
        if len(session.performed) >= count and session.record.running is None:
            return
    raise AssertionError(session.performed)


async def drawn(pilot: Pilot[None]) -> None:
    """Let the screen take the keys, without waiting for what runs."""
    for _ in range(3):
        await pilot.pause()


async def running(pilot: Pilot[None], step: str) -> None:
    """Wait until the step runs alone."""
    session = pilot.app._session  # type: ignore[attr-defined]  # the app of these tests
    for _ in range(200):
        await drawn(pilot)
        if [attempt.step for attempt in session.record.all_running] == [step]:
            return await drawn(pilot)
    raise AssertionError([attempt.step for attempt in session.record.attempts])


def footer(app: PreflightApp) -> str:
    return screen_text(app).splitlines()[-1].strip()


def ran(session: FakeSession) -> list[str]:
    return [step for step, _ in session.performed]


async def test_opening_it_to_look_starts_nothing() -> None:
    session = by_itself()
    async with opened(session).run_test() as pilot:
        await settle(pilot)
        await pilot.press("down", "down", "up")
        await settle(pilot)

    assert session.performed == []
    assert session.record.attempts == ()


async def test_one_key_sets_off_what_needs_no_person_and_it_stops_at_the_first_question() -> None:
    session = by_itself()
    app = opened(session)
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await at_rest(pilot, session, len(FIRST))
        text = screen_text(app)

    assert sorted(ran(session)) == sorted(FIRST)
    assert "The new teams lacks index" in text


async def test_answers_carry_it_on_and_no_step_runs_twice() -> None:
    session = by_itself("findings")
    app = opened(session)
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press(*"made again", "enter")
        await at_rest(pilot, session, 7)
        await pilot.press("enter")  # the class
        await settle(pilot)
        await pilot.press(*"teams load faster", "enter")
        await at_rest(pilot, session, 9)
        text = screen_text(app)

    assert len(set(ran(session))) == len(session.performed)
    assert {"rehearsed", "counted", "class", "purpose"} <= set(ran(session))
    assert "Which losses are intended?" in text
    assert not {"losses", "go", "applied", "notified"} & set(ran(session))


@pytest.mark.matrix  # the suite has it: test_an_answer_whose_place_…
async def test_what_is_answered_while_its_place_is_taken_comes_next() -> None:
    session = by_itself("findings")
    session.hold, session.holds = asyncio.Event(), frozenset({"findings"})
    app = opened(session)
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press(*"made again", "enter")
        await session.begun.wait()
        await drawn(pilot)
        await pilot.press("escape", "down", "down")
        await drawn(pilot)
        await pilot.press(*"teams load faster", "enter")
        await drawn(pilot)
        meanwhile = ran(session)
        session.hold.set()
        await at_rest(pilot, session, 3)

    local = [step for step in ran(session) if step in ("findings", "purpose", "syntax")]
    assert "purpose" not in meanwhile  # both work on this machine: one after the other
    assert "copied" in meanwhile  # it only reads the target
    assert local[:2] == ["findings", "purpose"]


async def test_a_failure_stops_it_and_is_shown() -> None:
    session = by_itself("copied")
    session.script = {**session.script, "syntax": Outcome(Status.FAILED, "Line 9: no such table.")}
    app = opened(session)
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await at_rest(pilot, session, 2)
        text = screen_text(app)

    assert ran(session)[:2] == ["copied", "syntax"]
    assert "rehearsed" not in ran(session)
    assert "Line 9: no such table." in text
    assert "check the SQL again" in text


async def test_x_stops_it_and_nothing_follows() -> None:
    session = by_itself("copied")
    session.hold = asyncio.Event()
    app = opened(session)
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await session.begun.wait()
        await pilot.press("x")
        await drawn(pilot)
        await pilot.press("down", "enter")
        await settle(pilot)
        session.hold.set()
        await settle(pilot)

    assert ran(session) == ["copied", "bookmark", "documented"]  # no more than three at once
    assert {state(session, step) for step in ran(session)} == {Status.INTERRUPTED}


@pytest.mark.matrix  # the suite has it over the board: the pace is kept until s turns it back
async def test_s_brings_step_by_step_and_back() -> None:
    session = by_itself()
    app = opened(session)
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("s", "enter")
        await at_rest(pilot, session, 1)
        alone = ran(session)
        await pilot.press("s", "enter")
        await at_rest(pilot, session, len(FIRST))

    assert alone == ["named"]
    assert sorted(ran(session)) == sorted(FIRST)


async def test_the_pace_is_kept_over_the_board_until_s_turns_it_back() -> None:
    session = by_itself()
    app = opened(session)
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("s", "escape")
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        await pilot.press("enter")
        await at_rest(pilot, session, 1)
        alone = ran(session)
        await pilot.press("s", "escape")
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        await pilot.press("enter")
        await at_rest(pilot, session, len(FIRST))

    assert alone == ["named"]
    assert sorted(ran(session)) == sorted(FIRST)


async def test_what_runs_and_what_came_out_is_in_sight() -> None:
    session = by_itself("copied")
    session.hold, session.holds = asyncio.Event(), frozenset({"syntax"})
    app = opened(session)
    async with app.run_test(size=(100, 40)) as pilot:
        await settle(pilot)
        await pilot.press("enter")
        while "◐ running: syntax" not in (text := screen_text(app)):
            await drawn(pilot)
        session.hold.set()
        await at_rest(pilot, session, 2)

    assert "✓ ready" in text
    assert "endpoints as expected" in text


@pytest.mark.parametrize("size", sampled([((80, 24),), ((120, 40),)], 2))
async def test_beside_a_running_step_the_footer_says_what_enter_does(size: tuple[int, int]) -> None:
    session = by_itself("findings")
    session.hold, session.holds = asyncio.Event(), frozenset({"copied"})
    app = opened(session)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await pilot.press(*"made again", "enter")
        await running(pilot, "copied")
        in_field = footer(app)
        await pilot.press("escape")
        await drawn(pilot)
        question = footer(app)
        await pilot.press("enter")
        await drawn(pilot)
        back_in = footer(app)
        await pilot.press("escape", "down", "down")
        await drawn(pilot)
        runs = footer(app)
        session.hold.set()
        await settle(pilot)

    assert in_field.startswith("Enter confirm the class")
    assert question.startswith("Enter confirm the class   ◐ 1 running   x stop")
    assert back_in == in_field
    assert runs.startswith("◐ running: copy")
    assert "x stop waiting" in runs


@pytest.mark.parametrize("size", sampled([((80, 24),), ((120, 40),)], 2))
async def test_a_failure_beside_a_running_step_says_its_key(size: tuple[int, int]) -> None:
    session = by_itself("copied")
    session.hold, session.holds = asyncio.Event(), frozenset({"copied"})
    session.script = {**session.script, "documented": Outcome(Status.FAILED, "No line.")}
    app = opened(session)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await running(pilot, "copied")
        while state(session, "documented") is not Status.FAILED:
            await drawn(pilot)
        await drawn(pilot)
        failed = footer(app)
        session.hold.set()
        await settle(pilot)

    assert failed.startswith("Enter check the header again   ◐ 1 running   x stop"), failed


@pytest.mark.parametrize("size", sampled([((80, 24),), ((120, 40),)], 2))
async def test_in_the_output_the_arrows_scroll_it_and_esc_gives_the_keys_back(
    size: tuple[int, int],
) -> None:
    session = scenes.rebuild().walked_to("copied")
    app = opened(session)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await pilot.press("o")
        app.screen.set_focus(app.screen.query_one(OutputPane))
        await settle(pilot)
        inside = footer(app)
        await pilot.press("escape")
        await settle(pilot)
        outside = footer(app)

        assert isinstance(app.screen, WizardScreen)

    assert "↑↓ scroll   Esc other keys" in inside
    assert "↑↓ scroll" not in outside


@pytest.mark.parametrize("size", sampled([((40, 10),), ((80, 24),)], 2))
async def test_what_runs_is_in_sight_beside_a_question(size: tuple[int, int]) -> None:
    session = by_itself()
    session.hold, session.holds = asyncio.Event(), frozenset({"copied", "bookmark", "running_code"})
    app = opened(session)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await pilot.press("enter")
        for _ in range(200):
            await drawn(pilot)
            if len(session.record.all_running) == 3 and app.screen.query_one("#question").display:
                break
        await drawn(pilot)
        text = screen_text(app)
        session.hold.set()
        await settle(pilot)

    assert text.splitlines()[0].startswith(" ◐ 3 ")
    if size == (80, 24):
        (line,) = [line for line in text.splitlines() if "◐ copy" in line]
        assert "bookmark" in line
        assert "live version" in line


async def test_the_first_screen_says_that_it_goes_on_and_the_key_that_it_does_not() -> None:
    session = by_itself()
    first, paced, there = await looks(opened(session), "s", ("s", "down", "down"))

    keys = [text.splitlines()[-1].strip() for text in (first, paced, there)]
    assert keys[0].startswith("Enter check the name and go on   s step by step")
    assert keys[1].startswith("Enter check the name   ")
    assert "and go on" not in keys[2]  # the findings ask


async def test_once_the_walk_has_begun_the_footer_names_the_step_alone() -> None:
    session = by_itself("copied")
    session.script = {**session.script, "syntax": Outcome(Status.FAILED, "Line 9: no such table.")}
    app = opened(session)
    async with app.run_test() as pilot:
        await settle(pilot)
        first = footer(app)
        await pilot.press("enter")
        await at_rest(pilot, session, 2)
        failed = footer(app)

    assert first.startswith("Enter copy the target and go on   ")
    assert failed.startswith("Enter check the SQL again   ")


async def test_an_answer_whose_place_is_taken_is_shown_as_waiting_and_the_next_is_asked() -> None:
    session = by_itself("findings")
    session.hold, session.holds = asyncio.Event(), frozenset({"rehearsed"})
    app = opened(session)
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press(*"made again", "enter")
        await running(pilot, "rehearsed")
        await pilot.press("enter")  # the class, which works on this machine as the rehearsal does
        await drawn(pilot)
        asked, asked_keys = screen_text(app), footer(app)
        await pilot.press("up")
        await drawn(pilot)
        waits, waits_keys = screen_text(app), footer(app)
        session.hold.set()
        await settle(pilot)

    assert "What will users gain" in asked
    assert asked_keys.startswith("Enter state its purpose")
    assert "◐ answered  Type and risk" in waits
    assert "Waits until this ends: rehearsal." in waits
    assert waits_keys.startswith("◐ running: rehearsal   x stop waiting")


@pytest.mark.matrix  # the suite has it by itself: test_an_answer_whose_place_…
async def test_step_by_step_an_answer_that_waits_stays_in_sight() -> None:
    session = by_itself("findings")
    session.hold, session.holds = asyncio.Event(), frozenset({"findings"})
    app = opened(session)
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("escape", "s", "enter", *"made again", "enter")
        await session.begun.wait()
        await drawn(pilot)
        await pilot.press("escape", "down", "down", *"teams load faster", "enter")
        await drawn(pilot)
        waits, keys = screen_text(app), footer(app)
        session.hold.set()
        await settle(pilot)

    assert "◐ answered  One logical change" in waits
    assert keys.startswith("◐ running: findings")


@pytest.mark.parametrize(
    "step", sampled(["close", "losses", "notified", "dashboard", "class", "way_back"], 2)
)
async def test_a_question_is_shown_exactly_where_its_answer_can_be_taken(step: str) -> None:
    session = by_itself(step)
    session.hold = asyncio.Event()
    app = opened(session)
    async with app.run_test() as pilot:
        await settle(pilot)
        running_step = app._step_worker.running_step
        running_step.begin(session.checklist.step("copied"))
        assert isinstance(app.screen, WizardScreen)
        await app.screen.redraw()
        await drawn(pilot)
        shown = bool(app.screen.query_one("#question").display)
        keys = footer(app)
        running_step.end(session.checklist.step("copied"))

    assert shown == (not running_step_holds(session, step))
    assert keys.startswith("◐ running: copy") is not shown


def running_step_holds(session: FakeSession, step: str) -> bool:
    """Whether the step is an act, or writes: nothing runs beside these."""
    found = session.checklist.step(step)
    return found.id in ACTS or found.effect is Effect.REMOTE_WRITE


@pytest.mark.matrix  # the suite has where one is asked: test_a_question_is_shown_…
async def test_no_question_is_asked_that_what_is_about_to_run_would_put_away_again() -> None:
    session = by_itself("down_written")
    session.hold, session.holds = asyncio.Event(), frozenset({"down_tested"})
    for earlier in ("documented", "running_code"):  # these have run beside the first sections
        step, outcome = session.checklist.step(earlier), session.script[earlier]
        assert isinstance(outcome, Outcome)
        session._begin(step, {})
        session._finish(step, outcome)
    app = opened(session)
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await running(pilot, "down_tested")
        before, keys = screen_text(app), footer(app)
        session.hold.set()
        while state(session, "down_tested") is not Status.PROVED or session.record.running:
            await drawn(pilot)
        await settle(pilot)
        after = screen_text(app)

    assert keys.startswith("◐ running: up–down")
    assert "in which order?" not in before
    assert "which rollback path is used first?" in after


async def test_a_failure_beside_a_question_is_said_above_it_and_shown_after_the_answer() -> None:
    session = by_itself("class")
    session.hold, session.holds = asyncio.Event(), frozenset({"copied"})
    session.script = {**session.script, "copied": Outcome(Status.FAILED, "Too many rows.")}
    app = opened(session)
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("enter")  # the class sets off the copy; the purpose is asked
        await running(pilot, "copied")
        session.hold.set()
        while state(session, "copied") is not Status.FAILED or session.record.running:
            await drawn(pilot)
        await drawn(pilot)
        asked = screen_text(app)
        await pilot.press(*"each team loads faster", "enter")
        while state(session, "purpose") is not Status.ATTESTED:
            await drawn(pilot)
        await settle(pilot)
        failed = screen_text(app)

    assert "What will users gain" in asked
    assert "✗ failed  copy: Too many rows." in asked
    assert "Enter copy the target again" in failed


async def test_questions_come_in_the_order_of_the_path_beside_what_only_reads() -> None:
    session = by_itself()
    session.hold, session.holds = asyncio.Event(), frozenset({"copied"})
    app = opened(session)
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await running(pilot, "copied")
        await pilot.press(*"made again", "enter")
        while state(session, "findings") is not Status.ATTESTED:
            await drawn(pilot)
        await drawn(pilot)
        asked = footer(app)
        session.hold.set()
        await settle(pilot)

    assert asked.startswith("Enter confirm the class")
