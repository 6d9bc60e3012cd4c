"""The timeline of an emergency: lines of this program, each bound by a hash to all before it.

People's notes go to another file. A file of an earlier version has no hashes and stays as it is.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256

from d1_preflight.core.record.apply_facts import CloseFacts
from d1_preflight.core.verify.problem import Bundle, Id, Problem
from d1_preflight.lazy_dataclass import dataclass

TIMELINE, POSTMORTEM = "timeline.md", "postmortem.md"
_BOUND = "Each line ends in a hash over it and all lines above: preflight alone writes here."
_HEAD = f"""\
# Timeline of an emergency: {{subject}}

{_BOUND} Notes of
people go to {POSTMORTEM}. Times are UTC. Each command is noted before it runs and after it
has ended.

"""
_NOTES = """\
# Post-mortem: {subject}

To be filled in; preflight writes nothing more here. What was run is in timeline.md.

- What did users notice, and from when to when?
- Why did the rehearsal not show it?
- What is changed so that it is seen next time?
"""
_LINE = re.compile(r"- (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)  (.*)")
_HASH = re.compile(r"  #([0-9a-f]{16})")
_SHOWN = 16
_BY_HAND = f"Restore it from git; what people add goes to {POSTMORTEM}."


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One line: when it was written, and what it says of whom."""

    at: datetime
    words: str


@dataclass(frozen=True, slots=True)
class EmergencyTimeline:
    """A file that was read; `states` are the hashes after each line, the last is the file's.

    `broken` is the number of the first line that is not as this program wrote it, 0 for none.
    """

    entries: tuple[TimelineEntry, ...]
    states: tuple[str, ...]
    is_bound: bool
    broken: int = 0


def new_timeline(subject: str) -> str:
    """What a timeline begins with."""
    return _HEAD.format(subject=subject)


def new_postmortem(subject: str) -> str:
    """The questions that people answer."""
    return _NOTES.format(subject=subject)


def next_line(before: str, at: datetime, words: str) -> str:
    """The line to be added to a timeline; it carries a hash where those before it do."""
    line = f"- {at.astimezone(UTC):%Y-%m-%d %H:%M:%S}  {' '.join(words.splitlines())}"
    if not _is_bound(before):
        return f"{line}\n"
    state = read_timeline(before.encode()).states[-1]
    return f"{line}  #{_state(state, line)[:_SHOWN]}\n"


def read_timeline(data: bytes) -> EmergencyTimeline:
    """Read a timeline of any version; never raises."""
    text = data.decode("utf-8", "replace")
    is_bound = _is_bound(text)
    lines = text.splitlines()
    first = next((n for n, line in enumerate(lines) if _LINE.match(line)), len(lines))
    states = [sha256("\n".join(lines[:first]).encode()).hexdigest()]
    entries, broken = list[TimelineEntry](), 0
    for number, line in enumerate(lines[first:], first + 1):
        body, mark = (line[: -_SHOWN - 3], line[-_SHOWN - 3 :]) if is_bound else (line, "")
        states.append(_state(states[-1], body))
        if is_bound and not (_HASH.fullmatch(mark) and states[-1].startswith(mark[3:])):
            broken = broken or number
        if found := _LINE.fullmatch(body):
            entries.append(TimelineEntry(_moment(found[1]), found[2]))
    return EmergencyTimeline(tuple(entries), tuple(states), is_bound, broken)


def read_until(data: bytes, state: str) -> EmergencyTimeline:
    """The timeline as it was when its hash was this one; whole where it never was."""
    found = read_timeline(data)
    if state not in found.states:
        return found
    later = len(found.states) - 1 - found.states.index(state)
    lines = data.decode("utf-8", "replace").splitlines()
    return read_timeline("\n".join(lines[: len(lines) - later]).encode())


def timeline_problems(bundle: Bundle) -> Iterator[Problem]:
    """What is wrong with the timeline beside a record; one of an earlier version is not bound."""
    closed = bundle.record.last_facts(CloseFacts).timeline
    data = bundle.files.get(TIMELINE)
    if data is None:
        if closed:
            words = "is missing, but the record names it"
            yield Problem(Id.TIMELINE_MISSING, TIMELINE, words, _BY_HAND)
        return
    found = read_timeline(data)
    if found.broken:
        words = f"line {found.broken} is not as preflight wrote it (its hash differs)"
        yield Problem(Id.TIMELINE_CHANGED, TIMELINE, words, _BY_HAND)
    elif closed and closed not in found.states:
        words = "is not the one that the record was closed with"
        yield Problem(Id.TIMELINE_CHANGED, TIMELINE, words, _BY_HAND)


def _is_bound(text: str) -> bool:
    return _BOUND in text


def _state(before: str, line: str) -> str:
    return sha256(f"{before}\n{line}".encode()).hexdigest()


def _moment(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
