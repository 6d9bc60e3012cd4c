"""The steps that run at the moment: their facts so far and the lines their commands print."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from d1_preflight.core.checklist.checklist import ACTS, Effect, Step
from d1_preflight.core.ports import Emit, Stream
from d1_preflight.core.record.facts import StepFacts
from d1_preflight.core.record.record import Attempt

KEPT_LINES = 5_000
_RESULTS = 4
_DATA = '[]{}"│┌└├'


@dataclass(slots=True)
class RunningStep:
    """Written by the App's one worker, read by the screens once a frame; never saved.

    `fresh` holds what was printed since a screen last took it: thousands of lines cost one draw.
    `answered` are the steps whose answers wait until they may begin, `came_out` the last results.
    """

    steps: dict[str, Step] = field(default_factory=dict)
    answered: frozenset[str] = frozenset()
    came_out: deque[tuple[Step, Attempt]] = field(default_factory=lambda: deque(maxlen=_RESULTS))
    changed: bool = False
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))
    fresh: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))
    _facts: dict[str, StepFacts] = field(default_factory=dict)
    _said: dict[str, str] = field(default_factory=dict)

    @property
    def step(self) -> Step | None:
        """The one that has run longest; None where nothing runs."""
        return next(iter(self.steps.values()), None)

    def runs(self, step: Step) -> bool:
        """Whether the step is at work."""
        return step.id in self.steps

    def holds(self, step: Step) -> bool:
        """Whether what runs keeps a key from performing the step."""
        is_guarded = step.id in ACTS or step.effect is Effect.REMOTE_WRITE
        return self.runs(step) or (bool(self.steps) and is_guarded)

    def begin(self, step: Step) -> None:
        """A step starts; its output follows that of the steps before."""
        self._drop(step)
        self.steps[step.id] = step

    def end(self, step: Step, attempt: Attempt | None = None) -> None:
        """It runs no more; what came out stays in sight."""
        if self.runs(step) and attempt is not None and attempt.step == step.id:
            self.came_out.append((step, attempt))
        self._drop(step)

    def emit(self, step: Step) -> Emit:
        """Takes the cleaned lines of a step's commands; beside others each names its step."""
        return partial(self._take, step)

    def progress(self, step: Step) -> Callable[[StepFacts], None]:
        """Takes the facts of a step as they are so far."""
        return partial(self._learn, step)

    def facts(self, step: Step) -> StepFacts | None:
        """What the step has found so far, or else what the last of the others has."""
        return self._facts.get(step.id) or next(reversed(self._facts.values()), None)

    def last_line(self, step: Step) -> str:
        """The step's newest line, unless it is a piece of data rather than words."""
        line = self._said.get(step.id, "").strip()
        said = any(letter.isalpha() for letter in line) and line[0] not in _DATA
        return line if said else ""

    def take(self) -> list[str]:
        """The lines printed since the last call."""
        drained = list(self.fresh)
        self.fresh.clear()
        return drained

    def seen_change(self) -> bool:
        """Whether the facts changed since the last call."""
        changed, self.changed = self.changed, False
        return changed

    def _take(self, step: Step, line: str, _stream: Stream) -> None:
        self._said[step.id] = line
        shown = f"{step.short}: {line}" if len(self.steps) > 1 else line
        self.lines.append(shown)
        self.fresh.append(shown)

    def _learn(self, step: Step, facts: StepFacts) -> None:
        self._facts.pop(step.id, None)
        self._facts[step.id], self.changed = facts, True

    def _drop(self, step: Step) -> None:
        for kept in (self.steps, self._facts, self._said):
            kept.pop(step.id, None)
        self.changed = True
