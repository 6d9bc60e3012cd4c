"""A proved rewrite as the forms carry it: by the lines that it replaces."""

from dataclasses import dataclass
from difflib import SequenceMatcher

from d1_preflight.core.findings import Finding
from d1_preflight.core.remedies.fix import Fix


@dataclass(frozen=True, slots=True)
class Hunk:
    """Lines from `start` up to `end` (counted from 1, `end` not among them) become `text`."""

    start: int
    end: int
    text: str

    def distance(self, line: int) -> int:
        """How far a line is from what is replaced."""
        return max(self.start - line, line - max(self.end - 1, self.start), 0)


def hunks(found: Fix) -> tuple[Hunk, ...]:
    """What the rewrite replaces, in the order of the file."""
    old, new = (text.splitlines(keepends=True) for text in (found.before, found.after))
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    return tuple(
        Hunk(a + 1, b + 1, "".join(new[c:d]))
        for tag, a, b, c, d in matcher.get_opcodes()
        if tag != "equal"
    )


def answer_to(found: Fix | None, finding: Finding) -> str:
    """What the rewrite does about a finding; "" where it does nothing about it."""
    if found is None or not found.is_offered:
        return ""
    same = (a.what for a in found.done if _is_same(a.finding, finding))
    return next(same, "")


def suggestion(found: Fix, finding: Finding) -> str:
    """The nearest of the replaced parts, as a suggestion block."""
    nearest = min(hunks(found), key=lambda hunk: hunk.distance(finding.line))
    return f"```suggestion\n{nearest.text.rstrip()}\n```"


def _is_same(one: Finding, other: Finding) -> bool:
    return one.rule == other.rule and one.message == other.message
