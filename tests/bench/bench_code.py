"""What the code analysis sees of a public repository: `bench_code.py --repository CLONE`.

Prints the coverage of its newest code, every commit that added migrations and broke the code that
ran then, and the speed. The clone lies beside the project; nothing of it is executed.
"""

import argparse
import re
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from d1_preflight.adapters.git.revision_tree import RevisionTree, revision_tree
from d1_preflight.code.comparison import Step, compare_codes
from d1_preflight.code.project_code import ProjectCode, read_code
from d1_preflight.code.scripts import is_wanted
from d1_preflight.code.source import Scope
from d1_preflight.code.verdict import CodeState, Harm, Verdict
from d1_preflight.core.analysis import schema_after
from d1_preflight.core.project.migration import Migration, ledger_key
from d1_preflight.core.schema.schema import Schema

_MIGRATION = re.compile(r"(?:^|/)migrations?/(?:[^/]*/)?[^/]*\.sql$")
_DOWN = re.compile(r"(?:^|/)(?:down|rollback|undo)/|[._-](?:down|rollback)\.sql$")


class Memory:
    """A cache for one run."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}

    def get(self, key: str) -> Any:
        return self.kept.get(key)

    def put(self, key: str, value: Any) -> None:
        self.kept[key] = value


def git(clone: Path, *words: str) -> str:
    found = subprocess.run(("git", "-C", str(clone), *words), capture_output=True, check=True)
    return found.stdout.decode("utf-8", "replace")


def migrations(tree: RevisionTree, folder: str) -> dict[str, str]:
    """The migrations of a folder by their whole paths, in the ledger's order."""
    paths = [p for p in tree.blobs if p.startswith(f"{folder}/") and _is_migration(p)]
    texts = tree.read(paths)
    ordered = sorted(texts, key=lambda path: ledger_key(path.rpartition("/")[2]))
    return {path: texts[path].decode("utf-8", "replace") for path in ordered}


def _is_migration(path: str) -> bool:
    return _MIGRATION.search(path) is not None and not _DOWN.search(path)


def schema_of(texts: dict[str, str]) -> Schema:
    return schema_after([Migration.from_text(path, text) for path, text in texts.items()])


def commits(clone: Path) -> Iterator[tuple[str, set[str]]]:
    """The commits that add migrations, with the folders in which they do, oldest first."""
    words = ("log", "--no-merges", "--reverse", "--diff-filter=A", "--name-only", "--format=%x00%H",
             "--", "*.sql")  # fmt: skip
    for block in git(clone, *words).split("\0")[1:]:
        commit, *paths = [line for line in block.splitlines() if line]
        folders = {p.rpartition("/")[0] for p in paths if _is_migration(p)}
        if folders:
            yield commit, folders


def print_coverage(clone: Path, scope: Scope) -> None:
    tree = revision_tree(clone, "HEAD", is_wanted)
    began = time.perf_counter()
    memory = Memory()
    code = read_code(tree, scope, memory)
    cold = time.perf_counter() - began
    began = time.perf_counter()
    read_code(tree, scope, memory)
    warm = time.perf_counter() - began
    folders = {p.rpartition("/")[0] for p in tree.blobs if _is_migration(p)}
    texts = {
        path: text for folder in sorted(folders) for path, text in migrations(tree, folder).items()
    }
    schema = schema_of(texts)
    state = prepares(code, schema)
    seen = state.coverage
    total = max(1, seen.queries)
    shares = {
        "whole": seen.whole, "holed and prepared": seen.filled,
        "partly": seen.partly, "not at all": seen.unread,
    }  # fmt: skip
    print(f"coverage of prepare at HEAD: {seen.queries} calls in {seen.files} files")
    for name, count in shares.items():
        print(f"  {name:20} {count:5}  {100 * count / total:5.1f} %")
    print(f"  ORMs: {code.orms or 'none'}, with exec, tags, wrappers: {len(code.queries)}")
    for unread in state.unread:
        print(f"    {unread.path}:{unread.line}: {unread.why}")
    for note in code.notes[:8]:
        print(f"    note: {note}")
    sources = sum(1 for path in tree.blobs if path.endswith((".ts", ".tsx", ".js", ".jsx")))
    print(f"speed: {cold:.2f} s cold, {warm:.2f} s with what was read ({sources} source files)\n")


def prepares(code: ProjectCode, schema: Schema) -> CodeState:
    """The code on one schema, its `prepare` calls alone."""
    only = ProjectCode(
        code.name, tuple(q for q in code.queries if q.method == "prepare"), code.files, code.orms
    )
    return compare_codes(only, only, Step(schema, schema)).deployed


def print_history(clone: Path, scope: Scope, only: str) -> None:
    memory = Memory()
    count, orders = 0, Counter[str]()
    for commit, folders in commits(clone):
        if only and not commit.startswith(only):
            continue
        parent = git(clone, "rev-list", "--parents", "-n1", commit).split()[1:2]
        if not parent:
            continue
        for folder in sorted(folders):
            count += 1
            verdict = judged(clone, (parent[0], commit), folder, scope, memory)
            orders[verdict.order] += 1
            if verdict.deployed.harmed:
                print_break(clone, commit, folder, verdict)
    print(f"history: {count} additions of migrations: {dict(orders)}")


def judged(
    clone: Path, commits_: tuple[str, str], folder: str, scope: Scope, memory: Memory
) -> Verdict:
    old, new = (revision_tree(clone, commit, is_wanted) for commit in commits_)
    before, after = migrations(old, folder), migrations(new, folder)
    scripts = {path: text for path, text in after.items() if path not in before}
    old_schema = schema_of(before)
    # an edited old file is no migration: only the new files run on what is deployed
    new_schema = schema_of(before | scripts)
    codes = [read_code(tree, scope, memory) for tree in (old, new)]
    return compare_codes(codes[0], codes[1], Step(old_schema, new_schema, scripts))


def print_break(clone: Path, commit: str, folder: str, verdict: Verdict) -> None:
    title = git(clone, "log", "-1", "--format=%s", commit).strip()
    harmed = verdict.deployed.harmed
    fails = sum(query.harm is Harm.FAILS for query in harmed)
    print(f"{commit[:9]} {title[:70]}  [{folder}]")
    print(f"  {len(harmed)} break ({fails} fail): {verdict.order}")
    by_words = defaultdict(list)
    for query in harmed:
        by_words[query.words].append(f"{query.path}:{query.line}")
    for words, places in by_words.items():
        print(f"    {words}: {len(places)}x {places[0]}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repository", type=Path, required=True, help="a clone, with .git")
    parser.add_argument("--folder", default="", help="the project's folder in it")
    parser.add_argument("--main", default="", help="the Worker's entry, in that folder")
    parser.add_argument("--commit", default="", help="only this commit of the history")
    arguments = parser.parse_args()
    scope = Scope(arguments.folder, arguments.main)
    if not arguments.commit:
        print_coverage(arguments.repository, scope)
    print_history(arguments.repository, scope, arguments.commit)
    return 0


if __name__ == "__main__":
    sys.exit(main())
