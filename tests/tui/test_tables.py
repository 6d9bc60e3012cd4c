"""Tables, bars and sparklines fit the room they are given."""

from hypothesis import given
from hypothesis import strategies as st

from d1_preflight.tui.widgets.gauges import bar, sparkline
from d1_preflight.tui.widgets.tables import Column, table


def test_a_bar_fills_with_what_is_done() -> None:
    assert bar(71, 100, 10) == "███████░░░"


def test_a_sparkline_is_full_at_its_limit() -> None:
    assert sparkline((0.0, 0.05, 0.1, 9.0), 0.1) == "▁▅██"


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
