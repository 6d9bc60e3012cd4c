"""What git knows of a project: the commit, whether files differ from it, who is at the keyboard."""

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from d1_preflight.adapters.git.door import Git, git_around
from d1_preflight.adapters.processes import MISSING, TIMED_OUT, TOO_SLOW, Answer
from d1_preflight.adapters.system import machine_user
from d1_preflight.lazy_dataclass import dataclass

_PATIENCE = 2.0
_STATUS = (
    "status", "--porcelain", "-z", "--untracked-files=normal", "--no-renames",
    "--ignore-submodules=dirty",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class GitFacts:
    """What git knows of the project: the commit, and whether files differ from it.

    `commit` is "" where there is no repository or no commit; `is_dirty` is None where unknown.
    `silence` says why nothing is known where git itself did not answer.
    """

    commit: str = ""
    is_dirty: bool | None = None
    silence: str = ""


def read_git(folder: Path, patience: float = _PATIENCE) -> GitFacts:
    """Read what git knows; every fact is empty where there is no git.

    Each question waits so many seconds; where git was too slow before, it is not asked again.
    """
    git = git_around(folder)
    if refused := _refusal(git, patience):
        return GitFacts(silence=refused)
    commit = _quick(git, "rev-parse", "--verify", "--quiet", "HEAD", patience=patience)
    if commit.exit_code == MISSING:
        return GitFacts(silence="git was not found on PATH")
    if commit.exit_code == TOO_SLOW:
        return GitFacts(silence=f"git gave {commit.reason}")
    return GitFacts(
        commit=commit.text.strip() if commit.exit_code == 0 else "",
        is_dirty=_is_dirty(git, patience) if git.git_dir else None,
    )


def is_ignored(path: Path) -> bool | None:
    """Whether git ignores this path; None where git cannot tell."""
    git = git_around(path.parent)
    below = path.parent.relative_to(git.root) if path.is_relative_to(git.root) else path.parent
    answer = _quick(git, "check-ignore", "--quiet", "--", str(below / path.name))
    return {0: True, 1: False}.get(answer.exit_code)


def operator_identity(folder: Path) -> str:
    """Name the person at the keyboard: git's e-mail address, else user@host."""
    return git_setting(folder, "user.email", os.environ) or machine_user()


def git_setting(folder: Path, name: str, environ: Mapping[str, str]) -> str:
    """One value of git's configuration, "" where it is not set.

    A repository that git refuses, such as another person's, has no say in it.
    """
    git = git_around(folder, environ)
    git = replace(git, git_dir=None) if _refusal(git) else git
    answer = _quick(git, "config", "--get", name)
    return answer.text.strip() if answer.exit_code == 0 else ""


def _refusal(git: Git, patience: float = _PATIENCE) -> str:
    """Why git does not answer for this repository at all; "" where it does, or is not there."""
    refused = _remembered(git, "quick", lambda: git.refusal(patience) or Answer(0, b"", b""))
    if refused.exit_code == MISSING:
        return "git was not found on PATH"
    if refused.exit_code == TOO_SLOW:
        return f"git gave {refused.reason}"
    return f"git refuses it: {refused.reason}" if refused.exit_code else ""


def _is_dirty(git: Git, patience: float) -> bool | None:
    """Whether files differ from the commit; None where only a filter, which is not run, knows."""
    drivers = _filters(git, patience)
    if drivers is None:
        return None
    off = (f"{key}={'false' if key.endswith('.required') else ''}" for key in drivers)
    rules = (word for rule in off for word in ("-c", rule))
    status = _remembered(git, "files", lambda: git.ask(*rules, *_STATUS, timeout=patience))
    if status.exit_code != 0:
        return None
    changed = [line for line in status.out.split(b"\0") if line]
    if drivers and changed and all(line.startswith(b" M ") for line in changed):
        paths = [line[3:] for line in changed]
        return None if _are_filtered(git, paths, patience) else True
    return bool(changed)


def _filters(git: Git, patience: float) -> tuple[str, ...] | None:
    """The settings that name filters; None where one of them cannot be switched off by name."""
    words = ("config", "-z", "--name-only", "--get-regexp", r"^filter\.")
    listed = _quick(git, *words, patience=patience)
    keys = tuple(dict.fromkeys(os.fsdecode(key) for key in listed.out.split(b"\0") if key))
    failed = listed.exit_code not in {0, 1}
    return None if failed or any("=" in key for key in keys) else keys


def _are_filtered(git: Git, paths: list[bytes], patience: float) -> bool:
    """Whether each of these files has a filter by its attributes."""
    words = ("check-attr", "-z", "--stdin", "filter")
    answer = git.ask(*words, stdin=b"\0".join((*paths, b"")), timeout=patience)
    values = answer.out.split(b"\0")[2::3]
    return answer.exit_code == 0 and not set(values) & {b"unspecified", b"unset"}


def _quick(git: Git, *words: str, patience: float = _PATIENCE) -> Answer:
    return _remembered(git, "quick", lambda: git.ask(*words, timeout=patience))


def _remembered(git: Git, sort: str, question: Callable[[], Answer]) -> Answer:
    """Ask git; a slow look at the files says nothing about its quick answers, else all is slow."""
    return TIMED_OUT.ask(("repository", git.environ.get("PATH", ""), str(git.root), sort), question)
