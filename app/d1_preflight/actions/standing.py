"""What of a record counts now: GO by the plan that was signed, every other answer by its age."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256

from d1_preflight.actions.context import Environment, StepAction
from d1_preflight.core.checklist.checklist import Checklist
from d1_preflight.core.errors import NotAllowed, RecordInvalid
from d1_preflight.core.record.apply_facts import GoFacts
from d1_preflight.core.record.facts import is_absent
from d1_preflight.core.record.gate import apply_was_started, as_of, go_lapse
from d1_preflight.core.record.record import Record
from d1_preflight.core.record.signed_plan import GO_FILE, GO_SIGNATURE, SignedPlan
from d1_preflight.core.record.signing import GO

_Bytes = tuple[bytes, bytes]
_MOMENT = timedelta(seconds=0.2)  # one drawing of the screen asks thirty times


class Standing:
    """Looks at a record as of now; `rechecked` are the steps that GO and the apply ask again.

    GO counts by what was signed and not by the record alone. A signature is checked again when
    its bytes change; the apply itself checks it anew.
    """

    def __init__(self, checklist: Checklist, actions: Mapping[str, StepAction]) -> None:
        self._checklist = checklist
        self._good: tuple[_Bytes, SignedPlan] | None = None
        self._last: tuple[Record, datetime, Record] | None = None
        known = (step for step in checklist.steps if step.action in actions)
        self.rechecked = frozenset(s.id for s in known if actions[s.action].rechecked)

    def of(self, record: Record, environment: Environment) -> Record:
        """The record as it counts now, to a fifth of a second: what is stale is pending."""
        now, has_go = environment.clock.now(), record.last("go") is not None
        if self._last is not None and not has_go:  # what was signed is read from the disk each time
            known, at, found = self._last
            if known is record and timedelta() <= now - at < _MOMENT:
                return found
        rechecked = () if self.go_lapse(record, environment) else self.rechecked
        found = as_of(record, self._checklist, now, rechecked)
        self._last = record, now, found
        return found

    def go_lapse(self, record: Record, environment: Environment) -> str:
        """Why GO counts no more, in words; "" where it does, or where there is none."""
        checklist, now = self._checklist, environment.clock.now()
        minutes = environment.settings.go_minutes
        attempt = record.standing(checklist.step("go")) if checklist.has("go") else None
        go = GoFacts.from_attempt(attempt)
        if attempt is None or not attempt.status.is_answered or is_absent(go.go_sha256):
            return go_lapse(record, checklist, minutes, now)
        if apply_was_started(record, checklist):
            return ""
        try:
            plan = self._plan(environment, go)
        except (NotAllowed, RecordInvalid) as error:
            return error.message
        return go_lapse(record, checklist, minutes, now, plan)

    def _plan(self, environment: Environment, go: GoFacts) -> SignedPlan:
        held = _held(environment)
        if self._good is not None and held == self._good[0]:
            _require_named(held, go)
            return self._good[1]
        plan = read_signed_plan(environment, go)
        self._good = held, plan
        return plan


def read_signed_plan(environment: Environment, go: GoFacts) -> SignedPlan:
    """The plan, if an allowed key signed exactly these bytes; raises NotAllowed, RecordInvalid."""
    document, signature = held = _held(environment)
    _require_named(held, go)
    if not environment.signer.is_good(document, signature, GO):
        raise _not_signed()
    return SignedPlan.from_bytes(document)


def _held(environment: Environment) -> _Bytes:
    return environment.store.read(GO_FILE) or b"", environment.store.read(GO_SIGNATURE) or b""


def _require_named(held: _Bytes, go: GoFacts) -> None:
    """Require that these are the files that the record names."""
    if tuple(sha256(data).hexdigest() for data in held) != (go.go_sha256, go.signature_sha256):
        raise _not_signed()


def _not_signed() -> NotAllowed:
    return NotAllowed("go.toml or its signature is not what was signed.", hint="Sign GO again.")
