"""The steps that run at the moment: their facts so far and the lines their commands print."""

from collections import deque
from collections.abc import Callable
from dataclasses import field
from functools import partial

from d1_preflight.core.checklist.checklist import ACTS, Effect, Step
from d1_preflight.core.ports import Emit, Stream
from d1_preflight.core.record.facts import StepFacts
from d1_preflight.core.record.record import Attempt
from d1_preflight.lazy_dataclass import dataclass

KEPT_LINES = 5_000
_RESULTS = 4
_DATA = '[]{}"│┌└├'


@dataclass(slots=True)
class RunningStep:
    """Written by the App's one worker, read by the screens once a frame; never saved.

    `printed` holds the lines of each step's last run, by its id, and `counts` how many there were.
    `answered` are the steps whose answers wait until they may begin, `came_out` the last results.
    """

    steps: dict[str, Step] = field(default_factory=dict)
    answered: frozenset[str] = frozenset()
    came_out: deque[tuple[Step, Attempt]] = field(default_factory=lambda: deque(maxlen=_RESULTS))
    changed: bool = False
    migration: str = ""
    printed: dict[str, deque[str]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
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
        """A step starts; what an earlier run of it printed goes."""
        self._drop(step)
        self.steps[step.id] = step
        self.printed[step.id] = deque(maxlen=KEPT_LINES)
        self.counts[step.id] = 0

    def end(self, step: Step, attempt: Attempt | None = None) -> None:
        """It runs no more; what came out stays in sight."""
        if self.runs(step) and attempt is not None and attempt.step == step.id:
            self.came_out.append((step, attempt))
        self._drop(step)

    def turn_to(self, migration: str) -> None:
        """A record is opened: what the steps of another one printed is not its steps' output."""
        if migration != self.migration:
            for kept in (self.printed, self.counts, self.came_out):
                kept.clear()
        self.migration = migration

    def emit(self, step: Step) -> Emit:
        """Takes the cleaned lines of a step's commands."""
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

    def after(self, step_id: str, seen: int) -> list[str]:
        """The lines of a step after so many of them."""
        kept = self.printed.get(step_id, ())
        new = self.counts.get(step_id, 0) - seen
        return list(kept)[-new:] if new > 0 else []

    def found_by(self, step: Step) -> StepFacts | None:
        """What this very step has found so far."""
        return self._facts.get(step.id)

    def seen_change(self) -> bool:
        """Whether the facts changed since the last call."""
        changed, self.changed = self.changed, False
        return changed

    def _take(self, step: Step, line: str, _stream: Stream) -> None:
        self._said[step.id] = line
        if step.id in self.printed:
            self.printed[step.id].append(line)
            self.counts[step.id] += 1

    def _learn(self, step: Step, facts: StepFacts) -> None:
        self._facts.pop(step.id, None)
        self._facts[step.id], self.changed = facts, True

    def _drop(self, step: Step) -> None:
        for kept in (self.steps, self._facts, self._said):
            kept.pop(step.id, None)
        self.changed = True
