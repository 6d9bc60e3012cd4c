"""The board: every migration of a project, from local files at once, then the remote ledger."""

import asyncio
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypedDict
from zoneinfo import ZoneInfo

from d1_preflight.actions.target import observe
from d1_preflight.core.analysis import analyse, analyse_ledger, judge_in_order
from d1_preflight.core.checklist.answers import FIXED_MANUALLY, ROLLED_BACK, answer_label
from d1_preflight.core.checklist.checklist import Checklist
from d1_preflight.core.errors import PreflightError
from d1_preflight.core.findings import Analysis, Finding, Kind, Risk
from d1_preflight.core.project.migration import Migration, MigrationFile, UnreadableMigration
from d1_preflight.core.record.apply_facts import NO_GO, CloseFacts, GoFacts
from d1_preflight.core.record.gate import as_of, checklist_of
from d1_preflight.core.record.record import MARKS, Record, Status, kind_of
from d1_preflight.core.recovery.runbook import Target
from d1_preflight.core.remedies.fix import Fix, fix
from d1_preflight.project_context import ProjectContext
from d1_preflight.session import Session

_JUDGE_SECONDS = 0.12
"""Judging is quick, but a long history must not hold up the first paint."""
NOT_STARTED = "not started"
"""The board's text for a migration without a record."""


class _Where(TypedDict):
    config: str
    environment: str | None


class Remote(StrEnum):
    """Whether the target's ledger has a migration; unknown until the target has answered."""

    APPLIED = "applied"
    PENDING = "pending"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class BoardRow:
    """One migration: `record` says the state of its record, `mark` says it in one character.

    `opens` is False for what the wizard cannot walk (an applied migration without a record).
    """

    name: str
    number: str
    words: str
    kind: Kind
    risk: Risk
    remote: Remote
    mark: str = "·"
    record: str = NOT_STARTED
    preview: str = ""
    findings: tuple[Finding, ...] = ()
    opens: bool = True


@dataclass(frozen=True, slots=True)
class BoardState:
    """The rows after the target was asked; `words` say when it was read, or why it was not."""

    rows: tuple[BoardRow, ...]
    words: str
    hint: str = ""
    failed: bool = False


@dataclass(frozen=True, slots=True)
class BoardHeader:
    """The board's header: `wrangler` names its version.

    `target` is remote, practice, or the host that answers as Cloudflare's API; `environment` is
    "" at the top level, and `chosen_by` says what chose it.
    """

    database: str
    target: str
    wrangler: str
    databases: tuple[str, ...] = ()
    environment: str = ""
    chosen_by: str = ""

    @property
    def label(self) -> str:
        """The database's name, and the environment where there is one."""
        return f"{self.database} · {self.environment}" if self.environment else self.database


class Board:
    """What the faces show of a project; remembers what the target's ledger said."""

    def __init__(self, context: ProjectContext) -> None:
        self._context = context
        self._judged: dict[str, Analysis] = {}

    @property
    def header(self) -> BoardHeader:
        """The board's header: database, target and tools."""
        project = self._context.project
        names = tuple(database.name for database in project.config.databases)
        return BoardHeader(
            project.database.name,
            self._context.target,
            self._context.wrangler_version,
            names,
            project.environment,
            project.chosen_by,
        )

    def choose(self, database: str) -> None:
        """Switch to another database of the same configuration."""
        self._context = self._context.on(database)
        self._judged.clear()

    def rows(self) -> tuple[BoardRow, ...]:
        """Every migration, from local files and what is known of the ledger already."""
        files = self._context.files()
        self._judge([file for file in files if isinstance(file, Migration)])
        checklist = self._context.checklist
        return tuple(self._row(file, checklist) for file in files)

    async def refresh(self) -> BoardState:
        """Ask the target for its ledger and schema, then judge the pending ones on that schema."""
        files = self._context.files()
        name = files[-1].name if files else ""
        try:
            # In a thread: git and node are asked for their versions, and either may be slow.
            environment = await asyncio.to_thread(
                self._context.environment, name, self._context.store(name)
            )
            look = await observe(environment)
        except PreflightError as error:
            return BoardState(self.rows(), error.message, error.hint, failed=True)
        self._judge_pending([file for file in files if isinstance(file, Migration)])
        zone = ZoneInfo(self._context.project.settings.team.timezone or "UTC")
        read_at = look.observation.taken_at.astimezone(zone)
        return BoardState(self.rows(), f"remote read {read_at:%H:%M %Z}")

    def open(self, name: str) -> Session:
        """Open the wizard's session for one migration."""
        return self._context.session(name)

    def rewrite(self, session: Session) -> Fix:
        """The proved rewrite of a session's migration, on the schema that it will meet."""
        found = session.environment
        return fix(found.migration(), found.prior_schema(), tuple(found.files.migrations()))

    def write_rewrite(self, session: Session, found: Fix) -> str:
        """Write a rewrite in place of the text that it was made of; where the earlier text is.

        Every step that rested on that text is to be proved again.
        """
        kept = self._context.write_rewrite(session.migration, found)
        session.refresh()
        return kept

    def close(self, session: Session) -> None:
        """Release a session's lock on its record."""
        session.close()

    def target(self, name: str) -> Target:
        """What the emergency card is about."""
        project = self._context.project
        worker = project.settings.verification.worker or project.config.name
        return Target(
            database=project.database.name,
            migration=name,
            worker=worker,
            project_config=project.config.path.name,
            project_environment=project.environment,
            **self._target_config(),
            ledger=project.database.migrations_table,
            restore_file=self._context.restore_file(name) if name else "",
            maintenance=project.settings.verification.maintenance_command,
        )

    def _target_config(self) -> "_Where":
        """By the uuid; in an emergency on a full disk, by the project's own configuration."""
        project = self._context.project
        try:
            path = self._context.target_config()
        except PreflightError:
            return {"config": project.config.path.name, "environment": project.environment}
        return {"config": path.relative_to(project.root).as_posix(), "environment": None}

    def run(self, command: str, name: str, *, noted: bool = True) -> str:
        """Run a command at the terminal; how it ended, in words. An emergency's is `noted`."""
        return self._context.cockpit(name).run(command, noted=noted)

    def own_command(self, *words: str) -> str:
        """A command of this program about this project and database, for `run`."""
        project = self._context.project
        env = (f"--env={project.environment}",)
        where = ("--config", project.config.path.name, *env, "--database", project.database.name)
        return shlex.join(("preflight", *words, *where))

    def _judge(self, migrations: Sequence[Migration]) -> None:
        """Judge in the ledger's order, each on the earlier ones' schema, while time allows."""
        if set(self._judged) >= {m.sha256 for m in migrations}:
            return
        started = time.monotonic()
        for migration, analysis in zip(migrations, judge_in_order(migrations), strict=False):
            self._judged[migration.sha256] = analysis
            if time.monotonic() - started > _JUDGE_SECONDS:
                break

    def _judge_pending(self, migrations: Sequence[Migration]) -> None:
        seen = self._context.cache.observation
        if seen is None:
            return
        for migration, analysis in zip(migrations, analyse_ledger(migrations), strict=True):
            pending = migration.name not in seen.applied
            self._judged[migration.sha256] = (
                analyse(migration, seen.schema, migrations, whole=True) if pending else analysis
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
        seen = self._context.cache.observation
        if seen is None:
            return Remote.UNKNOWN
        return Remote.APPLIED if name in seen.applied else Remote.PENDING

    def _record(
        self, name: str, checklist: Checklist, analysis: Analysis | None
    ) -> tuple[str, str]:
        store = self._context.store(name)
        try:
            record = store.load()
        except PreflightError as error:
            return MARKS[Status.FAILED], f"damaged: {error.message}"
        if record is None:
            return MARKS[Status.PENDING], NOT_STARTED
        checklist = checklist_of(record, checklist)
        record = as_of(record, checklist, self._context.now())
        kind = kind_of(record, checklist, analysis.kind if analysis else Kind.UNKNOWN)
        return record_words(record, checklist, kind, signed=bool(store.read("record.toml.sig")))


def record_words(
    record: Record, checklist: Checklist, kind: Kind, *, signed: bool
) -> tuple[str, str]:
    """The state of a record: a mark, and words for the board."""
    close = record.last("close")
    if close and close.status.is_answered and signed:
        when = close.finished_at or close.started_at
        end = CloseFacts.from_attempt(close).end
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
    if GoFacts.from_attempt(go).decision == NO_GO:
        return MARKS[Status.FAILED], "NO-GO"
    if applied and applied.status.is_unobserved:
        return MARKS[applied.status], "apply started: look"
    if current.id == "applied":
        return MARKS[Status.ATTESTED], "GO signed"
    return MARKS[Status.RUNNING], f"open at {titles[current.section]}"


def _first_name(identity: str) -> str:
    return identity.partition("@")[0]
