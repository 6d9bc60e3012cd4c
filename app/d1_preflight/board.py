"""The board's source: the project's migrations from local files at once, then the remote ledger."""

import asyncio
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol, TypedDict
from zoneinfo import ZoneInfo

from d1_preflight.actions.ports import Store
from d1_preflight.actions.remote import observe
from d1_preflight.actions.tools import Seen, Tools
from d1_preflight.core.analysis import analyse, analyse_ledger, judge_in_order
from d1_preflight.core.board import NOT_STARTED, BoardRow, BoardState, Place, Remote
from d1_preflight.core.checklist.checklist import Checklist
from d1_preflight.core.errors import PreflightError
from d1_preflight.core.findings import Analysis, Kind, Risk
from d1_preflight.core.project.migration import Migration, MigrationFile, UnreadableMigration
from d1_preflight.core.project.project import Project
from d1_preflight.core.record.facts import text
from d1_preflight.core.record.record import (
    FIXED_MANUALLY,
    MARKS,
    ROLLED_BACK,
    Record,
    Status,
    answer_label,
    kind_of,
)
from d1_preflight.core.recovery.runbook import Target
from d1_preflight.session import Session

_JUDGE_SECONDS = 0.12
"""Judging is quick, but a long history must not hold up the first paint."""


class _Where(TypedDict):
    config: str
    environment: str | None


class Cockpit(Protocol):
    """Runs a command at the operator's terminal, and notes it."""

    def run(self, command: str, *, noted: bool = True) -> str: ...


class Bench(Protocol):
    """Opens what the board needs of the project."""

    @property
    def project(self) -> Project: ...
    @property
    def seen(self) -> Seen: ...
    @property
    def target(self) -> str: ...
    @property
    def checklist(self) -> Checklist: ...
    @property
    def wrangler_version(self) -> str: ...
    def files(self) -> Sequence[MigrationFile]: ...
    def store(self, name: str) -> Store: ...
    def tools(self, name: str, store: Store) -> Tools: ...
    def session(self, name: str) -> Session: ...
    def on(self, database: str) -> "Bench": ...
    def restore_file(self, name: str) -> str: ...
    def target_config(self) -> Path: ...
    def cockpit(self, name: str) -> Cockpit: ...


class Board:
    """What the faces show of a project; remembers what the target's ledger said."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._judged: dict[str, Analysis] = {}

    @property
    def place(self) -> Place:
        """The board's header: database, target and tools."""
        project = self._bench.project
        names = tuple(database.name for database in project.config.databases)
        return Place(
            project.database.name,
            self._bench.target,
            self._bench.wrangler_version,
            names,
            project.environment,
            project.chosen_by,
        )

    def choose(self, database: str) -> None:
        """Switch to another database of the same configuration."""
        self._bench = self._bench.on(database)
        self._judged.clear()

    def rows(self) -> tuple[BoardRow, ...]:
        """Every migration, from local files and what is known of the ledger already."""
        files = self._bench.files()
        self._judge([file for file in files if isinstance(file, Migration)])
        checklist = self._bench.checklist
        return tuple(self._row(file, checklist) for file in files)

    async def refresh(self) -> BoardState:
        """Ask the target for its ledger and schema, then judge the pending ones on that schema."""
        files = self._bench.files()
        name = files[-1].name if files else ""
        try:
            # In a thread: git and node are asked for their versions, and either may be slow.
            tools = await asyncio.to_thread(self._bench.tools, name, self._bench.store(name))
            look = await observe(tools)
        except PreflightError as error:
            return BoardState(self.rows(), error.message, error.hint, failed=True)
        self._judge_pending([file for file in files if isinstance(file, Migration)])
        zone = ZoneInfo(self._bench.project.settings.team.timezone or "UTC")
        read_at = look.observation.taken_at.astimezone(zone)
        return BoardState(self.rows(), f"remote read {read_at:%H:%M %Z}")

    def open(self, name: str) -> Session:
        """Open the wizard's session for one migration."""
        return self._bench.session(name)

    def close(self, session: object) -> None:
        """Release a session's lock on its record."""
        if isinstance(session, Session):
            session.close()

    def target(self, name: str) -> Target:
        """What the emergency card is about."""
        project = self._bench.project
        worker = project.settings.verification.worker or project.config.name
        return Target(
            database=project.database.name,
            migration=name,
            worker=worker,
            project_config=project.config.path.name,
            project_environment=project.environment,
            **self._target_config(),
            ledger=project.database.migrations_table,
            restore_file=self._bench.restore_file(name) if name else "",
        )

    def _target_config(self) -> "_Where":
        """By the uuid; in an emergency on a full disk, by the project's own configuration."""
        project = self._bench.project
        try:
            path = self._bench.target_config()
        except PreflightError:
            return {"config": project.config.path.name, "environment": project.environment}
        return {"config": path.relative_to(project.root).as_posix(), "environment": None}

    def run(self, command: str, name: str, *, noted: bool = True) -> str:
        """Run a command at the terminal; how it ended, in words. An emergency's is `noted`."""
        return self._bench.cockpit(name).run(command, noted=noted)

    def own_command(self, *words: str) -> str:
        """A command of this program about this project and database, for `run`."""
        project = self._bench.project
        env = (f"--env={project.environment}",)
        where = ("--config", project.config.path.name, *env, "--database", project.database.name)
        return shlex.join(("preflight", *words, *where))

    def _judge(self, migrations: Sequence[Migration]) -> None:
        """In the ledger's order, each on the schema of those before it, as far as time allows."""
        if set(self._judged) >= {m.sha256 for m in migrations}:
            return
        started = time.monotonic()
        for migration, analysis in zip(migrations, judge_in_order(migrations), strict=False):
            self._judged[migration.sha256] = analysis
            if time.monotonic() - started > _JUDGE_SECONDS:
                break

    def _judge_pending(self, migrations: Sequence[Migration]) -> None:
        seen = self._bench.seen.observation
        if seen is None:
            return
        for migration, analysis in zip(migrations, analyse_ledger(migrations), strict=True):
            pending = migration.name not in seen.applied
            self._judged[migration.sha256] = (
                analyse(migration, seen.schema, migrations) if pending else analysis
            )

    def _row(self, file: MigrationFile, checklist: Checklist) -> BoardRow:
        stem = file.name.removesuffix(".sql")
        number, _, words = stem.rpartition("/")[2].partition("_")
        if isinstance(file, UnreadableMigration):
            return BoardRow(
                file.name, number, words, Kind.UNKNOWN, Risk.UNKNOWN, self._remote(file.name),
                MARKS[Status.FAILED], file.problem, opens=False,
            )  # fmt: skip
        analysis = self._judged.get(file.sha256)
        mark, told = self._record(file.name, checklist, analysis)
        row = BoardRow(
            file.name, number, words or stem, Kind.UNKNOWN, Risk.UNKNOWN,
            self._remote(file.name), mark, told, preview=file.text,
        )  # fmt: skip
        if analysis is None:
            return row
        return replace(row, kind=analysis.kind, risk=analysis.risk, findings=analysis.findings)

    def _remote(self, name: str) -> Remote:
        seen = self._bench.seen.observation
        if seen is None:
            return Remote.UNKNOWN
        return Remote.APPLIED if name in seen.applied else Remote.PENDING

    def _record(
        self, name: str, checklist: Checklist, analysis: Analysis | None
    ) -> tuple[str, str]:
        store = self._bench.store(name)
        try:
            record = store.load()
        except PreflightError as error:
            return MARKS[Status.FAILED], f"damaged: {error.message}"
        if record is None:
            return MARKS[Status.PENDING], NOT_STARTED
        kind = kind_of(record, checklist, analysis.kind if analysis else Kind.UNKNOWN)
        return record_words(record, checklist, kind, signed=bool(store.read("record.toml.sig")))


def record_words(
    record: Record, checklist: Checklist, kind: Kind, *, signed: bool
) -> tuple[str, str]:
    """The state of a record: a mark, and words for the board."""
    close = record.last("close")
    if close and close.status.is_answered and signed:
        when = close.finished_at or close.started_at
        end = text(close.facts, "end")
        ended = answer_label("end", end) if end in (ROLLED_BACK, FIXED_MANUALLY) else "closed"
        return MARKS[Status.PROVED], f"{ended} · {_first_name(close.by)} · {when:%d %b}"
    path = checklist.steps_for(kind)
    current = next((s for s in path if not record.status_of(s).is_answered), None)
    titles: Mapping[str, str] = {
        section.id: f"{section.number} {section.title}".strip() for section in checklist.sections
    }
    applied = record.last("applied")
    if current is None or (applied and applied.status is Status.PROVED):
        where = titles[current.section] if current else "close"
        return MARKS[Status.RUNNING], f"applied, open at {where}"
    go = record.last("go")
    if go and text(go.facts, "decision") == "no-go":
        return MARKS[Status.FAILED], "NO-GO"
    if applied and applied.status in (Status.INTERRUPTED, Status.UNKNOWN):
        return MARKS[applied.status], "apply started: look"
    if current.id == "applied":
        return MARKS[Status.ATTESTED], "GO signed"
    return MARKS[Status.RUNNING], f"open at {titles[current.section]}"


def _first_name(identity: str) -> str:
    return identity.partition("@")[0]
