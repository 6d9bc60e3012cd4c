"""Which files a schema shows to be applied: each file's objects, compared with what is there.

A ledger that is empty or another tool's says nothing of wrangler's files. What a file makes, a
later one may change or remove again; what decides is the part as the last of them leaves it.
Nothing is guessed: a file of data alone shows nothing in a schema.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise

from d1_preflight.core.format import plural
from d1_preflight.core.schema.schema import ObjectPart, Schema, meanings

_NAMED = 3


class Applied(StrEnum):
    """Whether a file is applied, as far as the target shows it."""

    YES = "applied"
    NO = "not applied"
    PARTLY = "partly"
    CONTRADICTS = "contradicts"
    UNKNOWN = "unknown"

    @property
    def blocks(self) -> bool:
        """Whether nothing may be written while a file is in this state."""
        return self in (Applied.PARTLY, Applied.CONTRADICTS)


@dataclass(frozen=True, slots=True)
class JudgedFile:
    """One file: whether it is applied, and by what that is seen."""

    name: str
    applied: Applied
    evidence: str


_State = Mapping[ObjectPart, str]


@dataclass(slots=True)
class _Seen:
    """The parts of one file's change, by what the target holds of them."""

    made: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)
    alike: list[str] = field(default_factory=list)  # a state from before it, and one from after

    def parts(self, *, with_it: bool, without: bool) -> list[str]:
        """The list of a part that is as some file leaves it, with this one or without."""
        if with_it and without:
            return self.alike
        if with_it:
            return self.made
        return self.missing if without else self.other


def judge_files(
    names: Sequence[str], steps: Sequence[Schema], live: Schema
) -> tuple[JudgedFile, ...]:
    """Each file's verdict; `steps` are the schemas before the first file and after each."""
    *states, now = meanings((*steps, live))
    changed = [
        tuple(part for part in {**new, **old} if old.get(part) != new.get(part))
        for old, new in pairwise(states)
    ]
    by_part: dict[ObjectPart, list[int]] = {}
    for number, parts in enumerate(changed):
        for part in parts:
            by_part.setdefault(part, []).append(number)
    known = [Applied.UNKNOWN] * len(names)
    files: tuple[JudgedFile, ...] = ()
    while True:  # each round knows more files, or is the last
        seen = (_compared(states, by_part, number, now, known) for number in range(len(names)))
        files = tuple(_judged(name, one) for name, one in zip(names, seen, strict=True))
        found = [
            f.applied if k is Applied.UNKNOWN else k for f, k in zip(files, known, strict=True)
        ]
        if found == known:
            return files
        known = found


def with_ledger(
    file: JudgedFile, whose: str, *, is_recorded: bool, others_in_it: bool
) -> JudgedFile:
    """The verdict with what another tool's ledger says; what disagrees contradicts.

    A ledger in which none of the files is found is about other files: it says nothing.
    """
    if not others_in_it:
        return file
    words = f"{whose} {'has' if is_recorded else 'does not have'} it"
    said = Applied.YES if is_recorded else Applied.NO
    if file.applied is Applied.UNKNOWN:
        return JudgedFile(file.name, said, f"{file.evidence}; {words}")
    if file.applied in (Applied.YES, Applied.NO) and file.applied is not said:
        return JudgedFile(file.name, Applied.CONTRADICTS, f"{file.evidence}, but {words}")
    return JudgedFile(file.name, file.applied, f"{file.evidence}; {words}")


def gaps(files: Sequence[JudgedFile]) -> tuple[str, ...]:
    """The files that are not applied and stand before one that is."""
    last = max((n for n, f in enumerate(files) if f.applied is Applied.YES), default=-1)
    return tuple(file.name for file in files[:last] if file.applied is Applied.NO)


def _compared(
    states: Sequence[_State],
    by_part: Mapping[ObjectPart, Sequence[int]],
    number: int,
    now: _State,
    known: Sequence[Applied],
) -> _Seen:
    """The parts that a file changes, by what the target holds of each.

    What a later file that is not applied would leave is not there, nor what was before an earlier
    one that is.
    """
    seen = _Seen()
    for part, mine in by_part.items():
        if number not in mine:
            continue
        found = now.get(part)
        after = [n for n in mine if n == number or (n > number and known[n] is not Applied.NO)]
        before = [n for n in mine if n == number or (n < number and known[n] is not Applied.YES)]
        with_it = any(states[n + 1].get(part) == found for n in after)
        without = any(states[n].get(part) == found for n in before)
        seen.parts(with_it=with_it, without=without).append(f"{part[0]} {part[1]}")
    return seen


def _judged(name: str, seen: _Seen) -> JudgedFile:
    if seen.other:
        words = f"on the target, {_listed(seen.other)} differs from what this file creates"
        return JudgedFile(name, Applied.CONTRADICTS, words)
    if seen.made and seen.missing:
        words = f"on the target: {_listed(seen.made)}; missing: {_listed(seen.missing)}"
        return JudgedFile(name, Applied.PARTLY, words)
    if seen.made:
        return JudgedFile(name, Applied.YES, f"the target has {_listed(seen.made)} as it leaves it")
    if seen.missing:
        words = f"the target has {_listed(seen.missing)} as it was before this file"
        return JudgedFile(name, Applied.NO, words)
    if seen.alike:
        words = f"{_listed(seen.alike)} looks the same with and without this file"
        return JudgedFile(name, Applied.UNKNOWN, words)
    return JudgedFile(
        name, Applied.UNKNOWN, "it does not change the schema, so the schema cannot show it"
    )


def _listed(parts: Sequence[str]) -> str:
    """The tables and objects first; a part of a table that is named itself is left out."""
    whole = {part.split(" ", 1)[1] for part in parts if part.startswith("table ")}
    kept = [p for p in parts if p.rsplit(" ", 1)[1].split(".")[0] not in whole or "." not in p]
    kept = [part for part in kept if not part.startswith("option ")] or kept
    more = len(kept) - _NAMED
    rest = f" and {plural(more, 'more part')}" if more > 0 else ""
    return ", ".join(kept[:_NAMED]) + rest
