"""Makes `screenshots/walk.svg`, a moving picture: `python tests/flow/make_movie.py`, some minutes.

A real walk of the rebuild that cascades, in a practice run, with the real wrangler and the real
screen; the keys are those that the footer names. Each picture of it is one that stood still.
"""

# ruff: noqa: E402 - it runs as a script, beside the tests' own package

import asyncio
import os
import re
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from textual.pilot import Pilot

from d1_preflight.adapters.editor import edit
from d1_preflight.adapters.git.door import ask_git
from d1_preflight.adapters.system import open_in_browser
from d1_preflight.adapters.wrangler.toolchain import install
from d1_preflight.board import Board
from d1_preflight.commands.adoption import Adoption
from d1_preflight.practice.run import start
from d1_preflight.project_context import open_context
from d1_preflight.tui.app import PreflightApp
from tui.reading import screen_text
from tui.scenarios import busy
from tui.shots import stable

MOVIE = TESTS.parent / "screenshots" / "walk.svg"
_SIZE, _MOST_BYTES = (80, 24), 300_000
_WORDS = "checked, and acceptable here"
_TYPED = re.compile(r"Type the [^:]+: (\S+)")
_SECONDS = 3.0
_STEPS = 120
_QUIET = 0.3
_CLOSED = "Closed and signed"
_LEAST = 7


@dataclass(frozen=True)
class Scene:
    """A picture that is kept: the first screen on which these words stand."""

    words: str
    more: str = ""

    def is_on(self, screen: str) -> bool:
        return self.words in screen and self.more in screen


SCENES = (
    Scene("Enter open", "remote read"),
    Scene("cascade-delete"),
    Scene("Which losses are intended?"),
    Scene("identical"),
    Scene("rollback path is used first?"),
    Scene("GO / NO-GO", "G signs"),
    Scene("Type the database"),
    Scene("call the endpoints again"),
    Scene(_CLOSED),
)


def joined(frames: list[str]) -> str:
    """The pictures as one SVG, each shown for its seconds and then the next.

    Every animation began before the first second, so where none runs one picture can be shown.
    """
    whole = len(frames) * _SECONDS
    share = 100 / len(frames)
    view = re.search(r'viewBox="([^"]+)"', frames[0])
    assert view
    delays = "".join(
        f"#f{n} {{ animation-delay: {n * _SECONDS - whole:.1f}s; }}\n" for n in range(len(frames))
    )
    style = (
        ".frame { opacity: 0; animation: shown "
        f"{whole:.1f}s linear infinite; }}\n{delays}"
        f"#f{len(frames) // 2} {{ opacity: 1; }}\n"
        f"@keyframes shown {{ 0%, {share - 0.01:.2f}% {{ opacity: 1; }} "
        f"{share:.2f}%, 100% {{ opacity: 0; }} }}\n"
        "@media (prefers-reduced-motion: reduce) { .frame { animation: none; } }"
    )
    inner = "\n".join(_frame(n, svg) for n, svg in enumerate(frames))
    return (
        f'<svg xml:space="preserve" class="rich-terminal" viewBox="{view[1]}" '
        f'xmlns="http://www.w3.org/2000/svg">\n<style>{style}</style>\n{inner}\n</svg>\n'
    )


def _frame(number: int, svg: str) -> str:
    """One picture, its names made its own."""
    body = re.sub(r"^.*?<svg [^>]*>", "", svg, count=1, flags=re.DOTALL).rpartition("</svg>")[0]
    # Each line's own clip is half of the bytes, and cuts nothing.
    body = re.sub(r'<clipPath id="terminal-line-.*?</clipPath>', "", body, flags=re.DOTALL)
    body = re.sub(r' clip-path="url\(#terminal-line-\d+\)"', "", body)
    body = re.sub(r"(\d+\.\d)\d+", r"\1", body)
    named = body.replace("terminal-", f"t{number}-").replace("breeze-", f"b{number}-")
    return f'<g class="frame" id="f{number}">{named}</g>'


def neutral(svg: str, names: Mapping[str, str]) -> str:
    """The picture without this machine's names: each line keeps its length."""

    def renamed(found: re.Match[str]) -> str:
        line = found[1]
        for name, other in names.items():
            gone = (len(name) - len(other)) * line.count(name)
            line = line.replace(name, other) + "&#160;" * gone
        return f">{line}</text>"

    return re.sub(r">([^<]*)</text>", renamed, svg)


async def still(pilot: Pilot[None]) -> str:
    """The screen once nothing runs and nothing moves."""
    app, last = pilot.app, ""
    while True:
        await pilot.pause(_QUIET)
        screen = screen_text(app)
        if screen == last and not busy(app) and "◐" not in screen:
            return screen
        last = screen


async def answer(pilot: Pilot[None], screen: str) -> None:
    """Press what the footer names; type what is asked."""
    keys = screen.strip().splitlines()[-1].strip()
    if "Waive “" in screen:
        await pilot.press(*_WORDS, "enter")
    elif "G sign GO" in keys:
        await pilot.press("G")
    elif keys.startswith(("A ", "y ")):
        await pilot.press(keys[0])
    elif "✗ failed" in screen and "w waive" in keys:
        await pilot.press("w")
    elif "Space mark" in keys:
        for mark in re.findall(r"\[[ x✓]\] ", screen):
            await pilot.press(*(("space",) if mark == "[ ] " else ()), "down")
        await pilot.press("enter")
    elif "↑↓ choose" in keys and "│ ▸" not in screen:  # nothing is preselected
        await pilot.press("down", "enter")
    elif any(w in screen for w in ("Esc other keys", "last question")):
        wanted = _TYPED.search(screen)
        options = "│ ▸" in screen
        await pilot.press(*(() if options else wanted.group(1) if wanted else _WORDS), "enter")
    else:
        await pilot.press("enter")


async def walk(app: PreflightApp, keep: Callable[[str], None]) -> None:
    """Walk until the last scene; each is drawn the first time it stands on the screen."""
    left = list(SCENES)
    async with app.run_test(size=_SIZE) as pilot:
        for _ in range(_STEPS):
            screen = await still(pilot)
            for scene in [scene for scene in left if scene.is_on(screen)]:
                left.remove(scene)
                keep(stable(app.export_screenshot(title="preflight")))
                print(f"kept: {scene.words}", flush=True)
            if not left or _CLOSED in screen:
                return
            print(screen.strip().splitlines()[-1], flush=True)
            await answer(pilot, screen)
    raise SystemExit(f"not closed; never seen: {[scene.words for scene in left]}")


def main() -> None:
    """Walk it and write the picture."""
    toolchain = asyncio.run(install(print))
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / "project"
        with start(folder, next="0061", ask_git=ask_git) as running:
            environ = {"PATH": os.environ["PATH"], **running.environment}
            context = open_context(start=folder, environ=environ, target="practice")
            object.__setattr__(context, "_toolchain", toolchain)
            browse = partial(open_in_browser, environ={})
            app = PreflightApp(Board(context), edit=edit, browse=browse, adopt=Adoption(context))
            frames: list[str] = []
            asyncio.run(walk(app, frames.append))
        operator = next(iter(app._sessions.values())).environment.operator
        names = {home: f"/home/ana/{'work' * len(home)}"[: len(home)], operator: "ana@example.com"}
    movie = joined([neutral(frame, names) for frame in frames])
    assert len(frames) >= _LEAST, len(frames)
    assert len(movie.encode()) <= _MOST_BYTES, len(movie)
    MOVIE.write_text(movie, encoding="utf-8")
    print(MOVIE, len(movie))


if __name__ == "__main__":
    main()
