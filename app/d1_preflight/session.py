"""The one door through which a face changes a record.

Every act is saved before its effect and after it. A face reads everything that it shows from
here and hands in answers raw; a refusal is an exception in words.
"""

import asyncio
from collections.abc import Container, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from d1_preflight.actions import STEPS
from d1_preflight.actions.context import Environment, StepAction, StepContext
from d1_preflight.actions.ports import Progress, no_progress
from d1_preflight.actions.recorded import broken_off, failed, recorded
from d1_preflight.actions.sealing import put_away, sealed, unsealed
from d1_preflight.actions.standing import Standing
from d1_preflight.actions.surroundings import require_same_files, require_same_target
from d1_preflight.core.checklist.checklist import (
    Answer,
    Checklist,
    Effect,
    Prompt,
    Section,
    Step,
    read_answers,
)
from d1_preflight.core.errors import NotAllowed, PreflightError, ProjectError, Rejected
from d1_preflight.core.findings import Analysis, Kind
from d1_preflight.core.ports import Emit, silent
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.project.project import Project
from d1_preflight.core.record.apply_facts import NO_GO, GoFacts
from d1_preflight.core.record.file import dump_record
from d1_preflight.core.record.gate import (
    OpenItem,
    apply_was_started,
    blocking_items,
    checklist_of,
    clock_behind,
    open_items,
)
from d1_preflight.core.record.record import (
    Attempt,
    Outcome,
    Record,
    Status,
    confirmed_kind,
    upgraded,
)
from d1_preflight.core.record.signing import CLOSE
from d1_preflight.core.recovery.later_write import later_write
from d1_preflight.core.verify.timeline import TIMELINE

_SIGNATURE = "record.toml.sig"


class Session:
    """One migration's walk through the checklist."""

    def __init__(
        self,
        checklist: Checklist,
        environment: Environment,
        actions: Mapping[str, StepAction] = STEPS,
    ) -> None:
        saved = environment.store.load()
        self.checklist = checklist_of(saved, checklist) if saved else checklist
        self.environment = environment
        self.actions = actions
        self._standing = Standing(self.checklist, actions)
        self.record = _opened(environment, self.checklist, saved)
        self.closed = _is_sealed(environment, self.record)
        self._judged: Analysis | None = None

    @property
    def analysis(self) -> Analysis:
        """The judgement of the migration's SQL, as of the last refresh."""
        if self._judged is None:
            self._judged = self.environment.analysis()
        return self._judged

    @property
    def kind(self) -> Kind:
        """The class that decides the path."""
        confirmed = confirmed_kind(self.record, self.checklist)
        return self.analysis.kind if confirmed is None else confirmed

    @property
    def project(self) -> Project:
        """The project: its settings, and what chose its environment."""
        return self.environment.project

    @property
    def folder(self) -> Path:
        """The record's folder."""
        return self.environment.store.folder

    @property
    def migration(self) -> Migration:
        """The migration's file as it is now; raises MigrationUnreadable if it is gone."""
        return self.environment.migration()

    @property
    def down(self) -> Migration | None:
        """Its down migration, where there is one."""
        return self.environment.files.down(self.environment.stem)

    def now(self) -> datetime:
        """The time by the session's clock."""
        return self.environment.clock.now()

    @property
    def path(self) -> tuple[Step, ...]:
        """The steps this migration walks, in order."""
        return self.checklist.steps_for(self.kind)

    @property
    def sections(self) -> tuple[tuple[Section, tuple[Step, ...]], ...]:
        """The sections with their applicable steps."""
        return self.checklist.sections_for(self.kind)

    @property
    def current(self) -> Step | None:
        """The first step that is not answered; None when the record is complete."""
        return next((s for s in self.path if not self.status_of(s).is_answered), None)

    def status_of(self, step: Step) -> Status:
        """The step's state now; a stale answer, or a GO that counts no more, is pending."""
        status = Status.PENDING if self.staleness(step) else self.record.status_of(step)
        unsealed = step.id == "close" and status.is_answered and not self.closed
        return Status.PENDING if unsealed else status

    def staleness(self, step: Step) -> str:
        """Why the step's answer counts no more: how old it is, or how GO lapsed; else ""."""
        if step.id == "go":
            return self._standing.go_lapse(self.record, self.environment).removesuffix(".")
        return self._now.stale.get(step.id, "") if step.good_for is not None else ""

    def attempt(self, step_id: str) -> Attempt | None:
        """The current attempt at a step, by its id."""
        there = self.checklist.has(step_id)
        return self.record.standing(self.checklist.step(step_id)) if there else None

    def later_write(self, step: Step) -> str:
        """What was written since the step was proved, in words; "" where nothing is known of."""
        timeline = self.environment.store.read(TIMELINE)
        return later_write(self.record, step.id, timeline, self.environment.cache.observation)

    def prompts(self, step: Step) -> tuple[Prompt, ...]:
        """What the step asks now: the checklist's prompts and those the facts give rise to."""
        return self.actions[step.action].asked(self.context(step))

    def plan(self, step: Step) -> tuple[str, ...]:
        """The exact commands the step will run, with their targets, before it runs them."""
        plan = self.actions[step.action].plan
        return tuple(plan(self.context(step))) if plan else ()

    def blockers(self, step: Step) -> tuple[OpenItem, ...]:
        """What must be answered before this step."""
        items = blocking_items(self._now, self.checklist, self.kind, step)
        lapse = step.id == "applied" and self._standing.go_lapse(self.record, self.environment)
        go = (OpenItem(self.checklist.step("go"), Status.PENDING, lapse),) if lapse else ()
        return (*go, *(item for item in items if not (go and item.step.id == "go")))

    def in_the_way(self, step: Step) -> Step | None:
        """The running step beside which this one may not begin; None where it may."""
        running = [self.checklist.step(a.step) for a in self.record.all_running]
        is_alone = self.actions[step.action].alone
        alone = (one for one in running if is_alone or self.actions[one.action].alone)
        other = self.record.in_the_way(step, self.checklist)
        return next(alone, None) or (self.checklist.step(other.step) if other else None)

    def open_before_go(self) -> tuple[OpenItem, ...]:
        """The open items that block GO."""
        return open_items(self._now, self.checklist, self.kind)

    def refresh(self) -> None:
        """Read the files again; proofs about an older text are invalidated."""
        if not self.closed:
            self.record = self.record.about(self.environment.subjects())
            self._judged = None

    async def perform(
        self,
        step: Step,
        raw: Mapping[str, object],
        *,
        emit: Emit = silent,
        progress: Progress = no_progress,
        terminal: AbstractContextManager[object] | None = None,
    ) -> Attempt:
        """Save the intent, act, save what was found; Rejected or NotAllowed: it did not start."""
        self.refresh()
        if step.id == "go":
            await _prove_again(self, self._standing.rechecked, emit, progress)
        _require_turn(self, step)
        answers = read_answers(self.prompts(step), raw)
        self._begin(step, answers)
        context = self.context(step, emit, progress, terminal)
        try:
            outcome = await self.actions[step.action].run(context)
        except (PreflightError, OSError) as error:
            outcome = failed(error)
        except (asyncio.CancelledError, Exception) as error:
            with suppress(PreflightError):  # unsaved, it is found running and means the same
                self._finish(step, broken_off(step, error))
            raise
        self._conclude(step, recorded(context.environment, outcome), context)
        performed = self._last(step)
        for settled, found in self.actions[step.action].settled(self.context(step), performed):
            self._answer(settled, "settled by the rehearsal on the target's schema", found)
        return performed

    def waive(self, step: Step, reason: str) -> Attempt:
        """Answer a step with a reason instead of a proof; it stays visible as waived."""
        self.refresh()
        _require_turn(self, step)
        if not step.waivable:
            raise NotAllowed(
                f"“{step.title}” cannot be waived.", hint="It protects rows. Fix it instead."
            )
        words = _reason(reason, "A waiver needs its reason.", "Say why this is acceptable today.")
        return self._answer(step, words, Outcome(Status.WAIVED, words))

    def no_go(self, reason: str) -> Attempt:
        """Record a NO-GO with its reason."""
        step = self.checklist.step("go")
        _require_before_apply(self)
        words = _reason(reason, "NO-GO needs a reason.", "One sentence for later readers.")
        refused = Outcome(Status.FAILED, f"NO-GO: {words}", GoFacts(decision=NO_GO))
        return self._answer(step, words, refused)

    def close(self) -> None:
        """Release the lock, so that another session may open the record."""
        self.environment.store.release()

    def context(
        self,
        step: Step,
        emit: Emit = silent,
        progress: Progress = no_progress,
        terminal: AbstractContextManager[object] | None = None,
    ) -> StepContext:
        """What an action is given."""
        mine = (a for a in self.record.all_running if a.step == step.id)
        running = next(mine, None)
        return StepContext(
            environment=self.environment.metered(), record=self._now, checklist=self.checklist,
            kind=self.kind, step=step, answers=running.answers if running else {},
            emit=emit, progress=progress, terminal=terminal or nullcontext(),
        )  # fmt: skip

    @property
    def _now(self) -> Record:
        """The record as it counts now: what is stale is pending."""
        return self._standing.of(self.record, self.environment)

    def _answer(self, step: Step, reason: str, outcome: Outcome) -> Attempt:
        """Answer a step by a reason alone; nothing is run."""
        self._begin(step, {"reason": reason})
        self._finish(step, outcome)
        return self._last(step)

    def _last(self, step: Step) -> Attempt:
        return next(a for a in reversed(self.record.attempts) if a.step == step.id)

    def _begin(self, step: Step, answers: Mapping[str, Answer]) -> None:
        record = upgraded(self.record, now_signed=step.id == "go")
        begun = record.begin(
            step, answers, by=self.environment.operator, at=self.now(), checklist=self.checklist
        )
        _save(self.environment, begun, "The step did not start.")
        self.record = begun

    def _finish(self, step: Step, outcome: Outcome) -> None:
        _keep(self, self.record.finish(outcome, at=self.now(), step_id=step.id), step)

    def _conclude(self, step: Step, outcome: Outcome, context: StepContext) -> None:
        """Save the outcome; a sealing step's record is signed before it counts."""
        with suppress(PreflightError, OSError):  # a missing file must not lose the result
            self.refresh()
        if not self.actions[step.action].seals or not outcome.status.is_answered:
            self._finish(step, outcome)
            return
        try:
            finished = sealed(self.environment, self.record, outcome, self.now())
            with context.terminal:
                signature = self.environment.signer.sign(dump_record(finished), CLOSE)
        except PreflightError as error:
            self._finish(step, unsealed(self.environment, self.record, error))
            return
        _keep(self, finished, step)
        self.environment.store.write(_SIGNATURE, signature)
        self.closed = True
        put_away(self.environment)


def _keep(session: Session, finished: Record, step: Step) -> None:
    """Save the result; if that fails, this session drops it as well."""
    try:
        _save(session.environment, finished, "The step ran, but its result was not saved.")
    except PreflightError:
        session.record = session.record.recovered(step.id)
        raise
    session.record = finished


def _require_before_apply(session: Session) -> None:
    """Raise NotAllowed where a NO-GO comes too late."""
    if session.closed:
        raise NotAllowed("This record is closed.", hint="Its history is final.")
    if apply_was_started(session.record, session.checklist):
        raise NotAllowed("The apply has started; NO-GO is too late.", hint="See the emergency card")


async def _prove_again(
    session: Session, rechecked: Container[str], emit: Emit, progress: Progress
) -> None:
    """Prove again what is stale, takes a moment and needs no person, before GO has its turn."""
    for step in session.path:
        was_proved = session.record.status_of(step) is Status.PROVED
        is_asked = step.id not in rechecked or bool(session.prompts(step))
        if was_proved and session.staleness(step) and not is_asked:
            await session.perform(step, {}, emit=emit, progress=progress)


def _require_turn(session: Session, step: Step) -> None:
    """Raise NotAllowed where a step may not be tried now."""
    if session.closed:
        raise NotAllowed("This record is closed and signed.", hint="Its history is final.")
    require_same_files(session.environment)
    behind = clock_behind(session.record, session.checklist, session.now())
    if behind:
        hint = "Set the clock, or move the record's folder away if it was ahead before."
        raise NotAllowed(behind, hint=hint)
    other = session.in_the_way(step)
    if other is not None:
        raise NotAllowed(
            f"“{step.title}” has to wait: “{other.title}” is running.",
            hint="Do it when that has ended.",
        )
    items = session.blockers(step)
    if items:
        first = items[0]
        words = f"“{step.title}” has to wait: “{first.step.title}” is {first.status}."
        raise NotAllowed(words, hint=first.words or f"Answer it first ({len(items)} open).")
    if step.effect is Effect.REMOTE_WRITE and session.status_of(step).is_answered:
        raise NotAllowed(
            f"“{step.title}” is done; it is never repeated.", hint="Go on with the next step."
        )


def _reason(text: str, refusal: str, hint: str) -> str:
    """The reason in words; raises Rejected for none."""
    words = text.strip()
    if not words:
        raise Rejected(refusal, hint=hint)
    return words


def _opened(environment: Environment, checklist: Checklist, saved: Record | None) -> Record:
    """The saved record, compared with the present files, or a new one.

    Raises NotAllowed for a record about another database, RecordInvalid for a damaged one.
    """
    fresh = environment.new_record(checklist.sha256)
    if saved is None:
        return fresh
    require_same_target(saved, fresh)
    if _is_sealed(environment, saved):
        return saved
    current = upgraded(replace(saved, checklist=checklist.sha256, tools=fresh.tools))
    recovered = current.about(fresh.subjects).recovered()
    if saved.running:
        environment.store.save(recovered)
    return recovered


def _is_sealed(environment: Environment, record: Record) -> bool:
    """Whether these exact bytes are closed and carry a good closing signature."""
    last = record.last("close")
    if last is None or not last.status.is_answered:
        return False
    signature = environment.store.read(_SIGNATURE)
    return signature is not None and environment.signer.is_good(
        dump_record(record), signature, CLOSE
    )


def _save(environment: Environment, record: Record, context: str) -> None:
    """Save the record; `context` introduces the error if that fails."""
    try:
        environment.store.save(record)
    except ProjectError as error:
        raise ProjectError(f"{context} {error.message}", hint=error.hint) from error
