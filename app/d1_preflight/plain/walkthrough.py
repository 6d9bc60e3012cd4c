"""Walks a session step by step in plain text: shows, asks, performs, reports, resumes."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from enum import StrEnum
from functools import partial
from typing import Protocol

from d1_preflight.core.checklist.checklist import ACTS, Prompt, PromptKind, Step, still_asked
from d1_preflight.core.errors import PreflightError, Rejected
from d1_preflight.core.format import plural
from d1_preflight.core.ports import Stream
from d1_preflight.core.record.facts import StepFacts
from d1_preflight.core.record.gate import earlier_reason
from d1_preflight.core.record.record import Attempt
from d1_preflight.core.recovery.runbook import Target
from d1_preflight.core.recovery.scenarios import on_leaving, runbook
from d1_preflight.core.remedies.fix import Fix
from d1_preflight.plain import text
from d1_preflight.plain.asker import Asker
from d1_preflight.plain.line_asker import BACK
from d1_preflight.report.text import clean
from d1_preflight.session import Session
from d1_preflight.unattended import SideBySide, Unattended

Say = Callable[[str], None]


class Choice(StrEnum):
    """What the operator can do with a step."""

    DO = "do it"
    WAIVE = "waive it, with a reason"
    LATER = "leave it open for now"
    NO_GO = "NO-GO, with a reason"
    FIX = "the safe way: a proved rewrite, shown first"
    STEP_BY_STEP = "step by step, or automatic again"
    EMERGENCY = "emergency card"
    QUIT = "quit (everything is saved)"


_JSON = frozenset('[]{}"')
_REASON = Prompt("reason", PromptKind.TEXT, "The reason, for later readers of this record")

_AGREED = Prompt("rewrite", PromptKind.CONFIRM, "Replace the file's text with it?")


class Rewriter(Protocol):
    """Finds the proved rewrite of a session's migration, and writes it."""

    async def rewrite(self, session: Session) -> Fix:
        """The rewrite, or why there is none."""

    def write_rewrite(self, session: Session, found: Fix) -> str:
        """Write it; where the earlier text is kept."""


class Walkthrough:
    """One interactive walk through one record."""

    def __init__(
        self,
        session: Session,
        asker: Asker,
        say: Say,
        target: Target,
        rewriter: Rewriter | None = None,
    ) -> None:
        self._session = session
        self._asker = asker
        self._say = say
        self._target = target
        self._rewriter = rewriter
        self._unattended = Unattended(session)
        self._side = SideBySide(session, self._unattended, self._perform, self._starts, self._ends)
        self._left_open: set[str] = set()
        self._section = ""
        self._last_progress: dict[str, str] = {}
        self._read: set[str] = set()
        self._at_work: dict[str, Step] = {}
        self._visited: set[str] = set()
        self._knows_back = False

    async def run(self) -> int:
        """Walk until the record is closed (0), or the operator leaves it open (1)."""
        self._tell(text.opening(self._session))
        self._tell(text.outdated_lines(self._session))
        while not self._session.closed:
            self._session.refresh()
            await self._side.run()
            step = self._next()
            if self._session.closed:
                break
            if step is None or not await self._visit(step):
                return self._leave()
        self._say("Closed and signed. The record is final; preflight verify checks it.")
        return 0

    def _next(self) -> Step | None:
        """The first open step that can run and was not left open in this walk."""
        session = self._session
        return next(
            (
                step
                for step in session.path
                if not session.status_of(step).is_answered
                and step.id not in self._left_open
                and not session.blockers(step)
            ),
            None,
        )

    async def _starts(self, step: Step) -> None:
        """Say what starts; of several, each line says which it is of."""
        self._at_work[step.id] = step
        if step.id not in self._visited:
            self._head(step)
            self._say("")
            self._say(f"◐ {step.title}")

    async def _ends(
        self, step: Step, attempt: Attempt | None, problem: PreflightError | None
    ) -> None:
        if problem is not None:
            self._unattended.pause()
            self._refuse(problem)
        if attempt is not None:
            if len(self._at_work) > 1:
                self._say(f"{step.title}:")
            self._tell(text.outcome(attempt))
        self._at_work.pop(step.id, None)

    async def _visit(self, step: Step) -> bool:
        """Show one step and act on it; False where the operator quits."""
        self._head(step)
        self._visited = {step.id}
        self._tell(text.question(self._session, step))
        if step.id == "go":
            self._tell(text.go_summary(self._session))
        if step.id == "close":
            self._tell(text.outdated_lines(self._session))
        can_fix = self._rewriter is not None and step.section == "classification"
        fixable = can_fix and bool(self._session.analysis.findings)
        choice = await self._asker.ask(_menu(step, fixable=fixable))
        try:
            return await self._act(step, choice)
        except PreflightError as error:
            self._refuse(error)
            return True

    def _refuse(self, error: PreflightError) -> None:
        self._say(f"✗ {error.message}")
        if error.hint:
            self._say(f"  next: {error.hint}")

    async def _act(self, step: Step, choice: object) -> bool:
        match choice:
            case Choice.DO:
                self._unattended.begin()
                await self._answers(step)
            case Choice.WAIVE | Choice.NO_GO:
                await self._answer_by_reason(step, waive=choice == Choice.WAIVE)
            case Choice.LATER:
                self._left_open.add(step.id)
            case Choice.FIX:
                await self._fix()
            case Choice.STEP_BY_STEP:
                self._unattended.turn()
            case Choice.EMERGENCY:
                self._tell(text.emergency(runbook(self._target, self._session.record)))
            case _:
                return choice is BACK  # before the first question there is only this menu
        return True

    async def _answers(self, step: Step) -> None:
        """Ask what the step asks; what runs next is this step, and what may run beside it."""
        raw: dict[str, object] = {}
        given: dict[str, object] = {}
        prompts = self._session.prompts(step)
        while left := [p for p in prompts if p.key not in raw and still_asked(p, raw)]:
            if raw and not self._knows_back:
                self._knows_back = True
                self._say("  (Shift+Tab, or < on a line of its own, asks the last question again.)")
            answer = await self._answer(_holding(left[0], given))
            if answer is None or (answer is BACK and not raw):
                return
            if answer is BACK:
                key, given[key] = raw.popitem()
            else:
                raw[left[0].key] = answer
        self._side.ask(step, raw)

    async def _perform(self, step: Step, raw: Mapping[str, object]) -> Attempt:
        emit, progress = partial(self._emit, step), partial(self._progress, step)
        return await self._session.perform(step, raw, emit=emit, progress=progress)

    async def _fix(self) -> None:
        """Show the rewrite, and write it after a yes."""
        if self._rewriter is None:
            return
        found = await self._rewriter.rewrite(self._session)
        for offered in filter(None, (found, found.split)):
            self._tell(text.rewrite(offered))
            if offered.is_offered and await self._asker.ask(_AGREED) is True:
                kept = self._rewriter.write_rewrite(self._session, offered)
                self._say(f"Written. The earlier text: {kept}")
                return

    async def _answer(self, prompt: Prompt) -> object:
        """An answer that will be accepted, or BACK; None where the operator leaves the question."""
        while True:
            raw = await self._asker.ask(prompt)
            if raw is None or raw is BACK:
                return raw
            try:
                prompt.read(raw)
            except Rejected as error:
                self._say(f"✗ {error.message} {error.hint}".rstrip())
                if prompt.kind is PromptKind.CONFIRM:
                    return None
                continue
            return raw

    async def _answer_by_reason(self, step: Step, *, waive: bool) -> None:
        session = self._session
        offered = earlier_reason(session.record, session.checklist, step) if waive else ""
        reason = await self._answer(replace(_REASON, offered=offered))
        if reason is None or reason is BACK:
            return
        attempt = session.waive(step, str(reason)) if waive else session.no_go(str(reason))
        self._tell(text.outcome(attempt))
        if not waive:
            self._left_open.add(step.id)

    def _leave(self) -> int:
        session = self._session
        still_open = [step for step in session.path if not session.status_of(step).is_answered]
        self._say("")
        self._say(f"Open: {len(still_open)} of {plural(len(session.path), 'step')}.")
        self._tell(text.status_line(session, step) for step in still_open)
        self._tell(f"  {clean(line)}" for line in on_leaving(session.record, session.path))
        plain = "" if session.record.is_adoption else " --plain"
        self._say(f"Saved. Continue with: {session.record.command}{plain}")
        return 1

    def _head(self, step: Step) -> None:
        if step.section == self._section:
            return
        self._section = step.section
        section = next(s for s, _ in self._session.sections if s.id == step.section)
        self._say("")
        self._say(f"=== {section.number} {section.title} ===".replace("  ", " "))

    def _tell(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._say(line)

    def _emit(self, step: Step, line: str, stream: Stream) -> None:
        """Print what a command prints, except JSON, which only this program reads."""
        name = self._name(step)
        if stream == "out" and line.lstrip()[:1] in _JSON:
            if step.id not in self._read:
                self._say(f"  | {name}(JSON, not shown)")
            self._read.add(step.id)
        elif line.strip():
            self._say(f"  | {name}{line}")

    def _progress(self, step: Step, found: StepFacts) -> None:
        words = text.step_progress(found)
        if words and words != self._last_progress.get(step.id):
            self._last_progress[step.id] = words
            self._say(f"  … {self._name(step)}{words}")

    def _name(self, step: Step) -> str:
        """Of which step a line is, where several run."""
        return f"{step.short}: " if len(self._at_work) > 1 else ""


def _holding(prompt: Prompt, given: Mapping[str, object]) -> Prompt:
    """The prompt with what was answered to it before; an exact text is typed each time."""
    held = given.get(prompt.key)
    if prompt.kind is not PromptKind.TEXT or prompt.typed or not isinstance(held, str):
        return prompt
    return replace(prompt, offered=held)


def _menu(step: Step, *, fixable: bool) -> Prompt:
    """The choices at a step; where something is signed or written, Enter alone does nothing."""
    ways = [Choice.DO]
    if step.waivable:
        ways.append(Choice.WAIVE)
    if step.id == "go":
        ways.append(Choice.NO_GO)
    if fixable:
        ways.append(Choice.FIX)
    rest = [Choice.LATER, Choice.EMERGENCY, Choice.QUIT, Choice.STEP_BY_STEP]
    guarded = step.id in ACTS
    order = [Choice.LATER, *ways, *rest[1:]] if guarded else [*ways, *rest]
    return Prompt("next", PromptKind.CHOOSE, "What now?", choices=tuple(order))
