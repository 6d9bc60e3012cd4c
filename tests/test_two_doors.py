"""Two doors, one record: the screen and plain text write the same from the same answers."""

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from d1_preflight.actions import STEPS
from d1_preflight.actions.context import StepAction, StepContext
from d1_preflight.board import Board, BoardHeader, BoardRow, BoardState, Remote
from d1_preflight.core.checklist.file import load_checklist
from d1_preflight.core.findings import Kind, Risk
from d1_preflight.core.project.settings import Settings
from d1_preflight.core.record.record import Outcome
from d1_preflight.core.recovery.runbook import Target
from d1_preflight.plain.line_asker import BACK
from d1_preflight.plain.walkthrough import Choice, Walkthrough
from d1_preflight.session import Session
from d1_preflight.tui.app import PreflightApp
from plain.fakes import (
    CHECKLIST,
    NAME,
    STEP_BY_STEP,
    TARGET,
    MemoryStore,
    Script,
    TextFiles,
    open_session,
)
from tui.fakes import FrozenClock, NoAdoption
from tui.scenarios import settle

HEADED = """-- Migration: 0057_add_billing_email
-- Description: Adds a table
-- Type: Additive (low risk)
-- Rollback: Not required
CREATE TABLE audit_logs (id TEXT PRIMARY KEY);
"""
BARE = "CREATE TABLE audit_logs (id TEXT PRIMARY KEY);\n"
OVERLAPPING = CHECKLIST.replace(
    'action = "check_name"', 'action = "check_name"\neffect = "remote-read"'
).replace(
    'label = "What will users gain?"',
    '''label = "What will users gain?"
[[section.step.prompt]]
key = "asked_by"
kind = "text"
label = "Who asked for it?"''',
)
"""Beside the name, which reads the target here, the header is checked; two questions follow."""


@dataclass(frozen=True)
class Walk:
    """What an operator does: at the keys of the screen, and in the answers of plain text.

    Keys in a row are typed without a look at the screen in between.
    """

    text: str
    keys: tuple[str | tuple[str, ...], ...]
    answers: tuple[tuple[str, object], ...]
    by_itself: bool = False
    overlap: bool = False


DO, QUIT = ("next", Choice.DO), ("next", Choice.QUIT)
WALKS = {
    "straight to GO": Walk(
        HEADED,
        ("enter", "enter", tuple("Bills"), "enter", "enter", "enter", "G"),
        (DO, DO, DO, ("purpose", "Bills"), DO, ("go", True)),
    ),
    "a step that fails and is waived": Walk(
        BARE,
        ("enter", "enter", "w", tuple("a trial only"), "enter"),
        (DO, DO, ("next", Choice.WAIVE), ("reason", "a trial only"), QUIT),
    ),
    "an empty answer is refused, then given": Walk(
        HEADED,
        ("enter", "enter", "delete", "enter", tuple("Bills"), "enter"),
        (DO, DO, DO, ("purpose", ""), ("purpose", "Bills"), QUIT),
    ),
    "by itself, from one key to the gate": Walk(
        HEADED,
        ("enter", tuple("Bills"), "enter", "G"),
        (DO, DO, ("purpose", "Bills"), DO, ("go", True)),
        by_itself=True,
    ),
    "by itself, with the purpose that the header offers": Walk(
        HEADED,
        ("enter", "enter", "G"),
        (DO, DO, ("purpose", "Adds a table"), DO, ("go", True)),
        by_itself=True,
    ),
    "by itself, until something fails": Walk(
        BARE,
        ("enter", "w", tuple("a trial only"), "enter", tuple("Bills"), "enter"),
        (DO, ("next", Choice.WAIVE), ("reason", "a trial only"), DO, ("purpose", "Bills"), QUIT),
        by_itself=True,
    ),
    "two steps side by side, and back to the last question": Walk(
        HEADED,
        (
            "enter",
            tuple("Bils"),
            "enter",
            "shift+tab",
            tuple("Bills"),
            "enter",
            tuple("Ben"),
            "enter",
            "G",
        ),
        (
            DO,
            DO,
            ("purpose", "Bils"),
            ("asked_by", BACK),
            ("purpose", "Bills"),
            ("asked_by", "Ben"),
            DO,
            ("go", True),
        ),
        by_itself=True,
        overlap=True,
    ),
    "NO-GO": Walk(
        HEADED,
        (
            "enter",
            "enter",
            tuple("Bills"),
            "enter",
            "enter",
            "enter",
            "n",
            tuple("not today"),
            "enter",
        ),
        (DO, DO, DO, ("purpose", "Bills"), ("next", Choice.NO_GO), ("reason", "not today")),
    ),
}


def session_on(store: MemoryStore, walk: Walk) -> Session:
    """A session whose clock stands still, so that only the answers can make a difference."""
    settings = Settings() if walk.by_itself else STEP_BY_STEP
    session = open_session(store, TextFiles(walk.text), settings)
    session.environment = replace(session.environment, clock=FrozenClock())
    return overlapping(session) if walk.overlap else session


def overlapping(session: Session) -> Session:
    """The name's check ends after the header's, which must run beside it."""
    header_ended = asyncio.Event()

    async def check_name(context: StepContext) -> Outcome:
        await header_ended.wait()
        return await STEPS["check_name"].run(context)

    async def check_header(context: StepContext) -> Outcome:
        assert {attempt.step for attempt in context.record.all_running} == {"named", "header"}
        outcome = await STEPS["check_header"].run(context)
        header_ended.set()
        return outcome

    own = {"check_name": StepAction(check_name), "check_header": StepAction(check_header)}
    session.environment.cache.uuid = session.project.database.id  # it has said who it is
    checklist = load_checklist(OVERLAPPING, "overlapping.toml", STEPS)
    return Session(checklist, session.environment, {**STEPS, **own})


class OneRecord(Board):
    """A board with one migration on it."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def header(self) -> BoardHeader:
        return BoardHeader("marketplace-production", "practice", "4.164.0")

    def rows(self) -> tuple[BoardRow, ...]:
        return (BoardRow(NAME, "0057", "add_email", Kind.ADDITIVE, Risk.LOW, Remote.PENDING),)

    def listed(self) -> tuple[BoardRow, ...]:
        return self.rows()

    async def refresh(self) -> BoardState:
        return BoardState(self.rows(), "remote read")

    def open(self, name: str) -> Session:
        assert name == NAME
        return self._session

    def close(self, session: Session) -> None:
        assert session is self._session

    def choose(self, database: str) -> None:
        raise NotImplementedError(database)

    def target(self, name: str) -> Target:
        return replace(TARGET, migration=name)

    def run(self, command: str, name: str, *, noted: bool = True) -> str:
        raise NotImplementedError(command, name, noted)

    def own_command(self, *words: str) -> str:
        raise NotImplementedError(*words)


async def through_the_screen(walk: Walk) -> dict[str, bytes]:
    store = MemoryStore()
    session = session_on(store, walk)

    def never(path: Path, *, line: int = 0) -> None:
        raise NotImplementedError(path, line)

    app = PreflightApp(
        OneRecord(session), edit=never, adopt=NoAdoption(), browse=lambda _page: False, opened=NAME
    )
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        for keys in walk.keys:
            await press(pilot, *((keys,) if isinstance(keys, str) else keys))
    assert app.failure is None
    return store.held


async def press(pilot: Pilot[None], *keys: str) -> None:
    await pilot.press(*("space" if key == " " else key for key in keys))
    await settle(pilot)
    assert isinstance(pilot.app, PreflightApp)
    while pilot.app._step_worker.is_walking:
        await settle(pilot)


async def through_plain_text(walk: Walk) -> dict[str, bytes]:
    store = MemoryStore()
    script = Script([*walk.answers])
    walkthrough = Walkthrough(session_on(store, walk), script, lambda _line: None, TARGET)
    await walkthrough.run()
    assert script.answers == []
    return store.held


IN_THE_SUITE = {  # a walk to GO, one that a step holds up, one by itself
    "straight to GO",
    "a step that fails and is waived",
    "two steps side by side, and back to the last question",
}


@pytest.mark.parametrize(
    "walk",
    [
        pytest.param(walk, id=name, marks=() if name in IN_THE_SUITE else pytest.mark.matrix)
        for name, walk in WALKS.items()
    ],
)
async def test_both_doors_write_the_same_record(walk: Walk) -> None:
    plain = await through_plain_text(walk)
    screen = await through_the_screen(walk)

    assert plain["record.toml"]
    assert screen == plain
