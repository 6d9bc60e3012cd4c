"""Which step starts by itself: one that asks nobody, writes nothing remote, and reads little.

Both faces ask here and perform what they are given through the session, so that the record is the
same as if a person had started each. A failure, a question, a loss, a write, GO, the apply and the
close wait for a person.
"""

import asyncio
from collections.abc import Awaitable, Callable, Container, Mapping

from d1_preflight.actions.target import confirm_identity
from d1_preflight.core.checklist.checklist import Effect, Step, needs_person
from d1_preflight.core.errors import PreflightError
from d1_preflight.core.record.record import Attempt, Status
from d1_preflight.session import Session

AT_ONCE = 3
"""How many steps run side by side by themselves: each call starts a Node of its own."""

Answers = Mapping[str, object]
Perform = Callable[[Step, Answers], Awaitable[Attempt]]
"""Performs a step through the session; raises PreflightError where it did not start."""

Starts = Callable[[Step], Awaitable[None]]
"""Shows that a step is at work."""

Ends = Callable[[Step, Attempt | None, PreflightError | None], Awaitable[None]]
"""Shows what came out of it: an attempt, why there is none, or neither."""


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
        self.at_work: set[str] = set()
        self._is_unknown = False  # the target did not say who it is

    def begin(self) -> None:
        """A person acted: from here on the walk goes by itself, as far as it can."""
        self._started.clear()
        self._is_unknown = False
        self.has_begun = self.by_itself

    def pause(self) -> None:
        """A person stopped it: it goes on when a person acts again."""
        self.has_begun = False

    def turn(self) -> bool:
        """Change to step by step, or back; whether it goes by itself now."""
        self.by_itself = not self.by_itself
        self.has_begun = False
        return self.by_itself

    def is_set_off_by(self, step: Step) -> bool:
        """Whether to perform the step is all that a person does for the walk to go by itself."""
        session = self._session
        if self.has_begun or not self.by_itself or session.closed:
            return False
        is_open = not session.status_of(step).is_answered and not session.blockers(step)
        return is_open and not self.why_not(step)

    def next(self) -> Step | None:
        """The step that may start now by itself, beside what runs; None where none may.

        What failed, or ended with nobody looking, holds back all that comes after it.
        """
        session = self._session
        if not self.has_begun or session.closed:
            return None
        try:
            session.refresh()
        except PreflightError:
            return None  # the file cannot be read: whoever goes on is told
        for step in session.path:
            status = session.status_of(step)
            if status.is_answered or status is Status.RUNNING:
                continue
            if status is not Status.PENDING:
                return None  # a person decides
            if step.id not in self._started and self._may_start(step):
                self._started.add(step.id)
                return step
        return None

    def is_free(self, step: Step) -> bool:
        """Whether nothing that runs, or is about to, is in the step's way."""
        checklist = self._session.checklist
        beside = all(checklist.may_overlap(step, other) for other in self.at_work)
        return beside and self._session.in_the_way(step) is None

    async def may_read(self, step: Step) -> bool:
        """Ask the target who it is and how large, before anything reads it by itself."""
        session = self._session
        if step.effect is Effect.REMOTE_READ and not session.environment.cache.uuid:
            try:  # it reads no row
                await confirm_identity(session.environment)
            except PreflightError:
                self._is_unknown = True
                return False
        return not self.why_not(step)

    def waits(self, answered: Container[str] = ()) -> Step | None:
        """The first open step that waits for a person and is not `answered` yet; None without.

        What comes after a running step waits with it, and after one that is about to run: it may
        be asked about what that finds.
        """
        session = self._session
        for step in session.path:
            status = session.status_of(step)
            if step.id in self.at_work or status is Status.RUNNING:
                return None
            if status.is_answered or step.id in answered or session.blockers(step):
                continue
            is_open = status is Status.PENDING and step.id not in self._started
            return None if is_open and not self.why_not(step) else step
        return None

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

    def _may_start(self, step: Step) -> bool:
        session = self._session
        if session.blockers(step) or needs_person(step, ()) or not self.is_free(step):
            return False
        if step.effect is Effect.REMOTE_READ and not session.environment.cache.uuid:
            checklist = session.checklist
            at_work = (checklist.step(other).effect for other in self.at_work)
            return not self._is_unknown and Effect.REMOTE_READ not in at_work
        return not self.why_not(step)


class SideBySide:
    """Performs what a person asked for, and beside it and after it what needs no person.

    What is asked for while its place is taken waits, and comes before all that starts by itself.
    One that fails lets the others end; a cancellation or an error of ours ends all of them.
    """

    def __init__(
        self, session: Session, unattended: Unattended, perform: Perform, starts: Starts, ends: Ends
    ) -> None:
        self._session, self._unattended, self._perform = session, unattended, perform
        self._starts, self._ends = starts, ends
        self._asked: dict[str, tuple[Step, Answers, bool]] = {}
        self._tasks: dict[str, asyncio.Task[Attempt | None]] = {}
        self._wake = asyncio.Event()
        self._goes_on = True

    @property
    def went_well(self) -> bool:
        """Whether all that was performed could be."""
        return self._goes_on

    @property
    def waiting(self) -> frozenset[str]:
        """The steps that were asked for and have not begun."""
        return frozenset(self._asked)

    def ask(self, step: Step, answers: Answers) -> None:
        """Perform a step as soon as nothing is in its way."""
        is_again = self._session.status_of(step).is_answered
        self._asked[step.id] = (step, answers, is_again)
        self._wake.set()

    def forget(self) -> None:
        """Drop what was asked for and has not begun."""
        self._asked.clear()

    async def run(self) -> None:
        """Until nothing runs and nothing more can start without a person."""
        self._goes_on = True
        try:
            await self._start_all()
            while self._tasks:
                await self._next_end()
                await self._start_all()
        finally:
            await self._end_all()

    async def _start_all(self) -> None:
        self._wake.clear()
        while (found := self._next()) is not None:
            step, answers = found
            is_asked = step.id in self._asked
            self._asked.pop(step.id, None)
            self._unattended.at_work.add(step.id)
            await self._starts(step)
            task = asyncio.create_task(self._run(step, answers, is_asked=is_asked))
            self._tasks[step.id] = task
            await asyncio.sleep(0)  # it begins: what comes next is chosen beside it
            await self._collect()

    def _next(self) -> tuple[Step, Answers] | None:
        session, unattended = self._session, self._unattended
        for step, answers, is_again in list(self._asked.values()):
            runs = (item.status is Status.RUNNING for item in session.blockers(step))
            if session.status_of(step).is_answered and not is_again:
                del self._asked[step.id]  # another step settled it meanwhile
            elif unattended.is_free(step) and not any(runs):
                unattended.begin()
                return step, answers
        if not self._goes_on or len(self._tasks) >= AT_ONCE:
            return None
        own = unattended.next()
        return None if own is None else (own, {})

    async def _run(self, step: Step, answers: Answers, *, is_asked: bool) -> Attempt | None:
        if not is_asked and not await self._unattended.may_read(step):
            return None
        return await self._perform(step, answers)

    async def _next_end(self) -> None:
        woken = asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait({*self._tasks.values(), woken}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()
        await self._collect()

    async def _collect(self) -> None:
        """Show what ended; raises what one of them raised."""
        for step_id, task in list(self._tasks.items()):
            if not task.done():
                continue
            del self._tasks[step_id]
            try:
                await self._is_over(step_id, task.result())
            except PreflightError as problem:
                self._goes_on = False
                await self._is_over(step_id, None, problem)

    async def _is_over(
        self, step_id: str, attempt: Attempt | None, problem: PreflightError | None = None
    ) -> None:
        self._unattended.at_work.discard(step_id)
        await self._ends(self._session.checklist.step(step_id), attempt, problem)

    async def _end_all(self) -> None:
        """End what still runs: each attempt says that it was interrupted."""
        tasks = dict(self._tasks)
        self._tasks.clear()
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        for step_id in tasks:
            await self._is_over(step_id, None)
