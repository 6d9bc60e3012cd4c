"""Prints what `preflight fix` does on the corpus: what is proved, what is left, and why.

Run: python tests/bench/bench_fix.py [PART OF A PATH]. That no rewrite loses a row rests on the
proof in `core/remedies` and on its laws; this file counts, and compares nothing a second time.
"""

import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from d1_preflight.adapters.work_limit import TooMuchWork, work_limit
from d1_preflight.core.analysis import analyse_ledger
from d1_preflight.core.engine.sandbox import Sandbox
from d1_preflight.core.findings import Analysis, Finding
from d1_preflight.core.remedies.fix import WHY_NOT, Fix, fix
from test_corpus import CORPUS, read_ledgers

LIMIT_S = 30
_FORGOTTEN = ("index-made-too-early", "sequence-reset")
_NOT_OURS = tuple(WHY_NOT)


def wanted(analysis: Analysis) -> list[Finding]:
    """The blocking findings, and those of what a rebuild forgets."""
    return [
        found
        for found in analysis.findings
        if found.blocks or found.rule.endswith("-forgotten") or found.rule in _FORGOTTEN
    ]


def grade(found: Fix, asked: list[Finding]) -> str:
    """How much of what was asked is answered by a proved rewrite."""
    left = {a.finding.rule: a.reason for a in found.left}
    rules = {finding.rule for finding in asked}
    done = {answer.finding.rule for answer in found.done} & rules
    if not rules & left.keys():
        return "whole" if found.is_offered else "none"
    decisions = all("not for a program" in left[r] or r in _NOT_OURS or "all that this" in left[r]
                    or "has no" in left[r] for r in rules & left.keys())  # fmt: skip
    if done and found.is_offered:
        return "whole, but for its author's decisions" if decisions else "part"
    return "its author's decision alone" if decisions else "none"


def main() -> None:
    """Fix every file of the corpus that has such findings."""
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    grades: Counter[str] = Counter()
    begun = time.perf_counter()
    for ledger in read_ledgers():
        migrations = [migration for _, migration in ledger]
        sandbox = Sandbox()
        for (truth, migration), analysis in zip(ledger, analyse_ledger(migrations), strict=True):
            prior = sandbox.schema
            sandbox.run(migration.text, keep=True)
            asked = wanted(analysis)
            if not asked or only not in truth["file"]:
                continue
            started = time.perf_counter()
            try:
                with work_limit(LIMIT_S, 2000):
                    found = fix(migration, prior, migrations)
            except TooMuchWork:
                grades["too long"] += 1
                print(f"too long     {truth['file']} (more than {LIMIT_S} s)", flush=True)
                continue
            grades[grade(found, asked)] += 1
            seconds = time.perf_counter() - started
            print(f"{grade(found, asked):12} {truth['file']} ({seconds:.1f} s)", flush=True)
            for reason in _reasons(found, asked):
                print(f"    {reason}", flush=True)
        sandbox.close()
    _tell(grades, time.perf_counter() - begun)


def _reasons(found: Fix, asked: list[Finding]) -> list[str]:
    rules = {finding.rule for finding in asked}
    left = [f"{a.finding.rule}: {a.reason}"[:230] for a in found.left if a.finding.rule in rules]
    return list(dict.fromkeys(left))


def _tell(grades: Counter[str], seconds: float) -> None:
    files = sum(grades.values())
    decisions = grades["its author's decision alone"]
    proved = files - decisions - grades["none"] - grades["too long"]
    print(f"\n{files} files with blocking findings or forgotten parts, {seconds:.0f} s")
    for name, number in grades.most_common():
        print(f"  {number:3} {name}")
    rest = max(files - decisions, 1)
    print(f"a proved rewrite: {proved} of {files} ({proved / max(files, 1):.0%});")
    print(f"  of those whose answer is in the file: {proved} of {rest} ({proved / rest:.0%})")


if __name__ == "__main__":
    if not (CORPUS / "truth.csv").is_file():
        sys.exit("the corpus of real migrations (../shared/corpus) is not on this machine")
    main()
