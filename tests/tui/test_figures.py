"""Numbers as people read them."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from d1_preflight.tui import figures
from d1_preflight.tui.widgets.tables import Column, table

NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("shown", "wanted"),
    [
        (figures.count(61_204), "61,204"),
        (figures.count(None), "?"),
        (figures.loss(1_204), "−1,204"),
        (figures.loss(0), ""),
        (figures.size(9_400_000), "9.4 MB"),
        (figures.size(101_000), "101 kB"),
        (figures.size(840), "840 B"),
        (figures.duration(40), "40 ms"),
        (figures.duration(3_120), "3.1 s"),
        (figures.duration(130_000), "2 min 10 s"),
        (figures.duration(None), "?"),
        (figures.countdown(192), "3:12"),
        (figures.countdown(-4), "0:00"),
        (figures.shortened("9f31" + "0" * 58 + "c2"), "9f31…c2"),
        (figures.clock("2026-11-22T19:05:02Z", NEW_YORK), "14:05:02 EST"),
        (figures.day("2026-12-22T19:05:02Z", NEW_YORK), "22 Dec 14:05 EST"),
        (figures.clock("no time", NEW_YORK), "no time"),
        (figures.bar(71, 100, 10), "███████░░░"),
        (figures.sparkline((0.0, 0.05, 0.1, 9.0), 0.1), "▁▅██"),
    ],
)
def test_figures_are_said_as_people_say_them(shown: str, wanted: str) -> None:
    assert shown == wanted


@given(
    st.lists(st.tuples(st.text("ab _", max_size=60), st.integers(), st.text("xy ", max_size=90)),
             max_size=5),
    st.integers(30, 140),
)  # fmt: skip
def test_a_table_never_runs_over_its_width(rows: list[tuple[str, int, str]], width: int) -> None:
    columns = (Column("name"), Column("rows", right=True), Column("words"))
    lines = [(name, str(number), words) for name, number, words in rows]

    laid = table(columns, lines, width)

    middle = max(len("rows"), *(len(str(number)) for _, number, _ in rows), 0)
    room = max(width, middle + 8 + 18 + 4)
    assert all(len(line) <= room for line in laid.plain.splitlines())
