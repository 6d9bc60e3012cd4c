"""Prints what every start costs: CPU of whole processes, with their children.

Run: python tests/bench/bench_start.py [help|lint|verify|records|board|posting …]; all where none is
named but posting. `records` signs 1,000 records first; `posting` installs it into a venv of its own
(POSTING names one that is there). The machine may be shared: only CPU counts, and the least of ten
runs; the first paint is of the clock, each beside posting's in the same run.
"""

# ruff: noqa: E402 - it runs as a script, beside the tests' own packages

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from bench.screen_time import OnTerminal

ROOT = HERE.parents[1]
SAMPLE = ROOT / "app" / "d1_preflight" / "practice" / "sample"
PLAIN = SAMPLE / "migrations" / "0057_add_team_billing_columns.sql"
EXAMPLE = ROOT / "checklists" / "example"
PROGRAM = Path(sys.executable).with_name("preflight")
RUNS, FEW = 6, 3
RECORDS = 1_000
QUIET = {"CI", "PREFLIGHT_NO_CACHE", "PYTHONDONTWRITEBYTECODE", "CLOUDFLARE_API_TOKEN"}
CLASSES, SCREEN = "additive", "filter"
EMPTY = """
import gc
gc.disable()
from textual.app import App
from textual.widgets import Static
class Empty(App):
    def compose(self):
        yield Static("stands")
Empty().run()
"""
POSTING_STANDS = "Send"
POSTING_NEEDS = ("posting", "tree-sitter<0.26")  # with a newer one, it dies at its first paint


def environment(cache: Path) -> dict[str, str]:
    """Ours, with a cache of its own, and bytecode that is kept."""
    own = {key: value for key, value in os.environ.items() if key not in QUIET}
    return {**own, "XDG_CACHE_HOME": str(cache), "HOME": str(cache)}


def cpu(argv: Sequence[str], folder: Path, env: dict[str, str]) -> float:
    """Seconds of CPU of one process, with all that it started and waited for."""
    with Path(os.devnull).open("r+b") as nowhere:
        child = subprocess.Popen(
            argv, cwd=folder, env=env, stdin=nowhere, stdout=nowhere, stderr=nowhere
        )
        _, _, used = os.wait4(child.pid, 0)
    child.returncode = 0  # it was waited for
    return used.ru_utime + used.ru_stime


def told(
    title: str, once: Callable[[], float], aim: float | None = None, runs: int = RUNS
) -> float:
    """Print the least and the median of several runs; returns the least."""
    found = sorted(once() for _ in range(runs))
    limit = f"   aim {aim:.2f}: {'kept' if found[0] <= aim else 'MISSED'}" if aim else ""
    print(
        f"{title:<42} {found[0]:6.3f}   median {statistics.median(found):6.3f}{limit}", flush=True
    )
    return found[0]


def start(words: Sequence[str], folder: Path, cache: Path) -> Callable[[], float]:
    """One run of the program."""
    env = environment(cache)
    argv = [str(PROGRAM), *words]
    cpu(argv, folder, env)  # writes its bytecode and its caches
    return lambda: cpu(argv, folder, env)


def until(argv: Sequence[str], words: str, folder: Path, cache: Path) -> tuple[float, float]:
    """Seconds of the clock, and of its CPU, until a program on a terminal has written words."""
    env = environment(cache)
    with OnTerminal(argv, cwd=folder, env=env, lines=40) as terminal:
        terminal.seconds_until(words)
        return time.perf_counter() - terminal.started, terminal.cpu_seconds


def project(place: Path) -> Path:
    """The sample project, as a checkout."""
    made = place / "project"
    shutil.copytree(SAMPLE, made)
    subprocess.run(("git", "init", "-q", str(made)), check=True)
    return made


def board(place: Path) -> float:
    """The board a second time: its rows and classes, then the screen; the first paint's seconds.

    What Textual needs for an empty screen is printed beside it.
    """
    folder, cache = project(place), place / "cache"
    cache.mkdir()
    argv = [str(PROGRAM)]
    judged = until(argv, CLASSES, folder, cache)[1]
    print(f"board, CPU to the classes, never judged    {judged:6.3f}")
    told("board, CPU to rows and kept classes", lambda: until(argv, CLASSES, folder, cache)[1])
    told(
        "board, CPU to the screen that takes keys",
        lambda: until(argv, SCREEN, folder, cache)[1],
        0.45,
    )
    empty = [sys.executable, "-c", EMPTY]
    told(
        "Textual alone with an empty screen, CPU", lambda: until(empty, "stands", folder, cache)[1]
    )
    return told("board, clock to the rows", lambda: until(argv, CLASSES, folder, cache)[0])


def posting(place: Path) -> float:
    """Posting's first useful paint; returns its seconds of the clock."""
    program = Path(os.environ.get("POSTING") or place / "posting" / "bin" / "posting")
    if not program.exists():
        subprocess.run((sys.executable, "-m", "venv", str(place / "posting")), check=True)
        pip = (str(program.with_name("pip")), "install", "-q", *POSTING_NEEDS)
        subprocess.run(pip, check=True)
    folder = place / "collection"
    folder.mkdir()
    argv = [str(program), "--collection", str(folder)]
    until(argv, POSTING_STANDS, folder, place)
    told("posting, CPU to its first paint", lambda: until(argv, POSTING_STANDS, folder, place)[1])
    return told(
        "posting, clock to its first paint", lambda: until(argv, POSTING_STANDS, folder, place)[0]
    )


def records(place: Path) -> None:
    """`verify` of many records."""
    from bench.bench_record import lay

    root, keys = place / "records", place / "keys"
    for folder in (root, keys):
        folder.mkdir()
    lay(root, keys, RECORDS)
    warm = start(["verify"], root, place)
    told(f"verify of {RECORDS:,} records, warm", warm, 2.0, FEW)
    cold = start(["verify", "--no-cache"], root, place)
    told(f"verify of {RECORDS:,} records, cold", cold, None, 1)


def main() -> None:
    """Those that are named."""
    wanted = sys.argv[1:] or ["help", "lint", "verify", "records", "board"]
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        python = [sys.executable, "-c", "pass"]
        print("seconds: the least, the median")
        told("python -c pass, CPU", lambda: cpu(python, place, environment(place)))
        if "help" in wanted:
            told("preflight --help, CPU", start(["--help"], place, place))
        if "lint" in wanted:
            told(
                "preflight lint, one plain file, CPU",
                start(["lint", str(PLAIN)], ROOT, place),
                0.15,
            )
        if "verify" in wanted:
            told("verify of the example, CPU", start(["verify", "."], EXAMPLE, place), 0.15)
            cold = start(["verify", "--no-cache", "."], EXAMPLE, place)
            told("verify of the example, no cache, CPU", cold)
        if "records" in wanted:
            records(place)
        ours = board(place) if {"board", "posting"} & {*wanted} else 0.0
        if "posting" in wanted:
            theirs = posting(place)
            print(f"first useful paint: {ours / theirs:.2f} of posting's (aim 0.50)")


if __name__ == "__main__":
    main()
