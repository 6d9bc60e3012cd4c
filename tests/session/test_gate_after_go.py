"""What can no longer be done, or moved, once GO was signed and the apply begun."""

from datetime import timedelta

import pytest

from core.record_values import START, Walk, shipped_checklist
from d1_preflight.core.gate import apply_was_begun, go_expires
from d1_preflight.core.record import Status
from d1_preflight.core.record_file import instant

CHECKLIST = shipped_checklist()


@pytest.mark.parametrize("status", [s for s in Status if s is not Status.FAILED])
def test_after_an_apply_was_begun_no_go_comes_too_late(status: Status) -> None:
    walk = Walk(CHECKLIST)
    assert not apply_was_begun(walk.record, CHECKLIST)

    walk.answer("applied", status)

    assert apply_was_begun(walk.record, CHECKLIST)


def test_after_an_apply_seen_to_have_failed_no_go_can_be_said() -> None:
    walk = Walk(CHECKLIST)
    walk.answer("applied", Status.FAILED)

    assert not apply_was_begun(walk.record, CHECKLIST)


def test_settings_changed_after_go_do_not_lengthen_it() -> None:
    walk = Walk(CHECKLIST)
    until = START + timedelta(minutes=30)
    walk.answer("go", facts={"signed_at": instant(START), "expires_at": instant(until)})

    assert go_expires(walk.record, CHECKLIST, 6000) == until
