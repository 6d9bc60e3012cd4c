"""Checks `SUMMARY.md` and GO's copy of it: they are rendered again from the record."""

from collections.abc import Iterator
from hashlib import sha256

from d1_preflight.core.record.apply_facts import CloseFacts, GoFacts
from d1_preflight.core.record.record import Record
from d1_preflight.core.summary.markdown import summary_bytes
from d1_preflight.core.summary.summary import GO_COPY, SUMMARY_FILE, go_copy
from d1_preflight.core.summary.text import sentence
from d1_preflight.core.summary.verdict import closed_attempt
from d1_preflight.core.verify.problem import Bundle, Id, Problem, Weight
from d1_preflight.core.verify.timeline import TIMELINE, read_until
from d1_preflight.lazy_dataclass import replace

_RESTORE = "Restore it from git; preflight show RECORD matches the record."


def summary_problems(bundle: Bundle) -> Iterator[Problem]:
    """What is wrong with a record's summaries; one of schema 1 has none."""
    record = bundle.record
    if record.schema == 1:
        return
    names = [(n, go_copy(n)) for n in _signed(record)]
    for number, name in names:
        yield from _go_problems(bundle, number, name)
    for name in sorted(n for n in bundle.files if GO_COPY.fullmatch(n)):
        if name not in [known for _, known in names]:
            yield Problem(Id.FILE_UNLISTED, name, "belongs to no GO of the record", "Remove it.")
    if closed_attempt(record):
        yield from _closed_problems(bundle)
    elif names:
        yield from _open_problems(bundle, names[-1][1])
    elif SUMMARY_FILE in bundle.files:
        words = "is there, but no GO was signed yet"
        yield Problem(Id.FILE_UNLISTED, SUMMARY_FILE, words, "Remove it.")


def _signed(record: Record) -> list[int]:
    """The numbers of the attempts that signed GO and kept its summary."""
    return [
        number
        for number, attempt in enumerate(record.attempts, 1)
        if attempt.step == GoFacts.step and GoFacts.from_attempt(attempt).summary
    ]


def _go_problems(bundle: Bundle, number: int, name: str) -> Iterator[Problem]:
    """GO's copy is the one that was kept, and says what the record said at GO."""
    data = bundle.files.get(name)
    attempt = bundle.record.attempts[number - 1]
    if data is None:
        words = "is missing, but the record names GO's summary"
        yield Problem(Id.SUMMARY_MISSING, name, words, _RESTORE)
    elif sha256(data).hexdigest() != GoFacts.from_attempt(attempt).summary:
        words = "is not GO's summary (its sha256 differs)"
        yield Problem(Id.SUMMARY_CHANGED, name, words, _RESTORE)
    else:
        before = replace(bundle.record, attempts=bundle.record.attempts[:number])
        yield from _compared(name, data, summary_bytes(before))


def _closed_problems(bundle: Bundle) -> Iterator[Problem]:
    data = bundle.files.get(SUMMARY_FILE)
    if data is None:
        words = "is missing, but the record is closed"
        yield Problem(Id.SUMMARY_MISSING, SUMMARY_FILE, words, _RESTORE)
        return
    closed = bundle.record.last_facts(CloseFacts)
    was_there = closed.timeline or any(line.endswith(f"  {TIMELINE}") for line in closed.files)
    data_then = bundle.files.get(TIMELINE, b"") if was_there else b""
    timeline = read_until(data_then, closed.timeline)
    yield from _compared(SUMMARY_FILE, data, summary_bytes(bundle.record, timeline.entries))


def _open_problems(bundle: Bundle, copy: str) -> Iterator[Problem]:
    """Until the close the summary is GO's; a close that was not signed may have left its own."""
    data, kept = bundle.files.get(SUMMARY_FILE), bundle.files.get(copy)
    if data is None:
        yield Problem(Id.SUMMARY_MISSING, SUMMARY_FILE, "is missing, but GO is signed", _RESTORE)
    elif kept is not None and data != kept:
        was_closing = bundle.record.last(CloseFacts.step) is not None
        weight = Weight.OPEN if was_closing else Weight.INVALID
        words = f"differs from {copy}"
        yield Problem(Id.SUMMARY_DIFFERS, SUMMARY_FILE, words, _RESTORE, weight)


def _compared(name: str, data: bytes, expected: bytes) -> Iterator[Problem]:
    if data == expected:
        return
    found, right = data.decode("utf-8", "replace").split("\n"), expected.decode().split("\n")
    pairs = zip([*found, *[""] * len(right)], [*right, *[""] * len(found)], strict=False)
    number, (has, wants) = next(
        ((n, pair) for n, pair in enumerate(pairs, 1) if pair[0] != pair[1]), (len(found), ("", ""))
    )
    words = f"differs from the record: line {number} says “{sentence(has)}”, "
    words += f"the record says “{sentence(wants)}”"
    yield Problem(Id.SUMMARY_DIFFERS, name, words, _RESTORE)
