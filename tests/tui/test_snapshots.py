"""Every scenario looks as it did; the same ones write the screenshots (tui.shots)."""

from collections.abc import Callable
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


WIDEST = pytest.param((200, 60), marks=pytest.mark.matrix)


@pytest.mark.parametrize("size", [*SIZES, WIDEST], ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name)
def test_the_screen_looks_as_it_did(
    scenario: Scenario, size: tuple[int, int], snap_compare: Compare
) -> None:
    async def walk(pilot: Pilot[None]) -> None:
        await scenario.walk(pilot)

    app: App[None] = scenario.app()

    assert snap_compare(app, terminal_size=size, run_before=walk)


@pytest.mark.parametrize("scenario", sampled(SCENARIOS, 4, (one.name for one in SCENARIOS)))
async def test_the_screenshots_are_what_is_drawn_today(scenario: Scenario) -> None:
    """Written anew by: cd tests && python -m tui.shots ../screenshots."""
    size = SIZES[-1]
    kept = SCREENSHOTS / f"{scenario.name}-{size[0]}x{size[1]}.svg"

    assert await drawn(scenario, size) == kept.read_text()
