"""Every scenario looks as it did; the same ones write the screenshots (tui.shots)."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from textual.pilot import Pilot

from tui.scenarios import SCENARIOS, SIZES, Scenario

if TYPE_CHECKING:
    from textual.app import App

Compare = Callable[..., bool]


@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name)
def test_the_screen_looks_as_it_did(
    scenario: Scenario, size: tuple[int, int], snap_compare: Compare
) -> None:
    async def walk(pilot: Pilot[None]) -> None:
        await scenario.walk(pilot)

    app: App[None] = scenario.app()

    assert snap_compare(app, terminal_size=size, run_before=walk)
