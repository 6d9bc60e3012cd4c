"""A session, a board and a clock that do what the test says, made of real values."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

from core.record_values import ANA, KEYS
from d1_preflight.actions import STEPS
from d1_preflight.actions.context import Environment, StepAction, StepContext
from d1_preflight.board import Board, BoardHeader, BoardRow, BoardState, KeptRecord
from d1_preflight.core.checklist.checklist import (
    Prompt,
)
from d1_preflight.core.checklist.file import shipped_checklist
from d1_preflight.core.errors import PreflightError
from d1_preflight.core.findings import Analysis
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.project.project import Project
from d1_preflight.core.project.settings import Settings, WalkSettings
from d1_preflight.core.project.wrangler_config import Database, WranglerConfig
from d1_preflight.core.record.record import Outcome
from d1_preflight.core.recovery.runbook import Target
from d1_preflight.core.remedies.fix import Fix
from d1_preflight.session import Session
from no_source import NoSource
from plain.fakes import MemoryStore, ReadySigner, UnwrittenFiles

if TYPE_CHECKING:
    from d1_preflight.actions.ports import Local, Web
    from d1_preflight.core.ports import Wrangler
    from d1_preflight.core.record.facts import StepFacts

NOON = datetime(2026, 11, 22, 19, 5, 2, tzinfo=UTC)


class FrozenClock:
    def __init__(self, now: datetime = NOON) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self.now().timestamp()

    def boot(self) -> str:
        return "this boot"

    async def sleep(self, seconds: float) -> None:
        """No time passes here."""


@dataclass(frozen=True)
class SceneFiles(UnwrittenFiles):
    """One migration and its down file."""

    file: Migration
    down_file: Migration | None = None

    def migrations(self) -> Sequence[Migration]:
        return (self.file,)

    def down(self, stem: str) -> Migration | None:
        assert stem
        return self.down_file


STEP_BY_STEP = Settings(walk=WalkSettings(by_itself=False))


def scene_tools(
    files: SceneFiles, database: str, target: str, settings: Settings = STEP_BY_STEP
) -> Environment:
    """Tools of a session whose steps are scripted: nothing reaches wrangler or the network."""
    unused = object()
    config = WranglerConfig(Path("wrangler.jsonc"), "workway-api")
    found = Database("DB", database, "a1b2c3d4-5e6f-4a7b-8c9d-0e1f2a3b4c5d")
    return Environment(
        project=Project(Path(), config, found, settings=settings),
        name=files.file.name,
        target=target,
        workspace=Path("nowhere"),
        operator=ANA,
        versions={},
        files=files,
        store=MemoryStore(folder=Path("records") / files.file.name.removesuffix(".sql")),
        signer=ReadySigner(KEYS, ANA),
        clock=FrozenClock(),
        wrangler=cast("Wrangler", unused),
        local=cast("Local", unused),
        web=cast("Web", unused),
        source=NoSource(),
    )


class FakeSession(Session):
    """A session whose steps find what `script` says; everything else is the real one."""

    def __init__(
        self,
        environment: Environment,
        analysis: Analysis,
        *,
        script: Mapping[str, Outcome | PreflightError],
        prompts: Mapping[str, Sequence[Prompt]] | None = None,
        plans: Mapping[str, Sequence[str]] | None = None,
        lines: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        scripted = StepAction(
            self._act,
            prompts=lambda context: self._prompts.get(context.step.id, ()),
            plan=lambda context: self._plans.get(context.step.id, ()),
        )
        actions = {
            name: replace(scripted, seals=action.seals, spares=action.spares)
            for name, action in STEPS.items()
        }
        super().__init__(shipped_checklist(), environment, actions)
        self._analysis = analysis
        self.script, self._prompts = script, prompts or {}
        self._plans, self._lines = plans or {}, lines or {}
        self.hold: asyncio.Event | None = None
        self.holds: frozenset[str] = frozenset()  # which steps it holds; empty: every step
        self.begun = asyncio.Event()
        self.live: StepFacts | None = None
        self.performed: list[tuple[str, Mapping[str, object]]] = []

    @property
    def analysis(self) -> Analysis:
        return self._analysis

    async def _act(self, context: StepContext) -> Outcome:
        step = context.step
        self.performed.append((step.id, context.answers))
        for line in self._lines.get(step.id, ()):
            context.emit(line, "out")
        if self.live is not None:
            context.progress(self.live)
        self.begun.set()
        if self.hold is not None and (not self.holds or step.id in self.holds):
            await self.hold.wait()
        outcome = self.script[step.id]
        if isinstance(outcome, PreflightError):
            raise outcome
        if step.id in ("go", "close"):
            with context.terminal:
                self.performed.append(("signed", {}))
        return outcome

    def walked_to(self, step_id: str) -> "FakeSession":
        """Answer every step of the path before this one, by the script."""
        number = 0  # the class changes what follows it alone
        while number < len(self.path) and (step := self.path[number]).id != step_id:
            number += 1
            if self.status_of(step).is_answered:
                continue
            outcome = self.script[step.id]
            assert isinstance(outcome, Outcome)
            assert outcome.status.is_answered, f"{step.id} would stop the walk"
            self._begin(step, {})
            self._finish(step, outcome)
            self.closed = step.id == "close"
        return self


class NoAdoption:
    """A project of which nothing is adopted."""

    def next(self, database: str) -> str:
        raise NotImplementedError(database)

    def finish(self, session: Session) -> str:
        raise NotImplementedError(session)


class FakeBoard(Board):
    """Rows at once; the target's answer when the test lets it come."""

    def __init__(
        self,
        rows: tuple[BoardRow, ...],
        sessions: Mapping[str, FakeSession | PreflightError],
        *,
        header: BoardHeader,
        state: BoardState | PreflightError,
    ) -> None:
        self._rows, self._sessions, self._state = rows, sessions, state
        self._header = header
        self.answers: asyncio.Event | None = None
        self.closed: list[FakeSession] = []
        self.asked = 0
        self.ran: list[tuple[str, str]] = []
        self.offered = Fix("", "")
        self.written: list[str] = []

    def record(self, name: str) -> KeptRecord | None:
        session = self._sessions.get(name)
        if not isinstance(session, Session) or not session.record.attempts:
            return None
        return KeptRecord(session.record, session.checklist, None, session.folder)

    async def rewrite(self, session: Session) -> Fix:
        assert session in self._sessions.values()
        return self.offered

    def write_rewrite(self, session: Session, found: Fix) -> str:
        assert session in self._sessions.values()
        self.written.append(found.after)
        return ".preflight/before-fix/0061_rebuild_teams.sql"

    @property
    def header(self) -> BoardHeader:
        return self._header

    def run(self, command: str, name: str, *, noted: bool = True) -> str:
        self.ran.append((command, name if noted else "not noted"))
        return "exit code 0"

    def own_command(self, *words: str) -> str:
        return " ".join(("preflight", *words))

    def rows(self) -> tuple[BoardRow, ...]:
        return self._rows

    def listed(self) -> tuple[BoardRow, ...]:
        return self._rows

    async def refresh(self) -> BoardState:
        self.asked += 1
        if self.answers is not None:
            await self.answers.wait()
        if isinstance(self._state, PreflightError):
            raise self._state
        return self._state

    def open(self, name: str) -> FakeSession:
        session = self._sessions[name]
        if isinstance(session, PreflightError):
            raise session
        return session

    def close(self, session: Session) -> None:
        assert isinstance(session, FakeSession)
        self.closed.append(session)

    def choose(self, database: str) -> None:
        self._header = replace(self._header, database=database)

    def target(self, name: str) -> Target:
        return Target(
            database=self.header.database,
            migration=name,
            config=".preflight/targets/a1b2c3d4-5e6f-4a7b-8c9d-0e1f2a3b4c5d.json",
            worker="workway-api",
            project_config="wrangler.jsonc",
        )


class NotedPages:
    """A browser that writes down what it was given, where there is one."""

    def __init__(self, *, there: bool = True) -> None:
        self.there, self.pages = there, list[str]()

    def __call__(self, page: str) -> bool:
        self.pages.append(page)
        return self.there


class NotedEdits:
    """An editor that writes down what it was given."""

    def __init__(self) -> None:
        self.paths: list[Path] = []
        self.lines: list[int] = []

    def __call__(self, path: Path, *, line: int = 0) -> None:
        self.paths.append(path)
        self.lines.append(line)
