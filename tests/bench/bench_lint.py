"""Prints what the linter is measured by: truth on the corpus, speed, growth, beside sqlfluff.

Run: python tests/bench/bench_lint.py (sqlfluff is compared where it is on PATH).
"""

import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from d1_preflight.core.analysis import analyse, judge_in_order
from d1_preflight.core.findings import Analysis
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.schema.schema import Schema
from test_corpus import CORPUS, read_ledgers

Row = tuple[dict[str, str], Analysis]
ONE_FILE = """
from pathlib import Path; import sys
from d1_preflight.core.analysis import judge_in_order
from d1_preflight.core.project.migration import Migration
path = Path(sys.argv[1])
print(next(judge_in_order([Migration.from_bytes(path.name, path.read_bytes(), path)])).kind)
assert not {"textual", "questionary", "sqlglot"} & sys.modules.keys()
"""


def corpus() -> None:
    """Truth and time over the whole corpus."""
    ledgers = read_ledgers()
    begun = time.perf_counter()
    judged = [tuple(judge_in_order([migration for _, migration in ledger])) for ledger in ledgers]
    seconds = time.perf_counter() - begun
    pairs = zip(ledgers, judged, strict=True)
    rows = [(t, a) for ledger, found in pairs for (t, _), a in zip(ledger, found, strict=True)]
    print(f"corpus: {len(rows)} files in {seconds:.2f} s (limit 4.00)")
    _truth(rows)


def _truth(rows: list[Row]) -> None:
    silent = [(t, a) for t, a in rows if t["silent_loss"] == "yes"]
    caught = sum(set(t["rows_lost"].split()) <= set(a.effects.rows_deleted_in) for t, a in silent)
    wrong = [(t, a) for t, a in rows if a.kind.value != t["label"]]
    false = sum(
        t["label"] != "destructive" and any(f.rows_at_risk and f.blocks for f in a.findings)
        for t, a in rows
    )
    print(f"silent loss: {caught} of {len(silent)} caught with every table named")
    print(f"class equals label: {1 - len(wrong) / len(rows):.1%} (limit 97.0%)")
    for truth, analysis in wrong:
        print(f"  {truth['file']}: labelled {truth['label']}, judged {analysis.kind.value}")
    print(
        f"row-loss blocking on files not labelled destructive: {false / len(rows):.1%} (limit 3%)"
    )
    additive = [a for t, a in rows if t["label"] == "additive" and t["silent_loss"] == "no"]
    blocked = sum(any(finding.blocks for finding in a.findings) for a in additive)
    print(
        f"blocked among {len(additive)} harmless additive files: {blocked}"
        f" ({blocked / len(additive):.1%}, limit 0.5%)"
    )
    told = Counter(finding.rule for _, a in rows for finding in a.findings)
    print("most frequent rules:", ", ".join(f"{rule} {n}" for rule, n in told.most_common(12)))


def one_file() -> None:
    """A whole process for one file."""
    path = max(CORPUS.rglob("*.sql"), key=lambda p: p.stat().st_size)
    times = []
    for _ in range(7):
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", ONE_FILE, str(path)], check=True, capture_output=True)
        times.append(time.perf_counter() - begun)
    print(
        f"one file ({path.name}, {path.stat().st_size:,} bytes), whole process:"
        f" {min(times):.3f} s best, {sorted(times)[3]:.3f} s median (limit 0.300)"
    )


def growth() -> None:
    """Time against size: one INSERT a row, and one INSERT of many rows."""
    for words, build in (("statements", _statements), ("rows in one statement", _rows)):
        points = []
        for count in (12_500, 25_000, 50_000):
            migration = Migration.from_text("0001_fill_a_table.sql", build(count))
            begun = time.perf_counter()
            analyse(migration, Schema())
            points.append((count, time.perf_counter() - begun))
        shown = ", ".join(f"{count:,}: {seconds:.2f} s" for count, seconds in points)
        slope = points[-1][1] / points[0][1] / (points[-1][0] / points[0][0])
        print(f"growth, {words}: {shown}; slope {slope:.2f} (1.00 is linear)")


def _statements(count: int) -> str:
    row = "INSERT INTO t(id, name) VALUES ({}, 'it''s; a -- name');\n"
    return "CREATE TABLE t(id INTEGER, name TEXT);\n" + "".join(map(row.format, range(count)))


def _rows(count: int) -> str:
    rows = ",\n".join(f"({n}, 'it''s; a -- name')" for n in range(count))
    return f"CREATE TABLE t(id INTEGER, name TEXT);\nINSERT INTO t(id, name) VALUES {rows};"


def large() -> None:
    """A file of 50 MB: time and memory."""
    import resource

    migration = Migration.from_text("0001_fill_a_table.sql", _statements(950_000))
    begun = time.perf_counter()
    kind = analyse(migration, Schema()).kind
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    seconds = time.perf_counter() - begun
    print(f"{len(migration.text):,} bytes: {seconds:.1f} s, judged {kind}, peak {peak} MB")


def beside_sqlfluff(count: int = 40) -> None:
    """The same files by sqlfluff's linter with the dialect sqlite, in the same run."""
    sqlfluff = shutil.which("sqlfluff")
    if sqlfluff is None:
        print("sqlfluff: not on PATH, not compared")
        return
    with tempfile.TemporaryDirectory() as folder:
        ledger = next(rows for rows in read_ledgers() if len(rows) >= count)[:count]
        for _, migration in ledger:
            (Path(folder) / migration.name).write_text(migration.text, encoding="utf-8")
        begun = time.perf_counter()
        subprocess.run(
            [sqlfluff, "lint", "--dialect", "sqlite", folder],
            check=False,
            capture_output=True,
        )
        theirs = time.perf_counter() - begun
        code = ONE_FILE.replace(
            "path = Path(sys.argv[1])", "paths = sorted(Path(sys.argv[1]).iterdir())"
        ).replace(
            "[Migration.from_bytes(path.name, path.read_bytes(), path)])[0].kind",
            "[Migration.from_bytes(p.name, p.read_bytes(), p) for p in paths])[0].kind",
        )
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", code, folder], check=True, capture_output=True)
        ours = time.perf_counter() - begun
    print(
        f"{count} files: sqlfluff {theirs:.2f} s, preflight {ours:.2f} s: {theirs / ours:.0f} times"
    )


if __name__ == "__main__":
    if (CORPUS / "truth.csv").is_file():
        corpus()
        one_file()
        beside_sqlfluff()
    else:
        print("corpus: not on this machine")
    growth()
    large()
