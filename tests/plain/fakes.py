"""A session on fakes: a small checklist of real actions, in memory, without wrangler."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, cast

from core.record_values import ANA, KEYS, START, FakeSigner
from d1_preflight.actions import STEPS
from d1_preflight.actions.context import Environment
from d1_preflight.adapters.local import LocalDatabases
from d1_preflight.core.checklist.checklist import Prompt
from d1_preflight.core.checklist.file import load_checklist
from d1_preflight.core.project.migration import Migration, MigrationFile
from d1_preflight.core.project.project import Project
from d1_preflight.core.project.settings import Settings, WalkSettings
from d1_preflight.core.project.wrangler_config import Database, WranglerConfig
from d1_preflight.core.record.file import dump_record, load_record
from d1_preflight.core.record.record import Record
from d1_preflight.core.record.signing import Signature
from d1_preflight.core.recovery.runbook import Target
from d1_preflight.session import Session
from no_source import NoSource

if TYPE_CHECKING:
    from d1_preflight.actions.ports import Web
    from d1_preflight.core.ports import Wrangler

NAME = "0057_add_billing_email.sql"
TEXT = "CREATE TABLE audit_logs (id TEXT PRIMARY KEY);\n"
TARGET = Target(database="marketplace-production", migration=NAME)
CHECKLIST = """
schema = 1
[[section]]
id = "classification"
number = "1"
title = "Classification"
[[section.step]]
id = "named"
short = "name"
title = "The file is well named"
why = "Order and meaning."
action = "check_name"
waivable = true
[[section.step]]
id = "header"
short = "header"
title = "The header is complete"
why = "Whoever reads it in a year has only this."
action = "check_header"
waivable = true
[[section.step]]
id = "purpose"
short = "purpose"
title = "It serves its purpose"
why = "One change."
action = "state_purpose"
attested = true
[[section.step.prompt]]
key = "purpose"
kind = "text"
label = "What will users gain?"
[[section]]
id = "go"
title = "GO"
[[section.step]]
id = "go"
short = "sign GO"
title = "GO / NO-GO"
why = "Frozen and signed."
action = "sign_go"
attested = true
"""


@lru_cache(maxsize=64)
def _loaded(data: bytes) -> Record:
    """A record says the same each time it is read, and cannot be changed."""
    return load_record(data)


@dataclass
class MemoryStore:
    """A record's files in a dictionary; the record becomes bytes when somebody looks at them."""

    _held: dict[str, bytes] = field(default_factory=dict)
    folder: Path = Path("memory")
    _saved: Record | None = field(default=None, init=False)

    @property
    def held(self) -> dict[str, bytes]:
        if self._saved is not None:
            self._held["record.toml"] = dump_record(self._saved)
            self._saved = None
        return self._held

    def load(self) -> Record | None:
        data = self.held.get("record.toml")
        return None if data is None else _loaded(data)

    def save(self, record: Record) -> None:
        self._saved = record

    def read(self, name: str) -> bytes | None:
        return self._held.get(name) if name != "record.toml" else self.held.get(name)

    def write(self, name: str, data: bytes) -> str:
        self.held[name] = data
        return sha256(data).hexdigest()

    def remove(self, name: str) -> None:
        self.held.pop(name, None)

    def files(self) -> Mapping[str, bytes]:
        return dict(self.held)

    def sums(self) -> Mapping[str, str]:
        return {name: sha256(data).hexdigest() for name, data in self.held.items()}

    @property
    def lock_fd(self) -> int | None:
        return None

    def release(self) -> None:
        """Nothing is locked in memory."""


class TickingClock:
    """A clock that goes on by a second whenever somebody looks."""

    def __init__(self) -> None:
        self._now = START

    def now(self) -> datetime:
        self._now += timedelta(seconds=1)
        return self._now

    def monotonic(self) -> float:
        return self.now().timestamp()

    def boot(self) -> str:
        return "this boot"

    async def sleep(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


class ReadySigner(FakeSigner):
    """A hand that lacks nothing."""

    @property
    def missing(self) -> Sequence[str]:
        return ()

    def verify(self, document: bytes, signature: bytes, namespace: str) -> Signature:
        return self.keys.verify(document, signature, namespace)

    def prepare(self) -> None:
        """Nothing is missing."""


class UnwrittenFiles:
    """The files of a project of which nothing is written, staged or undone."""

    def migrations(self) -> Sequence[Migration]:
        raise NotImplementedError

    def files(self) -> Sequence[MigrationFile]:
        return self.migrations()

    def down(self, stem: str) -> Migration | None:
        assert stem
        return None

    def down_path(self, stem: str) -> Path:
        raise NotImplementedError(stem)

    def write_down(self, stem: str, text: str) -> Path:
        raise NotImplementedError(stem, text)

    def sha256(self, name: str) -> str:
        raise NotImplementedError(name)

    def config_sha256(self) -> str:
        return "c" * 64

    def journal(self) -> Mapping[str, int]:
        raise NotImplementedError

    def stage(self, migration: Migration, folder: Path, more: str = "") -> Path:
        raise NotImplementedError(migration, folder, more)

    def target_config(self) -> Path:
        raise NotImplementedError

    def account_config(self) -> Path:
        raise NotImplementedError


@dataclass
class TextFiles(UnwrittenFiles):
    """One migration, held as text."""

    text: str = TEXT

    def migrations(self) -> Sequence[Migration]:
        return (Migration.from_text(NAME, self.text),)


@dataclass
class Script:
    """Answers in order; an answer is for the prompt whose key it names, else the test fails."""

    answers: list[tuple[str, object]]
    asked: list[Prompt] = field(default_factory=list)

    async def ask(self, prompt: Prompt) -> object:
        self.asked.append(prompt)
        key, answer = self.answers.pop(0)
        assert key == prompt.key, f"asked for {prompt.key}, scripted {key}"
        return answer


STEP_BY_STEP = Settings(walk=WalkSettings(by_itself=False))


def open_session(
    store: MemoryStore, files: TextFiles | None = None, settings: Settings = STEP_BY_STEP
) -> Session:
    config = WranglerConfig(Path("/project/wrangler.jsonc"), "workway-api")
    database = Database("DB", "marketplace-production", "a1b2c3d4-0000-4000-8000-000000000001")
    unused = object()  # no step of the small checklist reaches wrangler or the network
    environment = Environment(
        project=Project(Path("/project"), config, database, settings=settings),
        name=NAME,
        target="practice",
        workspace=Path("/project/.preflight"),
        operator=ANA,
        versions=cast("Mapping[str, str]", {"wrangler": "4.164.0"}),
        files=files or TextFiles(),
        store=store,
        signer=ReadySigner(KEYS, ANA),
        clock=TickingClock(),
        wrangler=cast("Wrangler", unused),
        local=LocalDatabases(database.id),  # there is no copy yet
        web=cast("Web", unused),
        source=NoSource(),
    )
    return Session(load_checklist(CHECKLIST, "small.toml", STEPS), environment)
