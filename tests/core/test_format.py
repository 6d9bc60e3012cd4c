"""Numbers, sizes, durations and times are written as people write them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from d1_preflight.core import format as fmt

NEW_YORK = ZoneInfo("America/New_York")
NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("shown", "wanted"),
    [
        (fmt.count(61_204), "61,204"),
        (fmt.count(None), "?"),
        (fmt.loss(1_204), "−1,204"),
        (fmt.loss(0), ""),
        (fmt.plural(1, "row"), "1 row"),
        (fmt.plural(0, "row"), "0 rows"),
        (fmt.plural(61_204, "row"), "61,204 rows"),
        (fmt.plural(None, "row"), "? rows"),
        (fmt.plural(2, "query", "queries"), "2 queries"),
        (fmt.plural(3, "blocking"), "3 blocking"),
        (fmt.noun_for(1, "stays", "stay"), "stays"),
        (fmt.size(9_400_000), "9.4 MB"),
        (fmt.size(101_000), "101 kB"),
        (fmt.size(1_440), "1.4 kB"),
        (fmt.size(999_600), "1.0 MB"),
        (fmt.size(2_300_000_000_000), "2,300 GB"),
        (fmt.size(840), "840 B"),
        (fmt.size(None), "?"),
        (fmt.duration(0), "< 1 s"),
        (fmt.duration(40), "40 ms"),
        (fmt.duration(3_120), "3.1 s"),
        (fmt.duration(59_960), "1 min"),
        (fmt.duration(130_000), "2 min 10 s"),
        (fmt.duration(300_000), "5 min"),
        (fmt.duration(3 * 3_600_000 + 300_000), "3 h 5 min"),
        (fmt.duration(96 * 3_600_000), "4 days"),
        (fmt.duration(None), "?"),
        (fmt.elapsed(3), "3 s"),
        (fmt.elapsed(130), "2 min 10 s"),
        (fmt.countdown(192), "3:12"),
        (fmt.countdown(-4), "0:00"),
        (fmt.short_hash("9f31a0c2" + "0" * 56), "9f31a0c2…"),
        (fmt.moment("2026-11-22T19:05:02Z", NEW_YORK, NOW), "14:05 EST"),
        (fmt.moment("2026-11-22T19:05:02Z", NEW_YORK, NOW, named=False), "14:05"),
        (fmt.moment("2026-12-02T19:05:02Z", NEW_YORK, NOW), "2 Dec 14:05 EST"),
        (fmt.moment("2025-12-02T19:05:02Z", NEW_YORK, NOW), "2025-12-02"),
        (fmt.moment("2027-01-01T03:00:00Z", NEW_YORK, NOW), "31 Dec 22:00 EST"),
        (fmt.moment("no time", NEW_YORK, NOW), "no time"),
        (fmt.date(NOW, NOW), "22 Nov"),
        (fmt.date(NOW.replace(year=2025), NOW), "2025-11-22"),
        (fmt.weekday("2026-11-22T19:05:02Z", NEW_YORK), "Sunday 14:05 EST"),
        (fmt.timestamp(NOW), "2026-11-22 20:00:00 UTC"),
        (fmt.timestamp(None), "unknown"),
    ],
)
def test_figures_read_as_people_write_them(shown: str, wanted: str) -> None:
    assert shown == wanted


@given(st.integers(0, 10**15))
def test_a_size_never_shows_four_digits_before_its_largest_unit(value: int) -> None:
    number, unit = fmt.size(value).split(" ")
    assert unit == "GB" or float(number.replace(",", "")) < 1000
