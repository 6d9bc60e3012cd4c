"""A session on the shipped checklist at any place of its walk; its steps find what a test says."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from core.record_values import BEFORE_GO, START, Walk, shipped_checklist
from d1_preflight.actions import STEPS
from d1_preflight.actions.context import StepAction, StepContext
from d1_preflight.core.findings import Kind
from d1_preflight.core.record.record import Outcome, Status
from d1_preflight.session import Session
from plain.fakes import MemoryStore, TextFiles, open_session

CHECKLIST = shipped_checklist()


@dataclass
class Found:
    """What the steps find: an outcome or an error by step, else proved; `ran` notes each."""

    script: dict[str, Outcome | BaseException] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)

    async def __call__(self, context: StepContext) -> Outcome:
        self.ran.append(context.step.id)
        found = self.script.get(context.step.id, Outcome(Status.PROVED, "seen"))
        if isinstance(found, BaseException):
            raise found
        return found


@dataclass
class StandingClock:
    """A clock that stands where the test puts it."""

    at: datetime = START

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    def boot(self) -> str:
        return "this boot"

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError(seconds)


def walk(store: MemoryStore, *sections: str, kind: Kind = Kind.DESTRUCTIVE) -> Walk:
    """A walk of the store's record through these sections; saved by `opened`."""
    going = Walk(CHECKLIST, kind)
    going.record = open_session(store).environment.new_record(CHECKLIST.sha256)
    return going.through(*sections)


def ready(store: MemoryStore) -> Walk:
    """A walk that has only GO before it."""
    return walk(store, *BEFORE_GO)


def opened(
    store: MemoryStore,
    going: Walk | None = None,
    found: Found | None = None,
    *,
    at: datetime | None = None,
    files: TextFiles | None = None,
    actions: Mapping[str, StepAction] | None = None,
) -> Session:
    """The session of the walk's record, by a clock that stands at its end or `at` a moment."""
    if going is not None:
        store.save(going.record)
    now = at or (going.now if going else START)
    environment = replace(open_session(store, files).environment, clock=StandingClock(now))
    run = found or Found()
    scripted = {
        name: StepAction(run, seals=action.seals, rechecked=action.rechecked)
        for name, action in STEPS.items()
    }
    return Session(CHECKLIST, environment, {**scripted, **(actions or {})})
