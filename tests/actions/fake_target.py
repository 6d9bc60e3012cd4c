"""A target in memory that answers as wrangler does, and a session whose real steps work on it.

The steps run unchanged on real local copies; only wrangler, the web, the key and the clock are
fakes. A test says what an answer becomes (`instead`), or what happens around a command (`first`,
`then`): somebody else's apply, a lost reply, a killed program.
"""

import asyncio
import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from stat import S_IMODE
from typing import cast

import apsw

from core.record_values import ANA, KEYS, START
from d1_preflight.actions import STEPS
from d1_preflight.actions.context import Environment, StepContext
from d1_preflight.actions.ports import WorkerSource
from d1_preflight.actions.target_cache import TargetCache
from d1_preflight.adapters.http import ProbeResult
from d1_preflight.adapters.local import LocalDatabases
from d1_preflight.core.checklist.checklist import Prompt, PromptKind
from d1_preflight.core.checklist.file import shipped_checklist
from d1_preflight.core.ports import Emit, Evidence, silent
from d1_preflight.core.project.migration import Migration, MigrationFile
from d1_preflight.core.project.project import Project
from d1_preflight.core.project.setting_types import Endpoint
from d1_preflight.core.project.settings import Settings
from d1_preflight.core.project.wrangler_config import Database, WranglerConfig
from d1_preflight.core.record.record import Attempt, Outcome
from d1_preflight.core.sql.tokenizer import quote_name, statements
from d1_preflight.session import Session
from no_source import NoSource
from plain.fakes import MemoryStore, ReadySigner

CHECKLIST = shipped_checklist()
UUID = "a1b2c3d4-0000-4000-8000-000000000001"
NAME = "0002_rebuild_teams.sql"
EARLIER = """CREATE TABLE teams(id TEXT PRIMARY KEY, name TEXT, old TEXT);
CREATE TABLE members(id INTEGER PRIMARY KEY, team TEXT REFERENCES teams(id), role TEXT);
CREATE TABLE log(what TEXT);
CREATE INDEX members_team ON members(team);
CREATE VIEW roles AS SELECT role FROM members;
CREATE TRIGGER logged AFTER INSERT ON members BEGIN INSERT INTO log VALUES ('in'); END;
"""
ROWS = """INSERT INTO teams VALUES ('a', 'A', 'x'), ('b', 'B', NULL);
INSERT INTO members VALUES (1, 'a', 'OWNER'), (2, 'a', 'member'), (3, 'b', NULL);"""
HEADER = """-- Migration: {name}
-- Author: Ana
-- Date: 2026-11-23
-- Ticket: T-1
-- Description: as the test needs it
-- Type: {kind}
-- Rollback: the down migration
"""
DESTRUCTIVE = "ALTER TABLE teams DROP COLUMN old;\n"
ADDITIVE = "ALTER TABLE teams ADD COLUMN billing TEXT;\n"

_LEDGER = (
    "CREATE TABLE d1_migrations(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE,"
    " applied_at TEXT)"
)
Answer = Callable[[Evidence], Evidence]


class Clock:
    """A clock that stands still, but for a sleep."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    def boot(self) -> str:
        return "this boot"

    async def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class Files:
    """The migrations of a project in memory, staged to a real folder."""

    root: Path
    own: Migration
    others: tuple[Migration, ...] = (Migration.from_text("0001_prior_state.sql", EARLIER),)
    down_file: Migration | None = None
    config: str = "c" * 64
    spoils: str = ""  # what an editor adds to a down file as it is written
    times: dict[str, int] = field(default_factory=dict)  # of drizzle's journal

    def files(self) -> Sequence[MigrationFile]:
        return sorted((*self.others, self.own), key=lambda file: file.name)

    def migrations(self) -> Sequence[Migration]:
        return sorted((*self.others, self.own), key=lambda file: file.name)

    def down(self, stem: str) -> Migration | None:
        assert self.own.name == f"{stem}.sql"
        return self.down_file

    def down_path(self, stem: str) -> Path:
        return self.root / "migrations" / "down" / f"{stem}.sql"

    def write_down(self, stem: str, text: str) -> Path:
        self.down_file = Migration.from_text(f"{stem}.sql", text + self.spoils)
        return self.down_path(stem)

    def config_sha256(self) -> str:
        return self.config

    def sha256(self, name: str) -> str:
        raise NotImplementedError(name)

    def journal(self) -> Mapping[str, int]:
        return self.times

    def stage(self, migration: Migration, folder: Path, more: str = "") -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "staged.sql").write_text(migration.text + more)
        return folder / "wrangler.json"

    def target_config(self) -> Path:
        return self.root / ".preflight" / "targets" / "one.json"

    def account_config(self) -> Path:
        return self.root / ".preflight" / "targets" / "account.json"


@dataclass
class Web:
    """Endpoints, webhook and analytics that answer as the test says."""

    probes: list[ProbeResult] = field(default_factory=list)
    samples: list[Mapping[str, object] | Exception] = field(default_factory=list)
    asked: list[Mapping[str, object]] = field(default_factory=list)
    has_webhook: bool = False
    account_id: str = "account"

    def account(self, configured: str) -> str:
        return configured or self.account_id

    async def probe(self, endpoint: Endpoint) -> ProbeResult:
        assert endpoint.url
        return self.probes.pop(0)

    async def notify(self, text: str) -> ProbeResult:
        raise NotImplementedError(text)

    async def analytics(self, query: str, variables: Mapping[str, object]) -> Mapping[str, object]:
        assert query
        self.asked.append(variables)
        answer = self.samples.pop(0) if len(self.samples) > 1 else self.samples[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def open(self, url: str) -> bool:
        raise NotImplementedError(url)


def invocations(*samples: tuple[datetime, int, int]) -> Mapping[str, object]:
    """What analytics answers about a Worker: (minute, requests, errors)."""
    groups = [
        {"sum": {"requests": n, "errors": bad}, "dimensions": {"datetimeMinute": at.isoformat()}}
        for at, n, bad in samples
    ]
    return {"viewer": {"accounts": [{"workersInvocationsAdaptive": groups}]}}


@dataclass
class FakeTarget:
    """A D1 database and the wrangler in front of it; commands go by the words in `command_of`."""

    local: LocalDatabases
    earlier: str = EARLIER
    rows: str = ROWS
    connection: apsw.Connection = field(default_factory=lambda: apsw.Connection(":memory:"))
    version: str = "4.164.0"
    uuid: str = UUID
    bookmark: str = "00000001-bookmark"
    writing: bool = False
    turns: int = 0  # how often others get their turn while a call waits
    running: dict[str, int] = field(default_factory=lambda: {"v1-live": 100})
    notes: dict[str, str] = field(default_factory=dict)  # the annotations of the version
    deployment_notes: dict[str, str] = field(default_factory=dict)
    left: tuple[Evidence, ...] = ()
    name: str = NAME  # of the migration that is applied
    tail: str = ""  # what a tail prints until it is ended
    calls: list[tuple[str, ...]] = field(default_factory=list)
    kept: list[str | None] = field(default_factory=list)
    protected: list[str] = field(default_factory=list)
    database: bytes = b""  # what it begins with instead, as SQLite serializes it
    reached: int = 0  # how many applies the database was given
    instead: dict[str, Answer] = field(default_factory=dict)
    first: dict[str, Callable[[], object]] = field(default_factory=dict)
    then: dict[str, Callable[[], object]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.connection.execute("PRAGMA foreign_keys = ON")
        if self.database:
            self.connection.deserialize("main", self.database)
            return
        self.connection.execute(_LEDGER)
        self.apply("0001_prior_state.sql", self.earlier)
        self.connection.execute(self.rows)

    @property
    def commands(self) -> list[str]:
        return [command_of(call) for call in self.calls]

    def apply(self, name: str, sql: str) -> None:
        """Run a migration and write its row, in one transaction."""
        with self.connection:
            self.connection.execute(sql)
            self.connection.execute(
                "INSERT INTO d1_migrations(name, applied_at) VALUES (?, '2026-11-23 14:30:00')",
                (name,),
            )

    async def run(
        self,
        args: Sequence[str],
        *,
        cwd: Path,
        emit: Emit = silent,
        keep: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the port's own
        protect: bool = False,
    ) -> Evidence:
        assert timeout is None or timeout > 0
        command = command_of(args)
        self.calls.append(tuple(args))
        self.kept.append(keep)
        if protect:
            self.protected.append(command)
        emit(command, "out")
        for _ in range(self.turns):
            await asyncio.sleep(0)
        self.first.get(command, lambda: None)()
        answer = self._answer(command, args, cwd)
        self.then.get(command, lambda: None)()
        return self.instead[command](answer) if command in self.instead else answer

    def is_writing(self) -> bool:
        return self.writing

    def recover(self, step: str) -> tuple[Evidence, ...]:
        assert step
        return self.left

    def _answer(self, command: str, args: Sequence[str], cwd: Path) -> Evidence:
        match command:
            case "info":
                return replied(args, {"uuid": self.uuid})
            case "insights":
                return replied(args, [{"query": "SELECT 1", "numberOfTimesRun": 504}])
            case "bookmark":
                return replied(args, {"bookmark": self.bookmark})
            case "deployments":
                return replied(args, [self._deployment()])
            case "versions":
                return replied(args, {"id": args[2], "annotations": dict(self.notes)})
            case "read":
                return self._read(args)
            case "export":
                return self._export(args)
            case "apply":
                return self._apply(args, cwd)
            case "tail":
                return Evidence(tuple(args), None, 1, stdout=self.tail, timed_out=True)
        return self._local(command, args, cwd)

    def _deployment(self) -> Mapping[str, object]:
        shares = [{"version_id": v, "percentage": share} for v, share in self.running.items()]
        return {
            "created_on": "2026-11-23T10:00:00Z",
            "versions": shares,
            "annotations": dict(self.deployment_notes),
        }

    def _read(self, args: Sequence[str]) -> Evidence:
        sql = next(word for word in args if word.startswith("--command=")).removeprefix(
            "--command="
        )
        results: list[object] = []
        try:
            for statement in statements(sql):
                cursor = self.connection.execute(statement.text)
                rows = [
                    dict(zip((c[0] for c in cursor.get_description()), row, strict=True))
                    for row in cursor
                ]
                results.append({"results": rows, "success": True, "meta": {}})
        except apsw.Error as error:
            return refused(args, f"{error}: SQLITE_ERROR")
        return replied(args, results)

    def _export(self, args: Sequence[str]) -> Evidence:
        tables = [args[n + 1] for n, word in enumerate(args) if word == "--table"]
        lines = ["PRAGMA defer_foreign_keys=TRUE;"]
        for table in tables:
            [(sql,)] = self.connection.execute(
                "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?", (table,)
            )
            lines.append(f"{sql};")
            found = self.connection.execute("SELECT name FROM pragma_table_info(?)", (table,))
            names = [quote_name(str(name)) for (name,) in found]
            cells = ", ".join(f"CAST(quote({name}) AS BLOB)" for name in names)
            for row in self.connection.execute(f"SELECT {cells} FROM {quote_name(table)}"):
                # as wrangler writes it: bytes that are not UTF-8 are replaced
                texts = (cell if isinstance(cell, bytes) else b"NULL" for cell in row)
                values = ", ".join(text.decode(errors="replace") for text in texts)
                lines.append(f"INSERT INTO {quote_name(table)} VALUES ({values});")
        Path(args[args.index("--output") + 1]).write_text("\n".join(lines))
        return Evidence(tuple(args), 0, 7)

    def _apply(self, args: Sequence[str], cwd: Path) -> Evidence:
        self.reached += 1
        try:
            self.apply(self.name, (cwd / "staged.sql").read_text())
        except apsw.Error as error:
            return refused(args, f"{error}: SQLITE_ERROR")
        return Evidence(tuple(args), 0, 40, shown=f"│ {self.name} │ ✅ │")

    def _local(self, command: str, args: Sequence[str], cwd: Path) -> Evidence:
        file = self.local.file(Path(args[args.index("--persist-to") + 1]))
        script = cwd / "staged.sql"
        if command == "down":
            script = Path(args[-1].removeprefix("--file="))
        connection = apsw.Connection(str(file))
        connection.execute("PRAGMA foreign_keys = ON")
        try:
            with connection:
                connection.execute(script.read_text())
                if command == "rehearse":
                    connection.execute(_LEDGER.replace("TABLE", "TABLE IF NOT EXISTS"))
                    row = "INSERT INTO d1_migrations(name, applied_at) VALUES (?, '2026-11-23')"
                    connection.execute(row, (self.name,))
        except apsw.Error as error:
            return refused(args, f"{error}: SQLITE_ERROR")
        finally:
            connection.close()
        return Evidence(tuple(args), 0, 2400)


def command_of(args: Sequence[str]) -> str:
    """The word for a command: read, info, bookmark, export, apply, deployments, rehearse, down."""
    match tuple(args[:3]):
        case ("d1", "execute", _):
            return "down" if "--local" in args else "read"
        case ("d1", "migrations", "apply"):
            return "rehearse" if "--local" in args else "apply"
        case ("d1", "time-travel", _):
            return "bookmark"
        case ("d1", "info" | "export" | "insights", _):
            return args[1]
    return args[0]


def replied(args: Sequence[str], value: object) -> Evidence:
    text = json.dumps(value)
    return Evidence(tuple(args), 0, 5, stdout=text, shown=text)


def refused(args: Sequence[str], reason: str, text: str = "the query failed") -> Evidence:
    said = json.dumps({"error": {"text": text, "notes": [{"text": reason}], "code": 7500}})
    return Evidence(tuple(args), 1, 5, stdout=said, shown=said)


def cut(ran: Evidence) -> Evidence:
    """The connection broke after it was sent: whether it arrived is not known."""
    return replace(ran, exit_code=1, stdout="", shown="", stderr="✘ [ERROR] fetch failed")


def failed(reason: str) -> Answer:
    """The database refused it with a reason."""
    return lambda ran: refused(ran.argv, reason)


def lost(ran: Evidence) -> Evidence:
    """The program was killed with us."""
    return replace(ran, exit_code=None, stdout="", shown="")


@dataclass
class Bench:
    """A project, its target, and a session on them."""

    folder: Path
    sql: str = DESTRUCTIVE
    kind: str = "destructive"
    settings: Settings = field(default_factory=Settings)
    earlier: str = EARLIER
    rows: str = ROWS
    source: WorkerSource = field(default_factory=NoSource)
    first_rows: int | None = None
    judged: TargetCache = field(default_factory=TargetCache)
    """Whose judgement a new session begins with; it counts for the same text and schema alone."""
    begun: "Saved | None" = None  # the walk that it goes on from

    def __post_init__(self) -> None:
        self.clock, self.web, self.store = Clock(), Web(), MemoryStore()
        self.web.samples = [invocations((START, 100, 0))]
        text = HEADER.format(name=NAME, kind=self.kind.upper()) + self.sql
        others = (Migration.from_text("0001_prior_state.sql", self.earlier),)
        self.files = Files(self.folder, Migration.from_text(NAME, text), others)
        self.judged_for = self.files.migrations()
        self.local = LocalDatabases(UUID)
        data = b"" if self.begun is None else self.begun.database
        self.target = FakeTarget(self.local, self.earlier, self.rows, database=data)
        if self.begun is not None:
            self.store.held.update(self.begun.held)
            self.clock.at = self.begun.at
            self.files.down_file, self.files.times = self.begun.down, dict(self.begun.times)
        self.session = self.opened()

    def environment(self) -> Environment:
        database = Database("DB", "marketplace-production", UUID)
        config = WranglerConfig(self.folder / "wrangler.jsonc", "workway-api")
        return Environment(
            project=Project(self.folder, config, database, settings=self.settings),
            name=NAME,
            target="remote",
            workspace=self.folder / ".preflight",
            operator=ANA,
            versions={"wrangler": self.target.version},
            files=self.files,
            store=self.store,
            signer=ReadySigner(KEYS, ANA),
            clock=self.clock,
            wrangler=self.target,
            local=self.local,
            web=self.web,
            source=self.source,
            cache=self._judged(),
        )

    def _judged(self) -> TargetCache:
        """What a session begins with; it judges anew where the files beside its own changed."""
        if self.files.migrations() != self.judged_for:
            return TargetCache(first_rows=self.first_rows)
        made, analysis = self.judged.made, self.judged.analysis
        return TargetCache(made=made, analysis=analysis, first_rows=self.first_rows)

    def opened(self) -> Session:
        """A new session on the same record, as after a restart."""
        self.session = Session(CHECKLIST, self.environment(), STEPS)
        return self.session

    async def step(self, step_id: str, **given: object) -> Attempt:
        """Perform one step with an agreeable operator's answers, or the given ones."""
        step = CHECKLIST.step(step_id)
        asked = self.session.prompts(step)
        raw = {prompt.key: given.get(prompt.key, agreeable(prompt)) for prompt in asked}
        return await self.session.perform(step, raw)

    async def walk(self, until: str = "", **given: object) -> "Bench":
        """Perform every step up to `until`; what can be waived and is not proved is waived."""
        while (step := self.session.current) is not None and step.id != until:
            attempt = await self.step(step.id, **given)
            if not attempt.status.is_answered:
                assert step.waivable, f"{step.id}: {attempt.status}: {attempt.words}"
                self.session.waive(step, "not in a test")
        return self

    def saved(self) -> "Saved":
        """This state of record, target and folder, for another test to go on from."""
        held, data = dict(self.store.held), self.target.connection.serialize("main")
        return Saved(
            Tree.of(self.folder), held, data, self.clock.at, self.files.down_file,
            self.files.times, (self.sql, self.kind, self.earlier, self.rows),
            self.session.environment.cache,
        )  # fmt: skip

    async def run(self, context: StepContext) -> Outcome:
        """Run a step's action past the session's door."""
        return await STEPS[context.step.action].run(context)

    def writes(self, sql: str) -> Callable[[], object]:
        """Somebody writes to the target."""
        return lambda: self.target.connection.execute(sql)

    def exports(self) -> list[Path]:
        return list(self.folder.rglob("export.sql"))

    def forgets_exports(self) -> None:
        for path in self.exports():
            path.unlink()

    def harm_backup(self, harm: str) -> None:
        """Take the backup away, or put another table's rows in its place."""
        (copy,) = (self.folder / ".preflight" / "backup").rglob("*.rows")
        if harm == "gone":
            copy.unlink()
        else:
            all_of_them = (self.folder / ".preflight" / "copy" / "rows").rglob("*.rows")
            other = next(rows for rows in all_of_them if rows.read_bytes() != copy.read_bytes())
            copy.write_bytes(other.read_bytes())

    def query(self, sql: str) -> list[tuple[object, ...]]:
        return cast("list[tuple[object, ...]]", self.target.connection.execute(sql).fetchall())


def agreeable(prompt: Prompt) -> object:
    match prompt.kind:
        case PromptKind.CONFIRM:
            return True
        case PromptKind.CHOOSE:
            return "" if prompt.optional else prompt.choices[0]
        case PromptKind.CHOOSE_MANY:
            return prompt.choices
    return prompt.typed or ("" if prompt.optional else "looked at, and fine")


@dataclass(frozen=True)
class Tree:
    """Folders and files by their paths, in memory: a copy of them is one write each."""

    folders: Mapping[str, int]  # and their modes, each behind the one that holds it
    files: Mapping[str, tuple[bytes, int]]

    @classmethod
    def of(cls, folder: Path) -> "Tree":
        paths = sorted(path for path in folder.rglob("*") if not _is_left_over(folder, path))
        assert not any(path.is_symlink() for path in paths)
        modes = {str(path.relative_to(folder)): S_IMODE(path.stat().st_mode) for path in paths}
        files = {str(p.relative_to(folder)): p.read_bytes() for p in paths if p.is_file()}
        return cls(
            {name: mode for name, mode in modes.items() if name not in files},
            {name: (data, modes[name]) for name, data in files.items()},
        )

    def write(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        root = str(folder)
        for name, mode in self.folders.items():
            with suppress(FileExistsError):  # where two operators share it
                os.mkdir(f"{root}/{name}", mode)  # noqa: PTH102 - many a test: no Path for each
        for name, (data, mode) in self.files.items():
            file = os.open(f"{root}/{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
            os.write(file, data)
            os.close(file)


_SCRATCH = {".preflight/restore", ".preflight/timing", ".preflight/trial"}
"""What a step makes anew whenever it runs, and nothing reads once it is over."""


def _is_left_over(folder: Path, path: Path) -> bool:
    """Whether a walk goes on without it as well: SQLite makes its own files again."""
    if path.name.endswith("-shm"):
        return path.with_name(path.name.replace("-shm", "-wal")).stat().st_size == 0
    if path.name.endswith("-wal"):
        return path.stat().st_size == 0
    return any(str(path.relative_to(folder)).startswith(name) for name in _SCRATCH)


@dataclass(frozen=True)
class Saved:
    """A walk at some step, kept for many tests."""

    tree: Tree
    held: Mapping[str, bytes]
    database: bytes
    at: datetime
    down: Migration | None
    times: Mapping[str, int]
    made: tuple[str, str, str, str]  # SQL, class, what was there before, and its rows
    judged: TargetCache

    def resumed(self, folder: Path, settings: Settings) -> Bench:
        """The same walk in a folder of its own, in a new session."""
        self.tree.write(folder)
        sql, kind, earlier, rows = self.made
        return Bench(folder, sql, kind, settings, earlier, rows, judged=self.judged, begun=self)
