"""The git revisions that a deployed version may be made of: by its tag, its commit, its message.

A deploy may name anything, so that each is a proposal and never a proof.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from d1_preflight.adapters.git.door import Git, git_around
from d1_preflight.adapters.git.revision_tree import commit_of, merge_base
from d1_preflight.core.errors import UsageError
from d1_preflight.core.record.safety_facts import RevisionProposal

_HEX = re.compile(r"(?<![0-9a-zA-Z-])[0-9a-f]{7,40}(?![0-9a-zA-Z-])")
_TAG = re.compile(r"[\w.@/+-]{1,200}")
_MOST = 8
_LOG = ("log", "--all", "-n", "2000", "--format=%H%x00%s")
_TIMEOUT = 20.0


def proposed_revisions(folder: Path, notes: Mapping[str, str]) -> tuple[RevisionProposal, ...]:
    """The commits that the notes of a deployed version name, then the merge-base.

    `notes` are texts (a tag, a message) with what they are; none where git tells nothing.
    """
    git = git_around(folder)
    if git.git_dir is None or git.refusal():
        return ()
    found: dict[str, str] = {}
    for text, where in notes.items():
        for commit in _named_by(git, text):
            found.setdefault(commit, where)
    base = merge_base(git)
    if base:
        found.setdefault(base, "the merge-base with the main branch")
    pairs = list(found.items())[:_MOST]
    return tuple(RevisionProposal(commit=commit, why=why) for commit, why in pairs)


def _named_by(git: Git, text: str) -> Iterator[str]:
    words = text.strip()
    names = [f"refs/tags/{words}"] if _TAG.fullmatch(words) else []
    for name in (*names, *_HEX.findall(words)[:3]):
        try:
            yield commit_of(git, name)
        except UsageError:
            continue
    subject = words.split("\n", 1)[0].strip()
    if " " in subject:
        yield from _with_subject(git, subject)


def _with_subject(git: Git, subject: str) -> Iterator[str]:
    """The newest commit with this first line."""
    answer = git.ask(*_LOG, timeout=_TIMEOUT)
    lines = answer.out.decode("utf-8", "replace").splitlines() if answer.exit_code == 0 else []
    for line in lines:
        commit, _, found = line.partition("\0")
        if found.strip() == subject:
            yield commit
            return
