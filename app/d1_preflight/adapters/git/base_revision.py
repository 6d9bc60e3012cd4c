"""What a folder held at an earlier revision, as the repository's own objects say.

Only object names are compared: no filter, no index and no file of the checkout has a say in it.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha1, sha256
from pathlib import Path

from d1_preflight.adapters.git.door import Git, git_around
from d1_preflight.adapters.processes import MISSING, Answer
from d1_preflight.core.errors import UsageError

_TIMEOUT = 60.0
_OBJECT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_ONE = ("--literal-pathspecs",)
_REGULAR = ("100644", "100664", "100755")


@dataclass(slots=True)
class BaseRevision:
    """One revision, asked for folders and files by their paths on disk; raises UsageError."""

    revision: str
    _trees: dict[Path, "_Tree | None"] = field(default_factory=dict)

    def files(self, folder: Path) -> Mapping[str, str]:
        """The regular files below a folder then, relative to it, and their object names."""
        at = self._at(folder)
        found = at.named(_relative(folder, at.git)) if at else None
        if at is None or found is None or found[0] != "tree":
            return {}
        listed = _need(at.git, "ls-tree", "-r", "-z", "--full-tree", found[1])
        entries = (line.split("\t", 1) for line in _names(listed))
        return {name: about.split()[2] for about, name in entries if about.split()[0] in _REGULAR}

    def object_of(self, path: Path) -> str:
        """The name of a file's contents then; "" where it was no file."""
        at = self._at(path.parent)
        found = at.named(_relative(path, at.git)) if at else None
        return found[1] if found and found[0] == "blob" else ""

    def text_of(self, path: Path, here: bytes) -> bytes:
        """A file's bytes then; `here` are today's, which may be the same. UsageError without."""
        name = self.object_of(path)
        if is_object(here, name):
            return here
        return self.data(path.parent, name) if name else b""

    def data(self, folder: Path, object_name: str) -> bytes:
        """The bytes of one of the files of a folder."""
        return _need(git_around(folder), "cat-file", "blob", object_name).out

    def commit(self, folder: Path) -> str:
        """The commit that the revision means; "" where it means a tree, or git does not know."""
        words = ("rev-parse", "--verify", "--quiet", "--end-of-options")
        answer = git_around(folder).ask(*words, f"{self.revision}^{{commit}}", timeout=_TIMEOUT)
        return answer.text.strip() if answer.exit_code == 0 else ""

    def fork(self, folder: Path) -> "BaseRevision | None":
        """The revision where this branch left the base; None where git does not know it."""
        git = git_around(folder)
        if _around(git) is not None or self.revision.startswith("-"):
            return None
        words = ("merge-base", "--end-of-options", f"{self.revision}^{{commit}}", "HEAD")
        answer = git.ask(*words, timeout=_TIMEOUT)
        is_one = answer.exit_code == 0 and _OBJECT.fullmatch(answer.text.strip())
        return BaseRevision(answer.text.strip()) if is_one else None

    def _at(self, folder: Path) -> "_Tree | None":
        git = git_around(folder)
        if git.root not in self._trees:
            self._trees[git.root] = _tree(git, self.revision)
        return self._trees[git.root]


def is_object(data: bytes, name: str) -> bool:
    """Whether these bytes have that object name, as they are or with git's own line ends."""
    return name != "" and any(
        _object_name(form, name) == name for form in (data, data.replace(b"\r\n", b"\n"))
    )


@dataclass(frozen=True, slots=True)
class _Tree:
    """The tree of one repository at the revision; `below` is where the repository lay in it."""

    git: Git
    name: str
    below: str = ""

    def named(self, path: str) -> tuple[str, str] | None:
        """The type and the object name at a path, links followed as far as they stay inside."""
        whole = "/".join(part for part in (self.below, path) if part)
        words = ("cat-file", "--batch-check=%(objecttype) %(objectname)", "--follow-symlinks")
        if "\n" in whole:
            return None
        answer = _need(self.git, *words, stdin=os.fsencode(f"{self.name}:{whole}\n"))
        kind, _, name = answer.text.partition(" ")
        return (kind, name) if _OBJECT.fullmatch(name) and kind in {"tree", "blob"} else None


def _tree(git: Git, revision: str) -> _Tree | None:
    """The tree at a revision; what a submodule held then, the repository around it decides.

    The refs of a submodule come from wherever a pull request says.
    """
    outer = _around(git)
    if outer is None:
        return _Tree(git, _resolved(git, revision))
    at, path = _tree(outer, revision), _relative(git.root, outer)
    if at is None:
        return None
    whole = "/".join(part for part in (at.below, path) if part)
    listed = _names(_need(at.git, *_ONE, "ls-tree", "-z", "--full-tree", at.name, "--", whole))
    mode, _, name = listed[0].partition("\t")[0].split() if listed else ("", "", "")
    if mode == "160000":
        return _Tree(git, _resolved(git, name))
    return _Tree(at.git, at.name, whole) if mode == "040000" else None


def _around(git: Git) -> Git | None:
    """The repository that holds this one as a submodule; None where none does."""
    outer = git_around(git.root.parent)
    if git.git_dir is None or outer.git_dir is None:
        return None
    path = _relative(git.root, outer)
    staged = _need(outer, *_ONE, "ls-files", "--stage", "-z", "--", path)
    words = ("ls-tree", "-z", "--full-tree", "HEAD", "--", path)
    listed = outer.ask(*_ONE, *words, timeout=_TIMEOUT)
    found = (*_names(staged), *_names(listed))
    return outer if any(line.startswith("160000 ") for line in found) else None


def _relative(path: Path, git: Git) -> str:
    """A path from the root of its repository, as the tree has it: links are not followed yet."""
    written = Path(os.path.abspath(path))  # noqa: PTH100 - links stay as they are written
    for whole in (written, Path(os.path.realpath(path))):
        if whole.is_relative_to(git.root):
            return "" if whole == git.root else whole.relative_to(git.root).as_posix()
    raise UsageError(
        f"{path} does not lie in {git.root}.", hint="Run it in the repository of that file."
    )


def _resolved(git: Git, revision: str) -> str:
    if not revision or revision.startswith("-") or "\0" in revision:
        raise UsageError(
            f"{revision!r} is not a git revision.", hint="Name a branch, tag or commit."
        )
    if refused := git.refusal():
        raise _failure(git, refused)
    words = ("rev-parse", "--verify", "--end-of-options", f"{revision}^{{tree}}")
    answer = git.ask(*words, timeout=_TIMEOUT)
    if " is ambiguous" in answer.reason:
        raise UsageError(
            f"{revision!r} is ambiguous here: {answer.reason}",
            hint="Write it out: refs/heads/…, refs/remotes/origin/… or the whole commit.",
        )
    if answer.exit_code == 0 and _OBJECT.fullmatch(answer.text):
        return answer.text
    if git.git_dir is None or answer.exit_code == MISSING:
        raise _failure(git, answer)
    raise UsageError(
        f"git knows no revision {revision!r} here.",
        hint=f"Fetch it first: git fetch --depth=1 origin {revision.removeprefix('origin/')}, "
        "then name FETCH_HEAD.",
    )


def _need(git: Git, *words: str, stdin: bytes = b"") -> Answer:
    answer = git.ask(*words, stdin=stdin, timeout=_TIMEOUT)
    if answer.exit_code != 0:
        raise _failure(git, answer)
    return answer


def _failure(git: Git, answer: Answer) -> UsageError:
    if answer.exit_code == MISSING:
        return UsageError("git was not found on PATH.", hint="--base needs it; install git.")
    if git.git_dir is None:
        return UsageError(
            f"{git.root} is not in a git work tree.", hint="Leave --base out to judge every file."
        )
    return UsageError(
        f"git could not list the base in {git.root}: {answer.reason or 'no reason'}",
        hint="preflight fetches nothing itself: fetch the whole base revision, then try again.",
    )


def _names(answer: Answer) -> list[str]:
    """The parts of what was listed with -z; nothing where it was not."""
    listed = answer.out.decode("utf-8", "surrogateescape") if answer.exit_code == 0 else ""
    return [part for part in listed.split("\0") if part]


def _object_name(data: bytes, like: str) -> str:
    whole = b"blob %d\0" % len(data) + data
    if len(like) == len(sha256().hexdigest()):
        return sha256(whole).hexdigest()
    return sha1(whole, usedforsecurity=False).hexdigest()
