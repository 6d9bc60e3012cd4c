"""Prints what the suite costs: the clock of its parts, and the processor time by folder.

Run: python tests/bench/bench_suite.py [PATH …] [--all] [--dearest N]. What needs no wrangler runs
two side by side; `--all` runs the whole suite and the matrix without wrangler, too. The processor
time of a test counts the programs that it starts. The machine must be quiet: the clock is shared.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
WRITES_TO = "PREFLIGHT_SUITE_CPU"
WITHOUT = ("-n", "2", "-m", "not wrangler")
WHOLE = ("-n", "auto")
MATRIX = ("-n", "auto", "-m", "matrix and not wrangler")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """As a plugin of the measured run: a line for each test."""
    before = os.times()
    yield
    seconds = sum(os.times()[:4]) - sum(before[:4])
    with Path(os.environ[WRITES_TO]).open("a", encoding="utf-8") as file:
        file.write(f"{seconds:.3f}\t{item.nodeid}\n")


def measure(what: str, options: Sequence[str], paths: Sequence[str]) -> dict[str, float]:
    """Run tests and print their clock; the processor time of each, in seconds by its id."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "cpu.tsv"
        begun = time.perf_counter()
        subprocess.run(
            (sys.executable, "-m", "pytest", "-p", "bench.bench_suite", *options, *paths),
            cwd=TESTS.parent,
            env={**os.environ, WRITES_TO: str(file), "PYTHONPATH": str(TESTS)},
            check=False,  # a test that fails took its time, too; pytest has named it
        )
        taken = time.perf_counter() - begun
        lines = (line.split("\t", 1) for line in file.read_text("utf-8").splitlines())
        tests = {name: float(seconds) for seconds, name in lines}
    print(f"{what}: {taken:.1f} s of the clock, {len(tests):,} tests", end=", ")
    print(f"{sum(tests.values()):.0f} s of a processor")
    return tests


def show(tests: dict[str, float], dearest: int) -> None:
    """Print the folders, and the functions that cost most."""
    folders, functions = defaultdict[str, float](float), defaultdict[str, list[float]](list)
    for name, seconds in tests.items():
        folders[name.split("::")[0].rpartition("/")[0]] += seconds
        functions[name.split("[")[0]].append(seconds)
    for folder, spent in sorted(folders.items(), key=lambda each: -each[1]):
        print(f"  {folder:<20} {spent:6.1f} s")
    by_cost = sorted(functions.items(), key=lambda each: -sum(each[1]))
    for name, each in by_cost[:dearest]:
        print(f"  {sum(each):6.2f} s  {len(each):4} × {name}")


def main() -> None:
    """Print the costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="*", help="folders or files; none: all tests")
    parser.add_argument("--all", action="store_true", help="the whole suite and the matrix, too")
    parser.add_argument("--dearest", type=int, default=20, help="how many functions are named")
    said = parser.parse_args()
    parts: dict[str, Sequence[str]] = {"without wrangler": WITHOUT}
    if said.all:
        parts |= {"the whole suite": WHOLE, "the matrix without wrangler": MATRIX}
    for what, options in parts.items():
        show(measure(what, options, said.paths), said.dearest)


if __name__ == "__main__":
    main()
