"""The twelve manipulations that a record of schema 1 let pass: what names each of them now.

Each is done by somebody who may sign as the operator and signs everything anew. `WHERE` says what
is looked at beside the record's own files; what only others can see is in the README's table.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import pytest

from core.record_values import ANA, BEN, KEYS, START, closed_in_chain, shipped_checklist
from d1_preflight.core.record.apply_facts import CloseFacts
from d1_preflight.core.record.file import dump_record, load_record
from d1_preflight.core.record.record import Attempt, Record, Status
from d1_preflight.core.record.review import CLOSED_RECORD, PLAN, Subject, Verdict, statement
from d1_preflight.core.record.signing import CLOSE, REVIEW
from d1_preflight.core.verify.chain import read_closed
from d1_preflight.core.verify.links import Chain
from d1_preflight.core.verify.place import Place
from d1_preflight.core.verify.verify import verify_record

CHECKLIST = shipped_checklist()
Files = dict[str, bytes]


def reviewed(files: Mapping[str, bytes], subject: Subject, verdict: Verdict) -> Files:
    record = load_record(files["record.toml"])
    reason = "" if verdict is Verdict.APPROVED else "no counts"
    words = statement(files, record, subject, verdict, reason, reviewer=BEN, at=START)
    name = f"{subject.stem}.review.toml"
    return {name: words, f"{name}.sig": KEYS.sign(words, REVIEW, BEN)}


APPROVED_GO = reviewed(closed_in_chain(), PLAN, Verdict.APPROVED)
CLOSED = closed_in_chain(more=APPROVED_GO)
SENT_BACK = CLOSED | reviewed(CLOSED, CLOSED_RECORD, Verdict.SENT_BACK)
NEXT = closed_in_chain([SENT_BACK], migration="0058_next.sql")
ABSENT = Place("alone", lacks_migration=True)


def signed_again(change: Callable[[Record], Record]) -> Files:
    """The record after a change, with the files that it names, signed by its operator again."""
    record = change(load_record(CLOSED["record.toml"]))
    document = dump_record(record)
    return {
        **SENT_BACK,
        "record.toml": document,
        "record.toml.sig": KEYS.sign(document, CLOSE, ANA),
    }


def with_attempt(step: str, change: Callable[[Attempt], Attempt]) -> Callable[[Record], Record]:
    return lambda record: replace(
        record, attempts=tuple(change(a) if a.step == step else a for a in record.attempts)
    )


def without_attempt(step: str) -> Callable[[Record], Record]:
    return lambda record: replace(
        record, attempts=tuple(a for a in record.attempts if a.step != step)
    )


def without(files: Files, *names: str) -> Files:
    return {name: data for name, data in files.items() if name not in names}


@dataclass(frozen=True)
class Manipulation:
    """What is done, and what names it; `seen_by` is "the record", or "the chain"."""

    what: str
    files: Files
    names: Sequence[str]
    seen_by: str = "the record"
    place: Place | None = None


def _otherwise(attempt: Attempt) -> Attempt:
    return replace(attempt, status=Status.WAIVED, words="no time")


MANIPULATIONS = (
    Manipulation(
        "the counter-signature of GO is removed",
        without(SENT_BACK, "go.review.toml", "go.review.toml.sig"),
        ["file-missing"],
    ),
    Manipulation(
        "“sent back” is removed after the next close",
        without(SENT_BACK, "record.review.toml", "record.review.toml.sig"),
        ["chain-review-removed"],
        "the chain",
    ),
    Manipulation(
        "an older validly signed record is put back", closed_in_chain(), ["chain-replaced"],
        "the chain",
    ),
    Manipulation(
        "a proof before GO gets another status, as waived does into proved",
        signed_again(with_attempt("named", _otherwise)),
        ["history-changed", "plan-differs"],
    ),
    Manipulation(
        "an answer after GO gets another status",
        signed_again(with_attempt("errors", _otherwise)),
        ["chain-replaced"],
        "the chain",
    ),
    Manipulation(
        "an attempt before GO is dropped",
        signed_again(without_attempt("purpose")),
        ["history-changed"],
    ),
    Manipulation(
        "an attempt after GO is dropped",
        signed_again(without_attempt("ledger")),
        ["chain-replaced"],
        "the chain",
    ),
    Manipulation(
        "evidence is dropped from attempt and folder",
        without(
            signed_again(with_attempt("named", lambda a: replace(a, evidence=()))),
            "evidence/001-named.out",
        ),
        ["history-changed"],
    ),
    Manipulation(
        "evidence is added", SENT_BACK | {"evidence/099-more.out": b"all well\n"},
        ["file-unlisted"],
    ),
    Manipulation("another file is added", SENT_BACK | {"notes.md": b"fine\n"}, ["file-unlisted"]),
    Manipulation("the migration's file is gone", SENT_BACK, ["migration-missing"], place=ABSENT),
    Manipulation(
        "the migration's file is renamed", SENT_BACK, ["migration-renamed"],
        place=replace(ABSENT, renamed_to="0059_other.sql"),
    ),
    # Bytes after a review's signature: tests/adapters/test_signing.py, where ssh-keygen reads them.
)  # fmt: skip


def found(files: Files, place: Place | None) -> set[str]:
    """What verify names, with the next record of the chain beside it."""
    records = [record for record in map(read_closed, (files, NEXT)) if record]
    beside = replace(place or Place("alone"), chain=Chain(tuple(records)))
    return {
        problem.id.value for problem in verify_record(files, CHECKLIST, KEYS, place=beside).problems
    }


@pytest.mark.parametrize("made", MANIPULATIONS, ids=lambda made: made.what)
def test_each_manipulation_is_named(made: Manipulation) -> None:
    named = found(made.files, made.place)

    assert set(made.names) <= named
    print(f"{made.what}: {', '.join(made.names)} ({made.seen_by})")


@pytest.mark.parametrize("made", MANIPULATIONS, ids=lambda made: made.what)
def test_what_the_chain_alone_names_is_good_without_it(made: Manipulation) -> None:
    """The README's table says so: before anybody saw a record its operator can write it anew."""
    place = made.place or Place("alone")
    named = {p.id.value for p in verify_record(made.files, CHECKLIST, KEYS, place=place).problems}

    assert bool(named & set(made.names)) == (made.seen_by == "the record")


def test_nothing_is_named_where_nothing_was_done() -> None:
    assert found(SENT_BACK, None) == {"sent-back"}
    assert CloseFacts.from_attempt(load_record(NEXT["record.toml"]).attempts[-1]).chain is not None
