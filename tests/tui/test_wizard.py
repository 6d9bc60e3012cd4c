"""The wizard by keys alone: it asks, hands on, shows; and never does a thing twice."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from textual import events

from d1_preflight.core.checklist.answers import answer_label
from d1_preflight.core.checklist.checklist import Prompt, PromptKind, Step
from d1_preflight.core.errors import ProjectError
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.record.apply_facts import WindowFacts
from d1_preflight.core.record.facts import StepFacts
from d1_preflight.core.record.record import Outcome, Status
from d1_preflight.core.record.safety_facts import DeployOrderFacts, RestoredTable, RestoreFacts
from d1_preflight.tui.app import PreflightApp
from d1_preflight.tui.screens.board import BoardScreen
from d1_preflight.tui.screens.dialogs import Pick, Problem, Reason
from d1_preflight.tui.screens.emergency import EmergencyScreen
from d1_preflight.tui.screens.help import HelpScreen
from d1_preflight.tui.screens.wizard import WizardScreen
from d1_preflight.tui.widgets.output import OutputPane
from sampling import sampled
from tui import scenes
from tui.fakes import FakeSession, NotedEdits, NotedPages, SceneFiles
from tui.reading import screen_text
from tui.scenarios import app_for, body_text, busy, look, looks, settle, shown


def opened(session: FakeSession) -> PreflightApp:
    return app_for(scenes.board(session), scenes.REBUILD)


def state(session: FakeSession, step: str) -> Status:
    return session.status_of(session.checklist.step(step))


async def test_enter_performs_the_step_and_goes_on_to_the_next() -> None:
    session = scenes.rebuild()
    app = opened(session)
    text = await look(app, "enter")

    assert session.performed == [("named", {})]
    assert "✓ proved" in text
    assert "The header states purpose" in text


async def test_the_end_of_a_section_is_read_before_the_next_one_opens() -> None:
    session = scenes.rebuild().walked_to("losses")
    app = opened(session)
    _, done, following = await looks(app, "enter", "enter")

    assert "Declared: teams: the values of" in done
    assert "next: counts" in done
    assert "The row count of every table is recorded" in following
    assert [step for step, _ in session.performed] == ["losses"]


async def test_an_answer_is_refused_in_the_prompts_own_words() -> None:
    session = scenes.rebuild().walked_to("purpose")
    app = opened(session)
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)

        assert "Write an answer. A few words are enough." in screen_text(app)
        assert session.performed == []


async def test_several_prompts_are_asked_one_at_a_time_and_handed_on_together() -> None:
    session = scenes.rebuild().walked_to("losses")
    app = opened(session)
    async with app.run_test() as pilot:
        await settle(pilot)
        first = screen_text(app)
        await pilot.press("space", "enter")
        await settle(pilot)
        second = screen_text(app)
        undeclared = list(session.performed)
        await pilot.press("enter", *"nobody says so", "enter")
        await settle(pilot)

    assert undeclared == []
    assert "team_members: all 1,204 rows" in first
    assert "You declare the marked losses." in second
    assert "question 2 of 2" in second
    raw = {"losses": ("team_members",), "loss_reason": "nobody says so"}
    assert session.performed == [("losses", raw)]


async def test_an_arrow_in_a_text_field_keeps_the_answers_that_were_given() -> None:
    app = opened(scenes.rebuild().walked_to("losses"))
    text = await look(app, ("space", "enter"), ("down", "up"))

    assert "question 2 of 2" in text


async def test_a_refusal_is_over_once_the_cursor_moves() -> None:
    app = opened(scenes.rebuild().walked_to("close"))
    _, refused, moved = await looks(app, "enter", "down")

    assert "Nothing is chosen yet" in refused
    assert "Nothing is chosen yet" not in moved


async def test_shift_tab_asks_the_last_question_again_with_its_answer() -> None:
    session = scenes.rebuild().walked_to("losses")
    app = opened(session)
    _, _, again, _ = await looks(
        app, ("space", "enter"), "shift+tab", ("2", "enter", *"nobody says so", "enter")
    )

    assert "[x] team_members" in again
    raw = {"losses": ("team_members", "teams"), "loss_reason": "nobody says so"}
    assert session.performed == [("losses", raw)]


async def test_where_no_loss_is_meant_no_reason_is_asked() -> None:
    session = scenes.rebuild().walked_to("losses")
    app = opened(session)
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)

    assert session.performed == [("losses", {"losses": ()})]


async def test_a_second_press_while_a_step_runs_changes_nothing() -> None:
    session = scenes.rebuild().walked_to("copied")
    session.hold = asyncio.Event()
    app = opened(session)
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await session.begun.wait()
        await pilot.press("enter", "enter", "r")
        await pilot.pause()
        session.hold.set()
        await settle(pilot)

    assert session.performed == [("copied", {})]
    assert len([a for a in session.record.attempts if a.step == "copied"]) == 1


async def test_a_failed_step_stays_in_sight_and_may_be_tried_again() -> None:
    session = scenes.rebuild(lost=1_204).walked_to("rehearsed")
    app = opened(session)
    _, text, _ = await looks(app, "enter", "enter")

    assert "✗ failed" in text
    assert "−1,204" in text
    assert len(session.performed) == 2


async def test_a_step_that_has_to_wait_leads_to_what_is_open() -> None:
    session = scenes.rebuild().walked_to("copied")
    app = opened(session)
    _, waiting, text = await looks(app, ("down", "down"), "enter")

    assert "waits for: copy · syntax" in waiting
    assert "The target is copied to this machine" in text
    assert session.performed == []


async def test_what_runs_is_shown_with_its_facts_and_lines() -> None:
    session = scenes.rebuild().walked_to("restored")
    session.hold = asyncio.Event()
    session.live = RestoreFacts(tables=(RestoredTable(table="users", identical=True),))
    session._lines = {"restored": ("✘ [ERROR] [red]no such table: [main].[t][/red]",)}
    app = opened(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await session.begun.wait()
        await shown("✘ [ERROR]")(app)
        text = screen_text(app)

    assert text.count("✓ identical") == 1
    assert "✘ [ERROR] [red]no such table: [main].[t][/red]" in text


async def test_waiving_asks_for_a_reason() -> None:
    session = scenes.rebuild()
    app = opened(session)
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("w")
        await settle(pilot)
        asked = isinstance(app.screen, Reason)
        await pilot.press(*"legacy name", "enter")
        await settle(pilot)

    assert asked
    assert state(session, "named") is Status.WAIVED
    assert session.record.attempts[-1].words == "legacy name"


async def test_what_protects_rows_cannot_be_waived() -> None:
    session = scenes.rebuild().walked_to("copied")
    app = opened(session)
    async with app.run_test() as pilot:
        await settle(pilot)
        before = screen_text(app)
        await pilot.press("w")
        await settle(pilot)

        assert "w waive" not in before
        assert isinstance(app.screen, Problem)
        assert "It protects rows" in screen_text(app)
        assert state(session, "copied") is Status.PENDING


async def test_giving_no_reason_waives_nothing() -> None:
    session = scenes.rebuild()
    app = opened(session)
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("w", "escape")
        await settle(pilot)

    assert state(session, "named") is Status.PENDING


async def test_leaving_while_a_write_runs_asks_first_and_says_that_it_goes_on() -> None:
    session = scenes.rebuild().walked_to("applied")
    session.hold = asyncio.Event()
    app = opened(session)
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press(*"marketplace-production", "enter", "0", "enter")
        await session.begun.wait()
        await pilot.press("q")
        await pilot.pause()
        asked, words = isinstance(app.screen, Pick), screen_text(app)
        await pilot.press("enter")
        await pilot.pause()
        stayed = busy(app)
        session.hold.set()
        await settle(pilot)

    assert asked
    assert "continues on its own" in words
    assert stayed
    assert state(session, "applied") is Status.PROVED


@pytest.mark.parametrize("key", sampled(["q", "ctrl+c", "x"], 2))
async def test_what_is_left_while_it_runs_is_interrupted(key: str) -> None:
    session = scenes.rebuild().walked_to("copied")
    session.hold = asyncio.Event()
    app = opened(session)
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await session.begun.wait()
        await pilot.press(key, "down", "enter")
        await settle(pilot)

    assert state(session, "copied") is Status.INTERRUPTED
    assert app.failure is None


async def test_a_written_step_is_never_offered_again() -> None:
    session = scenes.rebuild().walked_to("ledger")
    app = opened(session)
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("up", "r")
        await settle(pilot)

        assert "r again" not in screen_text(app)
        assert session.performed == []


async def test_what_is_typed_by_hand_cannot_be_pasted() -> None:
    session = scenes.rebuild().walked_to("applied")
    app = opened(session)
    async with app.run_test() as pilot:
        await settle(pilot)
        app.post_message(events.Paste("marketplace-production"))
        await settle(pilot)
        told = screen_text(app)
        await pilot.press("enter")
        await settle(pilot)

    assert "Type this yourself" in told
    assert session.performed == []


@pytest.mark.parametrize(
    ("step", "key", "screen"),
    sampled(
        (
            (step, *opened)
            for step in ("named", "purpose", "applied", "close")
            for opened in (("exclamation_mark", EmergencyScreen), ("question_mark", HelpScreen))
        ),
        5,
    ),
)
async def test_emergency_and_help_are_one_key_away_from_every_step(
    step: str, key: str, screen: type[object]
) -> None:
    app = opened(scenes.rebuild().walked_to(step))
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press(key)
        await settle(pilot)
        shown = isinstance(app.screen, screen)
        await pilot.press("escape")
        await settle(pilot)

        assert shown
        assert isinstance(app.screen, WizardScreen)


async def test_an_exclamation_mark_within_an_answer_is_a_letter() -> None:
    session = scenes.rebuild().walked_to("purpose")
    app = opened(session)
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press(*"fast!", "enter")
        await settle(pilot)

    assert session.performed == [("purpose", {"purpose": "fast!"})]


@pytest.mark.matrix  # the suite has it over every step: test_emergency_and_help_…
async def test_emergency_stands_over_a_dialog_too() -> None:
    app = opened(scenes.rebuild())
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("w", "exclamation_mark")
        await settle(pilot)

        assert isinstance(app.screen, EmergencyScreen)


async def test_editing_the_migration_takes_its_ticks_away() -> None:
    session = scenes.rebuild().walked_to("copied")
    app = opened(session)

    def edit(_path: Path, *, line: int = 0) -> None:
        assert line == 0
        text = scenes.REBUILD_SQL + "-- one more line\n"
        file = Migration.from_text(scenes.REBUILD, text, Path("m.sql"))
        session.environment = replace(session.environment, files=SceneFiles(file))

    app._edit = edit
    text = await look(app, "e")

    assert state(session, "named") is Status.PENDING
    assert "based on has changed" in text


async def test_in_the_rollback_section_the_down_file_is_edited() -> None:
    session = scenes.rebuild().walked_to("way_back")
    app = opened(session)
    edits = NotedEdits()
    app._edit = edits
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("escape", "e")
        await settle(pilot)

    assert [path.parent.name for path in edits.paths] == ["down"]


async def test_the_gate_cannot_be_undone_by_an_edit_after_it() -> None:
    session = scenes.rebuild().walked_to("applied")
    app = opened(session)
    edits = NotedEdits()
    app._edit = edits
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("escape", "e")
        await settle(pilot)

    assert edits.paths == []


async def test_a_refused_act_is_a_dialog_with_the_next_step() -> None:
    session = scenes.rebuild().walked_to("copied")
    app = opened(session)
    async with app.run_test() as pilot:
        await settle(pilot)
        # The record moves on behind the screen's back.
        session.record = session.record.about({})
        await pilot.press("down", "up", "enter")
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)

        assert isinstance(app.screen, WizardScreen | Problem)
        assert app.failure is None


async def test_our_own_bug_ends_the_program_without_a_traceback_and_is_handed_on() -> None:
    session = scenes.rebuild()
    session.script = {"named": Outcome(Status.PROVED, "x")}
    app = opened(session)
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("enter", "enter")
        await pilot.pause()

    assert isinstance(app.failure, KeyError)
    assert app.return_code == 70


async def test_a_closed_record_changes_no_more() -> None:
    session = scenes.rebuild().walked_to("nothing is left")
    app = opened(session)
    async with app.run_test() as pilot:
        await settle(pilot)
        text = screen_text(app)
        await pilot.press("e", "w", "r", "enter")
        await settle(pilot)

        assert "Closed and signed" in text
        assert session.performed == []
        assert isinstance(app.screen, BoardScreen)


async def test_output_of_ten_thousand_lines_leaves_the_newest() -> None:
    session = scenes.rebuild().walked_to("copied")
    session._lines = {"copied": tuple(f"line {n}" for n in range(10_000))}
    app = opened(session)
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        await pilot.press("up")  # on from the step that has ended: its output stays its own
        await settle(pilot)
        pane = app.screen.query_one(OutputPane)

        assert "line 9999" in pane.lines
        assert pane.line_count <= 5_002


async def test_without_colours_marks_and_words_still_say_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = opened(scenes.rebuild(lost=1_204).walked_to("rehearsed"))
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)

        assert app.no_color
        assert "✗ failed" in screen_text(app)


async def test_prose_typed_at_a_list_marks_nothing_and_pulls_no_shortcut() -> None:
    session = scenes.rebuild().walked_to("losses")
    app = opened(session)
    edits = NotedEdits()
    app._edit = edits
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press(*"we keep these", "space", *"rows q b w r", "enter")
        await settle(pilot)
        text = screen_text(app)

        assert edits.paths == []
        assert session.performed == []
        assert isinstance(app.screen, WizardScreen)
        assert "[x]" not in text
        assert "Press Space or Enter twice now" in text


@pytest.mark.parametrize(
    ("keys", "way"),
    sampled(
        [
            (("slash", "t", "r", "a", "v", "enter"), "time travel"),
            (("j", "j", "k", "enter"), "table restore"),
            (("j", "enter"), "table restore"),
            (("z", "3", "3"), "time travel"),  # the key after a letter only ends the sentence
            (("slash", "x", "backspace", "backspace", "down", "enter"), "table restore"),
            (("3",), "time travel"),
            (("slash", "t", "r", "a", "v", "escape", "up", "enter"), "table restore"),
            (("z", "enter", "enter"), "down migration"),
        ],
        3,
    ),
)
async def test_a_choice_takes_arrows_letters_digits_and_a_filter(
    keys: tuple[str, ...], way: str
) -> None:
    session = scenes.rebuild().walked_to("way_back")
    app = opened(session)
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press(*keys)
        await settle(pilot)

    assert session.performed == [("way_back", {"way": way})]


@pytest.mark.matrix  # the suite has it at a list: test_prose_typed_at_a_list_…
async def test_prose_typed_at_a_choice_chooses_nothing() -> None:
    session = scenes.rebuild().walked_to("way_back")
    app = opened(session)
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press(*"restore the table", "enter")
        await settle(pilot)
        typed = list(session.performed)
        await pilot.press("up", "down", "enter")
        await settle(pilot)

    assert typed == []
    assert session.performed == [("way_back", {"way": "table restore"})]


async def test_letters_are_shortcuts_again_after_escape() -> None:
    session = scenes.rebuild().walked_to("class")
    app = opened(session)
    edits = NotedEdits()
    app._edit = edits
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("e")
        await settle(pilot)
        before = list(edits.paths)
        await pilot.press("escape", "e")
        await settle(pilot)

    assert before == []
    assert len(edits.paths) == 1


async def test_a_failed_attempt_keeps_its_answers_selected() -> None:
    session = scenes.rebuild().walked_to("findings")
    session.script = {"findings": Outcome(Status.FAILED, "It is not complete.")}
    app = opened(session)
    _, first, _ = await looks(app, (*"made again", "enter"), (*"not needed", "enter"))

    assert "made again" in first
    assert session.performed[-1] == ("findings", {"rebuild-forgets@9": "not needed"})


async def test_a_declared_loss_and_its_reason_are_never_filled_in() -> None:
    session = scenes.rebuild().walked_to("losses")
    session.script = {"losses": Outcome(Status.FAILED, "Not all is declared.")}
    app = opened(session)
    _, again, reason = await looks(
        app, ("space", "enter", *"nobody says so", "enter"), ("space", "enter")
    )

    assert "[ ] team_members" in again
    assert "nobody says so" not in reason


async def test_what_is_typed_by_hand_is_typed_by_hand_each_time() -> None:
    session = scenes.rebuild().walked_to("applied")
    session.script = {"applied": Outcome(Status.FAILED, "Nothing was applied.")}
    app = opened(session)
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press(*scenes.DATABASE, "enter", "0", "enter")
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)

        assert "That is not 'marketplace-production'" in screen_text(app)
        assert len(session.performed) == 1


async def test_the_footer_says_what_enter_does_for_the_question() -> None:
    session = scenes.rebuild().walked_to("losses")
    app = opened(session)
    async with app.run_test() as pilot:
        await settle(pilot)
        first = screen_text(app).splitlines()[-1]
        await pilot.press("space", "enter")
        await settle(pilot)
        last = screen_text(app).splitlines()[-1]

    assert "Enter next question" in first  # why, if a loss is marked
    assert "Space mark" in first
    assert "e edit" not in first
    assert "Enter declare the losses" in last
    assert "Space mark" not in last


async def test_what_is_applied_and_not_read_back_is_said_so() -> None:
    text = body_text(scenes.rebuild().walked_to("ledger"), "ledger")

    assert "Applied at 14:21 EST; not read back yet." in text
    assert "Nothing is applied yet" not in text


class Unreadable(FakeSession):
    """A session one step of which cannot say what it asks."""

    def prompts(self, step: Step) -> tuple[Prompt, ...]:
        if step.id in ("named", "go"):
            raise ProjectError("checklists/allowed_signers:2 is no line.", hint="Mend it.")
        return super().prompts(step)


async def test_a_question_that_cannot_be_read_is_a_dialog_and_nothing_is_sent() -> None:
    known = scenes.rebuild().walked_to("named")
    session = Unreadable(known.environment, known.analysis, script=known.script)
    app = opened(session)
    async with app.run_test() as pilot:
        await settle(pilot)
        assert isinstance(app.screen, Problem)
        await pilot.press("escape")
        await settle(pilot)
        assert isinstance(app.screen, WizardScreen)
        await pilot.press("enter")
        await settle(pilot)

        assert isinstance(app.screen, Problem)
        assert session.performed == []
        assert app.failure is None


@pytest.mark.parametrize("step", sampled(["copied", "errors"], 2))
async def test_after_stop_waiting_the_screen_says_interrupted_and_enter_goes_on(step: str) -> None:
    session = scenes.rebuild().walked_to(step)
    session.hold = asyncio.Event()
    app = opened(session)
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await session.begun.wait()
        await pilot.press("x", "down", "enter")
        await settle(pilot)
        text = screen_text(app)
        session.hold.set()
        await pilot.press("enter")
        await settle(pilot)

    assert "! interrupted" in text
    assert "◐" not in text
    assert "again" in text.splitlines()[-1]
    assert [done for done, _ in session.performed] == [step, step]
    assert state(session, step) is Status.PROVED


@pytest.mark.parametrize("ended", sampled([Status.UNKNOWN, Status.INTERRUPTED], 2))
async def test_after_an_apply_whose_end_nobody_saw_enter_only_looks(ended: Status) -> None:
    session = scenes.rebuild().walked_to("applied")
    session.script = {"applied": Outcome(ended, "Nobody saw its end.")}
    await session.perform(
        session.checklist.step("applied"), {"database": scenes.DATABASE, "rows": "0"}
    )
    session._prompts = {}
    session._plans = {"applied": ("read ledger and schema; write nothing",)}
    session.begun.clear()
    session.hold = asyncio.Event()
    app = opened(session)
    async with app.run_test() as pilot:
        await settle(pilot)
        offered = screen_text(app)
        await pilot.press("enter")
        await session.begun.wait()
        await shown("running: apply")(app)
        looking = screen_text(app)
        session.hold.set()
        await settle(pilot)

    assert "Enter check what it did" in offered.splitlines()[-1]
    assert "running: apply" in looking
    assert "Intent saved" not in looking


async def test_what_fails_in_the_text_and_cannot_be_waived_is_mended_in_the_file() -> None:
    session = scenes.rebuild().walked_to("findings")
    session.script = {"findings": Outcome(Status.FAILED, "Rows of teams would be lost.")}
    app = opened(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press(*"made again", "enter")
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        await pilot.press("escape")
        await settle(pilot)
        footer = screen_text(app).splitlines()[-1]
        await pilot.press("w")
        await settle(pilot)
        told = screen_text(app)

        assert isinstance(app.screen, Problem)

    assert footer.split("   ")[1] == "e edit"
    assert footer.count("e edit") == 1
    assert "cannot be waived" in told
    assert "It protects rows" in told


@pytest.mark.parametrize("there", [True, False])
async def test_the_dashboard_opens_in_a_browser_or_its_address_is_shown_whole(there: bool) -> None:
    page = f"https://dash.cloudflare.com/{'a' * 32}/workers/d1/databases/{'b' * 36}/metrics"
    session = scenes.rebuild().walked_to("dashboard")
    session._plans = {"dashboard": (page,)}
    app, pages = opened(session), NotedPages(there=there)
    app._browse = pages
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        seen = screen_text(app).splitlines()
        await pilot.press("escape", "d")
        await settle(pilot)
        told = isinstance(app.screen, Problem)
        box = app.screen.query_one(".dialog").content_region if told else app.screen.region
        lines = screen_text(app).splitlines()[box.y : box.bottom]
        dialog = "".join(line[box.x : box.right].strip() for line in lines)

    body = "".join(line.rpartition("│")[2].strip() for line in seen)
    assert "y confirm that it is open" in seen[-1]
    assert page in body
    assert pages.pages == [page]
    assert told is not there
    assert there or page in dialog


async def test_a_waived_step_still_shows_what_was_found() -> None:
    session = scenes.rebuild().walked_to("window")
    step = session.checklist.step("window")
    found = WindowFacts(quiet=False, words="Now is Monday 10:00, office hours")
    session.script = {"window": Outcome(Status.FAILED, "Busy.", found)}
    await session.perform(step, {})
    session.waive(step, "the team agreed")
    text = body_text(session, "window")

    assert "not checked yet" not in text
    assert "Now is Monday 10:00, office hours" in text


@pytest.mark.parametrize(
    ("order", "back"), [("no code goes along", False), ("database first, then Worker", True)]
)
async def test_only_where_code_goes_along_it_goes_back_first(order: str, back: bool) -> None:
    chosen = Outcome(Status.ATTESTED, "Chosen.", DeployOrderFacts(order=order))
    session = scenes.rebuild()
    session.script = {**scenes.outcomes(), "deploy_order": chosen}
    text = body_text(session.walked_to("ready"), "documented")

    assert f"deploy  {answer_label('order', order)}" in text
    assert ("Rollback: Worker first" in text) is back


async def test_after_the_apply_the_workers_turn_is_said_where_it_was_chosen() -> None:
    text = body_text(scenes.rebuild().walked_to("endpoints"), "endpoints")
    lines = (line.strip() for line in text.splitlines())

    assert (
        "Now deploy the Worker (database first, then Worker was chosen), then call the endpoints."
    ) in " ".join(lines)


async def test_after_the_close_it_is_said_where_the_record_lies_and_how_it_is_checked() -> None:
    lines = body_text(scenes.rebuild().walked_to("nothing is left"), "close").splitlines()
    text = " ".join(line.strip() for line in lines)

    assert "records/0061_rebuild_teams_remove_deprecated" in text
    assert "Commit that folder" in text
    assert "preflight verify 0061_rebuild_teams_remove_deprecated" in text


async def test_whoever_waives_a_step_again_is_offered_the_reason_given_before() -> None:
    session = scenes.rebuild().walked_to("window")
    step = session.checklist.step("window")
    session.script = {"window": Outcome(Status.FAILED, "Busy.")}
    await session.perform(step, {})
    session.waive(step, "the team agreed")
    await session.perform(step, {})
    app = opened(session)
    _, asked, _ = await looks(app, "w", "enter", size=(80, 24))

    assert "the team agreed" in asked
    assert state(session, "window") is Status.WAIVED
    assert session.record.attempts[-1].words == "the team agreed"


async def test_a_statement_is_confirmed_by_one_key_and_no_habit() -> None:
    session = scenes.rebuild().walked_to("notified")
    notice = "0061, by ana, watching for 5 min"
    asked = Prompt("send", PromptKind.CONFIRM, "Send this to #engineering", help=notice)
    session._prompts = {**session._prompts, "notified": (asked,)}
    app = opened(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        offered = screen_text(app)
        await pilot.press("enter", "space", "1")
        await settle(pilot)
        refused, before = screen_text(app), list(session.performed)
        await pilot.press("y")
        await settle(pilot)

    assert "[ ]" not in offered
    assert offered.splitlines()[-1].strip().startswith("y ")
    assert before == []
    assert "Press y to confirm it" in refused
    assert notice in refused  # what is confirmed stays in sight
    assert len(session.performed) == 1


async def test_a_question_that_one_choice_alone_brings_is_not_promised() -> None:
    session = scenes.rebuild().walked_to("down_written")
    session._prompts = {
        **session._prompts,
        "down_written": (
            Prompt("down", PromptKind.CHOOSE, "The draft is below", choices=("write it", "none")),
            Prompt("no_down", PromptKind.TEXT, "Why is there none?", after="down", only="none"),
        ),
    }
    first, second = await looks(opened(session), ("down", "enter"))

    assert first.splitlines()[-1].strip().startswith("Enter answer   ")
    assert second.splitlines()[-1].strip().startswith("Enter write the down file")
    assert "Why is there none?" in second


async def test_a_copy_that_was_not_begun_claims_no_rows() -> None:
    session = scenes.rebuild().walked_to("copied")
    words = "This walk would read about 3,000,000 rows. Nothing was read yet."
    facts = StepFacts.read({"rows_read": 12})
    session.script = {**session.script, "copied": Outcome(Status.FAILED, words, facts)}
    text = await look(opened(session), "enter")

    assert "about 3,000,000 rows" in text
    assert "Nothing is copied yet." in text
    assert "?" not in "".join(line for line in text.splitlines()[:-1] if "Copy of the" in line)
