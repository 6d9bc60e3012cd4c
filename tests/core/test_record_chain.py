"""The chain of a database's closed records: each later one vouches for those before it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from core.record_values import ANA, BEN, KEYS, START, closed_files, closed_in_chain
from d1_preflight.core.checklist.answers import ROLLED_BACK
from d1_preflight.core.record.file import dump_record, load_record
from d1_preflight.core.record.review import CLOSED_RECORD, Verdict, statement
from d1_preflight.core.record.signing import CLOSE, REVIEW
from d1_preflight.core.target.snapshot import LedgerRow
from d1_preflight.core.verify.chain import ClosedRecord, chain_key, read_closed
from d1_preflight.core.verify.links import Chain

Files = Mapping[str, bytes]
OLD = "0057_add_team_billing.sql"
NAMES = ("0057_a.sql", "0058_b.sql", "0059_c.sql", "0060_d.sql")
LEDGER = tuple(LedgerRow(n, name, "2026-11-23 14:00:00") for n, name in enumerate(NAMES, 57))


def chained(*names: str, after: Sequence[Files] = ()) -> list[Files]:
    """Records that were closed one after the other."""
    made = list(after)
    for number, name in enumerate(names):
        start = START + timedelta(days=number)
        made.append(closed_in_chain(made, migration=name, start=start, ledger=LEDGER))
    return made[len(after) :]


FOUR = chained(*NAMES)


def read(files: Files) -> ClosedRecord:
    found = read_closed(files)
    assert found is not None
    return found


def told(records: Sequence[Files]) -> dict[str, list[str]]:
    """What is wrong with the place of each record, by its migration."""
    chain = Chain(tuple(map(read, records)))
    return {
        record.migration: [f"{p.weight} {p.id}: {p.words}" for p in chain.problems(record)]
        for record in chain.records
    }


def wrong(records: Sequence[Files]) -> dict[str, list[str]]:
    return {name: words for name, words in told(records).items() if words}


def resigned(files: Files, words: str = "other words") -> dict[str, bytes]:
    """The record with other closing words, signed again by its operator."""
    record = load_record(files["record.toml"])
    last = replace(record.attempts[-1], words=words)
    document = dump_record(replace(record, attempts=(*record.attempts[:-1], last)))
    return {**files, "record.toml": document, "record.toml.sig": KEYS.sign(document, CLOSE, ANA)}


def with_review(files: Files, verdict: Verdict = Verdict.SENT_BACK) -> dict[str, bytes]:
    record = load_record(files["record.toml"])
    document = statement(files, record, CLOSED_RECORD, verdict, "why", reviewer=BEN, at=START)
    signature = KEYS.sign(document, REVIEW, BEN)
    return {**files, "record.review.toml": document, "record.review.toml.sig": signature}


def test_each_record_names_the_one_before_it() -> None:
    closed = list(map(read, FOUR))

    assert [record.sequence for record in closed] == [1, 2, 3, 4]
    assert [[h.sha256 for h in r.link.previous] for r in closed if r.link] == [
        [],
        *([record.sha256] for record in closed[:-1]),
    ]
    assert wrong(FOUR) == {}


@pytest.mark.parametrize("number", range(4))
def test_what_follows_a_record_is_found_directly_or_by_others(number: int) -> None:
    chain = Chain(tuple(map(read, FOUR)))

    found = [record.migration for record in chain.later(chain.records[number])]

    assert found == list(NAMES[number + 1 :])


def test_a_record_that_was_removed_is_named_by_the_next() -> None:
    assert wrong([FOUR[0], *FOUR[2:]]) == {
        NAMES[2]: [
            f"invalid chain-missing: follows {NAMES[1]} (number 2), and that record is not here"
        ]
    }


def test_another_record_in_the_place_of_one_is_named() -> None:
    found = wrong([FOUR[0], resigned(FOUR[1]), *FOUR[2:]])

    words = f"is not the record that {NAMES[2]} was closed after: "
    words += "an older one was restored, or it was signed again"
    assert f"invalid chain-replaced: {words}" in found[NAMES[1]]
    words = f"follows {NAMES[1]} (number 2), and another record of it is here"
    assert found[NAMES[2]] == [f"invalid chain-missing: {words}"]
    assert set(found) <= set(NAMES[1:])


@pytest.mark.parametrize("name", ["record.review.toml", "record.review.toml.sig"])
def test_a_review_after_the_close_can_not_go_once_the_next_record_is_closed(name: str) -> None:
    first = with_review(FOUR[0])
    second = chained(NAMES[1], after=[first])
    assert wrong([first, *second]) == {}

    gone = {key: data for key, data in first.items() if key != name}
    found = wrong([gone, *second])[NAMES[0]]

    words = f"is gone or changed since {NAMES[1]} was closed"
    assert found == [f"invalid chain-review-removed: {words}"]


def test_two_branches_make_a_fork_that_the_next_close_joins() -> None:
    (base,) = chained(NAMES[0])
    (left,), (right,) = chained(NAMES[1], after=[base]), chained(NAMES[2], after=[base])

    found = wrong([base, left, right])
    assert set(found) == {NAMES[1], NAMES[2]}
    words = f"is one end of a fork of its chain: {NAMES[1]} and {NAMES[2]} were closed in parallel"
    assert all(f"open chain-fork: {words}" in lines for lines in found.values())
    assert not any("invalid" in line for lines in found.values() for line in lines)

    (joined,) = chained(NAMES[3], after=[base, left, right])
    assert read(joined).sequence == 3
    assert wrong([base, left, right, joined]) == {}


def test_a_record_that_was_applied_and_not_closed_is_a_gap_until_it_is() -> None:
    first = closed_in_chain(migration=NAMES[0], ledger=LEDGER[:1])
    third = closed_in_chain([first], migration=NAMES[2], ledger=LEDGER[:3])

    words = f"was closed while {NAMES[1]}, applied before it, had no closed record"
    assert wrong([first, third]) == {NAMES[2]: [f"open chain-gap: {words}"]}

    late = closed_in_chain([first, third], migration=NAMES[1], ledger=LEDGER[:3])
    assert wrong([first, third, late]) == {}


def test_a_record_closed_out_of_the_ledgers_order_is_named() -> None:
    first = closed_in_chain(migration=NAMES[0], ledger=LEDGER[:1])
    third = closed_in_chain([first], migration=NAMES[2], ledger=(LEDGER[0], LEDGER[2]))
    late = closed_in_chain([first, third], migration=NAMES[1], ledger=LEDGER[:3])

    words = f"was applied before {NAMES[2]} and closed after it"
    assert wrong([first, third, late]) == {NAMES[1]: [f"invalid chain-order: {words}"]}


def test_a_chain_names_the_records_of_schema_1_that_were_there() -> None:
    old = closed_files()[0]
    began = chained(*NAMES[1:3], after=[old])

    assert wrong([old, *began]) == {}
    found = wrong([resigned(old), *began])
    assert [line.split(":")[0] for lines in found.values() for line in lines] == [
        "invalid chain-old-schema", "invalid chain-missing",
    ]  # fmt: skip


def test_a_record_of_schema_1_closed_later_is_a_problem() -> None:
    old = closed_files()[0]

    found = wrong([old, *FOUR[1:]])

    words = f"is of schema 1, and was not there when {NAMES[0]} began the chain of its database"
    assert wrong([*FOUR, old]) == {
        "0057_add_team_billing.sql": [f"invalid chain-old-schema: {words}"]
    }
    assert OLD not in found  # without its beginning nothing says when


def test_a_number_that_does_not_follow_is_named() -> None:
    record = load_record(FOUR[1]["record.toml"])
    text = dump_record(record).decode().replace("sequence = 2", "sequence = 7")
    document = text.encode()
    changed = {**FOUR[1], "record.toml": document, "record.toml.sig": b""}

    assert wrong([FOUR[0], changed]) == {
        NAMES[1]: ["invalid chain-broken: is number 7 of its chain, and must be number 2"]
    }


def test_the_records_of_another_database_are_another_chain() -> None:
    database = load_record(FOUR[0]["record.toml"]).database

    assert read(FOUR[0]).database == database.id == chain_key(database)
    assert chain_key(replace(database, id="")) == database.name != ""


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"record.toml": b""},
        {"record.toml": b"x", "record.toml.sig": b""},
        {name: data for name, data in FOUR[0].items() if name != "record.toml.sig"},
    ],
)
def test_what_is_not_closed_or_not_readable_has_no_place(files: Files) -> None:
    assert read_closed(files) is None


def ledger_told(records: Sequence[Files], rows: Sequence[LedgerRow]) -> dict[str, list[str]]:
    """What the ledger says against each closed record."""
    chain = Chain(tuple(map(read, records)))
    found = {
        r.migration: [p.id.value for p in chain.ledger_problems(r, rows)] for r in chain.records
    }
    return {name: ids for name, ids in found.items() if ids}


def unrecorded(
    records: Sequence[Files], rows: Sequence[LedgerRow], begun: Sequence[str] = ()
) -> list[tuple[str, str]]:
    chain = Chain(tuple(map(read, records)))
    return [(name, f"{p.weight} {p.id}") for name, p in chain.unrecorded(rows, begun)]


def test_a_ledger_with_a_row_for_each_record_agrees() -> None:
    assert ledger_told(FOUR, LEDGER) == {}
    assert unrecorded(FOUR, LEDGER) == []


def test_a_record_that_was_kept_has_its_row_in_the_ledger() -> None:
    assert ledger_told(FOUR, LEDGER[:3]) == {NAMES[3]: ["ledger-row-missing"]}
    other = (*LEDGER[:3], replace(LEDGER[3], id=99))
    assert ledger_told(FOUR, other) == {NAMES[3]: ["ledger-row-differs"]}


def test_a_record_that_was_rolled_back_needs_no_row() -> None:
    record = load_record(FOUR[3]["record.toml"])
    last = record.attempts[-1]
    last = replace(last, facts={**last.facts, "end": ROLLED_BACK})
    document = dump_record(replace(record, attempts=(*record.attempts[:-1], last)))

    assert ledger_told([*FOUR[:3], {**FOUR[3], "record.toml": document}], LEDGER[:3]) == {}


def test_an_applied_row_has_a_closed_record_once_there_are_records() -> None:
    assert unrecorded(FOUR[1:3], LEDGER) == [(NAMES[3], "invalid ledger-record-missing")]
    assert unrecorded(FOUR[1:3], LEDGER, begun=NAMES) == [(NAMES[3], "open ledger-record-open")]
    assert unrecorded((), LEDGER) == []


def test_a_head_that_a_reviewer_saw_is_here_or_named() -> None:
    chain = Chain(tuple(map(read, FOUR[:2])))
    seen = [f"{read(files).sha256}  {name}" for files, name in zip(FOUR[:3], NAMES, strict=False)]

    found = list(chain.review_problems("record.review.toml", seen))

    assert [chain.holds(read(files).sha256) for files in FOUR[:3]] == [True, True, False]
    assert [(p.id.value, p.file) for p in found] == [("review-head-missing", "record.review.toml")]
    assert NAMES[2] in found[0].words


def test_a_record_of_schema_1_names_no_row_and_contradicts_none() -> None:
    old = closed_files()[0]
    row = LedgerRow(7, OLD, "2026-11-23 14:00:00")

    assert ledger_told([old], [row]) == {}
    assert ledger_told([old], []) == {OLD: ["ledger-row-missing"]}


def test_a_record_without_a_row_of_its_own_has_no_place_in_the_ledgers_order() -> None:
    first, third = chained(NAMES[0], NAMES[2])
    without = closed_in_chain([first, third], migration=NAMES[1], ledger=(LEDGER[0], LEDGER[2]))

    assert wrong([first, third, without]) == {}
