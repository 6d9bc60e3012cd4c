"""One revision of a repository as its objects hold it: nothing is checked out, no filter is run."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from d1_preflight.adapters.git.door import Git, git_around
from d1_preflight.adapters.processes import MISSING
from d1_preflight.core.errors import UsageError
from d1_preflight.core.format import plural

MOST_BYTES = 1_000_000
_MOST_FILES = 100_000
_BATCH = 24_000_000  # of one answer of git
_TIMEOUT = 60.0
_REGULAR = frozenset({"100644", "100664", "100755"})
_OBJECT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


@dataclass(frozen=True, slots=True)
class RevisionTree:
    """The regular files of a revision; links and submodules are no files of it."""

    name: str
    blobs: Mapping[str, str]
    notes: Sequence[str]
    git: Git
    sizes: Mapping[str, int]

    def read(self, paths: Iterable[str]) -> dict[str, bytes]:
        """The bytes of files, many in one answer of git; what is too long is left out."""
        wanted = [
            p for p in paths if self.sizes.get(self.blobs.get(p, ""), MOST_BYTES + 1) <= MOST_BYTES
        ]
        found: dict[str, bytes] = {}
        for batch in self._batches(wanted):
            names = dict.fromkeys(self.blobs[path] for path in batch)
            asked = "".join(f"{name}\n" for name in names).encode()
            answer = self.git.ask("cat-file", "--batch", stdin=asked, timeout=_TIMEOUT)
            objects = dict(_objects(answer.out)) if answer.exit_code == 0 else {}
            found |= {p: objects[self.blobs[p]] for p in batch if self.blobs[p] in objects}
        return found

    def _batches(self, paths: Sequence[str]) -> Iterator[list[str]]:
        batch: list[str] = []
        size = 0
        for path in paths:
            batch.append(path)
            size += self.sizes[self.blobs[path]] + 100
            if size > _BATCH:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch


def revision_tree(
    folder: Path,
    revision: str,
    is_wanted: Callable[[str], bool],
    *,
    most_files: int = _MOST_FILES,
) -> RevisionTree:
    """The tree of a revision of the repository around a folder; raises UsageError.

    A wanted file that this clone does not have is said, any other is not missed.
    """
    git = git_around(folder)
    return tree_of_commit(git, commit_of(git, revision), revision, is_wanted, most_files=most_files)


def tree_of_commit(
    git: Git,
    commit: str,
    revision: str,
    is_wanted: Callable[[str], bool],
    *,
    most_files: int = _MOST_FILES,
) -> RevisionTree:
    """The tree of a commit that git itself has just named; raises UsageError."""
    listed = git.ask("ls-tree", "-r", "-z", "-l", "--full-tree", commit, timeout=_TIMEOUT)
    if listed.exit_code != 0:
        raise UsageError(
            f"git could not list {revision}: {listed.reason or 'no reason'}.",
            hint="A shallow or partial clone lacks it: git fetch --unshallow.",
        )
    blobs: dict[str, str] = {}
    sizes: dict[str, int] = {}
    notes: list[str] = []
    missing = 0
    for line in os.fsdecode(listed.out).split("\0"):
        about, _, path = line.partition("\t")
        mode, _, rest = about.partition(" ")
        name, size = (*rest.split()[1:], "", "")[:2]
        if mode not in _REGULAR:
            continue
        if len(blobs) >= most_files:
            notes.append(f"more than {most_files:,} files at {revision}: the rest is left out")
            break
        if size.isdigit():
            blobs[path] = name
            sizes[name] = int(size)
        elif is_wanted(path):  # of an object that is not here git says no size
            missing += 1
    if missing:
        are = "is" if missing == 1 else "are"
        notes.append(f"{plural(missing, 'file')} at {revision} {are} not in this clone: left out")
    shown = revision if revision == commit[: len(revision)] else f"{revision} ({commit[:9]})"
    return RevisionTree(shown, blobs, tuple(notes), git, sizes)


def commit_of(git: Git, revision: str) -> str:
    """The commit that a revision names; raises UsageError."""
    if not revision or revision.startswith("-") or "\0" in revision:
        raise UsageError(
            f"{revision!r} is not a git revision.", hint="Name a branch, tag or commit."
        )
    if git.git_dir is None:
        raise UsageError(
            f"{git.root} is not in a git work tree: it has no revision {revision!r}.",
            hint="Leave --deployed out to judge the code that lies here.",
        )
    if refused := git.refusal():
        raise UsageError(f"git refuses {git.root}: {refused.reason}.", hint="See git's message.")
    words = ("rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")
    answer = git.ask(*words, timeout=_TIMEOUT)
    if answer.exit_code == MISSING:
        raise UsageError("git was not found on PATH.", hint="Install git; revisions need it.")
    if answer.exit_code != 0 or not _OBJECT.fullmatch(answer.text):
        raise UsageError(
            f"git knows no revision {revision!r} here.",
            hint=f"A shallow clone may lack it: git fetch --depth=1 origin {revision}, or "
            "git fetch --unshallow.",
        )
    return answer.text


def merge_base(git: Git) -> str:
    """The commit at which this work left the branch that is deployed; "" where git cannot tell."""
    if git.git_dir is None or git.refusal():
        return ""
    remote, own = ("HEAD", "main", "master"), ("main", "master")
    names = [*(f"refs/remotes/origin/{n}" for n in remote), *(f"refs/heads/{n}" for n in own)]
    listed = git.ask("for-each-ref", "--format=%(refname)", *names, timeout=_TIMEOUT)
    known = frozenset(listed.text.split())
    for name in names:
        if name not in known:
            continue
        answer = git.ask("merge-base", "HEAD", name, timeout=_TIMEOUT)
        if answer.exit_code == 0 and _OBJECT.fullmatch(answer.text):
            return answer.text
    answer = git.ask("rev-parse", "--verify", "--quiet", "HEAD^{commit}", timeout=_TIMEOUT)
    return answer.text if answer.exit_code == 0 else ""


def _objects(out: bytes) -> Iterator[tuple[str, bytes]]:
    """The objects of an answer of `cat-file --batch`; one that is missing has no bytes."""
    at = 0
    while at < len(out):
        end = out.index(b"\n", at)
        head = out[at:end].decode("ascii", "replace").split()
        at = end + 1
        if len(head) == 3 and head[2].isdigit():  # noqa: PLR2004 - name, type and size
            size = int(head[2])
            yield head[0], out[at : at + size]
            at += size + 1
