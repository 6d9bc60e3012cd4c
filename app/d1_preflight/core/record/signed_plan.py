"""GO's content: which bytes go where, on what proofs, and when to abort; read once it is signed."""

from datetime import datetime
from functools import lru_cache
from typing import Self

from d1_preflight.core.errors import RecordInvalid
from d1_preflight.core.findings import Kind
from d1_preflight.core.record.apply_facts import AbortCriteria
from d1_preflight.core.record.facts import NO_ITEMS, NO_TEXT, FactGroup, fields_by_key, named
from d1_preflight.core.record.file import dump_facts, load_facts
from d1_preflight.core.record.record import DatabaseRef
from d1_preflight.core.record.safety_facts import BackupTable

GO_FILE, GO_SIGNATURE = "go.toml", "go.toml.sig"
_SINCE_SCHEMA_2 = "history"


class PlannedDatabase(FactGroup):
    """The one database that GO is about."""

    name: str = NO_TEXT
    id: str = NO_TEXT
    environment: str = NO_TEXT
    target: str = NO_TEXT

    @classmethod
    def of(cls, database: DatabaseRef) -> Self:
        """The record's database."""
        return cls(**{key: getattr(database, key) for key in fields_by_key(cls)})


class PlannedFiles(FactGroup):
    """The sha256 of the files that GO is about, by their role."""

    config: str = NO_TEXT
    down: str = NO_TEXT
    migration: str = NO_TEXT


class PlannedTools(FactGroup):
    """The versions of what was used; those of other tools are kept as they are."""

    wrangler: str = NO_TEXT


class Proofs(FactGroup):
    """The figures that the decision rests on, each from the step that measured it."""

    schema_before: str = NO_TEXT
    schema_rehearsed: str = NO_TEXT
    ledger_rows: int | None = None
    predicted_ms: int | None = None
    bookmark: str = NO_TEXT
    bookmark_good_until: str = NO_TEXT
    way_back: str = NO_TEXT
    backup: tuple[BackupTable, ...] = NO_ITEMS
    other_pending: tuple[str, ...] = NO_ITEMS
    out_of_order: str = NO_TEXT
    rows_read: int | None = None
    rows_written: int | None = None
    worker: str = NO_TEXT
    worker_version: str = NO_TEXT
    deploy_order: str = NO_TEXT
    also_writes: tuple[str, ...] = NO_ITEMS


class PlannedHistory(FactGroup):
    """The attempts before GO: how many, and the sha256 of their bytes in the record."""

    attempts: int | None = None
    sha256: str = NO_TEXT


class PlannedStep(FactGroup):
    """One step's outcome as it was when GO was signed."""

    id: str = NO_TEXT
    status: str = NO_TEXT
    words: str = NO_TEXT


class SignedPlan(FactGroup):
    """What is signed at GO. Read from bytes it is whole: every key is there with its type."""

    schema: int | None = None
    decision: str = NO_TEXT
    decided_by: str = NO_TEXT
    decided_at: datetime | None = None
    expires_at: datetime | None = None
    migration: str = NO_TEXT
    kind: Kind | None = named("class", None)
    checklist: str = NO_TEXT
    rows_at_risk: int | None = None
    subjects: PlannedFiles = PlannedFiles()
    database: PlannedDatabase | None = None
    tools: PlannedTools = PlannedTools()
    proofs: Proofs = Proofs()
    criteria: AbortCriteria | None = None
    history: PlannedHistory | None = None
    steps: tuple[PlannedStep, ...] = named("step", NO_ITEMS)

    @classmethod
    @lru_cache(maxsize=4)  # each step under a signed GO looks at it
    def from_bytes(cls, document: bytes) -> "SignedPlan":
        """The plan in these bytes; raises RecordInvalid if it is incomplete."""
        plan = cls.read(load_facts(document, GO_FILE))
        needed = [k for k in fields_by_key(cls) if k != _SINCE_SCHEMA_2 or plan.schema != 1]
        wrong = [key for key in needed if key not in plan.keys or key in plan.extra]
        if wrong:
            raise RecordInvalid(
                f"{GO_FILE} is not a plan of preflight: “{wrong[0]}” is missing or another type.",
                hint="It may come from a newer version, or was edited manually.",
            )
        return plan

    @property
    def document(self) -> bytes:
        """The bytes that are signed."""
        return dump_facts(self.written())
