"""Every scenario looks as it did; the same ones write the screenshots (tui.shots)."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from textual.pilot import Pilot

from sampling import sampled
from tui.scenarios import SCENARIOS, SIZES, Scenario
from tui.shots import drawn

if TYPE_CHECKING:
    from textual.app import App

Compare = Callable[..., bool]
SCREENSHOTS = Path(__file__).resolve().parents[2] / "screenshots"


WIDEST = (200, 60)
LIKE_ANOTHER = {  # what is moved to the matrix, and what the suite has of it
    "practice": "board, and test_board.test_practice_is_named_on_every_screen",
    "question": "classification, losses",
    "class": "classification, and test_sizes.test_a_short_screen_keeps_the_question_…[class]",
    "light": "rehearsal, and the inks of test_theme",
    "apply": "applying",
    "close": "test_wizard.test_after_the_close_it_is_said_where_the_record_lies_…",
    "help": "emergency, and test_copy_and_search.test_help_copies_…",
    "rollback": "data-safety, and test_panes.test_up_and_down_stand_beside_each_other_…",
    "timing": "verification, and test_wizard.test_the_dashboard_opens_…",
    "busy": "waiver, and test_board.test_a_record_that_another_holds_is_a_dialog_…",
}


def _looks() -> Iterator[object]:
    """Each scenario at each size; the suite tries each at one, small and large by turns."""
    for number, scenario in enumerate(SCENARIOS):
        for size in (*SIZES, WIDEST):
            is_tried = size == SIZES[number % len(SIZES)] and scenario.name not in LIKE_ANOTHER
            marks = () if is_tried else pytest.mark.matrix
            name = f"{scenario.name}-{size[0]}x{size[1]}"
            yield pytest.param(scenario, size, id=name, marks=marks)


@pytest.mark.parametrize(("scenario", "size"), _looks())
def test_the_screen_looks_as_it_did(
    scenario: Scenario, size: tuple[int, int], snap_compare: Compare
) -> None:
    async def walk(pilot: Pilot[None]) -> None:
        await scenario.walk(pilot)

    app: App[None] = scenario.app()

    assert snap_compare(app, terminal_size=size, run_before=walk)


@pytest.mark.parametrize(
    "scenario", sampled(SCENARIOS, len(SCENARIOS), (one.name for one in SCENARIOS))
)
async def test_the_screenshots_are_what_is_drawn_today(scenario: Scenario) -> None:
    """Written anew by: cd tests && python -m tui.shots ../screenshots."""
    size = SIZES[-1]
    kept = SCREENSHOTS / f"{scenario.name}-{size[0]}x{size[1]}.svg"

    assert await drawn(scenario, size) == kept.read_text()
