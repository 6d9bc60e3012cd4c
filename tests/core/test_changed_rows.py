"""GO says what changes, and what of it no down file gives back."""

from collections.abc import Iterator

import pytest

from d1_preflight.core.record.change_facts import RehearsalFacts, TableChange
from d1_preflight.core.record.record import Outcome, Status
from d1_preflight.core.record.safety_facts import DownTestFacts, changed_words
from d1_preflight.plain.text import go_summary
from tui import scenes
from tui.fakes import FakeSession
from tui.reading import screen_text
from tui.scenarios import app_for, settle

ROLES = TableChange(table="team_members", before=1_204, after=1_204, lost=0, changed=923)
REHEARSED = RehearsalFacts(tables=(ROLES, TableChange(table="teams", lost=0, changed=0)))
NOTHING_BACK = DownTestFacts(schema="restored", data="differs", tables=(ROLES,))


def down(lost: int = 0, changed: int = 0) -> DownTestFacts:
    table = TableChange(table="team_members", lost=lost, changed=changed)
    return DownTestFacts(schema="restored", tables=(table,))


def cases() -> Iterator[tuple[RehearsalFacts, DownTestFacts, str]]:
    lossy = RehearsalFacts(tables=(TableChange(table="t", lost=5, changed=7),))
    only_lost = RehearsalFacts(tables=(TableChange(table="t", lost=1),))
    yield REHEARSED, NOTHING_BACK, "923 rows changed; the down file gives back 0 of them"
    yield REHEARSED, down(changed=23), "923 rows changed; the down file gives back 900 of them"
    yield REHEARSED, down(), "923 rows changed; the down file gives back 923 of them"
    none = DownTestFacts(verdict="no down migration")
    yield REHEARSED, none, "923 rows changed; no down file gives them back"
    yield REHEARSED, DownTestFacts(), "923 rows changed; no down file gives them back"
    fails = DownTestFacts(verdict="does not run")
    yield REHEARSED, fails, "923 rows changed; the down file does not restore the schema"
    yield (
        lossy,
        down(lost=5, changed=3),
        ("5 rows lost, 7 changed; the down file gives back 4 of them"),
    )
    yield only_lost, down(lost=1), "1 row lost; the down file gives back 0 of them"
    yield RehearsalFacts(tables=(TableChange(table="t", lost=0, changed=0),)), down(), ""
    yield RehearsalFacts(), down(), ""


@pytest.mark.parametrize(("rehearsed", "tested", "words"), cases())
def test_what_changes_and_what_comes_back(
    rehearsed: RehearsalFacts, tested: DownTestFacts, words: str
) -> None:
    assert changed_words(rehearsed, tested) == words


def changing() -> FakeSession:
    session = scenes.rebuild()
    session.script = {
        **scenes.outcomes(),
        "rehearsed": Outcome(Status.PROVED, "1 204 rows: 0 lost, 923 changed.", REHEARSED),
        "down_tested": Outcome(Status.PROVED, "923 rows differ from before", NOTHING_BACK),
    }
    return session.walked_to("go")


def test_the_plain_gate_says_it() -> None:
    told = "\n".join(go_summary(changing()))

    assert "rows    923 rows changed; the down file gives back 0 of them" in told


@pytest.mark.parametrize("keys", [(), ("enter",)])
async def test_the_screen_says_it_before_and_at_the_gate(keys: tuple[str, ...]) -> None:
    app = app_for(scenes.board(changing()), scenes.REBUILD)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        for key in keys:
            await pilot.press(key)
            await settle(pilot)

        assert "923 rows changed; the down file gives back 0 of them" in screen_text(app)
