"""Copy, backup and restore say how far they are, how fast, and about how long still."""

import pytest

from d1_preflight.core.record.change_facts import CopiedTable, CopyFacts
from d1_preflight.core.record.facts import StepFacts
from d1_preflight.core.record.safety_facts import (
    BackupFacts,
    BackupTable,
    BookmarkFacts,
    RestoredTable,
    RestoreFacts,
)
from d1_preflight.tui.progress import how_far
from tui import scenes


@pytest.mark.parametrize(
    ("facts", "seconds", "expected"),
    [
        (CopyFacts(tables=(CopiedTable(table="a", rows=900),), of=4), 0,
         "███░░░░░░░░░ 1 of 4 tables"),
        (CopyFacts(tables=(CopiedTable(table="a", rows=900),), of=4), 3,
         "███░░░░░░░░░ 1 of 4 tables · 300 rows/s · about 9 s left"),
        (BackupFacts(tables=(BackupTable(table="a", rows=30_602),), of=7), 10,
         "██████░░░░░░ 1 of 7 tables · 3,060 rows/s · about 10 s left"),
        (RestoreFacts(tables=(RestoredTable(table="a", rows=61_204),)), 10,
         "████████████ 1 of 7 tables · 6,120 rows/s · about 0 s left"),
        (CopyFacts(of=0), 3, ""),
        (BookmarkFacts(), 3, ""),
        (None, 3, ""),
    ],
)  # fmt: skip
def test_the_progress_says_how_far_how_fast_and_how_long(
    facts: StepFacts | None, seconds: int, expected: str
) -> None:
    session = scenes.rebuild().walked_to("bookmark")

    assert how_far(session, facts, seconds) == expected
