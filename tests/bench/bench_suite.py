"""Prints what the suite costs, and writes `tests/slow.txt`: the tests left out of the quick part.

Run: python tests/bench/bench_suite.py [--write]. It runs every test without wrangler once, two side
by side, and takes the processor time of each, with that of the programs it starts. A function is
slow where its tests take over `MOST_S` on average. The quick part, for every save:
pytest -n 2 -m "not wrangler and not slow".
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
LIST = TESTS / "slow.txt"
WRITES_TO = "PREFLIGHT_SUITE_CPU"
MOST_S = 0.02
HEAD = f"""\
# Tests that take over {MOST_S} s of a processor on average; the quick part leaves them out.
# Written by `python tests/bench/bench_suite.py --write`.
"""


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """As a plugin of the measured run: a line for each test."""
    before = os.times()
    yield
    seconds = sum(os.times()[:4]) - sum(before[:4])
    with Path(os.environ[WRITES_TO]).open("a", encoding="utf-8") as file:
        file.write(f"{seconds:.3f}\t{item.nodeid}\n")


def measure() -> dict[str, float]:
    """The processor time of every test without wrangler, in seconds by its id."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "cpu.tsv"
        begun = time.perf_counter()
        subprocess.run(
            (
                *(sys.executable, "-m", "pytest", "-p", "bench.bench_suite", "-n", "2"),
                *("-m", "not wrangler"),
            ),
            cwd=TESTS.parent,
            env={**os.environ, WRITES_TO: str(file), "PYTHONPATH": str(TESTS)},
            check=False,  # a test that fails took its time, too; pytest has named it
        )
        print(f"the part without wrangler: {time.perf_counter() - begun:.0f} s")
        lines = (line.split("\t", 1) for line in file.read_text("utf-8").splitlines())
        return {name: float(seconds) for seconds, name in lines}


def slow_functions(tests: dict[str, float]) -> set[str]:
    """The test functions whose tests take over `MOST_S` on average."""
    by_function = defaultdict[str, list[float]](list)
    for name, seconds in tests.items():
        by_function[name.split("[")[0]].append(seconds)
    return {name for name, taken in by_function.items() if sum(taken) / len(taken) > MOST_S}


def main() -> None:
    """Print the costs, and write the list where it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write {LIST.name}")
    write = parser.parse_args().write
    tests = measure()
    slow = slow_functions(tests)
    quick = {name: s for name, s in tests.items() if name.split("[")[0] not in slow}
    folders = defaultdict[str, float](float)
    for name, seconds in tests.items():
        folders[name.split("::")[0].rsplit("/", 1)[0]] += seconds
    print(f"all: {len(tests):,} tests, {sum(tests.values()):.0f} s of a processor")
    print(f"quick: {len(quick):,} tests, {sum(quick.values()):.0f} s of a processor")
    for folder, seconds in sorted(folders.items(), key=lambda each: -each[1]):
        print(f"  {folder:<20} {seconds:6.0f} s")
    if write:
        LIST.write_text(HEAD + "".join(f"{name}\n" for name in sorted(slow)), "utf-8")
        print(f"{LIST.name}: {len(slow)} functions")


if __name__ == "__main__":
    main()
