"""What is copied by c, and what / finds."""

from dataclasses import replace

import pytest

from d1_preflight.core.ports import Evidence
from d1_preflight.tui.app import PreflightApp
from d1_preflight.tui.copyable import copyable
from d1_preflight.tui.screens.dialogs import Pick
from sampling import sampled
from tui import scenes
from tui.reading import screen_text
from tui.scenarios import app_at, app_for, settle


@pytest.mark.parametrize(
    ("step", "words", "copied"),
    sampled(
        [
            ("backed_up", "command", "wrangler d1 export"),
            ("running_code", "SQL of the down", "ALTER TABLE teams ADD COLUMN"),
            ("findings", "SQL of the migration", "CREATE TABLE teams_new"),
            ("close", "git add", "git add "),
        ],
        4,
    ),
)
async def test_c_copies_what_is_chosen_and_says_so(step: str, words: str, copied: str) -> None:
    app = app_at(step)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        if app.focused:
            await pilot.press("escape")
        await pilot.press("c")
        await settle(pilot)
        assert isinstance(app.screen, Pick)
        await pilot.press("slash", *(key if key != " " else "space" for key in words), "enter")
        await settle(pilot)
        said = [note.message for note in app._notifications]

    assert copied in app.clipboard
    assert said
    assert all(message.startswith("Copied: ") for message in said)


def test_a_proof_is_copied_as_the_command_that_a_shell_takes() -> None:
    session = scenes.rebuild().walked_to("counted")
    ran = Evidence(argv=("wrangler", "d1", "execute", "my db", "--command=SELECT 1"),
                   exit_code=0, milliseconds=3, files={})  # fmt: skip
    outcome = session.script["counted"]
    session.script = {**session.script, "counted": replace(outcome, evidence=(ran,))}  # type: ignore[type-var]
    session.walked_to("backed_up")

    found = copyable(session, session.checklist.step("counted"), ())
    texts = [text for label, text in found if label.startswith("command: wrangler")]

    assert texts == ["wrangler d1 execute 'my db' '--command=SELECT 1'"]


def test_only_what_a_shell_takes_is_offered_as_a_command() -> None:
    session = scenes.rebuild().walked_to("copied")
    session._plans = {
        "copied": ("read every row of shop (wrangler d1 execute)", "into .preflight/copy"),
        "rehearsed": ("wrangler d1 migrations apply --config=<staged>/wrangler.json",),
        "backed_up": ("read users, value for value", "wrangler d1 export shop   (about 3 s)"),
    }

    def first(step: str) -> list[tuple[str, str]]:
        return copyable(session, session.checklist.step(step), ())[: len(session._plans[step])]

    assert [label.partition(":")[0] for label, _ in first("copied")] == ["plan", "plan"]
    assert [label.partition(":")[0] for label, _ in first("rehearsed")] == ["plan"]
    assert first("backed_up")[1] == ("command: wrangler d1 export shop", "wrangler d1 export shop")


def test_every_value_of_a_step_can_be_copied() -> None:
    session = scenes.rebuild().walked_to("down_written")
    texts = dict(copyable(session, session.checklist.step("bookmark"), ("one", "two")))

    assert scenes.BOOKMARK in texts.values()
    assert "one\ntwo" in texts.values()
    assert session.migration.sha256 in texts.values()


async def test_the_board_and_the_gate_copy_too() -> None:
    board = app_for(scenes.board())
    async with board.run_test() as pilot:
        await settle(pilot)
        await pilot.press("c", "enter")
        await settle(pilot)
    gate = app_at("go")
    async with gate.run_test() as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        await pilot.press("c", "slash", *"full", "enter")
        await settle(pilot)

    assert board.clipboard.startswith("preflight run 00")
    assert len(gate.clipboard) == 64


async def test_help_copies_a_command_or_a_statement_whole() -> None:
    app = app_for(scenes.board())
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("question_mark", "right", "right", "c", "slash", *"audit_logs", "enter")
        await settle(pilot)

    assert app.clipboard.startswith("CREATE TABLE audit_logs (")
    assert app.clipboard.endswith(");")


async def search(app: PreflightApp, words: str, *keys: str) -> tuple[str, list[str]]:
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("escape", "slash", *words, "enter", *keys)
        await settle(pilot)
        return screen_text(app), [note.message for note in app._notifications]


async def test_the_search_goes_to_the_line_in_the_sql_and_n_to_the_next() -> None:
    text, said = await search(app_at("findings"), "domain", "n")

    assert said[0].startswith("1 of 4, line 11 of the SQL")
    assert said[1].startswith("2 of 4, line 19 of the SQL")
    assert "SELECT id, domain" in text


async def test_the_search_says_where_nothing_was_found() -> None:
    _, said = await search(app_at("findings"), "no-such-word")

    assert said == ["No line contains 'no-such-word'."]


async def test_the_board_shows_a_record_read_only() -> None:
    session = scenes.rebuild().walked_to("bookmark")
    source = scenes.board(session)
    app = app_for(source)
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        await pilot.press("s")
        await settle(pilot)
        none = [note.message for note in app._notifications]
        await pilot.press("slash", *"rebuild_teams", "enter", "s")
        await settle(pilot)
        shown = screen_text(app)
        await pilot.press("slash", *"✓ proved", "enter", "n")
        await settle(pilot)
        found = [note.message for note in app._notifications]
        await pilot.press("c", "enter", "escape")
        await settle(pilot)

    assert "has no record yet" in none[0]
    assert "record, read only" in shown
    assert "who" in shown
    assert found[-1].startswith("2 of ")
    assert app.clipboard.startswith("preflight show 0061")
    assert session.performed == []
    assert source.closed == []
