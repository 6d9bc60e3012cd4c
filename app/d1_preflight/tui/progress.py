"""How far a copy, a backup or a restore is: a bar, the rate, and about how long it still takes."""

from typing import TYPE_CHECKING

from d1_preflight.core.format import count, elapsed
from d1_preflight.core.record.change_facts import CopyFacts
from d1_preflight.core.record.facts import StepFacts
from d1_preflight.core.record.safety_facts import BackupFacts, CountFacts, RestoreFacts
from d1_preflight.lazy_dataclass import dataclass
from d1_preflight.tui.widgets.gauges import bar

if TYPE_CHECKING:
    from d1_preflight.session import Session

_BAR = 12


@dataclass(frozen=True, slots=True)
class Progress:
    """Tables and rows that are done; `of` and `rows_of` are all of them, where that is known."""

    done: int
    of: int
    rows: int
    rows_of: int = 0

    def words(self, seconds: int) -> str:
        """The bar and its figures; no rate before a second has passed."""
        filled = (
            bar(self.rows, self.rows_of, _BAR) if self.rows_of else bar(self.done, self.of, _BAR)
        )
        parts = [f"{filled} {self.done} of {self.of} tables"]
        rate = self.rows // seconds if seconds > 0 else 0
        if rate:
            parts.append(f"{count(rate)} rows/s")
        if (left := self._left(seconds)) is not None:
            parts.append(f"about {elapsed(left)} left")
        return " · ".join(parts)

    def _left(self, seconds: int) -> int | None:
        """By the rows that are left, else by the tables; None while nothing can be said."""
        done, of = (self.rows, self.rows_of) if self.rows_of else (self.done, self.of)
        if seconds <= 0 or done <= 0 or of < done:
            return None
        return -(-seconds * (of - done) // done)


def how_far(session: "Session", facts: StepFacts | None, seconds: int) -> str:
    """The progress of the running step in words; "" for one that reports none."""
    found = _progress(session, facts)
    return found.words(seconds) if found is not None and found.of else ""


def _progress(session: "Session", facts: StepFacts | None) -> Progress | None:
    match facts:
        case BackupFacts():
            rows = sum(table.rows or 0 for table in facts.tables)
            counted = CountFacts.from_attempt(session.attempt(CountFacts.step))
            whole = counted.rows if facts.of == len(counted.tables) else None
            return Progress(len(facts.tables), facts.of or 0, rows, whole or 0)
        case CopyFacts():
            rows = sum(table.rows or 0 for table in facts.tables)
            return Progress(len(facts.tables), facts.of or 0, rows)
        case RestoreFacts():
            kept = BackupFacts.from_attempt(session.attempt(BackupFacts.step))
            rows = sum(table.rows or 0 for table in facts.tables)
            return Progress(len(facts.tables), len(kept.tables), rows, kept.rows or 0)
        case _:
            return None
