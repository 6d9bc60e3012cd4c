"""What git knows about a folder at an earlier revision: which files were there, which changed."""

from pathlib import Path

from d1_preflight.adapters.processes import MISSING, Answer, ask
from d1_preflight.core.errors import UsageError

_TIMEOUT = 60.0


def files_at(folder: Path, revision: str) -> frozenset[str]:
    """The files below `folder` at a revision, relative to it; raises UsageError."""
    listed = _git(folder, "ls-tree", "-r", "-z", "--name-only", _tree(folder, revision))
    return _names(listed)


def changed_since(folder: Path, revision: str) -> frozenset[str]:
    """The files below `folder` that were there at a revision and read differently, or not, now."""
    tree = _tree(folder, revision)
    words = ("diff", "--no-renames", "--diff-filter=MTD", "--name-only", "--relative", "-z")
    return _names(_git(folder, *words, "--no-ext-diff", tree, "--", "."))


def _tree(folder: Path, revision: str) -> str:
    words = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{tree}}")
    found = ask("git", *words, cwd=folder)
    if found.exit_code == MISSING:
        raise UsageError("git was not found on PATH.", hint="--base needs it; install git.")
    if found.exit_code == 0 and found.text:
        return found.text.strip()
    if ask("git", "rev-parse", "--is-inside-work-tree", cwd=folder).text != "true":
        raise UsageError(
            f"{folder} is not in a git work tree.", hint="Leave --base out to judge every file."
        )
    raise UsageError(
        f"git knows no revision {revision!r} here.",
        hint=f"Fetch it first: git fetch --depth=1 origin {revision.removeprefix('origin/')}, "
        "then --base FETCH_HEAD.",
    )


def _git(folder: Path, *words: str) -> Answer:
    answer = ask("git", "-c", "core.quotePath=false", *words, cwd=folder, timeout=_TIMEOUT)
    if answer.exit_code != 0:
        raise UsageError(f"git {words[0]} failed in {folder}: {answer.reason or 'no reason'}")
    return answer


def _names(answer: Answer) -> frozenset[str]:
    listed = answer.out.decode("utf-8", "surrogateescape")
    return frozenset(name for name in listed.split("\0") if name)
