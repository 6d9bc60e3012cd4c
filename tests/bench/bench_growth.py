"""Prints how the time of `lint` grows from 1,000 to 20,000 small statements, and what floods cost.

Run: python tests/bench/bench_growth.py [KIND]. A slope of 1 is linear growth; the start of the
program is taken off.
"""

import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

SIZES = (1_000, 2_000, 5_000, 10_000, 20_000)
MANY = 9_900_000
REFUSED = 2
TABLE = "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT);\n"
REBUILD = (
    "CREATE TABLE t_new(id INTEGER PRIMARY KEY, a TEXT);\nINSERT INTO t_new SELECT * FROM t;\n"
    "DROP TABLE t;\nALTER TABLE t_new RENAME TO t;\n"
)
ALLOW = "-- preflight: allow cascade-delete — x\n"


def _each(text: str, first: str = TABLE) -> Callable[[int], str]:
    return lambda n: first + "".join(text.format(i=i) for i in range(n))


GROWTH: dict[str, Callable[[int], str]] = {
    "CREATE TABLE": _each("CREATE TABLE x{i}(a);\n"),
    "CREATE INDEX": _each("CREATE INDEX i{i} ON t(a);\n"),
    "CREATE TRIGGER": _each("CREATE TRIGGER g{i} AFTER INSERT ON t BEGIN SELECT 1; END;\n"),
    "CREATE VIEW": _each("CREATE VIEW v{i} AS SELECT a FROM t;\n"),
    "ADD COLUMN": lambda n: "".join(
        f"CREATE TABLE x{i}(a);\nALTER TABLE x{i} ADD COLUMN b;\n" for i in range(n // 2)
    ),
    "rebuild": lambda n: TABLE + REBUILD * (n // 4),
    "INSERT": _each("INSERT INTO t(a) VALUES ('row {i}');\n"),
    "UPDATE": _each("UPDATE t SET a = 'x{i}' WHERE id = {i};\n"),
    "DELETE": _each("DELETE FROM t WHERE id = {i};\n"),
    "DROP TABLE": lambda n: "".join(
        f"CREATE TABLE x{i}(a);\nDROP TABLE x{i};\n" for i in range(n // 2)
    ),
    "RENAME": lambda n: (
        "CREATE TABLE x0(a);\n"
        + "".join(f"ALTER TABLE x{i} RENAME TO x{i + 1};\n" for i in range(n))
    ),
    "REFERENCES": _each("CREATE TABLE x{i}(a REFERENCES t(id) ON DELETE CASCADE);\n"),
    "chain": _each(
        "CREATE TABLE x{i}(id INTEGER PRIMARY KEY, a REFERENCES x{i}(id) ON DELETE CASCADE);\n"
    ),
    "refused": _each("DROP TABLE nothing{i};\n"),
    "allow": _each(f"{ALLOW}SELECT {{i}};\n"),
    "SELECT": _each("SELECT {i};\n"),
}
FLOODS: dict[str, Callable[[], str]] = {
    "10 MB of (": lambda: "(" * MANY,
    "10 MB of ;": lambda: ";" * MANY,
    "10 MB of allow comments": lambda: ALLOW * (MANY // len(ALLOW.encode())) + "SELECT 1;",
    "10 MB of comments": lambda: "-- x\n" * (MANY // 5) + "SELECT 1;",
    "10 MB of line ends": lambda: "\n" * MANY,
    "10 MB of quotes": lambda: "'" * MANY,
    "10 MB of words": lambda: "a " * (MANY // 2),
    "10 MB of small statements": lambda: "SELECT 1;\n" * (MANY // 10),
    "10 MB of INSERT": lambda: TABLE + "INSERT INTO t(a) VALUES ('x');\n" * (MANY // 32),
    "10 MB of commas": lambda: "SELECT 1" + ",1" * (MANY // 2) + ";",
    "10 MB of VALUES": lambda: TABLE + "INSERT INTO t(a) VALUES ('x')" + ",('x')" * (MANY // 7),
    "one 9.9 MB string": lambda: f"{TABLE}INSERT INTO t(a) VALUES ('{'x' * MANY}');",
    "one 9.9 MB name": lambda: f"CREATE TABLE {'x' * MANY}(a);",
    "one 9.9 MB number": lambda: f"SELECT {'9' * MANY};",
    "one 9.9 MB comment": lambda: f"/*{'x' * MANY}*/SELECT 1;",
    "unclosed comment": lambda: f"SELECT 1;/*{'x/*' * (MANY // 3)}",
    "9.9 MB of CASE": lambda: "SELECT " + "CASE WHEN 1 THEN " * (MANY // 17),
    "9.9 MB of NOT": lambda: "SELECT " + "NOT " * (MANY // 4) + "1;",
    "9.9 MB of SELECT (": lambda: "SELECT (" * (MANY // 8),
    "9.9 MB of BEGIN": lambda: "CREATE TRIGGER g AFTER INSERT ON t BEGIN " + "BEGIN " * (MANY // 6),
    "endless recursion": lambda: (
        "CREATE TABLE t(a);INSERT INTO t WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL "
        "SELECT n + 1 FROM c) SELECT n FROM c;\n" * 50
    ),
    "views of views": lambda: (
        TABLE + "CREATE VIEW v0 AS SELECT * FROM t;\n"
        + "".join(
            f"CREATE VIEW v{i + 1} AS SELECT a.* FROM v{i} a, v{i} b;\n" for i in range(60)
        )
        + "SELECT * FROM v60;"
    ),
    "randomblob": lambda: TABLE + "INSERT INTO t(a) VALUES (hex(zeroblob(1000000)));\n" * 500,
    "2,000 columns each": lambda: "".join(
        f"CREATE TABLE x{i}({','.join(f'c{n}' for n in range(99))});\n" for i in range(20_000)
    ),
}  # fmt: skip


def measured(text: str) -> tuple[float, int, int]:
    """The processor seconds, the peak MB and the exit code of `lint` on one file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "0001_make_a.sql")
        path.write_text(text, encoding="utf-8")
        words = (sys.executable, "-m", "d1_preflight", "lint", str(path))
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a device
            child = subprocess.Popen(words, stdout=nowhere, stderr=nowhere)
            _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return used.ru_utime + used.ru_stime, used.ru_maxrss // 1024, child.returncode


def slope(points: list[tuple[int, float]]) -> float:
    """The exponent of growth: the best line through the points in log-log."""
    xs = [math.log(n) for n, _ in points]
    ys = [math.log(max(seconds, 0.001)) for _, seconds in points]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    rise = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True))
    return rise / sum((x - mean_x) ** 2 for x in xs)


def lines(wanted: str) -> Iterator[str]:
    """One line for each kind."""
    start = min(measured("SELECT 1;")[0] for _ in range(3))
    yield f"start {start:.2f} s, taken off the slopes"
    for name, make in GROWTH.items():
        if wanted in name:
            found = [(n, *measured(make(n))) for n in SIZES]
            judged = [(n, seconds - start) for n, seconds, _, code in found if code != REFUSED]
            steep = f"{slope(judged):.2f}" if len(judged) > 1 else "-"
            each = "  ".join(
                f"{n:,}: {s:.1f} s {mb} MB{' refused' if code == REFUSED else ''}"
                for n, s, mb, code in found
            )
            yield f"{name:<26} slope {steep}  {each}"
    for name, flood in FLOODS.items():
        if wanted in name:
            seconds, megabytes, code = measured(flood())
            yield f"{name:<26} {seconds:5.1f} s  {megabytes:4} MB  exit {code}"


if __name__ == "__main__":
    for line in lines(" ".join(sys.argv[1:])):
        print(line, flush=True)
