"""What a body is given to show: the session, the step looked at, and what is known so far."""

from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

from d1_preflight.core.checklist.checklist import Step
from d1_preflight.core.format import moment
from d1_preflight.core.record.facts import AnyStep, StepFacts
from d1_preflight.core.record.record import Attempt, Status
from d1_preflight.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from d1_preflight.session import Session


@dataclass(frozen=True, slots=True)
class View:
    """`live` is what the running step has found so far; `zone` None is the machine's."""

    session: "Session"
    step: Step
    live: StepFacts | None = None
    zone: tzinfo | None = None
    query: int = 0  # the broken query that is chosen, among those of the deploy order

    @property
    def now(self) -> datetime:
        """The time by the session's clock."""
        return self.session.now()

    @property
    def shows_sql(self) -> bool:
        """Whether the SQL and its findings stand beside the step; an adoption runs none."""
        return self.step.section == "classification" and not self.session.record.is_adoption

    def moment(self, when: datetime | str, *, named: bool = True) -> str:
        """A moment in the operator's zone; the first on a screen names the zone."""
        return moment(when, self.zone, self.now, named=named)

    def facts(self, kind: type[AnyStep]) -> AnyStep:
        """A step's facts: live while it runs, else those of its current attempt."""
        if isinstance(self.live, kind):
            return self.live
        attempt = self.session.attempt(kind.step)
        waived = attempt is not None and attempt.status is Status.WAIVED
        return kind.from_attempt(self._waived(attempt) if attempt and waived else attempt)

    def _waived(self, waiver: Attempt) -> Attempt | None:
        """What was found about the same files before it was waived: that is what was waived."""
        earlier = (
            attempt
            for attempt in reversed(self.session.record.attempts)
            if (attempt.step, attempt.subjects) == (waiver.step, waiver.subjects) and attempt.facts
        )
        return next(earlier, None)

    def status(self, step_id: str) -> Status:
        """A step's state by its id; pending where this path does not walk it."""
        if not self.walks(step_id):
            return Status.PENDING
        return self.session.status_of(self.session.checklist.step(step_id))

    def later_write(self, kind: type[StepFacts]) -> str:
        """What was written since a step was proved, in words; "" where nothing is known of."""
        checklist = self.session.checklist
        return (
            self.session.later_write(checklist.step(kind.step)) if checklist.has(kind.step) else ""
        )

    def is_stale(self, step_id: str) -> bool:
        """Whether a step's answer is older than it is good for."""
        found = (step for step in self.session.path if step.id == step_id)
        return any(self.session.staleness(step) for step in found)

    def walks(self, step_id: str) -> bool:
        """Whether the path of this class has the step."""
        return any(step.id == step_id for step in self.session.path)
