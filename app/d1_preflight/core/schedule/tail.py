"""What `wrangler tail --format json` prints, counted: one request each, by its outcome.

Its events hold addresses, headers and what the Worker logs: nothing but the counts leaves here.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime

from d1_preflight.core.schedule.analytics import Sample
from d1_preflight.lazy_dataclass import dataclass

_WELL = frozenset({"ok", "canceled", "responseStreamDisconnected"})
"""The outcomes that analytics count as no error: in the last two the client went away."""
_OVERLOAD = "overload"


@dataclass(slots=True)
class TailCount:
    """The requests of a tail so far; `is_sampled` where Cloudflare says that it left some out."""

    outcomes: Counter[str] = field(default_factory=Counter)
    by_minute: Counter[datetime] = field(default_factory=Counter)
    errors_by_minute: Counter[datetime] = field(default_factory=Counter)
    is_sampled: bool = False
    _held: list[str] = field(default_factory=list)

    def hear(self, line: str) -> None:
        """Take one printed line; an event is counted with its last one."""
        if not self._held and not line.startswith("{"):
            return
        self._held.append(line)
        if line.rstrip() == "}" or len(self._held) == 1:
            self._count("\n".join(self._held))

    def _count(self, text: str) -> None:
        try:
            event = json.loads(text)
        except ValueError:
            return  # it goes on
        self._held.clear()
        if not isinstance(event, Mapping):
            return
        if str(event.get("type", "")).startswith(_OVERLOAD):
            self.is_sampled = True
            return
        if "outcome" not in event:
            return
        outcome, minute = str(event["outcome"]), _minute(event.get("eventTimestamp"))
        self.outcomes[outcome] += 1
        self.by_minute[minute] += 1
        self.errors_by_minute[minute] += outcome not in _WELL

    @property
    def requests(self) -> int:
        """How many requests were seen."""
        return self.outcomes.total()

    @property
    def samples(self) -> tuple[Sample, ...]:
        """By the minute, as analytics give them."""
        return tuple(
            Sample(at, self.by_minute[at], self.errors_by_minute[at])
            for at in sorted(self.by_minute)
        )

    @property
    def words(self) -> str:
        """The outcomes, the most frequent first, and whether it was all of them."""
        counts = ", ".join(f"{outcome} {n}" for outcome, n in self.outcomes.most_common())
        sampled = "; sampled: Cloudflare passed on only a part of them" if self.is_sampled else ""
        return f"{counts or 'no request'}{sampled}"


def counted(text: str) -> TailCount:
    """All that a tail printed."""
    count = TailCount()
    for line in text.splitlines():
        count.hear(line)
    return count


def _minute(value: object) -> datetime:
    """The minute of an event; the first of all where it does not say."""
    seconds = value / 1000 if isinstance(value, (int, float)) else 0
    return datetime.fromtimestamp(seconds - seconds % 60, UTC)
