"""The board: at once from local files, then with what the target says."""

import asyncio
import gc
from dataclasses import replace

import pytest
from textual.app import App
from textual.widgets import Static

from d1_preflight.board import BoardState, Remote
from d1_preflight.core.errors import RecordBusy, RemoteFailed
from d1_preflight.core.findings import Kind, Risk
from d1_preflight.tui.app import PreflightApp
from d1_preflight.tui.messages import OpenAsked
from d1_preflight.tui.screens.board import BoardScreen
from d1_preflight.tui.screens.dialogs import Pick, Problem
from d1_preflight.tui.screens.wizard import WizardScreen
from d1_preflight.tui.widgets.board_table import BoardTable
from sampling import sampled
from tui import scenes
from tui.fakes import FakeBoard, NoAdoption, NotedEdits
from tui.reading import screen_text
from tui.scenarios import app_for, look, looks, resized, settle


async def test_the_board_paints_before_the_target_has_answered() -> None:
    source = scenes.board()
    source.answers = asyncio.Event()
    app = app_for(source)
    async with app.run_test() as pilot:
        await pilot.pause()
        before = screen_text(app)
        source.answers.set()
        await settle(pilot)
        after = screen_text(app)

    assert "rebuild_teams" in before
    assert "reading the target" in before
    assert "pending" not in before
    assert "? unknown" in before
    assert "remote read 14:02 EST" in after
    assert after.count("pending") == 7


async def test_what_is_not_judged_yet_is_judging_and_never_unknown() -> None:
    source = scenes.board()
    source._rows = tuple(
        replace(row, is_judged=False, kind=Kind.UNKNOWN, risk=Risk.UNKNOWN) if at < 5 else row
        for at, row in enumerate(source._rows)
    )
    source._state = BoardState(source._rows, "the target was not reached", failed=True)
    source.answers = asyncio.Event()
    app = app_for(source)
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.pause()
        before = screen_text(app)
        source.answers.set()
        await settle(pilot)
        after = screen_text(app)

    assert before.count("judging…") == 5
    assert before.count("reading…") == 8
    assert before.count("? unknown") == 1  # the one that was judged
    assert after.count("? not judged") == 5
    assert "judging…" not in after


async def test_the_ledger_of_an_earlier_start_stands_until_the_target_answers() -> None:
    source = scenes.board()
    first, *rest = source._rows
    rest = [replace(row, remembered=Remote.PENDING) for row in rest]
    source._rows = (replace(first, remembered=Remote.APPLIED), *rest)
    source._header = replace(source._header, ledger_age="ledger as of 22 Nov 14:05 UTC")
    source._state = BoardState(source._rows, "the target was not reached", failed=True)
    source.answers = asyncio.Event()
    app = app_for(source)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        before = screen_text(app)
        source.answers.set()
        await settle(pilot)
        after = screen_text(app)

    assert "reading the target… ledger as of 22 Nov 14:05 UTC" in before
    assert (before.count("applied"), before.count("pending")) == (1, 7)
    assert "reading…" not in before
    assert "ledger as of" not in after
    assert "applied" not in after
    assert "pending" not in after  # a memory is no answer


async def test_a_class_of_an_earlier_start_stands_until_the_files_are_judged() -> None:
    source = scenes.board()
    known = source._rows
    source._rows = tuple(replace(row, is_judged=False) for row in known)
    source._state = BoardState(source._rows, "the target was not reached", failed=True)
    source.answers = asyncio.Event()
    app = app_for(source)
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.pause()
        before = screen_text(app)
        source.answers.set()
        await settle(pilot)
        after = screen_text(app)

    unknown = sum(row.kind is Kind.UNKNOWN for row in known)
    assert before.count("judging…") == unknown
    assert "additive" in before
    assert after.count("? not judged") == len(known)


async def test_a_target_that_cannot_be_read_is_said_with_the_next_step() -> None:
    header = scenes.board().header
    error = RemoteFailed("The token was refused (401).", hint="Log in: wrangler login")
    source = FakeBoard(scenes.rows(), {}, header=header, state=error)
    app = app_for(source)
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        text = screen_text(app)

    assert "The token was refused (401)." in text
    assert "wrangler login" in text
    assert "pending" not in text


async def test_a_board_without_migrations_stands() -> None:
    source = FakeBoard((), {}, header=scenes.board().header, state=BoardState((), "read"))
    app = app_for(source)
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("enter", "down", "slash", "x", "enter")
        await settle(pilot)

        assert isinstance(app.screen, BoardScreen)


async def test_the_cursor_stands_on_the_first_pending_migration_until_it_is_moved() -> None:
    source = scenes.board()
    app = app_for(source)
    async with app.run_test() as pilot:
        await settle(pilot)
        first = app.screen.query_one(BoardTable).cursor
        await pilot.press("down", "down", "r")
        await settle(pilot)
        moved = app.screen.query_one(BoardTable).cursor

    assert (first, moved) == (1, 3)
    assert source.asked == 2


async def test_the_filter_shows_only_matching_names() -> None:
    app = app_for(scenes.board())
    _, narrowed, whole = await looks(app, ("slash", *"rename"), "escape")

    assert "rename_workflow" in narrowed
    assert "broken_backfill" not in narrowed
    assert "broken_backfill" in whole


async def test_a_record_that_another_holds_is_a_dialog_and_the_board_stays() -> None:
    busy = RecordBusy("Another session holds it.", hint="Wait until it is closed.")
    rows = scenes.rows()
    source = FakeBoard(
        rows, {r.name: busy for r in rows}, header=scenes.board().header, state=scenes.answered()
    )
    app = app_for(source)
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        dialog = isinstance(app.screen, Problem)
        text = screen_text(app)
        await pilot.press("enter")
        await settle(pilot)

        assert dialog
        assert "Wait until it is closed." in text
        assert isinstance(app.screen, BoardScreen)


async def test_another_database_can_be_chosen() -> None:
    source = scenes.board(databases=("marketplace-production", "marketplace-staging"))
    app = app_for(source)
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("d")
        await settle(pilot)
        asked = isinstance(app.screen, Pick)
        await pilot.press("down", "enter")
        await settle(pilot)

        assert asked
        assert source.header.database == "marketplace-staging"
        assert source.asked >= 2


async def test_leaving_the_wizard_gives_the_record_back() -> None:
    session = scenes.rebuild()
    source = scenes.board(session)
    app = app_for(source, scenes.REBUILD)
    async with app.run_test() as pilot:
        await settle(pilot)
        opened = isinstance(app.screen, WizardScreen)
        await pilot.press("escape")
        await settle(pilot)

        assert opened
        assert source.closed == [session]
        assert isinstance(app.screen, BoardScreen)


async def test_what_is_opened_by_name_leaves_the_board_for_whoever_goes_there() -> None:
    source = scenes.board(scenes.rebuild())
    app = app_for(source, scenes.REBUILD)
    gc.disable()  # as a start does
    async with app.run_test() as pilot:
        await settle(pilot)
        board = app.screen_stack[0]
        beneath, asked = [*board.query("*")], source.asked
        looks_for_garbage = gc.isenabled()
        app.simulate_key("b")
        app.simulate_key("down")  # typed ahead: meant for the board
        await settle(pilot)
        there = screen_text(app)

    assert (beneath, asked, looks_for_garbage) == ([], 0, True)
    assert source.asked >= 1
    assert "▸ 0062" in there
    assert "remote read 14:02 EST" in there


async def test_where_a_name_cannot_be_opened_the_board_is_there() -> None:
    source = scenes.board()
    source._sessions = {scenes.REBUILD: RecordBusy("Another holds it.", hint="Wait.")}
    dialog, text = await looks(app_for(source, scenes.REBUILD), "enter")

    assert "Another holds it." in dialog
    assert "rebuild_teams" in text
    assert "remote read 14:02 EST" in text


async def test_no_key_does_anything_on_a_board_that_is_not_there_yet() -> None:
    class Bare(App[None]):
        def get_default_screen(self) -> BoardScreen:
            return BoardScreen(scenes.board(), waits=True)

    app = Bare()
    async with app.run_test() as pilot:
        await pilot.press(*"/nvsdacr", "enter", "escape", "up", "tab")
        await resized(pilot, 60, 20)

        assert [*app.screen.query("*")] == []
        assert len(app.screen_stack) == 1


async def test_practice_is_named_on_every_screen() -> None:
    session = scenes.rebuild(target="practice").walked_to("go")
    app = app_for(scenes.board(session, target="practice"))
    async with app.run_test() as pilot:
        await settle(pilot)
        seen = [screen_text(app)]
        app.post_message(OpenAsked(scenes.REBUILD))
        for key in ("enter", "exclamation_mark"):
            await settle(pilot)
            seen.append(screen_text(app))
            await pilot.press(key)
        await settle(pilot)
        seen.append(screen_text(app))

    assert all("PRACTICE" in text for text in seen)
    assert len(set(seen)) == 4


async def test_a_name_with_brackets_is_shown_as_it_is() -> None:
    rows = tuple(replace(r, words="[red]x[/red]") for r in scenes.rows()[:1])
    source = FakeBoard(rows, {}, header=scenes.board().header, state=BoardState(rows, "[b]read"))
    app = PreflightApp(source, edit=NotedEdits(), adopt=NoAdoption(), browse=lambda _page: False)
    async with app.run_test() as pilot:
        await settle(pilot)

        assert "[red]x[/red]" in screen_text(app)
        assert "[b]read" in str(app.screen.query_one("#place", Static).render())


async def test_the_counts_of_a_row_are_the_wizards_and_never_half_a_word() -> None:
    app = app_for(scenes.board())
    text = await look(app, ("down", "down", "down", "down"), size=(80, 24))

    gist = next(line for line in text.splitlines() if "blocking" in line)
    assert gist.rstrip().endswith("✗ 1 blocking  ! 1 warning")


async def test_n_writes_a_new_migration_and_v_verifies_the_records() -> None:
    board = scenes.board()
    app = app_for(board)
    async with app.run_test() as pilot:
        await settle(pilot)
        await pilot.press("n", *"add note", "enter", "v")
        await settle(pilot)

    assert board.ran == [
        ("preflight new add note", "not noted"),
        ("preflight verify", "not noted"),
    ]


async def test_what_the_filter_found_stays_chosen_and_in_view_without_it() -> None:
    app = app_for(scenes.board())
    async with app.run_test(size=(80, 14)) as pilot:
        await settle(pilot)
        await pilot.press("slash", *"broken")
        await settle(pilot)
        typing = screen_text(app).splitlines()[-1]
        await pilot.press("enter")
        await settle(pilot)
        found = screen_text(app).splitlines()[-1]
        await pilot.press("escape")
        await settle(pilot)
        text = screen_text(app)

    assert "Enter to the rows" in typing
    assert "Esc all rows" in typing
    assert "Enter open" in found
    assert "Esc all rows" in found
    assert "▸ 0063" in text
    assert "rebuild_teams" in text


@pytest.mark.parametrize("part", sampled(["no such name", "006", "rebuild", ""], 4))
async def test_the_chosen_row_stays_chosen_where_the_filter_finds_no_other(part: str) -> None:
    app = app_for(scenes.board())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press(*("down",) * 4, "slash", *part, "escape")
        await settle(pilot)

        assert "▸ 0061" in screen_text(app)


async def test_the_board_stands_on_the_migration_that_was_open() -> None:
    app = app_for(scenes.board(), scenes.REBUILD)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("escape")
        await settle(pilot)

        assert isinstance(app.screen, BoardScreen)
        assert "▸ 0061" in screen_text(app)


def unread() -> tuple[FakeBoard, PreflightApp]:
    """A first start: no ledger was read before, and the target has not answered yet."""
    source = scenes.board()
    source._rows = tuple(replace(row, mark="·", record="not started") for row in source._rows)
    source.answers = asyncio.Event()
    return source, app_for(source)


def marked(app: PreflightApp) -> list[str]:
    """The rows that have the cursor's mark."""
    return [line.split()[1] for line in screen_text(app).splitlines() if line.split()[:1] == ["▸"]]


@pytest.mark.parametrize("size", sampled([((80, 16),), ((80, 24),), ((120, 40),)], 3))
async def test_before_the_first_answer_no_row_is_chosen_and_then_the_first_pending(
    size: tuple[int, int],
) -> None:
    source, app = unread()
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        before, text = marked(app), screen_text(app)
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, BoardScreen)  # nothing is opened that nobody chose
        assert source.answers
        source.answers.set()
        await settle(pilot)
        after, keys = marked(app), screen_text(app).splitlines()[-1]

    assert before == []
    assert text.splitlines()[-1].strip().startswith("↑↓ choose   / filter")
    assert source.rows()[-1].number in text  # the newest files are in sight
    assert after == [source.rows()[1].number]
    assert keys.strip().startswith("Enter open")


@pytest.mark.parametrize(
    ("key", "at"), sampled([("up", -1), ("down", -1), ("home", 0), ("pageup", 0)], 2)
)
async def test_what_is_chosen_before_the_answer_stays_chosen(key: str, at: int) -> None:
    source, app = unread()
    async with app.run_test() as pilot:
        await pilot.pause()
        await pilot.press(key)
        await pilot.pause()
        chosen = marked(app)
        assert source.answers
        source.answers.set()
        await settle(pilot)

        assert chosen == marked(app) == [source.rows()[at].number]


async def test_a_click_before_the_answer_chooses_its_row() -> None:
    source, app = unread()
    async with app.run_test() as pilot:
        await pilot.pause()
        await pilot.click(BoardTable, offset=(10, 2))
        await pilot.pause()

        assert marked(app) == [source.rows()[2].number]


async def test_where_the_target_does_not_answer_the_newest_file_is_chosen() -> None:
    source, app = unread()
    source._state = RemoteFailed("The target was not reached.", hint="Check the network.")
    async with app.run_test() as pilot:
        await pilot.pause()
        assert source.answers
        source.answers.set()
        await settle(pilot)

        assert marked(app) == [source.rows()[-1].number]
