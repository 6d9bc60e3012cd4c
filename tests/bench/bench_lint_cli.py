"""Prints what `preflight lint FILE` takes as a whole process, beside Python's own start.

Run: python tests/bench/bench_lint_cli.py [FILE] (the sample project's hardest migration if none).
"""

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 25
LIMIT = 0.30
SAMPLE = (
    Path(__file__).resolve().parents[2]
    / "app/d1_preflight/practice/sample/migrations/0061_rebuild_teams_remove_deprecated.sql"
)
HEAVY = ("textual", "questionary", "httpx", "sqlglot", "rich", "prompt_toolkit", "asyncio")
IMPORTED = f"""
import sys
from d1_preflight.cli import main
main(["lint", sys.argv[1]])
print(sorted(set({HEAVY!r}) & sys.modules.keys()))
"""


def run(*words: str) -> float:
    """Seconds of one whole process."""
    begun = time.perf_counter()
    done = subprocess.run((sys.executable, *words), capture_output=True, check=False)
    assert done.returncode in {0, 1}, done.stderr.decode()
    return time.perf_counter() - begun


def times(title: str, *words: str) -> float:
    """Print the spread of many runs; returns the median."""
    run(*words)
    found = sorted(run(*words) for _ in range(RUNS))
    median = statistics.median(found)
    print(
        f"{title:<44} median {median:.3f} s, fastest {found[0]:.3f} s, "
        f"9 in 10 below {found[int(RUNS * 0.9)]:.3f} s"
    )
    return median


def main() -> None:
    """All figures."""
    file = sys.argv[1] if len(sys.argv) > 1 else str(SAMPLE)
    lint = ("-m", "d1_preflight", "lint")
    times("python -c pass", "-c", "pass")
    median = times("preflight lint FILE", *lint, file)
    print(f"  limit {LIMIT:.2f} s: {'kept' if median <= LIMIT else 'MISSED'}")
    for form in ("json", "sarif", "github"):
        times(f"preflight lint FILE --format {form}", *lint, file, "--format", form)
    times("preflight lint FOLDER (its whole folder)", *lint, str(Path(file).parent))
    times("preflight explain cascade-delete", "-m", "d1_preflight", "explain", "cascade-delete")
    told = subprocess.run(
        (sys.executable, "-c", IMPORTED, file), capture_output=True, check=True, text=True
    )
    print(f"of {', '.join(HEAVY)} it imports: {told.stdout.splitlines()[-1]}")
    _large()


def _large() -> None:
    """Time and memory for files of many rows: both grow with the file."""
    row = "INSERT INTO t VALUES (1, 'some text that is as long as text often is');\n"
    with tempfile.TemporaryDirectory() as folder:
        for count in (12_500, 25_000, 50_000):
            path = Path(folder) / f"{count}_rows.sql"
            path.write_text("CREATE TABLE t (a INTEGER, b TEXT);\n" + row * count)
            seconds = run("-m", "d1_preflight", "lint", str(path))
            size = path.stat().st_size / 1e6
            most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            print(f"{count:>7} rows, {size:.1f} MB: {seconds:.2f} s, {most:.0f} MiB at most")
            path.unlink()
        huge = Path(folder) / "0001_huge.sql"
        with huge.open("wb") as file:
            file.truncate(50_000_000)
        words = (sys.executable, "-m", "d1_preflight", "lint", str(huge))
        begun = time.perf_counter()
        done = subprocess.run(words, capture_output=True, check=False, text=True)
        print(
            f"a file of 50 MB: exit {done.returncode} after {time.perf_counter() - begun:.2f} s: "
            f"{done.stderr.splitlines()[0].replace(folder, '…')}"
        )


if __name__ == "__main__":
    main()
