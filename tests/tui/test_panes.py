"""Two things stand beside each other where the screen is wide enough; a rename is one line."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual.content import Content

from d1_preflight.core.findings import Effects, Finding, Severity
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.record.change_facts import SchemaChange
from d1_preflight.core.schema.schema import Schema, diff
from d1_preflight.core.schema.schema import SchemaObject as Object
from d1_preflight.tui.app import PreflightApp
from d1_preflight.tui.bodies.schema_diff import differences, schema_block
from d1_preflight.tui.running_step import RunningStep
from d1_preflight.tui.styles import DANGER
from d1_preflight.tui.widgets.board_table import BoardTable
from d1_preflight.tui.widgets.findings import folded
from d1_preflight.tui.widgets.gauges import kept
from d1_preflight.tui.widgets.rail import Rail
from d1_preflight.tui.widgets.sql_view import SqlView
from sampling import sampled
from tui import scenes
from tui.fakes import NoAdoption, NotedEdits, NotedPages
from tui.reading import screen_text
from tui.scenarios import app_at, app_for, body_text, look, looks, resized, settle


def changes(before: str, after: str) -> tuple[SchemaChange, ...]:
    old, new = (Schema((Object("table", "t", "t", sql),)) for sql in (before, after))
    return tuple(
        SchemaChange(change=c.kind, object=c.object, name=c.name, words=c.words, declared=True)
        for c in diff(old, new)
    )


def drawn(before: str, after: str, sql: str, *renamed: str, width: int = 100) -> str:
    effects = Effects(columns_renamed=renamed)
    migration = Migration.from_text("0001_x.sql", sql)
    found = differences(changes(before, after), migration, effects)
    return schema_block(found, width).plain


@pytest.mark.parametrize("width", [40, 100])
@pytest.mark.parametrize(
    ("before", "after", "sql", "renamed"),
    [
        ("CREATE TABLE t(a TEXT, b)", "CREATE TABLE t(z TEXT, b)",
         "ALTER TABLE t RENAME COLUMN a TO z;", ()),
        ("CREATE TABLE t(a TEXT, b)", "CREATE TABLE t(z TEXT, b)",
         'ALTER TABLE "t" RENAME a TO y; ALTER TABLE t RENAME COLUMN y TO z;', ()),
        ("CREATE TABLE t(a TEXT, b)", "CREATE TABLE t(z TEXT, b)",
         "INSERT INTO n(z, b) SELECT a, b FROM t;", ("t.a",)),
        ("CREATE TABLE t(a TEXT)", "CREATE TABLE t(z TEXT, b INTEGER)",
         "ALTER TABLE t RENAME COLUMN a TO z; ALTER TABLE t ADD COLUMN b INTEGER;", ()),
    ],
)  # fmt: skip
def test_a_rename_is_drawn_as_a_rename(
    before: str, after: str, sql: str, renamed: tuple[str, ...], width: int
) -> None:
    shown = drawn(before, after, sql, *renamed, width=width)

    assert "renamed" in shown
    assert "gone" not in shown
    assert "−" not in shown
    assert "t.a" in shown


def test_what_is_gone_and_what_is_new_stay_so() -> None:
    shown = drawn("CREATE TABLE t(a TEXT)", "CREATE TABLE t(z INTEGER)",
                  "ALTER TABLE t ADD COLUMN z INTEGER; ALTER TABLE t DROP COLUMN a;")  # fmt: skip

    assert "renamed" not in shown
    assert "− column t.a" in shown
    assert "+ column t.z" in shown


@pytest.mark.parametrize(
    ("sql", "shown"),
    [
        ("CREATE INDEX i ON t(a)", "- index i on t (a)"),
        ("CREATE UNIQUE INDEX i ON t(a, b)", "- index i on t (a, b) unique"),
    ],
)
def test_an_index_is_named_once(sql: str, shown: str) -> None:
    table = Object("table", "t", "t", "CREATE TABLE t(a, b)")
    gone = diff(Schema((table, Object("index", "i", "t", sql))), Schema((table,)))
    found = tuple(SchemaChange(change=c.kind, object=c.object, name=c.name, words=c.words)
                  for c in gone)  # fmt: skip
    lines = differences(found, Migration.from_text("0001_x.sql", "DROP INDEX i;"), Effects())

    words = schema_block(lines, 40).plain.replace("\u2212", "-")
    assert shown in words


@pytest.mark.parametrize(
    ("before", "lost", "bar"),
    [(10, 0, "━" * 10), (10, 10, "╌" * 10), (10_000, 1, "━━━━━━━━━╌"), (0, 0, ""), (-1, 0, "")],
)
def test_a_single_lost_row_shows_in_the_bar(before: int, lost: int, bar: str) -> None:
    assert kept(before, lost, 10) == bar


async def test_the_findings_stand_beside_the_sql_and_a_click_goes_to_the_line() -> None:
    app = app_at("findings")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        wide = screen_text(app)
        pane = app.screen.query_one("FindingsPane")
        await pilot.click(pane, offset=(4, 0))
        chosen = app.screen.query_one(SqlView).chosen
        await resized(pilot, 80, 30)
        await pilot.press("escape", "f")
        await settle(pilot)
        narrow = screen_text(app)

    line = next(line for line in wide.splitlines() if "warning  line 9" in line)
    assert "│" in line
    assert chosen == 0
    assert "Instead  1" in narrow


async def test_what_blocks_is_unfolded_without_a_key_also_when_it_is_not_chosen() -> None:
    app = app_at("findings")
    async with app.run_test(size=(80, 60)) as pilot:
        await settle(pilot)
        chosen = app.screen.query_one(SqlView).chosen
        text = screen_text(app)

    assert scenes.REBUILD_ANALYSIS.findings[chosen] == scenes.FORGOTTEN
    assert "D1 keeps foreign keys on" in text


async def test_up_and_down_stand_beside_each_other_and_below_on_a_narrow_screen() -> None:
    app = app_at("running_code")
    async with app.run_test(size=(120, 60)) as pilot:
        await settle(pilot)
        await pilot.press("up")
        await settle(pilot)
        wide = screen_text(app).splitlines()
        await resized(pilot, 80, 40)
        narrow = screen_text(app)

    assert any("─ up" in line and "─ down" in line for line in wide)
    assert "─ down" in narrow
    assert "─ up" not in narrow


async def test_the_apply_ticks_what_it_re_checked_and_says_what_it_does_now() -> None:
    from tui.scenarios import SCENARIOS

    scenario = next(one for one in SCENARIOS if one.name == "applying")
    app = scenario.app()
    async with app.run_test(size=(80, 24)) as pilot:
        await scenario.walk(pilot)
        await settle(pilot)
        text = screen_text(app)

    assert "✓ re-checked: window" in text
    assert "◐ re-check: pending" in text
    assert "· wrangler d1 migrations apply" in text
    assert "· read the ledger again" in text


async def test_the_output_is_that_of_the_step_looked_at() -> None:
    session = scenes.rebuild().walked_to("rehearsed")
    session._lines = {"rehearsed": ("applied in 14 ms",)}
    app = app_for(scenes.board(session), scenes.REBUILD)
    before, _, there, elsewhere = await looks(app, "enter", ("escape", "up"), "up", size=(120, 40))

    assert "output of" not in before
    assert "output of rehearsal" in there
    assert "applied in 14 ms" in there
    assert "applied in 14 ms" not in elsewhere


def test_the_output_of_another_record_is_forgotten() -> None:
    step = scenes.rebuild().checklist.step("rehearsed")
    running = RunningStep()
    running.turn_to("0057_a.sql")
    running.begin(step)
    running.emit(step)("of 0057", "out")

    running.turn_to("0057_a.sql")
    same = running.after(step.id, 0)
    running.turn_to("0061_b.sql")

    assert same == ["of 0057"]
    assert running.after(step.id, 0) == []


@pytest.mark.parametrize(("keys", "line"), sampled([(("f",), 23), ((), 9)], 2))
async def test_e_opens_the_editor_at_the_line_of_the_finding(
    keys: tuple[str, ...], line: int
) -> None:
    edits = NotedEdits()
    session = scenes.rebuild().walked_to("findings")
    app = PreflightApp(
        scenes.board(session),
        edit=edits,
        browse=NotedPages(),
        adopt=NoAdoption(),
        opened=scenes.REBUILD,
    )
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("escape", *keys, "e")
        await settle(pilot)

    assert edits.lines == [line]


async def test_the_selection_hides_no_state() -> None:
    board = app_for(scenes.board(scenes.rebuild()))
    async with board.run_test() as pilot:
        await settle(pilot)
        await pilot.press(*("down",) * 4)
        table = board.screen.query_one(BoardTable)
        row = table.decorated(table.cursor)
    failed = app_at("rehearsed", 1_204)
    async with failed.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        rail = failed.screen.query_one(Rail).render()

    assert ink_of_words(row, "DESTRUCTIVE") == DANGER
    assert ink_of_words(rail, "failed") == DANGER


def ink_of_words(content: Content, words: str) -> str:
    at = content.plain.index(words)
    inks = [str(span.style) for span in content.spans if span.start <= at < span.end]
    return inks[-1]


BREADTHS = (120, 160, 181, 187, 200, 240)
KEPT = ("rows kept", "━━━━━━━━━━", "✗ by cascade from line 23", "✗ not declared")


@pytest.mark.parametrize("width", sampled(BREADTHS, len(BREADTHS)))
async def test_the_rehearsal_draws_what_is_kept_at_every_breadth(width: int) -> None:
    text = await look(app_at("rehearsed", 1_204), "enter", size=(width, 50))

    assert all(words in text for words in KEPT)
    assert "− column teams.deprecated_column" in text


async def test_the_body_of_the_rehearsal_draws_what_is_kept_at_every_breadth() -> None:
    session = scenes.rebuild(1_204).walked_to("rehearsed")
    await session.perform(session.checklist.step("rehearsed"), {})

    for width in range(BREADTHS[0], BREADTHS[-1] + 1, 3):
        beside_the_rail = width - 34
        text = body_text(session, "rehearsed", beside_the_rail)
        assert all(words in text for words in (*KEPT, "teams.deprecated_column")), width


@pytest.mark.parametrize("room", [24, 30, 34, 40, 60])
def test_a_word_that_is_too_long_breaks_where_its_parts_meet(room: int) -> None:
    words = 'Recreate "idx_workflow_runs_organization_id_created_at" after the copy.'

    lines = list(folded(words, room))

    assert all(len(line) <= room for line in lines)
    assert "".join(lines).replace(" ", "") == words.replace(" ", "")
    broken = [line for line in lines if line.split()[-1] not in words.split()]
    assert all(line.endswith(("_", '"')) for line in broken)


@settings(max_examples=60)
@given(st.text("ab _.,", max_size=120), st.integers(4, 50))
def test_folding_loses_no_letter_and_keeps_to_its_room(words: str, room: int) -> None:
    lines = list(folded(words, room))

    assert all(0 < len(line) <= room for line in lines)
    assert "".join("".join(lines).split()) == "".join(words.split())


async def test_a_long_name_stays_readable_in_the_pane_beside_the_sql() -> None:
    name = "idx_workflow_runs_organization_id_created_at"
    words, step = f"The new table lacks index {name}", f"CREATE INDEX {name} ON teams(name);"
    long = Finding("rebuild-forgets", Severity.WARNING, 9, 1, words, words, (step,))
    session = scenes.rebuild().walked_to("findings")
    session._analysis = replace(session.analysis, findings=(long,))
    text = await look(app_for(scenes.board(session), scenes.REBUILD), size=(120, 40))
    pane = [line.rpartition("│")[2].strip() for line in text.splitlines()]

    assert "idx_workflow_runs_" in pane
    assert "organization_id_created_at" in pane
    assert "Instead" in pane


@pytest.mark.parametrize("room", [-3, 0, 1, 2])
def test_no_room_at_all_still_ends(room: int) -> None:
    assert "".join(folded("idx_teams.stripe (id)", room)) == "idx_teams.stripe(id)"
