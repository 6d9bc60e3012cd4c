"""Failures to practise with: which request they hit, how often, and what they do to it."""

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from d1_preflight.core.errors import UsageError

# The statement wrangler appends to a migration's text, whatever the ledger is called.
_LEDGER_INSERT = re.compile(r'\nINSERT INTO "[^\n]+" \(name\)\nvalues \(\'')


class FaultKind(StrEnum):
    """The failures `preflight practice --fault` knows."""

    API_DOWN = "api-down"  # the connection is closed without an answer
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    RATE_LIMITED = "rate-limited"
    SLOW = "slow"
    SERVER_ERROR = "server-error"
    DIES_MID_APPLY = "dies-mid-apply"  # committed, then the connection is cut
    FAILS_MID_APPLY = "fails-mid-apply"  # an error after the first statement: rolled back
    LOST_BEFORE = "lost-before"  # the connection is cut and nothing was done


_OF_APPLY = (FaultKind.DIES_MID_APPLY, FaultKind.FAILS_MID_APPLY, FaultKind.LOST_BEFORE)


class Scope(StrEnum):
    """Which requests a fault hits: every call of the API, or those that apply a migration."""

    ALL = "all"
    APPLY = "apply"


@dataclass(frozen=True, slots=True)
class Fault:
    """One failure, for the first `count` requests in its scope (None: for all of them)."""

    kind: FaultKind
    scope: Scope = Scope.ALL
    count: int | None = None
    milliseconds: int = 1_500

    @classmethod
    def parse(cls, text: str) -> "Fault":
        """Read `name` or `name,scope=apply,count=2,milliseconds=500`."""
        name, *parts = text.split(",")
        try:
            kind = FaultKind(name.strip())
            given = dict(part.strip().split("=", 1) for part in parts)
            scope = Scope(given.pop("scope", "apply" if kind in _OF_APPLY else "all"))
            count = given.pop("count", None)
            delay = int(given.pop("milliseconds", "1500"))
            fault = cls(kind, scope, None if count is None else int(count), min(delay, 60_000))
        except ValueError as error:
            raise _unreadable(text) from error
        if given:
            raise _unreadable(text)
        return fault


class Faults:
    """The pending faults; may be changed while the stand-in runs."""

    def __init__(self, faults: Sequence[Fault] = ()) -> None:
        self._lock = threading.Lock()
        self._faults = list(faults)

    def set(self, faults: Sequence[Fault]) -> None:
        """Replace all of them."""
        with self._lock:
            self._faults = list(faults)

    def take(self, sql: str | None) -> Fault | None:
        """The fault for this request, counted as used; `sql` is a query's text, None elsewhere."""
        applies = sql is not None and _LEDGER_INSERT.search(sql) is not None
        with self._lock:
            for place, fault in enumerate(self._faults):
                if fault.count == 0 or (fault.scope is Scope.APPLY and not applies):
                    continue
                if fault.count is not None:
                    self._faults[place] = replace(fault, count=fault.count - 1)
                return fault
        return None


def _unreadable(text: str) -> UsageError:
    names = ", ".join(FaultKind)
    return UsageError(
        f"{text!r} is not a fault.",
        hint=f"Use one of {names}; with ,scope=apply ,count=N ,milliseconds=N where wanted.",
    )
