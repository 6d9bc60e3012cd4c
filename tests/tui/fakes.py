"""A session, a board and a clock that do what the test says, made of real values."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from d1_preflight.core.board import BoardRow, BoardState, Place
from d1_preflight.core.checklist.checklist import (
    Answer,
    Checklist,
    Effect,
    Prompt,
    Section,
    Step,
    read_answers,
)
from d1_preflight.core.checklist.definitions import checklists_dir
from d1_preflight.core.checklist.file import load_checklist
from d1_preflight.core.errors import NotAllowed, PreflightError
from d1_preflight.core.findings import Analysis, Kind
from d1_preflight.core.ports import Clock, Emit, silent
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.record.gate import OpenItem, blocking_items, open_items
from d1_preflight.core.record.record import Attempt, Facts, Outcome, Record, Status, kind_of
from d1_preflight.core.recovery.runbook import Target

NOON = datetime(2026, 11, 22, 19, 5, 2, tzinfo=UTC)


class FrozenClock:
    def __init__(self, now: datetime = NOON) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self.now().timestamp()

    async def sleep(self, seconds: float) -> None:
        """No time passes here."""


@dataclass(frozen=True)
class FakeVerification:
    watch_minutes: int = 5
    error_rate_percent: Decimal = Decimal("0.1")


@dataclass(frozen=True)
class FakeSettings:
    go_minutes: int = 30
    verification: FakeVerification = field(default_factory=FakeVerification)


@dataclass(frozen=True)
class FakeStore:
    folder: Path = Path("records/0061_rebuild_teams_remove_deprecated")


@dataclass(frozen=True)
class FakeFiles:
    down_file: Migration | None = None

    def down(self, stem: str) -> Migration | None:  # noqa: ARG002 - one file is all there is
        return self.down_file


@dataclass(frozen=True)
class FakeTools:
    file: Migration
    target: str = "remote"
    clock: Clock = field(default_factory=FrozenClock)
    files: FakeFiles = field(default_factory=FakeFiles)
    settings: FakeSettings = field(default_factory=FakeSettings)
    store: FakeStore = field(default_factory=FakeStore)

    @property
    def name(self) -> str:
        return self.file.name

    def migration(self) -> Migration:
        return self.file


def shipped_checklist() -> Checklist:
    return load_checklist((checklists_dir() / "d1.toml").read_text(), "checklists/d1.toml")


class FakeSession:
    """Walks the shipped checklist; `script` says what each step finds."""

    def __init__(
        self,
        record: Record,
        tools: FakeTools,
        analysis: Analysis,
        *,
        script: Mapping[str, Outcome | PreflightError],
        prompts: Mapping[str, Sequence[Prompt]] | None = None,
        plans: Mapping[str, Sequence[str]] | None = None,
        lines: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.checklist = shipped_checklist()
        self.record = record
        self.tools = tools
        self.analysis = analysis
        self.script, self._prompts = script, prompts or {}
        self._plans, self._lines = plans or {}, lines or {}
        self.hold: asyncio.Event | None = None
        self.begun = asyncio.Event()
        self.live: Facts | None = None
        self.performed: list[tuple[str, Mapping[str, object]]] = []

    @property
    def kind(self) -> Kind:
        return kind_of(self.record, self.checklist, self.analysis.kind)

    @property
    def path(self) -> tuple[Step, ...]:
        return self.checklist.steps_for(self.kind)

    @property
    def sections(self) -> tuple[tuple[Section, tuple[Step, ...]], ...]:
        path = self.path
        return tuple(
            (section, steps)
            for section in self.checklist.sections
            if (steps := tuple(step for step in path if step.section == section.id))
        )

    @property
    def current(self) -> Step | None:
        return next((s for s in self.path if not self.status_of(s).is_answered), None)

    @property
    def closed(self) -> bool:
        last = self.record.last("close")
        return last is not None and last.status.is_answered

    def status_of(self, step: Step) -> Status:
        return self.record.status_of(step)

    def attempt(self, step_id: str) -> Attempt | None:
        return self.record.standing(self.checklist.step(step_id))

    def prompts(self, step: Step) -> tuple[Prompt, ...]:
        return (*self._prompts.get(step.id, ()), *step.prompts)

    def plan(self, step: Step) -> tuple[str, ...]:
        return tuple(self._plans.get(step.id, ()))

    def blockers(self, step: Step) -> tuple[OpenItem, ...]:
        return blocking_items(self.record, self.checklist, self.kind, step)

    def open_before_go(self) -> tuple[OpenItem, ...]:
        return open_items(self.record, self.checklist, self.kind)

    def refresh(self) -> None:
        self.record = self.record.about(
            dict(self.record.subjects) | {"migration": self.tools.migration().sha256}
        )

    async def perform(
        self,
        step: Step,
        raw: Mapping[str, object],
        *,
        emit: Emit = silent,
        progress: Callable[[Facts], None] = lambda _facts: None,
        terminal: AbstractContextManager[object] | None = None,
    ) -> Attempt:
        if self.blockers(step):
            raise NotAllowed(f"{step.title} has to wait.", hint="Answer what is open first.")
        if step.effect is Effect.REMOTE_WRITE and self.status_of(step).is_answered:
            raise NotAllowed("It is done; it is never repeated.")
        answers = read_answers(self.prompts(step), raw)
        self.performed.append((step.id, dict(raw)))
        self._begin(step, answers)
        for line in self._lines.get(step.id, ()):
            emit(line, "out")
        if self.live is not None:
            progress(self.live)
        self.begun.set()
        try:
            await self._wait()
        except asyncio.CancelledError:
            self._finish(Outcome(Status.INTERRUPTED, "Quit while it ran."))
            raise
        outcome = self.script[step.id]
        if isinstance(outcome, PreflightError):
            outcome = Outcome(Status.FAILED, outcome.message)
        if step.id in ("go", "close"):
            with terminal or nullcontext():
                self.performed.append(("signed", {}))
        self._finish(outcome)
        return self.record.attempts[-1]

    async def _wait(self) -> None:
        if self.hold is not None:
            await self.hold.wait()

    def waive(self, step: Step, reason: str) -> Attempt:
        self._begin(step, {"reason": reason})
        self._finish(Outcome(Status.WAIVED, reason))
        return self.record.attempts[-1]

    def no_go(self, reason: str) -> Attempt:
        step = self.checklist.step("go")
        self._begin(step, {"reason": reason})
        self._finish(Outcome(Status.FAILED, f"NO-GO: {reason}"))
        return self.record.attempts[-1]

    def walked_to(self, step_id: str) -> "FakeSession":
        """Answer every step of the path before this one, by the script."""
        while (step := self.current) is not None and step.id != step_id:
            outcome = self.script[step.id]
            assert isinstance(outcome, Outcome)
            assert outcome.status.is_answered, f"{step.id} would stop the walk"
            self._begin(step, {})
            self._finish(outcome)
        return self

    def _begin(self, step: Step, answers: Mapping[str, Answer]) -> None:
        now = self.tools.clock.now()
        self.record = self.record.begin(step, answers, by="ana@example.com", at=now)

    def _finish(self, outcome: Outcome) -> None:
        self.record = self.record.finish(outcome, at=self.tools.clock.now())


class FakeBoard:
    """Rows at once; the target's answer when the test lets it come."""

    def __init__(
        self,
        rows: tuple[BoardRow, ...],
        sessions: Mapping[str, FakeSession | PreflightError],
        *,
        place: Place,
        state: BoardState | PreflightError,
    ) -> None:
        self._rows, self._sessions, self._state = rows, sessions, state
        self.place = place
        self.answers: asyncio.Event | None = None
        self.closed: list[FakeSession] = []
        self.asked = 0
        self.ran: list[tuple[str, str]] = []

    def run(self, command: str, name: str, *, noted: bool = True) -> str:
        self.ran.append((command, name if noted else "not noted"))
        return "exit code 0"

    def own_command(self, *words: str) -> str:
        return " ".join(("preflight", *words))

    def rows(self) -> tuple[BoardRow, ...]:
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

    def close(self, session: object) -> None:
        assert isinstance(session, FakeSession)
        self.closed.append(session)

    def choose(self, database: str) -> None:
        self.place = replace(self.place, database=database)

    def target(self, name: str) -> Target:
        return Target(
            database=self.place.database,
            migration=name,
            config=".preflight/targets/a1b2c3d4-5e6f-4a7b-8c9d-0e1f2a3b4c5d/wrangler.json",
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

    def __call__(self, path: Path) -> None:
        self.paths.append(path)
