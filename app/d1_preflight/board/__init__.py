"""The board: every migration of a project, from local files at once, then the remote ledger."""

import asyncio
import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from d1_preflight.board.adoptions import adoption_rows
from d1_preflight.board.kept import ClassStore, KeptClasses, KeptLedger, LedgerStore
from d1_preflight.board.record_state import dropped_by, is_dropped, owed_by, record_words
from d1_preflight.board.row import NOT_STARTED, BoardRow, Remote
from d1_preflight.core.checklist.checklist import Checklist
from d1_preflight.core.errors import NotJudged, PreflightError
from d1_preflight.core.findings import Analysis, Kind, Risk
from d1_preflight.core.format import plural
from d1_preflight.core.project.migration import Migration, MigrationFile, UnreadableMigration
from d1_preflight.core.project.naming import judged_part, split_number
from d1_preflight.core.project.wrangler_config import CONFIG_NAMES
from d1_preflight.core.record.gate import as_of, checklist_of
from d1_preflight.core.record.record import MARKS, Record, Status, kind_of
from d1_preflight.core.target.api_place import PRACTICE
from d1_preflight.lazy_dataclass import dataclass, replace

if TYPE_CHECKING:
    from d1_preflight.core.recovery.runbook import Target
    from d1_preflight.core.remedies.fix import Fix
    from d1_preflight.project_context import ProjectContext
    from d1_preflight.session import Session

_JUDGE_SECONDS = 0.12
"""Judging is quick, but a long history must not hold up the first paint."""

__all__ = ["NOT_STARTED", "Board", "BoardHeader", "BoardRow", "BoardState", "KeptRecord", "Remote"]


_OWED = "owed"


@dataclass(frozen=True, slots=True)
class BoardState:
    """The rows after the target was asked; `words` say when it was read, or why it was not."""

    rows: tuple[BoardRow, ...]
    words: str
    hint: str = ""
    failed: bool = False
    may_adopt: bool = False  # files may be applied that the ledger lacks


@dataclass(frozen=True, slots=True)
class BoardHeader:
    """The board's header: `wrangler` names its version.

    `target` is remote, practice, or the host that answers as Cloudflare's API; `environment` is
    "" at the top level, and `chosen_by` says what chose it. `ledger_age` says when an earlier run
    read the ledger that is shown until the target has answered.
    """

    database: str
    target: str
    wrangler: str
    databases: tuple[str, ...] = ()
    environment: str = ""
    chosen_by: str = ""
    remarks: tuple[str, ...] = ()
    ledger_age: str = ""

    @property
    def label(self) -> str:
        """The database's name, and the environment where there is one."""
        return f"{self.database} · {self.environment}" if self.environment else self.database


@dataclass(frozen=True)
class KeptRecord:
    """A record as it lies on the disk, to be read and never written."""

    record: Record
    checklist: Checklist
    timeline: bytes | None
    folder: Path


class Board:
    """What the faces show of a project; remembers what the target's ledger said."""

    def __init__(
        self,
        context: "ProjectContext",
        classes: ClassStore | None = None,
        open_ledger: "Callable[[ProjectContext], LedgerStore] | None" = None,
    ) -> None:
        self._context, self._kept = context, KeptClasses(classes)
        self._open_ledger = open_ledger
        self._ledger = KeptLedger(open_ledger(context) if open_ledger else None)
        self._judged: dict[str, Analysis] = {}
        self._ended: dict[str, tuple[Record, bool]] = {}
        self._contradictions: tuple[str, ...] = ()
        self._walked: Session | None = None  # its keys do not wait for the classes of others

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
            _remarks(self._context, self._contradictions),
            self._ledger.age(self._zone, self._context.now()),
        )

    @property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self._context.project.settings.team.timezone or "UTC")

    def choose(self, database: str) -> None:
        """Switch to another database of the same configuration."""
        self._context = self._context.on(database)
        self._ledger = KeptLedger(self._open_ledger(self._context) if self._open_ledger else None)
        self._judged.clear()

    def rows(self) -> tuple[BoardRow, ...]:
        """Every migration, from local files and what is known of the ledger already.

        While one of them is walked nothing is judged.
        """
        if self._walked is None:
            files = self._context.files()
            self._judge([file for file in files if isinstance(file, Migration)])
        return self.listed()

    def listed(self) -> tuple[BoardRow, ...]:
        """The same at once: what was not judged yet has the class of an earlier run, or none."""
        files, checklist = self._context.files(), cache(lambda: self._context.checklist)
        if self._context.has_own_checklist:
            checklist()  # what is wrong with it is said at once
        self._ended, self._contradictions = {}, self._context.contradictions(files)
        self._kept.read(files)
        if self._context.cache.observation is None:
            self._ledger.read(self._context.now())
        rows = [self._row(file, checklist) for file in files]
        return (*with_owed(rows, self._ended), *adoption_rows(self._context))

    async def refresh(self) -> BoardState:
        """Ask the target for its ledger and schema, then judge the pending ones on that schema."""
        from d1_preflight.actions.target import observe
        from d1_preflight.core.target.ledgers import lacks_rows, ledger_remarks

        files = self._context.files()
        name = files[-1].name if files else ""
        try:
            await self._context.resolve()
            # In a thread: git and node are asked for their versions, and either may be slow.
            environment = await asyncio.to_thread(
                self._context.environment, name, self._context.store(name)
            )
            look = await observe(environment)
        except PreflightError as error:
            return BoardState(self.rows(), error.message, error.hint, failed=True)
        self._judge_pending([file for file in files if isinstance(file, Migration)])
        zone, seen = self._zone, look.observation
        self._ledger.renew(seen.taken_at, seen.applied)
        found = f"{self._context.project.database.id}, found by its name · "
        by_name = found if self._context.is_resolved else ""
        remarks = ledger_remarks(seen, (file.name for file in files))
        read, written = environment.meter.rows_read, environment.meter.rows_written
        cost = f" · {plural(read, 'row')} read, {written} written" if read or written else ""
        words = f"{by_name}remote read {seen.taken_at.astimezone(zone):%H:%M %Z}{cost}"
        return BoardState(self.rows(), words, " ".join(remarks), may_adopt=lacks_rows(seen))

    def open(self, name: str) -> "Session":
        """Open the wizard's session for one migration, or for an adoption."""
        is_file = name.endswith(".sql")  # an adoption has no file's name
        self._walked = (self._context.session if is_file else self._context.adoption)(name)
        return self._walked

    def record(self, name: str) -> KeptRecord | None:
        """A migration's record, read without its lock; None where there is none."""
        from d1_preflight.core.verify.timeline import TIMELINE

        store = self._context.store(name)
        found = store.load()
        if found is None:
            return None
        checklist = checklist_of(found, self._context.checklist)
        shown = as_of(found, checklist, self._context.now())
        return KeptRecord(shown, checklist, store.read(TIMELINE), store.folder)

    async def rewrite(self, session: "Session") -> "Fix":
        """The proved rewrite of a session's migration, on the schema that it will meet.

        Where the target was copied, wrangler ran it on the copy. Raises NotJudged where it takes
        too long.
        """
        from d1_preflight.board.rewrite import proved_rewrite

        return await proved_rewrite(session, self._context)

    def write_rewrite(self, session: "Session", found: "Fix") -> str:
        """Write a rewrite over its text, whose proofs then count no more; where that is kept."""
        kept = self._context.write_rewrite(session.migration, found)
        session.refresh()
        return kept

    def close(self, session: "Session") -> None:
        """Release a session's lock on its record."""
        self._walked = None
        session.close()

    def target(self, name: str) -> "Target":
        """What the emergency card is about."""
        return _target_of(self._context, name)

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
        from d1_preflight.core.analysis import judge_in_order

        started, found = time.monotonic(), dict[str, Analysis]()
        try:
            with self._context.limit(len(migrations)):
                pairs = zip(migrations, judge_in_order(migrations), strict=False)
                for migration, analysis in pairs:
                    self._judged[migration.sha256] = found[migration.name] = analysis
                    if time.monotonic() - started > _JUDGE_SECONDS:
                        break
        except NotJudged as error:
            self._give_up(migrations, error)
        self._kept.keep(migrations, found)

    def _give_up(self, migrations: Sequence[Migration], error: NotJudged) -> None:
        """The first file without a judgement takes too much; those after it wait for it."""
        from d1_preflight.core.analysis import not_judged

        stopped = not_judged(error.message)
        for migration in migrations:
            self._judged.setdefault(migration.sha256, stopped)

    def _judge_pending(self, migrations: Sequence[Migration]) -> None:
        seen = self._context.cache.observation
        if seen is None or self._walked is not None:
            return
        from d1_preflight.core.analysis import analyse, judge_in_order

        try:
            with self._context.limit(len(migrations)):
                for migration, analysis in zip(migrations, judge_in_order(migrations), strict=True):
                    pending = migration.name not in seen.applied
                    self._judged[migration.sha256] = (
                        analyse(migration, seen.schema, migrations, whole=True)
                        if pending
                        else analysis
                    )
        except NotJudged as error:
            self._give_up(migrations, error)

    def _row(self, file: MigrationFile, checklist: Callable[[], Checklist]) -> BoardRow:
        stem = file.name.removesuffix(".sql")
        number, words = split_number(judged_part(file.name))
        if isinstance(file, UnreadableMigration):
            return BoardRow(
                file.name, number, words, Kind.UNKNOWN, Risk.UNKNOWN, self._remote(file.name),
                MARKS[Status.FAILED], file.problem,
            )  # fmt: skip
        analysis = self._judged.get(file.sha256)
        mark, told = self._record(file.name, checklist, analysis)
        row = BoardRow(
            file.name, number, words or stem, *self._kept.of(file.name),
            self._remote(file.name), mark, told, preview=file.text,
            remembered=self._ledger.of(file.name),
        )  # fmt: skip
        if analysis is None:
            return replace(row, is_judged=False)
        from d1_preflight.core.rules import ABOUT_NAMES

        findings = analysis.findings
        if row.remote is Remote.APPLIED:  # renamed, it would be applied a second time
            findings = tuple(f for f in findings if f.rule not in ABOUT_NAMES)
        return replace(row, kind=analysis.kind, risk=analysis.risk, findings=findings)

    def _remote(self, name: str) -> Remote:
        seen = self._context.cache.observation
        if seen is None:
            return Remote.UNKNOWN
        return Remote.APPLIED if name in seen.applied else Remote.PENDING

    def _record(
        self, name: str, own: Callable[[], Checklist], analysis: Analysis | None
    ) -> tuple[str, str]:
        store = self._context.store(name)
        try:
            record = store.load()
        except PreflightError as error:
            return MARKS[Status.FAILED], f"damaged: {error.message}"
        if record is None:
            return MARKS[Status.PENDING], NOT_STARTED
        checklist = checklist_of(record, own())
        record = as_of(record, checklist, self._context.now())
        kind = kind_of(record, checklist, analysis.kind if analysis else Kind.UNKNOWN)
        signed = bool(store.read("record.toml.sig"))
        self._ended[name] = (record, signed)
        return record_words(record, checklist, kind, signed=signed)


def _remarks(context: "ProjectContext", contradictions: tuple[str, ...]) -> tuple[str, ...]:
    """What to know of this target and its configuration, most important first."""
    project = context.project
    remarks = (*project.config.remarks(project.database), *contradictions)
    here, path = Path.cwd(), project.config.path
    is_usual = here.is_relative_to(project.root) and path.name in CONFIG_NAMES
    if is_usual or context.target == PRACTICE:
        return remarks
    shown = path.relative_to(here) if path.is_relative_to(here) else path
    return (*remarks, f"The configuration is {shown}.")


def _target_of(context: "ProjectContext", name: str) -> "Target":
    """The target of a migration, or of none: its database, its Worker, its configuration."""
    from d1_preflight.core.recovery.runbook import Target

    project = context.project
    config, environment = _target_config(context)
    return Target(
        database=project.database.name,
        migration=name,
        worker=project.worker,
        project_config=project.config.path.name,
        project_environment=project.environment,
        config=config,
        environment=environment,
        ledger=project.database.migrations_table,
        restore_file=context.restore_file(name) if name else "",
        maintenance=project.settings.verification.maintenance_command,
    )


def _target_config(context: "ProjectContext") -> tuple[str, str | None]:
    """By the uuid; in an emergency on a full disk, by the project's own configuration."""
    project = context.project
    try:
        path = context.target_config()
    except PreflightError:
        return project.config.path.name, project.environment
    return path.relative_to(project.root).as_posix(), None


def with_owed(
    rows: Sequence[BoardRow], records: Mapping[str, tuple[Record, bool]]
) -> Iterator[BoardRow]:
    """The rows; behind an expand half whose contract half is owed, a line that says so.

    It stays until the record of a migration that drops those things is closed. `records` come
    with whether each is signed.
    """
    dropped = {name for record, signed in records.values() for name in dropped_by(record, signed)}
    for row in rows:
        yield row
        record, signed = records.get(row.name, (None, False))
        owed = [name for name in owed_by(record, signed) if not is_dropped(name, dropped)]
        if owed:
            yield BoardRow(
                f"{row.name}: contract half", row.number, f"contract half: drop {', '.join(owed)}",
                Kind.DESTRUCTIVE, Risk.HIGH, Remote.PENDING, MARKS[Status.PENDING], _OWED,
                f"-- Owed since {row.name}: drop {', '.join(owed)},\n"
                "-- once no old version of the Worker runs any more.\n",
                record_of=row.name,
            )  # fmt: skip


def owed_words(rows: Iterable[BoardRow]) -> Iterator[str]:
    """The lines of contract halves that are owed, in words."""
    for row in rows:
        if row.record == _OWED:
            yield f"Owed since {row.record_of}: {row.words}."
