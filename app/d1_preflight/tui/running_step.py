"""The step that runs at the moment: its facts so far and the lines its commands print."""

from collections import deque
from dataclasses import dataclass, field

from d1_preflight.core.checklist.checklist import Step
from d1_preflight.core.ports import Stream
from d1_preflight.core.record.facts import StepFacts
from d1_preflight.core.record.record import Attempt

KEPT_LINES = 5_000
_RESULTS = 4
_DATA = '[]{}"│┌└├'


@dataclass(slots=True)
class RunningStep:
    """Written by the App's one worker, read by the screens once a frame; never saved.

    `printed` holds the lines of each step's last run, by its id, and `counts` how many there were.
    `answered` are the steps whose answers wait until it ends, `came_out` the last results.
    """

    step: Step | None = None
    answered: frozenset[str] = frozenset()
    came_out: deque[tuple[Step, Attempt]] = field(default_factory=lambda: deque(maxlen=_RESULTS))
    facts: StepFacts | None = None
    changed: bool = False
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))
    printed: dict[str, deque[str]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def begin(self, step: Step) -> None:
        """A step starts; what an earlier run of it printed goes."""
        self.step, self.facts, self.changed = step, None, True
        self.printed[step.id] = deque(maxlen=KEPT_LINES)
        self.counts[step.id] = 0

    def end(self, attempt: Attempt | None = None) -> None:
        """Nothing runs any more; what came out stays in sight."""
        if self.step is not None and attempt is not None and attempt.step == self.step.id:
            self.came_out.append((self.step, attempt))
        self.step, self.facts, self.changed = None, None, True

    def emit(self, line: str, _stream: Stream) -> None:
        """Take one cleaned line of a child's output."""
        self.lines.append(line)
        if self.step is not None:
            self.printed[self.step.id].append(line)
            self.counts[self.step.id] += 1

    def progress(self, facts: StepFacts) -> None:
        """Take the running step's facts as they are so far."""
        self.facts, self.changed = facts, True

    @property
    def last_line(self) -> str:
        """The newest line, unless it is a piece of data rather than words."""
        line = self.lines[-1].strip() if self.lines else ""
        said = any(letter.isalpha() for letter in line) and line[0] not in _DATA
        return line if said else ""

    def after(self, step_id: str, seen: int) -> list[str]:
        """The lines of a step after so many of them."""
        kept = self.printed.get(step_id, ())
        new = self.counts.get(step_id, 0) - seen
        return list(kept)[-new:] if new > 0 else []

    def seen_change(self) -> bool:
        """Whether the facts changed since the last call."""
        changed, self.changed = self.changed, False
        return changed
