"""What the stand-in remembers, on disk: database, time travel, deployments, health, messages."""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from secrets import token_urlsafe
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from d1_preflight.practice import worker
from d1_preflight.practice.engine import Database
from d1_preflight.practice.results import Result, Value
from d1_preflight.practice.timetravel import Snapshot, TimeTravel

ACCOUNT_ID = "0123456789abcdef0123456789abcdef"
DATABASE_ID = "a1b2c3d4-5e6f-4a7b-8c9d-0e1f2a3b4c5d"
DATABASE_NAME = "marketplace-production"
AUTHOR = "practice@workway.example"
_KEEP = 500
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Deployment:
    """One act that put a version of the Worker before all users."""

    id: str
    version_id: str
    created_on: str
    message: str
    triggered_by: str


@dataclass(frozen=True, slots=True)
class Health:
    """From a moment (epoch seconds) on, this part of the Worker's requests fails."""

    since: float
    failing: float


@dataclass(frozen=True, slots=True)
class Message:
    """A text that came in through the webhook, and when."""

    at: str
    text: str


@dataclass(slots=True)
class Notes:
    """What is kept beside the database, in one JSON file."""

    began: float = 0.0
    hook: str = ""
    deployments: list[Deployment] = field(default_factory=list)
    uploads: list[worker.Version] = field(default_factory=list)
    health: list[Health] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)


class Cloud:
    """The account as the stand-in serves it; every method is one act under one lock."""

    def __init__(
        self, folder: Path, now: Callable[[], datetime] | None = None, uuid: str = DATABASE_ID
    ) -> None:
        self.folder = folder
        self.uuid = uuid
        self.now = now or partial(datetime.now, UTC)
        self.lock = threading.RLock()
        self.database = Database(folder / "d1.sqlite")
        self.time_travel = TimeTravel(self.database, folder / "snapshots", self.now)
        self._notes = _read(folder / "cloud.json")
        if not self._notes.deployments:
            self._first_deployments()
        self._note_health()

    def query(
        self, sql: str, params: Sequence[Value] = (), *, break_after: int | None = None
    ) -> tuple[Result, ...]:
        """Run statements as one transaction and keep the state they leave."""
        with self.lock:
            results = self.database.query(sql, params, break_after=break_after)
            if self.time_travel.keep_up():
                self._note_health()
            return results

    def restore(self, bookmark: str) -> tuple[Snapshot, Snapshot]:
        """Time travel; the states before it and after it."""
        with self.lock:
            states = self.time_travel.restore(bookmark)
            self._note_health()
            return states

    @property
    def deployments(self) -> list[Deployment]:
        """All deployments, the newest first, as Cloudflare lists them."""
        return sorted(self._notes.deployments, key=lambda d: d.created_on, reverse=True)

    @property
    def active(self) -> worker.Version:
        """The version of the Worker that answers now."""
        return self.version(self.deployments[0].version_id) or worker.CURRENT

    @property
    def versions(self) -> tuple[worker.Version, ...]:
        """All versions of the Worker, oldest first."""
        return (*worker.VERSIONS, *self._notes.uploads)

    def version(self, version_id: str) -> worker.Version | None:
        """The version with an id, None where there is none."""
        return next((known for known in self.versions if known.id == version_id), None)

    def upload(self, script: str, notes: Mapping[str, str]) -> worker.Version:
        """Keep an uploaded script as the newest version; nobody is served by it yet."""
        with self.lock:
            age = (self._notes.began - self.now().timestamp()) / _DAY_S
            made = worker.uploaded(script, self.versions[-1].number + 1, age, notes)
            self._notes.uploads.append(made)
            self._save()
            return made

    def uploaded_on(self, version: worker.Version) -> datetime:
        """When a version came to the account: some days before practice began."""
        began = datetime.fromtimestamp(self._notes.began, UTC)
        return began - timedelta(days=version.age_days)

    def deploy(self, version_id: str, message: str, *, triggered_by: str) -> Deployment:
        """Put a version before all users."""
        with self.lock:
            made = _deployment(version_id, self.now(), message, triggered_by)
            self._notes.deployments.append(made)
            self._note_health()
            return made

    @property
    def health(self) -> tuple[Health, ...]:
        """How the Worker fared, oldest first."""
        return tuple(self._notes.health)

    @property
    def messages(self) -> tuple[Message, ...]:
        """What came in through the webhook, oldest first."""
        return tuple(self._notes.messages)

    @property
    def hook(self) -> str:
        """The webhook's secret part: made once for a state."""
        return self._notes.hook

    def receive(self, text: str) -> None:
        """Keep a message of the webhook."""
        with self.lock:
            self._notes.messages.append(Message(zulu(self.now()), text))
            self._save()

    def close(self) -> None:
        """Let go of the files."""
        self.database.close()

    def _first_deployments(self) -> None:
        renamed = {str(row[1]) for row in self.database.rows("PRAGMA table_info(workflow_runs)")}
        rolled_out = [worker.PLAIN, worker.CURRENT]
        if "new_name" in renamed:
            rolled_out.append(worker.RENAMED)
        self._notes.began = self.now().timestamp()
        self._notes.hook = token_urlsafe(16)
        for version in rolled_out:
            at, message = self.uploaded_on(version), version.message
            self._notes.deployments.append(_deployment(version.id, at, message, "upload"))

    def _note_health(self) -> None:
        failing = worker.failing_share(self.database, self.active)
        if not self._notes.health or self._notes.health[-1].failing != failing:
            since = self.now().timestamp() if self._notes.health else 0.0
            self._notes.health.append(Health(since, failing))
        self._save()

    def _save(self) -> None:
        for kept in (self._notes.health, self._notes.messages, self._notes.deployments):
            del kept[:-_KEEP]
        part = self.folder / "cloud.json.part"
        part.write_text(json.dumps(asdict(self._notes), indent=1), encoding="utf-8")
        part.replace(self.folder / "cloud.json")


def _read(path: Path) -> Notes:
    if not path.exists():
        return Notes()
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return Notes(
        loaded["began"],
        loaded["hook"],
        [Deployment(**row) for row in loaded["deployments"]],
        [worker.Version(**row) for row in loaded.get("uploads", [])],
        [Health(**row) for row in loaded["health"]],
        [Message(**row) for row in loaded["messages"]],
    )


def _deployment(version_id: str, at: datetime, message: str, triggered_by: str) -> Deployment:
    made = zulu(at)
    identity = uuid5(NAMESPACE_URL, f"{version_id} {made}")
    return Deployment(str(identity), version_id, made, message, triggered_by)


def zulu(moment: datetime) -> str:
    """A moment as Cloudflare writes it."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
