"""The record: every attempt at every step, for one migration on one database.

An append-only value: each act returns a new record. A step's state follows from its
last attempt, as long as that attempt was about the files as they are now (`subjects`) and nothing
it was built on has been tried again since.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from d1_preflight.core.checklist.checklist import Answer, Checklist, Step
from d1_preflight.core.errors import NotAllowed, RecordInvalid
from d1_preflight.core.findings import Kind
from d1_preflight.core.ports import Evidence
from d1_preflight.core.record.change_facts import ClassFacts
from d1_preflight.core.record.facts import NO_FACTS, AnyStep, Facts, StepFacts
from d1_preflight.lazy_dataclass import dataclass, field, replace

SCHEMA = 2
"""The schema of a new record; one of schema 1 is read for ever."""

RESTORE = "A record is changed through preflight only; restore it from git."


class Status(StrEnum):
    """A step's state. Only proved, attested and waived open the gate."""

    PENDING = "pending"
    RUNNING = "running"
    PROVED = "proved"
    ATTESTED = "attested"
    WAIVED = "waived"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    UNKNOWN = "unknown"

    @property
    def is_unobserved(self) -> bool:
        """Whether it ended and nobody saw how."""
        return self in (Status.INTERRUPTED, Status.UNKNOWN)

    @property
    def is_answered(self) -> bool:
        """Whether this state unblocks the steps that need it."""
        return self in _ANSWERED


_ANSWERED = frozenset({Status.PROVED, Status.ATTESTED, Status.WAIVED})
MARKS: Mapping[Status, str] = {
    Status.PROVED: "✓",
    Status.ATTESTED: "✎",
    Status.WAIVED: "⊘",
    Status.FAILED: "✗",
    Status.UNKNOWN: "?",
    Status.RUNNING: "◐",
    Status.INTERRUPTED: "!",
    Status.PENDING: "·",
}


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at a step. `subjects` are the sha256 of the files it was about, by their role."""

    step: str
    status: Status
    started_at: datetime
    by: str
    subjects: Mapping[str, str]
    finished_at: datetime | None = None
    words: str = ""
    answers: Mapping[str, Answer] = field(default_factory=dict)
    facts: Facts = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()
    typed: dict[type, object] = field(default_factory=dict, init=False, repr=False, compare=False)
    """The facts as classes, each read once; `replace` begins with none."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of an action: the state, its summary, facts and evidence."""

    status: Status
    words: str
    facts: StepFacts = NO_FACTS
    evidence: tuple[Evidence, ...] = ()
    wrote: Mapping[str, str] = field(default_factory=dict)
    """The sha256, by role, of files that the step itself wrote: the attempt is about those."""


@dataclass(frozen=True, slots=True)
class DatabaseRef:
    """Which database, exactly: a name can be reused, the id cannot."""

    name: str
    id: str
    environment: str = ""
    target: str = "remote"  # remote, practice, or the host that answers as Cloudflare's API

    @property
    def label(self) -> str:
        """The name, and the environment where there is one: two of one name stay distinct."""
        return f"{self.name} · {self.environment}" if self.environment else self.name


@dataclass(frozen=True)
class Record:
    """All attempts, oldest first; `subjects` are the present hashes (migration, down …)."""

    migration: str
    database: DatabaseRef
    checklist: str  # sha256 of the definition that is walked
    subjects: Mapping[str, str]
    tools: Mapping[str, str] = field(default_factory=dict)
    attempts: tuple[Attempt, ...] = ()
    schema: int = 1
    stale: Mapping[str, str] = field(default_factory=dict, compare=False)
    """The steps whose answer is too old at the moment of looking, and in words how old it is."""

    @property
    def is_adoption(self) -> bool:
        """Whether it is about the ledger's rows, and no migration file: it has no file's name."""
        return not self.migration.endswith(".sql")

    @property
    def command(self) -> str:
        """The command that goes on with it."""
        return "preflight adopt" if self.is_adoption else f"preflight run {self.migration}"

    def status_of(self, step: Step) -> Status:
        """The step's state now; an answer that is too old is pending again."""
        attempt = self.standing(step)
        if attempt is None or (attempt.status.is_answered and step.id in self.stale):
            return Status.PENDING
        return attempt.status

    def standing(self, step: Step) -> Attempt | None:
        """The last attempt at the step, unless it is invalidated."""
        index = self._last(step.id)
        if index is None:
            return None
        attempt = self.attempts[index]
        now, then = self.subjects, attempt.subjects
        for name in step.about:
            if then.get(name, "") != now.get(name, ""):
                return None
        if step.needs and attempt.status.is_answered:
            newest = self._newest
            for need in step.needs:
                if newest.get(need, -1) > index:
                    return None
        return attempt

    def last(self, step_id: str) -> Attempt | None:
        """The last attempt at the step, invalidated or not: for history, never for a gate."""
        index = self._last(step_id)
        return None if index is None else self.attempts[index]

    def last_facts(self, kind: type[AnyStep]) -> AnyStep:
        """The facts of the last attempt at a step, invalidated or not."""
        return kind.from_attempt(self.last(kind.step))

    def last_ended(self, step_id: str) -> Attempt | None:
        """The last attempt at the step that is over, fallen or not."""
        mine = (attempt for attempt in reversed(self.attempts) if attempt.step == step_id)
        return next((attempt for attempt in mine if attempt.status is not Status.RUNNING), None)

    @property
    def rows_read(self) -> int:
        """How many rows D1 read for this record, by its own count; the account pays for them."""
        return sum(StepFacts.from_attempt(attempt).rows_read or 0 for attempt in self.attempts)

    @property
    def rows_written(self) -> int:
        """How many rows D1 wrote for this record, by the replies that say so: no apply's does."""
        return sum(StepFacts.from_attempt(attempt).rows_written or 0 for attempt in self.attempts)

    @property
    def running(self) -> Attempt | None:
        """The attempt that began last of those that run, if any."""
        return next((attempt for attempt in reversed(self.all_running)), None)

    @property
    def all_running(self) -> tuple[Attempt, ...]:
        """The attempts that run side by side, oldest first."""
        return tuple(a for a in self.attempts if a.status is Status.RUNNING)

    def in_the_way(self, step: Step, checklist: Checklist | None) -> Attempt | None:
        """A running attempt beside which the step may not begin; without a checklist, any."""
        if checklist is None or self.schema == 1:
            return next(iter(self.all_running), None)
        apart = (a for a in self.all_running if not checklist.may_overlap(step, a.step))
        return next(apart, None)

    @property
    def newest(self) -> datetime | None:
        """The latest time that it holds."""
        return max((a.finished_at or a.started_at for a in self.attempts), default=None)

    def not_before(self, at: datetime) -> datetime:
        """The time to record: a clock that was set back puts nothing before what is there."""
        return max(at, self.newest or at)

    def begin(
        self,
        step: Step,
        answers: Mapping[str, Answer],
        *,
        by: str,
        at: datetime,
        checklist: Checklist | None = None,
    ) -> "Record":
        """Add a running attempt; it must be saved before anything is done.

        It runs beside another only where the `checklist` lets both overlap.
        """
        other = self.in_the_way(step, checklist)
        if other is not None:
            raise NotAllowed(f"Step {other.step} is still running.", hint="Wait for it to end.")
        subjects = {name: self.subjects.get(name, "") for name in step.about}
        began = self.not_before(at)
        attempt = Attempt(step.id, Status.RUNNING, began, by, subjects, answers=answers)
        return replace(self, attempts=(*self.attempts, attempt))

    def finish(self, outcome: Outcome, *, at: datetime, step_id: str = "") -> "Record":
        """End the running attempt (of that step, where several run) with its outcome."""
        running = self._running_at(step_id)
        if running is None:
            raise NotAllowed("No step is running.", hint="Start one first.")
        ended = replace(
            running,
            status=outcome.status,
            finished_at=self.not_before(at),
            words=outcome.words,
            facts=outcome.facts.written(),
            evidence=outcome.evidence,
            subjects={**running.subjects, **outcome.wrote},
        )
        return self._with(running, ended)

    def recovered(self, step_id: str = "") -> "Record":
        """What runs (at that step, or at all) is interrupted: its session died, or saved no end."""
        words = "The session ended while this ran; check what it did."
        found = self
        while (running := found._running_at(step_id)) is not None:
            lost = replace(running, status=Status.INTERRUPTED, words=words)
            found = found._with(running, lost)
        return found

    def about(self, subjects: Mapping[str, str]) -> "Record":
        """The same history, compared with the present files."""
        return replace(self, subjects=subjects)

    def _running_at(self, step_id: str) -> Attempt | None:
        """The running attempt at the step; without one named, that which began last."""
        if not step_id:
            return self.running
        return next((a for a in self.all_running if a.step == step_id), None)

    def _with(self, attempt: Attempt, ended: Attempt) -> "Record":
        """The same history, with this attempt ended in its place."""
        return replace(self, attempts=tuple(ended if a is attempt else a for a in self.attempts))

    @cached_property
    def _newest(self) -> Mapping[str, int]:
        """Where the last attempt at each step stands among all."""
        return {attempt.step: index for index, attempt in enumerate(self.attempts)}

    def _last(self, step_id: str) -> int | None:
        return self._newest.get(step_id)


def upgraded(record: Record, *, now_signed: bool = False) -> Record:
    """The record in the present schema, where no GO was signed yet, or it is `now_signed` again.

    An apply is finished in the schema of its GO.
    """
    was_signed = any(a.step == "go" and a.status.is_answered for a in record.attempts)
    return record if was_signed and not now_signed else replace(record, schema=SCHEMA)


def kind_of(record: Record, checklist: Checklist, fallback: Kind) -> Kind:
    """The class that decides the path: the confirmed one, else what the analysis found.

    Raises RecordInvalid for an unknown confirmed class.
    """
    confirmed = confirmed_kind(record, checklist)
    return fallback if confirmed is None else confirmed


def confirmed_kind(record: Record, checklist: Checklist) -> Kind | None:
    """The class that was confirmed; None where none is. Raises RecordInvalid for an unknown one."""
    if not checklist.has(ClassFacts.step):
        return None
    attempt = record.standing(checklist.step(ClassFacts.step))
    if attempt is None or not attempt.status.is_answered:
        return None
    decided = ClassFacts.from_attempt(attempt)
    for key, value in decided.misread.items():
        raise RecordInvalid(f"The record names an unknown {key}: {value!r}.", hint=RESTORE)
    return decided.kind or Kind.UNKNOWN
