"""Prints what `preflight fix` does on the corpus: what is proved, what is left, and why.

Run: python tests/bench/bench_fix.py [PART OF A PATH]. Each rewrite is run once more beside the
author's file on invented rows: fewer rows in a table, or a schema that differs unsaid, is printed.

Counted are the files with a blocking finding, or with one about a part that a rebuild forgot. A
file has a proved rewrite if one is offered that answers at least one of these findings (a header
alone does not count). Where what is forgotten is all that the rebuild changes, it is written only
once its rule is named (`fix --rule`): such files are a share of their own, tried with that rule.
"""

import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import apsw

from d1_preflight.adapters.work_limit import TooMuchWork, work_limit
from d1_preflight.core.analysis import judge_in_order, schema_after
from d1_preflight.core.d1 import LEDGER
from d1_preflight.core.engine.sandbox import Sandbox
from d1_preflight.core.engine.trial import run_as_d1
from d1_preflight.core.findings import Analysis, Finding
from d1_preflight.core.project.migration import Migration
from d1_preflight.core.remedies.fix import Fix, fix
from d1_preflight.core.remedies.sample_rows import filled_database
from d1_preflight.core.remedies.unwritten.reasons import WHY_NOT
from d1_preflight.core.schema.schema import Schema, diff
from d1_preflight.core.sql.tokenizer import quote_name
from test_corpus import CORPUS, read_ledgers

LIMIT_S = 30
_FORGOTTEN = ("index-made-too-early", "sequence-reset")
_NOT_OURS = tuple(WHY_NOT)
DECISION = "its author's decision alone"
NAMED = "once its rule is named"


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
    decisions = all("author knows" in left[r] or r in _NOT_OURS or "only change of" in left[r]
                    or "has no" in left[r] for r in rules & left.keys())  # fmt: skip
    if done and found.is_offered:
        return "whole, but for its author's decisions" if decisions else "part"
    return DECISION if decisions else "none"


def named(found: Fix) -> set[str]:
    """The rules whose rewrite is written once a person names them."""
    return {a.finding.rule for a in found.left if f"--rule {a.finding.rule}" in a.reason}


def lost_rows(found: Fix, prior: Schema, name: str) -> set[str]:
    """The tables that hold fewer rows after the rewrite than after the author's file."""
    lost: set[str] = set()
    for gaps in (False, True):
        before, _ = filled_database(prior, gaps=gaps)
        mine, _ = filled_database(prior, gaps=gaps)
        kept = counts(before)
        if not run_as_d1(before, found.before, name, ledger=LEDGER, clock=lambda: 0.0).refused:
            kept = counts(before)
        if not run_as_d1(mine, found.after, name, ledger=LEDGER, clock=lambda: 0.0).refused:
            now = counts(mine)
            lost |= {table for table, rows in kept.items() if now.get(table, rows) < rows}
        before.close()
        mine.close()
    return lost


def counts(connection: apsw.Connection) -> dict[str, int]:
    """The rows of each table."""
    names = [str(n) for n in Schema.from_connection(connection).without(LEDGER).tables]
    return {
        name: int(str(next(connection.execute(f"SELECT count(*) FROM {quote_name(name)}"))[0]))
        for name in names
    }


def unsaid(found: Fix, prior: Schema) -> set[str]:
    """The differences of the final schema that the rewrite does not name."""
    after = [
        schema_after([Migration.from_text("0001_one_file.sql", text)], prior)
        for text in (found.before, found.after)
    ]
    return {change.words for change in diff(*after)} - set(found.proof.differences)


def main() -> None:
    """Fix every file of the corpus that has such findings."""
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    grades: Counter[str] = Counter()
    begun, harms = time.perf_counter(), 0
    for ledger in read_ledgers():
        if not any(only in truth["file"] for truth, _ in ledger):
            continue
        migrations = [migration for _, migration in ledger]
        sandbox = Sandbox()
        for (truth, migration), analysis in zip(
            ledger, tuple(judge_in_order(migrations)), strict=True
        ):
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
            result = grade(found, asked)
            if result == DECISION and named(found) - {"several-changes"}:
                asked_for = fix(migration, prior, migrations, rules=named(found))
                if asked_for.is_offered:
                    found, result = asked_for, NAMED
            grades[result] += 1
            harm = lost_rows(found, prior, migration.name) | unsaid(found, prior)
            harms += bool(harm) and found.is_offered
            for words in sorted(harm) if found.is_offered else ():
                print(f"  !! {truth['file']}: {words}", flush=True)
            seconds = time.perf_counter() - started
            print(f"{result:12} {truth['file']} ({seconds:.1f} s)", flush=True)
            for reason in _reasons(found, asked):
                print(f"    {reason}", flush=True)
        sandbox.close()
    print(f"\nrewrites that lose a row or change the schema unsaid: {harms}")
    _tell(grades, time.perf_counter() - begun)


def _reasons(found: Fix, asked: list[Finding]) -> list[str]:
    rules = {finding.rule for finding in asked}
    left = [f"{a.finding.rule}: {a.reason}"[:230] for a in found.left if a.finding.rule in rules]
    return list(dict.fromkeys(left))


def _tell(grades: Counter[str], seconds: float) -> None:
    files = sum(grades.values())
    decisions = grades[DECISION]
    by_name = grades[NAMED]
    proved = files - decisions - grades["none"] - grades["too long"] - by_name
    print(f"\n{files} files with blocking findings or forgotten parts, {seconds:.0f} s")
    for name, number in grades.most_common():
        print(f"  {number:3} {name}")
    rest = max(files - decisions - by_name, 1)
    print(f"a proved rewrite, unasked: {proved} of {files} ({proved / max(files, 1):.0%});")
    print(f"  of those whose answer is in the file: {proved} of {rest} ({proved / rest:.0%})")
    both = proved + by_name
    print(f"  with those that are written once their rule is named: {both} of {files}", end="")
    print(f" ({both / max(files, 1):.0%})")


if __name__ == "__main__":
    if not (CORPUS / "truth.csv").is_file():
        sys.exit("the corpus of real migrations (../shared/corpus) is not on this machine")
    main()
