"""Writes the screenshots of every scene: `cd tests && python -m tui.shots ../screenshots`."""

import asyncio
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


from tui.scenarios import SCENARIOS, SIZES, Scenario, settle


async def drawn(scenario: Scenario, size: tuple[int, int]) -> str:
    app = scenario.app()
    async with app.run_test(size=size) as pilot:
        await scenario.walk(pilot)
        await settle(pilot)
        return stable(app.export_screenshot(title="preflight"))


def stable(svg: str) -> str:
    """The picture without the random name its classes carry, and without fonts from afar.

    Without `xml:space` some viewers swallow the blanks at the ends of a stretch of text.
    """
    named = re.sub(r"terminal-\d+", "terminal", svg)
    local = re.sub(r",\s*url\([^)]*\) format\([^)]*\)", "", named)
    return _whole(local).replace("<svg ", '<svg xml:space="preserve" ', 1)


def _whole(svg: str) -> str:
    """The last line with the lower ends of its letters, which Textual's clip cuts off."""
    clip = re.compile(r'(clip-terminal">\s*<rect x="0" y="0" width="[\d.]+" height=")([\d.]+)')
    return clip.sub(lambda found: f"{found[1]}{float(found[2]) + 5:.1f}", svg)


def write(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for scenario in SCENARIOS:
        for size in SIZES:
            name = f"{scenario.name}-{size[0]}x{size[1]}.svg"
            (folder / name).write_text(asyncio.run(drawn(scenario, size)))
            print(folder / name)


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "../screenshots"))
