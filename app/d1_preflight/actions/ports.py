"""What the actions need of the world beyond the core's ports: files, key, copies, web."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from d1_preflight.core.findings import EngineVerdict
from d1_preflight.core.project.migration import Migration, MigrationFile
from d1_preflight.core.project.setting_types import Endpoint
from d1_preflight.core.record.facts import StepFacts
from d1_preflight.core.record.record import Record
from d1_preflight.core.record.safety_facts import DeployOrderFacts, RevisionProposal
from d1_preflight.core.record.signing import Signature
from d1_preflight.core.rows.codec import Row
from d1_preflight.core.rows.equality import Difference
from d1_preflight.core.rows.table_copy import RowCopy
from d1_preflight.core.schema.schema import Schema
from d1_preflight.core.schema.table import Table
from d1_preflight.core.target.snapshot import LedgerRow

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import apsw

Progress = Callable[[StepFacts], None]
"""Takes the facts as they are so far, for a live table; never saved."""


def no_progress(_facts: StepFacts) -> None:
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
    def remove(self, name: str) -> None: ...
    def files(self) -> Mapping[str, bytes]: ...
    def sums(self) -> Mapping[str, str]: ...


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
    def verify(self, document: bytes, signature: bytes, namespace: str) -> Signature: ...


class CopyWriter(Protocol):
    """Writes one row copy as its rows arrive; `close` gives the finished copy."""

    def add(self, rows: Iterable[Row]) -> None: ...
    def close(self, sequence: int | None = None) -> RowCopy: ...


class Local(Protocol):
    """Throw-away local D1 databases, each in a persist folder that wrangler takes as its own."""

    def make(
        self,
        persist: Path,
        schema: Schema,
        copies: Sequence[RowCopy],
        ledger: Sequence[LedgerRow],
    ) -> None:
        """Make a database with these rows, replacing an earlier one."""

    def duplicate(self, persist: Path, to: Path) -> None:
        """Copy a whole database into another persist folder, replacing an earlier one."""

    def file(self, persist: Path) -> Path:
        """The SQLite file that wrangler uses in this persist folder."""

    def schema(self, persist: Path) -> Schema:
        """The schema, without the ledger's table."""

    def counts(self, persist: Path) -> Mapping[str, int]:
        """The row count of every table except the ledger's."""

    def ledger(self, persist: Path) -> Sequence[LedgerRow]:
        """The ledger's rows."""

    def run_sql(self, persist: Path, sql: str) -> int:
        """Run SQL as D1 does, in one transaction; the milliseconds it took. ProjectError if not."""

    def run_file(self, persist: Path, path: Path) -> int:
        """Run a file of SQL in the same way, without holding it in memory."""

    def trial(self, persist: Path, scratch: Path, migration: Migration) -> EngineVerdict:
        """Run a migration as D1 does on a temporary duplicate; return the refusal."""

    def failing_indexes(self, persist: Path) -> Mapping[str, str]:
        """The full-text indexes, in lower case, that fail their integrity check, and why."""

    def attached(self, **files: Path) -> "AbstractContextManager[apsw.Connection]":
        """A read-only connection with these database files attached under their names."""

    def create_copy(self, path: Path, table: Table) -> CopyWriter:
        """Start the row copy of a table in a new file."""

    def open_copy(self, path: Path) -> RowCopy:
        """Read a row copy's own header; RecordInvalid when the file is not one."""

    def compare_copy(self, copy: RowCopy, persist: Path) -> Difference | None:
        """The first difference between a database and a row copy; None if they are equal."""

    def load_dump(self, persist: Path, dump: Path) -> str:
        """Load an export into an empty database; "" when it loads, else the reason."""


class Probe(Protocol):
    """An endpoint's answer; `status` is None without one."""

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


class WorkerSource(Protocol):
    """The source of the Worker: its revisions, and the proof by its queries."""

    def proposals(self, notes: Mapping[str, str]) -> Sequence[RevisionProposal]:
        """The revisions that may run now, by a version's notes; none where there is no source."""

    def proof(
        self, deployed: str, before: Schema, after: Schema, scripts: Mapping[str, str]
    ) -> DeployOrderFacts:
        """Deployed and new code on two schemas; raises UsageError for no such revision."""


class Files(Protocol):
    """The project's files, read afresh at each call."""

    def files(self) -> Sequence[MigrationFile]: ...
    def migrations(self) -> Sequence[Migration]: ...
    def down(self, stem: str) -> Migration | None: ...
    def down_path(self, stem: str) -> Path: ...
    def write_down(self, stem: str, text: str) -> Path: ...
    def config_sha256(self) -> str: ...
    def sha256(self, name: str) -> str: ...
    def journal(self) -> Mapping[str, int]: ...
    def stage(self, migration: Migration, folder: Path, more: str = "") -> Path: ...
    def target_config(self) -> Path: ...
    def account_config(self) -> Path: ...
