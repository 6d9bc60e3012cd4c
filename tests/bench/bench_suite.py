"""Prints what the suite costs: the clock of its parts, and the processor time by folder.

Run: python tests/bench/bench_suite.py [PATH …] [--all] [--write] [--dearest N]. What needs no
wrangler runs two side by side; `--all` runs the whole suite, too. The processor time of a test
counts the programs that it starts. The machine must be quiet: the clock is shared. `--write` writes
`tests/slow.txt`, the functions whose tests take over `MOST_S` on average, and runs the part for
every save, which leaves them out: pytest -n 2 -m "not wrangler and not slow".
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
LIST = TESTS / "slow.txt"
MOST_S = 0.1
HEAD = f"""\
# Over {MOST_S} s of a processor a test on average: left out of the part for every save.
# Written by `python tests/bench/bench_suite.py --write`.
"""
WITHOUT = ("-n", "2", "-m", "not wrangler")
EVERY_SAVE = ("-n", "2", "-m", "not wrangler and not slow")
WHOLE = ("-n", "auto")


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


def by_function(tests: dict[str, float]) -> dict[str, list[float]]:
    """The processor times by the function that the tests share."""
    found = defaultdict[str, list[float]](list)
    for name, seconds in tests.items():
        found[name.split("[")[0]].append(seconds)
    return found


def show(tests: dict[str, float], dearest: int) -> None:
    """Print the folders, and the functions that cost most."""
    folders = defaultdict[str, float](float)
    for name, seconds in tests.items():
        folders[name.split("::")[0].rpartition("/")[0]] += seconds
    for folder, spent in sorted(folders.items(), key=lambda each: -each[1]):
        print(f"  {folder:<20} {spent:6.1f} s")
    by_cost = sorted(by_function(tests).items(), key=lambda each: -sum(each[1]))
    for name, each in by_cost[:dearest]:
        print(f"  {sum(each):6.2f} s  {len(each):4} × {name}")


def write_slow(tests: dict[str, float]) -> None:
    """Write the list of what the part for every save leaves out."""
    found = by_function(tests).items()
    slow = sorted(name for name, each in found if sum(each) / len(each) > MOST_S)
    LIST.write_text(HEAD + "".join(f"{name}\n" for name in slow), "utf-8")
    print(f"{LIST.name}: {len(slow)} functions")


def main() -> None:
    """Print the costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="*", help="folders or files; none: all tests")
    parser.add_argument("--all", action="store_true", help="the whole suite, too")
    parser.add_argument("--write", action="store_true", help=f"write {LIST.name}")
    parser.add_argument("--dearest", type=int, default=20, help="how many functions are named")
    said = parser.parse_args()
    tests = measure("without wrangler", WITHOUT, said.paths)
    show(tests, said.dearest)
    if said.write:
        write_slow(tests)
    measure("for every save", EVERY_SAVE, said.paths)
    if said.all:
        show(measure("the whole suite", WHOLE, said.paths), said.dearest)


if __name__ == "__main__":
    main()
