"""What a close binds: every file of the record's folder, by its sha256."""

import re
from collections.abc import Iterator, Mapping
from hashlib import sha256

from d1_preflight.core.checklist.answers import FIXED_MANUALLY, KEPT, ROLLED_BACK
from d1_preflight.core.record.apply_facts import CloseFacts, LedgerFacts
from d1_preflight.core.record.facts import is_absent
from d1_preflight.core.record.record import Record
from d1_preflight.core.record.signed_plan import GO_FILE, GO_SIGNATURE
from d1_preflight.core.summary.text import sentence
from d1_preflight.core.verify.chain import RECORD_FILE, RECORD_SIGNATURE
from d1_preflight.core.verify.problem import Bundle, Id, Problem
from d1_preflight.core.verify.timeline import POSTMORTEM, TIMELINE, read_timeline

_OWN = frozenset({RECORD_FILE, RECORD_SIGNATURE, POSTMORTEM})
_BY_GO = frozenset({GO_FILE, GO_SIGNATURE})
_SIGNERS = "allowed_signers"  # travels with a record that is read alone
_REVIEW = re.compile(r"(?:go|record)(?:-[1-9]\d*)?\.review\.toml(?:\.sig)?")
_ENDS = frozenset({KEPT, ROLLED_BACK, FIXED_MANUALLY, ""})  # “” is told as not recorded
_EVIDENCE = "evidence/"
_FROM_GIT = "Restore it from git."
_BY_HAND = "A record is closed through preflight only; restore it from git."


def bound_files(
    record: Record, sums: Mapping[str, str], *, timeline_is_bound: bool
) -> tuple[str, ...]:
    """The files that a record names at its close, each as `sha256sum` writes it.

    Evidence is named by its attempt, and a timeline that is bound line by line goes on growing.
    """
    named = {*_OWN, *evidence_names(record), *((TIMELINE,) if timeline_is_bound else ())}
    return tuple(f"{sums[name]}  {name}" for name in sorted(sums) if name not in named)


def evidence_names(record: Record) -> Iterator[str]:
    """The files that the record's attempts name."""
    for attempt in record.attempts:
        for evidence in attempt.evidence:
            yield from evidence.files


def bound_problems(bundle: Bundle, *, is_in_project: bool) -> Iterator[Problem]:
    """The files that a closed record does not name, or names otherwise; reviews may follow it."""
    record, close = bundle.record, bundle.record.last(CloseFacts.step)
    if record.schema == 1 or close is None or not close.status.is_answered:
        return
    facts = CloseFacts.from_attempt(close)
    named = dict(_parsed(line) for line in facts.files)
    has_place = facts.chain is not None and facts.chain.sequence
    if is_absent(facts.files) or not has_place or close is not record.attempts[-1]:
        words = "was closed without naming its files and its place in the chain"
        yield Problem(Id.CLOSE_INCOMPLETE, RECORD_FILE, words, _BY_HAND)
    yield from _contradictions(record, facts)
    for name, expected in named.items():
        yield from _named_problem(bundle.files.get(name), name, expected)
    known = {*_OWN, TIMELINE, record.migration, *named, *evidence_names(record)}
    known |= set() if is_in_project else {_SIGNERS}
    for name in sorted(bundle.files.keys() - known):
        if not _REVIEW.fullmatch(name):
            words = "is not a file of this record: the close does not name it"
            yield Problem(Id.FILE_UNLISTED, name, words, "Remove it; notes go to postmortem.md.")
    timeline = None if TIMELINE in named else bundle.files.get(TIMELINE)
    if timeline is not None and not read_timeline(timeline).is_bound:
        words = "is not a file of this record: preflight did not write it"
        yield Problem(Id.FILE_UNLISTED, TIMELINE, words, "Notes go to postmortem.md.")


def _contradictions(record: Record, facts: CloseFacts) -> Iterator[Problem]:
    """What a close says of the end, the ledger and the files, and the record otherwise."""
    names = [_parsed(line)[0] for line in facts.files]
    checked = record.last_facts(LedgerFacts).id
    row = facts.chain.ledger_id if facts.chain else None
    if facts.end not in _ENDS:
        yield _differs(f"names “{sentence(facts.end)}”, which is not an outcome, as its end")
    if len(set(names)) < len(names):
        yield _differs("names a file twice")
    if facts.end in {KEPT, ""} and None not in {row, checked} and row != checked:
        yield _differs(
            f"was closed with row {row} of the ledger; the ledger step saw row {checked}"
        )
    for name in evidence_names(record):
        if not name.startswith(_EVIDENCE):
            yield _differs(f"names {sentence(name)} as the output of a command")


def _differs(words: str) -> Problem:
    return Problem(Id.CLOSE_DIFFERS, RECORD_FILE, words, _BY_HAND)


def _named_problem(data: bytes | None, name: str, expected: str) -> Iterator[Problem]:
    if name in _BY_GO:  # what is wrong with them, the checks of GO say
        return
    if data is None:
        words = "is missing; the record was closed with it"
        yield Problem(Id.FILE_MISSING, name, words, _FROM_GIT)
    elif sha256(data).hexdigest() != expected:
        words = "is not the file that the record was closed with (its sha256 differs)"
        yield Problem(Id.FILE_CHANGED, name, words, _FROM_GIT)


def _parsed(line: str) -> tuple[str, str]:
    """A line of `sha256sum`: the name, and the hash that the file should have."""
    expected, _, name = line.partition("  ")
    return name, expected
