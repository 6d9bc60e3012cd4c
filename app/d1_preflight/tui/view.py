"""What a body is given to show: the session, the step looked at, and what is known so far."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from d1_preflight.core.checklist.checklist import Step
from d1_preflight.core.format import moment
from d1_preflight.core.record.record import Attempt, Facts, Status
from d1_preflight.tui.ports import SessionPort


@dataclass(frozen=True, slots=True)
class View:
    """`live` are the facts of the running step as they are so far; `zone` None is the machine's."""

    session: SessionPort
    step: Step
    live: Mapping[str, Facts] = field(default_factory=dict)
    zone: tzinfo | None = None

    @property
    def now(self) -> datetime:
        """The time by the session's clock."""
        return self.session.tools.clock.now()

    def moment(self, when: str, *, named: bool = True) -> str:
        """A moment in the operator's zone; the first on a screen names the zone."""
        return moment(when, self.zone, self.now, named=named)

    def facts(self, step_id: str) -> Facts:
        """The facts of a step: live while it runs, else those of its standing attempt."""
        if step_id in self.live:
            return self.live[step_id]
        attempt = self.session.attempt(step_id)
        if attempt is None:
            return {}
        return self._found(attempt) if attempt.status is Status.WAIVED else attempt.facts

    def _found(self, waived: Attempt) -> Facts:
        """What was found about the same files before it was waived: that is what was waived."""
        earlier = (
            attempt.facts
            for attempt in reversed(self.session.record.attempts)
            if (attempt.step, attempt.subjects) == (waived.step, waived.subjects) and attempt.facts
        )
        return next(earlier, {})

    def status(self, step_id: str) -> Status:
        """A step's state by its id; pending where this path does not walk it."""
        if not self.walks(step_id):
            return Status.PENDING
        return self.session.status_of(self.session.checklist.step(step_id))

    def walks(self, step_id: str) -> bool:
        """Whether the path of this class has the step."""
        return any(step.id == step_id for step in self.session.path)
