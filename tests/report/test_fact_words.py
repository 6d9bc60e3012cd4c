"""One fact as people read it, or have it read to them."""

import pytest

from d1_preflight.core.record.facts import Fact
from d1_preflight.report.fact_text import fact_text, label


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("hours", tuple(" ".join("7" for _ in range(24)) for _ in range(7)), "168 values"),
        ("codes", (200, 204), "200, 204"),
        ("reasons", ('line 12: Adds index "a".', "line 8: Drops it."),
         'line 12: Adds index "a"; line 8: Drops it'),
        ("pending", ("0058_a.sql", "0059_b.sql"), "0058_a.sql, 0059_b.sql"),
        ("chosen", "leave it", "no rollback"),
        ("fits", True, "yes"),
    ],
)  # fmt: skip
def test_a_fact_is_shown_in_words(key: str, value: Fact, shown: str) -> None:
    assert fact_text(key, value) == shown


def test_a_heading_is_what_people_call_it() -> None:
    assert [label(key) for key in ("way", "takes_ms", "fits_words")] == [
        "rollback path", "takes", "planned time",
    ]  # fmt: skip
