"""Every screen as a scenario: an app made of fakes, and the keys that lead there."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from textual.pilot import Pilot

from d1_preflight.core.errors import RecordBusy
from d1_preflight.core.record.apply_facts import ApplyFacts, ErrorRateFacts, TrafficSample
from d1_preflight.core.record.record import Outcome, Status
from d1_preflight.core.record.safety_facts import RestoredTable, RestoreFacts
from d1_preflight.tui.app import PreflightApp
from d1_preflight.tui.bodies import body_of
from d1_preflight.tui.view import View
from tui import scenes
from tui.fakes import FakeBoard, FakeSession, FrozenClock, NoAdoption, NotedEdits, NotedPages
from tui.reading import screen_text

ZONE = ZoneInfo("America/New_York")
SIZES = ((80, 24), (120, 40))
_LOOK_S = 0.005
Walk = Callable[[Pilot[None]], Awaitable[None]]


async def settle(pilot: Pilot[None]) -> None:
    """Let everything that was started come to its end."""
    await pilot.pause()
    ending = [w for w in pilot.app.workers if w.group != "step" or not busy(pilot.app)]
    if ending:
        await pilot.app.workers.wait_for_complete(ending)
    await pilot.pause()


async def resized(pilot: Pilot[None], width: int, height: int) -> None:
    """Give the terminal another size; Textual heeds it a moment later."""
    await pilot.resize_terminal(width, height)
    while pilot.app._resize_timer is not None:  # noqa: ASYNC110 - nothing says when
        await asyncio.sleep(_LOOK_S)
    await settle(pilot)


async def looks(
    app: PreflightApp, *presses: str | tuple[str, ...], size: tuple[int, int] = (80, 24)
) -> list[str]:
    """What is on the screen at first, and after each press or presses in a row."""
    seen = []
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        seen.append(screen_text(app))
        for keys in presses:
            await pilot.press(*((keys,) if isinstance(keys, str) else keys))
            await settle(pilot)
            seen.append(screen_text(app))
    return seen


async def look(
    app: PreflightApp, *keys: str | tuple[str, ...], size: tuple[int, int] = (80, 24)
) -> str:
    """What is on the screen after these presses."""
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        for pressed in keys:
            await pilot.press(*((pressed,) if isinstance(pressed, str) else pressed))
            await settle(pilot)
        return screen_text(app)


def body_text(session: FakeSession, step: str, width: int = 67) -> str:
    """What the body says of a step: as it is drawn at this width, beside the rail of 80 columns."""
    view = View(session, session.checklist.step(step), zone=ZONE)
    return body_of(view)(view, width).plain


def busy(app: object) -> bool:
    assert isinstance(app, PreflightApp)
    return app._step_worker.busy


def app_for(source: FakeBoard, opened: str = "") -> PreflightApp:
    browse = NotedPages(there=False)
    return PreflightApp(
        source, edit=NotedEdits(), adopt=NoAdoption(), browse=browse, opened=opened, zone=ZONE
    )


def app_at(step: str, lost: int = 0, target: str = "remote") -> PreflightApp:
    """The wizard over the board, with every step before this one answered."""
    session = scenes.rebuild(lost, target=target).walked_to(step)
    return app_for(scenes.board(session, target=target), scenes.REBUILD)


@dataclass(frozen=True)
class Scenario:
    """One picture."""

    name: str
    app: Callable[[], PreflightApp]
    keys: tuple[str | tuple[str, ...], ...] = ()
    until: Callable[[PreflightApp], Awaitable[None]] | None = None

    async def walk(self, pilot: Pilot[None]) -> None:
        await settle(pilot)
        for pressed in self.keys:
            await pilot.press(*((pressed,) if isinstance(pressed, str) else pressed))
            await settle(pilot)
        if self.until is not None:
            assert isinstance(pilot.app, PreflightApp)
            await self.until(pilot.app)


def _board() -> PreflightApp:
    return app_for(scenes.board())


def _backing_up() -> PreflightApp:
    """The restore for proof, half done."""
    session = scenes.rebuild().walked_to("restored")
    session.hold, session.live = (
        _never(),
        RestoreFacts(tables=(RestoredTable(table="teams", rows=112, identical=True, words=""),)),
    )
    return app_for(scenes.board(session), scenes.REBUILD)


def _rewriting() -> PreflightApp:
    """The safe way for the rebuild, as it is offered."""
    source = scenes.board(scenes.rebuild().walked_to("findings"))
    source.offered = scenes.REWRITE
    return app_for(source, scenes.REBUILD)


def _losses() -> PreflightApp:
    """Losses that the rehearsal measured, and that are to be declared."""
    session = scenes.rebuild()
    session.script = {**session.script, "rehearsed": scenes.to_declare()}
    session.walked_to("losses")
    return app_for(scenes.board(session), scenes.REBUILD)


def _busy_hour() -> PreflightApp:
    """A window that failed, and whose reason is asked."""
    session = scenes.rebuild().walked_to("window")
    busy = "Now is Monday 10:06 EST: inside Mon–Fri 9–17 of the users' zone (America/New_York)."
    session.script = {**session.script, "window": Outcome(Status.FAILED, busy)}
    return app_for(scenes.board(session), scenes.REBUILD)


def _watching() -> PreflightApp:
    session = scenes.rebuild().walked_to("errors")
    session.hold, session.live = _never(), ErrorRateFacts(
        limit="0.10", rate="0.02", baseline="0.02", requests=16_400, errors=3, watch_s=300,
        left_s=192, samples=tuple(TrafficSample.read(s) for s in scenes.samples(11)),
    )  # fmt: skip
    return app_for(scenes.board(session), scenes.REBUILD)


def _applying() -> PreflightApp:
    session = scenes.rebuild().walked_to("applied")
    session.hold, session.live = (
        _never(),
        ApplyFacts(rechecked=("GO signature", "backup", "file", "configuration", "window")),
    )
    session.environment = replace(session.environment, clock=Later())
    return app_for(scenes.board(session), scenes.REBUILD)


class Later(FrozenClock):
    """A clock on which a step began a moment ago."""

    def __init__(self) -> None:
        super().__init__(datetime(2026, 11, 22, 19, 19, 7, tzinfo=UTC))


def shown(words: str) -> Callable[[PreflightApp], Awaitable[None]]:
    """Waits until what a step has found so far is drawn: that happens once a frame."""

    async def until(app: PreflightApp) -> None:
        async with asyncio.timeout(20):
            while words not in screen_text(app):  # noqa: ASYNC110 - nothing says "drawn"
                await asyncio.sleep(_LOOK_S)

    return until


def _never() -> asyncio.Event:
    return asyncio.Event()


SCENARIOS: tuple[Scenario, ...] = (
    Scenario("board", _board, ("up", ("down",) * 5)),
    Scenario("practice", lambda: app_for(scenes.board(target="practice"))),
    Scenario("classification", lambda: app_at("findings"), ("escape", "f")),
    Scenario("question", lambda: app_at("findings")),
    Scenario("class", lambda: app_at("class")),
    Scenario("rehearsal", lambda: app_at("rehearsed", 1_204), ("enter",)),
    Scenario("losses", _losses),
    Scenario("rewrite", _rewriting, ("escape", "p")),
    Scenario("data-safety", _backing_up, ("enter",), shown("1 of 7 tables")),
    Scenario("rollback", lambda: app_at("running_code"), ("up",)),
    Scenario("timing", lambda: app_at("dashboard"), ("escape", "up")),
    Scenario("waiver", _busy_hour, ("enter", "w")),
    Scenario("go", lambda: app_at("go"), ("enter",)),
    Scenario("apply", lambda: app_at("applied")),
    Scenario(
        "applying",
        _applying,
        (tuple("marketplace-production"), "enter", "0", "enter"),
        shown("◐ re-check: pending"),
    ),
    Scenario("verification", _watching, ("enter",), shown("3:12 left")),
    Scenario("close", lambda: app_at("close")),
    Scenario(
        "record",
        lambda: app_for(scenes.board(scenes.rebuild().walked_to("go"))),
        (("down",) * 4, "s"),
    ),
    Scenario("emergency", lambda: app_at("ledger"), ("exclamation_mark",)),
    Scenario("light", lambda: app_at("rehearsed", 1_204), ("ctrl+t", "enter")),
    Scenario("help", lambda: app_at("findings"), ("escape", "question_mark")),
    Scenario("busy", lambda: app_for(_busy()), ("enter",)),
)


def _busy() -> FakeBoard:
    error = RecordBusy(
        "Another session holds the record of 0061_rebuild_teams_remove_deprecated.",
        hint="Wait until it is closed; or look at it with: preflight show 0061",
    )
    source = scenes.board()
    names = {row.name: error for row in source.rows()}
    return FakeBoard(source.rows(), names, header=source.header, state=scenes.answered())
