"""Prints every file of the corpus whose verdict differs from that of an earlier commit.

Run: python tests/bench/bench_verdicts.py [COMMIT] (the one before the last where none is named).
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

HERE = Path(__file__).resolve()
sys.path.insert(0, os.environ.get("TESTS_OF_THE_COMMIT", str(HERE.parents[1])))

Verdict = dict[str, object]


def verdicts() -> dict[str, Verdict]:
    """Class, blocking findings and effects of every file, by the package that is imported."""
    from d1_preflight.core.analysis import judge_in_order
    from test_corpus import read_ledgers

    found: dict[str, Verdict] = {}
    for ledger in read_ledgers():
        analyses = tuple(judge_in_order([migration for _, migration in ledger]))
        for (truth, _), analysis in zip(ledger, analyses, strict=True):
            blocking = sorted(f"{f.rule} line {f.line}" for f in analysis.findings if f.blocks)
            others = sorted(f"{f.rule} line {f.line}" for f in analysis.findings if not f.blocks)
            found[truth["file"]] = {
                "label": truth["label"],
                "class": analysis.kind.value,
                "blocking": blocking,
                "other findings": others,
                **json.loads(json.dumps(asdict(analysis.effects))),
            }
    return found


def verdicts_at(commit: str) -> dict[str, Verdict]:
    """The same by the package as it was at a commit."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "commit"
        folder.mkdir()
        (Path(place) / "shared").symlink_to(HERE.parents[3] / "shared")  # where tests look for it
        paths = ("app", "checklists", "tests")
        archive = ("git", "-C", str(HERE.parents[2]), "archive", commit, *paths)
        packed = subprocess.run(archive, check=True, capture_output=True).stdout
        subprocess.run(("tar", "-x", "-C", str(folder)), input=packed, check=True)
        own = {"PYTHONPATH": str(folder / "app"), "TESTS_OF_THE_COMMIT": str(folder / "tests")}
        environment = {**os.environ, **own}
        command = (sys.executable, str(HERE), "--as-json")
        done = subprocess.run(command, env=environment, check=True, capture_output=True)
    before: dict[str, Verdict] = json.loads(done.stdout)
    return before


def main() -> None:
    """The table of all files that move."""
    if sys.argv[1:] == ["--as-json"]:
        print(json.dumps(verdicts()))
        return
    commit = sys.argv[1] if len(sys.argv) > 1 else "HEAD~1"
    before, after = verdicts_at(commit), verdicts()
    moved = [file for file in after if _differences(before.get(file, {}), after[file])]
    print(f"{len(after)} files, {len(moved)} with another verdict than at {commit}")
    for file in moved:
        print(f"{file} (labelled {after[file]['label']})")
        for key, earlier, value in _differences(before.get(file, {}), after[file]):
            print(f"    {key}: {earlier} -> {value}")


def _differences(before: Verdict, after: Verdict) -> list[tuple[str, object, object]]:
    """What reads differently; a figure that the earlier commit did not have counts if it is set."""
    pairs = ((key, before.get(key), value) for key, value in after.items())
    return [(k, old, new) for k, old, new in pairs if old != new and (old is not None or new)]


if __name__ == "__main__":
    main()
