"""A key draws what it changes and nothing else."""

from collections.abc import Iterator

import pytest
from textual.app import App, ComposeResult
from textual.content import Content
from textual.geometry import Region

from d1_preflight.tui.view import View
from d1_preflight.tui.widgets.body import BodyText
from d1_preflight.tui.widgets.rail import Rail
from d1_preflight.tui.widgets.still_text import StillText
from tui import scenes
from tui.headless import painted

Drawn = tuple[tuple[Region, ...], bool]


@pytest.fixture
def paint() -> Iterator[None]:
    """Paint every change: what was drawn is read here."""
    with painted():
        yield


class CountedText(StillText):
    """Notes each drawing: the parts (none: all of it), and whether it is laid out."""

    drawn: list[Drawn]

    def refresh(self, *regions: Region, layout: bool = False, **more: bool) -> "CountedText":
        self.drawn.append((regions, layout))
        return super().refresh(*regions, layout=layout, **more)


class CountedRail(Rail):
    drawn: list[Drawn]

    def refresh(self, *regions: Region, layout: bool = False, **more: bool) -> "CountedRail":
        self.drawn.append((regions, layout))
        return super().refresh(*regions, layout=layout, **more)


class CountedBody(BodyText):
    drawn: list[Drawn]

    def refresh(self, *regions: Region, layout: bool = False, **more: bool) -> "CountedBody":
        self.drawn.append((regions, layout))
        return super().refresh(*regions, layout=layout, **more)


class One(App[None]):
    def __init__(self, widget: CountedText | CountedRail | CountedBody) -> None:
        super().__init__()
        self.widget = widget

    def compose(self) -> ComposeResult:
        yield self.widget


async def test_a_text_is_drawn_where_it_changed_and_laid_out_where_its_height_did() -> None:
    CountedText.drawn = []
    text = CountedText()
    async with One(text).run_test(size=(20, 5)) as pilot:
        text.show(Content("one line"))
        await pilot.pause()
        text.drawn.clear()
        text.show(Content("one line"))
        assert text.drawn == []
        text.show(Content("another"))
        text.show(Content.styled("another", "bold"))
        assert text.drawn == [((), False), ((), False)]
        text.show(Content("a line that is longer than the screen is wide"))
        assert text.drawn[-1] == ((), True)


async def test_the_rail_draws_the_lines_that_differ() -> None:
    CountedRail.drawn = []
    rail, session = CountedRail(), scenes.rebuild().walked_to("counted")
    steps = {step.id: step for step in session.path}
    async with One(rail).run_test(size=(31, 24)) as pilot:
        rail.show(View(session, steps["counted"]), ())
        await pilot.pause()
        rail.drawn.clear()
        rail.show(View(session, steps["counted"]), ())
        assert rail.drawn == []
        rail.show(View(session, steps["backed_up"]), ())
        lines = [line for line, (_, step) in enumerate(rail._laid[1]) if step.id in steps]
        touched = [region.y for regions, _ in rail.drawn for region in regions]
        assert len(touched) == 3 < len(lines)
        assert all(not layout for _, layout in rail.drawn)
        rail.drawn.clear()
        rail.show(View(session, steps["backed_up"]), {"counted"})
        assert rail.drawn


@pytest.mark.usefixtures("paint")
async def test_the_body_is_drawn_where_it_changed() -> None:
    CountedBody.drawn = []
    body, session = CountedBody(), scenes.rebuild().walked_to("counted")
    steps = {step.id: step for step in session.path}
    async with One(body).run_test(size=(60, 24)) as pilot:
        body.show(View(session, steps["counted"]))
        await pilot.pause()
        body.drawn.clear()
        body.show(View(session, steps["bookmark"]))
        assert body.drawn == []
        body.show(View(session, steps["window"]))
        assert body.drawn
        await pilot.pause()
        assert "\n".join(body.lines).strip()
