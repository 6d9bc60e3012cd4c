"""The pictures of a record: the rows of each changed table, the watch, the time it took."""

from collections.abc import Iterator
from datetime import datetime

from d1_preflight.core.record.apply_facts import ErrorRateFacts, TrafficSample
from d1_preflight.core.record.change_facts import RehearsalFacts
from d1_preflight.core.record.record import Record, Status
from d1_preflight.lazy_dataclass import dataclass

_SPARKS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class RowBar:
    """One table's rows before and after: lost ones, and kept ones with other values."""

    table: str
    before: int
    after: int
    lost: int
    changed: int


@dataclass(frozen=True, slots=True)
class RowBars:
    """The changed tables, each as a bar."""

    bars: tuple[RowBar, ...]


@dataclass(frozen=True, slots=True)
class Series:
    """Percentages over time, and their limit."""

    title: str
    values: tuple[float, ...]
    limit: float

    @property
    def line(self) -> str:
        """The same in block characters; a full column is the limit."""
        top, last = self.limit or max(self.values) or 1, len(_SPARKS) - 1
        return "".join(_SPARKS[min(last, round(value / top * last))] for value in self.values)


@dataclass(frozen=True, slots=True)
class Span:
    """One attempt: when it began after the first one, how long it took, how it ended."""

    step: str
    status: Status
    begins: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Spans:
    """The attempts on one line of time; long pauses are cut out and counted."""

    spans: tuple[Span, ...]
    whole: float
    pauses: int


Picture = RowBars | Series | Spans

_PAUSE = 120.0
_KEPT = 10.0


def pictures(record: Record) -> Iterator[Picture]:
    """What of the record can be drawn."""
    rehearsed = record.last_facts(RehearsalFacts)
    bars = tuple(
        RowBar(t.table, t.before, max(t.after, 0), t.lost or 0, t.changed or 0)
        for t in rehearsed.tables
        if t.before is not None and t.after is not None and t.before >= 0 and t.takes
    )
    if bars:
        yield RowBars(bars)
    errors = record.last_facts(ErrorRateFacts)
    if errors.samples:
        rates = tuple(_rate(sample) for sample in errors.samples)
        yield Series("error rate during the watch, %", rates, _number(errors.limit))
    if spans := _spans(record):
        yield spans


def _rate(sample: TrafficSample) -> float:
    return 100 * (sample.errors or 0) / sample.requests if sample.requests else 0.0


def _number(words: str) -> float:
    try:
        return float(words)
    except ValueError:
        return 0.0


def _spans(record: Record) -> Spans | None:
    ended = [(a, a.finished_at) for a in record.attempts if a.finished_at is not None]
    if not ended:
        return None
    cut, pauses, last = 0.0, 0, ended[0][0].started_at
    found: list[Span] = []
    for attempt, finished in ended:
        idle = _seconds(last, attempt.started_at)
        if idle > _PAUSE:
            cut, pauses = cut + idle - _KEPT, pauses + 1
        begins = _seconds(ended[0][0].started_at, attempt.started_at) - cut
        seconds = max(_seconds(attempt.started_at, finished), 0.0)
        found.append(Span(attempt.step, attempt.status, max(begins, 0.0), seconds))
        last = max(last, finished)
    whole = max(1.0, *(span.begins + span.seconds for span in found))
    return Spans(tuple(found), whole, pauses)


def _seconds(first: datetime, second: datetime) -> float:
    return (second - first).total_seconds()
