"""Every pair of ink and ground can be read: 4.5:1, and 7:1 in high contrast. `-s` prints them."""

import pytest
from textual.color import Color
from textual.theme import Theme

from d1_preflight.tui import theme
from tui import scenes
from tui.scenarios import app_at, app_for, settle

INKS = ("foreground", "accent", "error", "warning", "success")
GROUNDS = ("background", "panel")


def luminance(color: Color) -> float:
    """The relative luminance of WCAG 2."""
    parts = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in color.normalized]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(Color.parse(one)), luminance(Color.parse(other))), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("shown", theme.themes(), ids=lambda found: found.name)
def test_every_ink_can_be_read_on_every_ground(shown: Theme) -> None:
    least = 7.0 if shown.name == theme.CONTRAST else 4.5
    inks = {name: str(getattr(shown, name)) for name in INKS}
    inks |= {name: shown.variables[name] for name in ("quiet", "string")}
    for ground in GROUNDS:
        for name, ink in inks.items():
            found = contrast(ink, str(getattr(shown, ground)))
            print(f"{shown.name}: {name} on {ground} {found:.1f}:1")
            assert found >= least, f"{name} on {ground}: {found:.2f}:1"


def test_the_themes_follow_each_other() -> None:
    names = list(theme.NAMES)

    assert [theme.after(name) for name in names] == [*names[1:], names[0]]
    assert theme.after("textual-dark") == theme.DARK


async def test_nothing_on_the_screen_slides() -> None:
    app = app_for(scenes.board())
    async with app.run_test():
        assert app.animation_level == "none"


async def test_a_theme_that_is_chosen_over_another_screen_is_the_one_below_too() -> None:
    app = app_at("window")
    async with app.run_test() as pilot:
        await settle(pilot)
        below = app.screen
        before = below.query_one("#verdict").styles.border_bottom[1]
        await pilot.press("f1", "ctrl+t", "escape")
        await settle(pilot)
        after = below.query_one("#verdict").styles.border_bottom[1]

        assert app.screen is below
        assert before != after == Color.parse(app.theme_variables["rule"])
