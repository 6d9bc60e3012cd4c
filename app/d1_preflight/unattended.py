"""Which step starts by itself: one that asks nobody, writes nothing remote, and reads little.

Both faces ask here and perform what they are given through the session, so that the record is the
same as if a person had started each. A failure, a question, a loss, a write, GO, the apply and the
close wait for a person.
"""

from collections.abc import Container

from d1_preflight.actions.target import confirm_identity
from d1_preflight.core.checklist.checklist import Effect, Step
from d1_preflight.core.checklist.unattended import needs_person
from d1_preflight.core.errors import PreflightError
from d1_preflight.core.record.record import Status
from d1_preflight.session import Session


class Unattended:
    """What of a session's walk goes by itself, once its operator has begun it.

    A step is started by itself once between two acts of a person: whatever came out, it is not
    tried again unasked.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._started: set[str] = set()
        self.by_itself = session.project.settings.walk.by_itself
        self.has_begun = False

    def begin(self) -> None:
        """A person acted: from here on the walk goes by itself, as far as it can."""
        self._started.clear()
        self.has_begun = self.by_itself

    def pause(self) -> None:
        """A person stopped it: it goes on when a person acts again."""
        self.has_begun = False

    def turn(self) -> bool:
        """Change to step by step, or back; whether it goes by itself now."""
        self.by_itself = not self.by_itself
        self.has_begun = False
        return self.by_itself

    async def next(self) -> Step | None:
        """The step that may start now by itself; None where a person is needed, or all is done."""
        session = self._session
        if not self.has_begun or session.closed:
            return None
        session.refresh()
        for step in session.path:
            status = session.status_of(step)
            if status.is_answered:
                continue
            if status is not Status.PENDING:
                return None  # it failed, or nobody saw how it ended: a person decides
            if step.id not in self._started and await self._may_start(step):
                self._started.add(step.id)
                return step
        return None

    def waits(self, answered: Container[str] = ()) -> Step | None:
        """The first open step that waits for a person and is not `answered` yet; None without."""
        session = self._session
        return next(
            (
                step
                for step in session.path
                if not session.status_of(step).is_answered
                and step.id not in answered
                and not session.blockers(step)
                and (step.id in self._started or self.why_not(step))
            ),
            None,
        )

    def following(self, at: Step, answered: Container[str], *, stays: bool) -> Step:
        """Where a person looks next: at what needs them; step by step, within the section."""
        first = self._session.current
        if stays or first is None:
            return at
        if self.has_begun:
            return self.waits(answered) or first
        return first if first.section == at.section else at

    def why_not(self, step: Step) -> str:
        """Why the step waits for a person, in words; "" where it may start by itself."""
        session = self._session
        try:
            held = session.actions[step.action].held
            asked = needs_person(step, session.prompts(step))
            return asked or (held(session.context(step)) if held else "")
        except PreflightError as error:
            return error.message

    async def _may_start(self, step: Step) -> bool:
        session = self._session
        if session.blockers(step) or needs_person(step, ()):
            return False
        if step.effect is Effect.REMOTE_READ and not session.environment.cache.uuid:
            try:  # who answers, and how large it is: it reads no row
                await confirm_identity(session.environment)
            except PreflightError:
                return False
        return not self.why_not(step)
