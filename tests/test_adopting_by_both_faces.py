"""An adoption by the screen and by plain text: the same steps, and the same record."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from actions.fake_target import agreeable
from actions.test_adoption import NAME, Adopting
from d1_preflight.board import BoardHeader, BoardState
from d1_preflight.core.checklist.checklist import Prompt
from d1_preflight.core.record.file import load_record
from d1_preflight.plain.walkthrough import Choice, Walkthrough
from d1_preflight.session import Session
from d1_preflight.tui.app import PreflightApp
from d1_preflight.tui.palette import Acts
from d1_preflight.tui.screens.wizard import WizardScreen
from plain.fakes import TARGET
from test_two_doors import OneRecord, press
from tui.fakes import NotedEdits, NotedPages
from tui.scenarios import settle

DATABASE = "marketplace-production"
VERDICT = "by hand"
KEYS_TO_THE_CLOSE: tuple[str | tuple[str, ...], ...] = (
    "enter", *("down", "down", "enter"), "y",  # nobody vouches for 0003; the list is right
    *("enter", "enter", "G"),
    "enter", "A",  # Enter, pressed by habit, writes nothing
    "enter", tuple(VERDICT), "enter",
)  # fmt: skip


class AdoptingBoard(OneRecord):
    """A board whose target has tables, and no ledger."""

    async def refresh(self) -> BoardState:
        return BoardState(self.rows(), "remote read", may_adopt=True)

    def open(self, name: str) -> Session:
        assert name == NAME
        return self._session

    @property
    def header(self) -> BoardHeader:
        return BoardHeader(DATABASE, "remote", "4.164.0")


@dataclass
class NotedAdoption:
    """Notes which adoptions were finished."""

    finished: list[str] = field(default_factory=list)

    def next(self, database: str) -> str:
        assert database == DATABASE
        return NAME

    def finish(self, session: Session) -> str:
        self.finished.append(session.record.migration)
        return "The base schema was written."


@dataclass
class Agreeing:
    """Answers every question of plain text as an agreeable operator."""

    given: Mapping[str, object]

    async def ask(self, prompt: Prompt) -> object:
        if prompt.key == "next":
            return Choice.DO
        return self.given.get(prompt.key, agreeable(prompt))


async def through_the_screen(adopting: Adopting) -> NotedAdoption:
    noted = NotedAdoption()
    board = AdoptingBoard(adopting.session)
    app = PreflightApp(board, edit=NotedEdits(), browse=NotedPages(), adopt=noted)
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        assert "adopt" in str(app.screen.query_one("KeyBar").render())
        acts = Acts(app.screen)
        assert any(act.key == "a" and "Adopt" in act.words for act in acts._acts())
        await press(pilot, "a")
        assert isinstance(app.screen, WizardScreen)
        for keys in KEYS_TO_THE_CLOSE:
            await press(pilot, *((keys,) if isinstance(keys, str) else keys))
        assert adopting.session.closed, adopting.session.current
        await press(pilot, "escape")
    assert app.failure is None
    return noted


@pytest.mark.matrix  # the suite has its steps: actions/test_adoption; both faces: test_two_doors
async def test_an_adoption_is_walked_by_both_faces_with_the_same_steps(tmp_path: Path) -> None:
    screen, plain = Adopting(tmp_path / "screen"), Adopting(tmp_path / "plain")

    noted = await through_the_screen(screen)
    asker = Agreeing({"ran": (), "verdict": VERDICT})
    walkthrough = Walkthrough(
        plain.session, asker, lambda _line: None, replace(TARGET, migration=NAME)
    )
    await walkthrough.run()

    assert noted.finished == [NAME]
    steps = [
        [
            (a.step, a.status, a.words)
            for a in load_record(one.bench.store.held["record.toml"]).attempts
        ]
        for one in (screen, plain)
    ]
    assert steps[0] == steps[1]
    assert screen.ledger() == plain.ledger() == ["0001_base.sql", "0002_members.sql"]
