"""What an action is given: the project's facts, the ports to the world, and the record so far."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from d1_preflight.core.analysis import analyse, schema_after
from d1_preflight.core.checklist import Answer, Checklist, Step
from d1_preflight.core.errors import MigrationUnreadable
from d1_preflight.core.findings import Analysis, Kind
from d1_preflight.core.migration import Migration, ledger_key
from d1_preflight.core.observation import LedgerRow, Observation
from d1_preflight.core.ports import Clock, Emit, Wrangler, silent
from d1_preflight.core.project import Project
from d1_preflight.core.record import DatabaseRef, Facts, Record
from d1_preflight.core.rowcopy import RowCopy
from d1_preflight.core.schema import Schema
from d1_preflight.core.settings import Settings
from d1_preflight.core.values import Endpoint

Progress = Callable[[Facts], None]
"""Takes the facts as they are so far, for a live table; never saved."""


def no_progress(_facts: Facts) -> None:
    """A `Progress` that shows nothing."""


class Store(Protocol):
    """The record's files; every write is atomic and durable when it returns."""

    @property
    def folder(self) -> Path: ...
    @property
    def lock_fd(self) -> int | None: ...
    def release(self) -> None: ...
    def load(self) -> Record | None: ...
    def save(self, record: Record) -> None: ...
    def read(self, name: str) -> bytes | None: ...
    def write(self, name: str, data: bytes) -> str: ...


class Signer(Protocol):
    """The operator's key. `missing` says what `prepare` would do before the first signature."""

    @property
    def identity(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def missing(self) -> Sequence[str]: ...
    def prepare(self) -> None: ...
    def sign(self, document: bytes, namespace: str) -> bytes: ...
    def is_good(self, document: bytes, signature: bytes, namespace: str) -> bool: ...


class Local(Protocol):
    """Throw-away local D1 databases, each in a persist folder that wrangler takes as its own."""

    def make(
        self,
        persist: Path,
        schema: Schema,
        copies: Sequence[RowCopy],
        ledger: Sequence[LedgerRow],
    ) -> None:
        """Make a database with these rows; whatever stood there before is gone."""
        ...

    def duplicate(self, persist: Path, to: Path) -> None:
        """Copy a whole database into another persist folder, replacing what stood there."""
        ...

    def file(self, persist: Path) -> Path:
        """The SQLite file that wrangler uses in this persist folder."""
        ...

    def schema(self, persist: Path) -> Schema:
        """The schema, without the ledger's table."""
        ...

    def counts(self, persist: Path) -> Mapping[str, int]:
        """The row count of every table except the ledger's."""
        ...

    def ledger(self, persist: Path) -> Sequence[LedgerRow]:
        """The ledger's rows."""
        ...

    def run_sql(self, persist: Path, sql: str) -> int:
        """Run SQL as D1 does, in one transaction; the milliseconds it took. ProjectError if not."""
        ...

    def load_dump(self, persist: Path, dump: Path) -> str:
        """Load an export into an empty database; "" when it loads, else why it does not."""
        ...


class Probe(Protocol):
    """What an endpoint answered; `status` is None where nothing came back."""

    @property
    def status(self) -> int | None: ...
    @property
    def milliseconds(self) -> int: ...
    @property
    def ok(self) -> bool: ...
    @property
    def words(self) -> str: ...


class Web(Protocol):
    """HTTP: endpoints, the team's webhook, analytics. Secrets come from the environment."""

    @property
    def has_webhook(self) -> bool: ...
    def account(self, configured: str) -> str: ...
    async def probe(self, endpoint: Endpoint) -> Probe: ...
    async def notify(self, text: str) -> Probe: ...
    async def analytics(
        self, query: str, variables: Mapping[str, object]
    ) -> Mapping[str, object]: ...
    def open(self, url: str) -> bool: ...


class Files(Protocol):
    """The project's files, read afresh at each call."""

    def migrations(self) -> Sequence[Migration]: ...
    def down(self, stem: str) -> Migration | None: ...
    def write_down(self, stem: str, text: str) -> Path: ...
    def config_sha256(self) -> str: ...
    def stage(self, migration: Migration, folder: Path) -> Path: ...


@dataclass(slots=True)
class Seen:
    """What has been learnt of the target in this sitting; asked again when it matters."""

    observation: Observation | None = None
    analysis: tuple[tuple[str, str], Analysis] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """The project, the migration and the ports; `workspace` is the private `.preflight` folder."""

    project: Project
    name: str
    target: str  # remote, or practice
    workspace: Path
    operator: str
    versions: Mapping[str, str]
    files: Files
    store: Store
    signer: Signer
    clock: Clock
    wrangler: Wrangler
    local: Local
    web: Web
    seen: Seen = field(default_factory=Seen)

    @property
    def settings(self) -> Settings:
        """The project's `preflight.toml`."""
        return self.project.settings

    @property
    def stem(self) -> str:
        """The migration's name without `.sql`."""
        return self.name.removesuffix(".sql")

    def migration(self) -> Migration:
        """The file as it is now; raises MigrationUnreadable if it is gone."""
        for migration in self.files.migrations():
            if migration.name == self.name:
                return migration
        raise MigrationUnreadable(
            f"{self.name} is no longer among the migrations.",
            hint="Bring the file back, or open another migration.",
        )

    def earlier(self) -> tuple[Migration, ...]:
        """The migrations before this one, in the ledger's order."""
        key = ledger_key(self.name)
        return tuple(m for m in self.files.migrations() if ledger_key(m.name) < key)

    def prior_schema(self) -> Schema:
        """The target's schema where it was read, else what the earlier files would make."""
        if self.seen.observation is not None:
            return self.seen.observation.schema
        return schema_after(self.earlier())

    def analysis(self) -> Analysis:
        """The judgement of the present text on the present schema, worked out once for both."""
        migration = self.migration()
        observed = self.seen.observation
        key = (migration.sha256, observed.schema.fingerprint if observed else "")
        if self.seen.analysis is None or self.seen.analysis[0] != key:
            siblings = tuple(self.files.migrations())
            judged = analyse(migration, self.prior_schema(), siblings)
            self.seen.analysis = (key, judged)
        return self.seen.analysis[1]

    def subjects(self) -> Mapping[str, str]:
        """The sha256 of the files that attempts are about, as they are now."""
        down = self.files.down(self.stem)
        found = {"migration": self.migration().sha256, "config": self.files.config_sha256()}
        return found | ({"down": down.sha256} if down else {})

    def new_record(self, checklist: str) -> Record:
        """An empty record for this migration on this database."""
        database = self.project.database
        reference = DatabaseRef(
            database.name, database.id, self.project.environment or "", self.target
        )
        return Record(self.name, reference, checklist, self.subjects(), self.versions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One attempt under way, as its action sees it."""

    tools: Tools
    record: Record
    checklist: Checklist
    kind: Kind
    step: Step
    answers: Mapping[str, Answer]
    emit: Emit = silent
    progress: Progress = no_progress
    terminal: AbstractContextManager[object] = field(default_factory=nullcontext)

    def facts_of(self, step_id: str) -> Facts:
        """The facts of another step's standing attempt; empty where it does not stand."""
        if not self.checklist.has(step_id):
            return {}
        attempt = self.record.standing(self.checklist.step(step_id))
        return attempt.facts if attempt else {}

    @property
    def evidence_name(self) -> str:
        """The name under which this attempt's command output is kept: `NN-step`."""
        return f"{len(self.record.attempts):03d}-{self.step.id}"

    def answer(self, key: str) -> str:
        """A text answer, "" where it was not asked."""
        value = self.answers.get(key, "")
        return value if isinstance(value, str) else ""
