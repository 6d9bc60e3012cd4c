"""After an apply whose end nobody saw, what keeps us from looking is no proof of anything."""

from types import SimpleNamespace
from typing import cast

import pytest

from core.record_values import ANA, START, Walk, shipped_checklist
from d1_preflight.actions.apply import apply_migration
from d1_preflight.actions.context import Environment, StepContext
from d1_preflight.core.errors import PreflightError, ProjectError, RemoteFailed, UsageError
from d1_preflight.core.findings import Kind
from d1_preflight.core.ports import Evidence
from d1_preflight.core.record.record import Status

CHECKLIST = shipped_checklist()


class Refusing:
    """A wrangler whose left output cannot be made evidence."""

    def __init__(self, error: PreflightError) -> None:
        self._error = error

    def is_writing(self) -> bool:
        return False

    def recover(self, step: str) -> tuple[Evidence, ...]:
        assert step == "applied"
        raise self._error


@pytest.mark.parametrize("kind", [ProjectError, UsageError, RemoteFailed])
async def test_what_could_not_be_looked_at_stays_unknown(kind: type[PreflightError]) -> None:
    step = CHECKLIST.step("applied")
    walk = Walk(CHECKLIST)
    walk.answer("applied", Status.INTERRUPTED)
    environment = SimpleNamespace(wrangler=Refusing(kind("The disk is full.", hint="Make room.")))
    context = StepContext(
        environment=cast("Environment", environment),
        record=walk.record.begin(step, {}, by=ANA, at=START),
        checklist=CHECKLIST, kind=Kind.ADDITIVE, step=step, answers={},
    )  # fmt: skip

    outcome = await apply_migration(context)

    assert outcome.status is Status.UNKNOWN
    assert "The disk is full. Make room." in outcome.words
